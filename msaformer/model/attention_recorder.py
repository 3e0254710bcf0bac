"""Maps of row attention written down while the network predicts, for chosen blocks and heads.

No kernel returns its probabilities, so that they are computed once more, plainly, from what the layer reads: layer
norm, queries and keys of one head, softmax in float32. The layer itself computes what it would without (see
`Execution.observer`). Sequences are taken a few at a time, and where the map of one is too large, its rows: the maps of
all never exist together.

Dimension key: B batch, N sequences, L residues, H heads, D channels a head, c_m channels of the MSA track, M maps; R of
the N sequences and I of the L residues of the bias lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.execution import AttentionObserver
from msaformer.model.functions.pieces import rows_at_once, spans, wide
from msaformer.model.functions.softmax_attention import MASKED_LOGIT
from msaformer.model.model import MSAFormer
from msaformer.model.row_attention import RowAttentionWithPairBias


class AttentionRecorder(AttentionObserver):
    """Keeps the mean over the sequences of the map of each of `heads`, (block, head), both counted from 0.

    A map of tied rows is that of all sequences. Of several recycling passes the last one's maps stay.
    """

    def __init__(self, network: MSAFormer, heads: Sequence[tuple[int, int]]) -> None:
        self._maps: Tensor | None = None
        self._num_maps = len(heads)
        self._wanted: dict[nn.Module, list[tuple[int, int]]] = {}
        for place, (block, head) in enumerate(heads):
            layer = network.trunk.blocks[block].get_submodule("row_attention")
            self._wanted.setdefault(layer, []).append((place, head))

    @property
    def maps(self) -> Float[Tensor, "M B L L"]:
        """Rows sum to 1; 0 where a residue is not real. Each rank has them whole."""
        assert self._maps is not None, "the network has not run"
        return self._maps

    def see(self, layer: nn.Module, msa: Tensor, mask: Tensor, bias: Tensor) -> None:
        """Write down the maps of the heads of `layer` that are wanted."""
        for place, head in self._wanted.get(layer, ()):
            assert isinstance(layer, RowAttentionWithPairBias)
            with torch.no_grad(), torch.autocast(msa.device.type, enabled=False):
                whole = layer.execution.axial.gather(bias[:, head].contiguous(), axis=1)
                if self._maps is None or self._maps.shape[1:] != whole.shape:
                    self._maps = whole.new_empty((self._num_maps, *whole.shape), dtype=wide(msa.dtype))
                self._maps[place] = mean_map(layer, head, msa, mask, whole)


def mean_map(
    layer: RowAttentionWithPairBias,
    head: int,
    msa: Float[Tensor, "B R L c_m"],
    mask: Bool[Tensor, "B R L"],
    bias: Float[Tensor, "B L L"],
) -> Float[Tensor, "B L L"]:
    """Mean over the real sequences of all ranks of the probabilities of one head.

    `mask` is that of a batch, False for whole sequences and residues.
    """
    axial, is_tied = layer.execution.axial, layer.attention.tied
    bias = bias.to(wide(msa.dtype))
    total = torch.zeros_like(bias)
    for batch in range(len(msa)):
        for rows in _row_spans(layer, msa):
            q, k = _queries_and_keys(layer, head, msa[batch, rows].to(bias.dtype))
            for residues in _residue_spans(layer, msa, len(q)):
                is_query = mask[batch, rows, residues, None]
                logits = q[:, residues] @ k.transpose(1, 2)
                if not is_tied:  # else they are summed before the softmax
                    logits = _softmax(logits, bias[batch, residues], mask[batch, rows])
                total[batch, residues] += (logits * is_query).sum(dim=0)
    total = axial.sum(total)
    count = axial.sum(mask.any(dim=-1).sum(dim=-1)).clamp(min=1)[:, None, None]
    if not is_tied:
        return total / count
    is_real = axial.sum(mask.sum(dim=1)) > 0
    return _softmax(total * count**-0.5, bias, is_real) * is_real[:, :, None]


def _queries_and_keys(layer: RowAttentionWithPairBias, head: int, msa: Tensor) -> tuple[Tensor, Tensor]:
    """Of one head, `[r, L, D]` each; the queries are scaled by 1 / √D."""
    project, heads = layer.attention.to_qkv, layer.attention.num_heads
    weight = project.weight.view(3, heads, -1, msa.shape[-1])[:2, head].to(msa.dtype)
    q, k = torch.einsum("rlc,xdc->xrld", layer.norm_msa(msa), weight)
    if project.bias is not None:
        bias = project.bias.view(3, heads, -1)[:2, head].to(msa.dtype)
        q, k = q + bias[0], k + bias[1]
    return q * q.shape[-1] ** -0.5, k


def _softmax(logits: Tensor, bias: Tensor, key_is_real: Tensor) -> Tensor:
    """Of `[r, s, L]`, over the keys of each row that are real, `[r, L]`."""
    logits += bias
    logits.masked_fill_(~key_is_real[:, None, :], MASKED_LOGIT)
    return torch.softmax(logits, dim=-1, out=logits)


def _row_spans(layer: RowAttentionWithPairBias, msa: Tensor) -> Iterator[slice]:
    """Sequences whose maps of one head fit the memory for a piece."""
    length, itemsize = msa.shape[2], wide(msa.dtype).itemsize
    row_bytes = 2 * length * (length + msa.shape[3]) * itemsize
    return spans(msa.shape[1], rows_at_once(row_bytes, layer.execution.chunk_bytes, msa.device))


def _residue_spans(layer: RowAttentionWithPairBias, msa: Tensor, rows: int) -> Iterator[slice]:
    """Queries of `rows` sequences whose logits do."""
    query_bytes = 2 * rows * msa.shape[2] * wide(msa.dtype).itemsize
    return spans(msa.shape[2], max(1, layer.execution.chunk_bytes // query_bytes))
