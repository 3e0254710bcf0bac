"""The one attention core: gated, optionally biased, multi-head, along one axis of a table of rows.

Row, column and triangle attention differ only in which axis they hand over as S and where the bias comes from.
AlphaFold 2 (Jumper et al. 2021), Supplement, Algorithms 7, 8, 13, 14.

Dimension key: B batch, R rows attended independently, S positions along the attended axis, c channels, H heads,
D channels a head; I of the S rows of the bias lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.attention_layer import AttentionOptions, AttentionWeights
from msaformer.model.functions.gated_attention import gated_attention
from msaformer.model.functions.pieces import wide, work_dtype
from msaformer.model.functions.softmax_attention import MASKED_LOGIT
from msaformer.model.functions.tied_attention import tied_logits, tied_update
from msaformer.model.kernel_choice import KERNELS, NEED_A_PAIR_BIAS, Kernel


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels, computed in float32 or wider whatever the input's type."""

    def forward(self, x: Float[Tensor, "*axes c"]) -> Float[Tensor, "*axes c"]:
        kind = wide(x.dtype)
        normed = nn.functional.layer_norm(
            x.to(kind), self.normalized_shape, self.weight.to(kind), self.bias.to(kind), self.eps
        )
        return normed.to(x.dtype)


class GatedAttention(ExecutedModule):
    """Multi-head attention along S with a sigmoid gate on its output (AlphaFold 2, Algorithm 7, lines 2–7).

    `tied` shares one attention map among the rows, its logits being summed over them and divided by √(rows)
    (MSA Transformer, Rao et al. 2021, section 3, "tied row attention"). Ranks that share a sample hold R rows each, and
    those that are tied to one another lie on all of them. Ungated, as in MSA Transformer, queries, keys and values have
    a bias.
    """

    def __init__(
        self, channels: int, num_heads: int, head_channels: int, *, tied: bool = False, gated: bool = True
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.tied = tied
        inner = num_heads * head_channels
        self.to_qkv = nn.Linear(channels, 3 * inner, bias=not gated)
        self.to_gate = nn.Linear(channels, inner) if gated else None
        self.to_out = nn.Linear(inner, channels)
        if self.to_gate is not None:
            nn.init.zeros_(self.to_gate.weight)
            nn.init.ones_(self.to_gate.bias)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(
        self,
        x: Float[Tensor, "B R S c"],
        mask: Bool[Tensor, "B R S"],
        pair_bias: Float[Tensor, "B H I S"] | None = None,
        norm: LayerNorm | None = None,
    ) -> Float[Tensor, "B R S c"]:
        """Update every position of `norm(x)`, or of `x`, from the real positions (`mask`) of its own row."""
        axial, chunk_bytes = self.execution.axial, self.execution.chunk_bytes
        weights = AttentionWeights.of(norm, self.to_qkv, self.to_gate, self.to_out)
        eps = 0.0 if norm is None else norm.eps
        keep = self.keeps_wide(self.to_qkv.in_features)
        options = AttentionOptions(self.num_heads, eps, work_dtype(x), chunk_bytes, keep, axial)
        if self.tied:
            probs = self._tied_probs(tied_logits(x, mask, weights, options), mask, pair_bias)
            return tied_update(x, probs, mask, weights, options)
        kernel = self.execution.attention
        if kernel == "own" or (pair_bias is None and kernel in NEED_A_PAIR_BIAS):
            return gated_attention(x, mask, pair_bias, weights, options)
        if pair_bias is not None:
            pair_bias = axial.gather(pair_bias, axis=2)
        return self._by_kernel(KERNELS[kernel], x if norm is None else norm(x), mask, pair_bias)

    def _by_kernel(self, kernel: Kernel, x: Tensor, mask: Tensor, pair_bias: Tensor | None) -> Tensor:
        """The same around a kernel that takes queries, keys and values, with all tables held."""
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
        attended = kernel(q, k, v, mask, pair_bias).transpose(2, 3).flatten(-2)
        if self.to_gate is not None:
            attended = torch.sigmoid(self.to_gate(x)) * attended
        out: Tensor = self.to_out(attended)
        return out

    def _tied_probs(
        self,
        logits: Float[Tensor, "B H S S"],
        mask: Bool[Tensor, "B R S"],
        pair_bias: Float[Tensor, "B H I S"] | None,
    ) -> Float[Tensor, "B H S S"]:
        """The one map of all rows, from this rank's part of the logits."""
        axial = self.execution.axial
        rows = axial.sum(mask.any(dim=-1).sum(dim=-1)).clamp(min=1)[:, None, None, None]
        logits = axial.sum(logits) * rows**-0.5
        if pair_bias is not None:
            logits = logits + axial.gather(pair_bias, axis=2).to(logits.dtype)
        key_is_real = axial.sum(mask.sum(dim=1))[:, None, None, :] > 0
        return torch.softmax(logits.masked_fill(~key_is_real, MASKED_LOGIT), dim=-1)
