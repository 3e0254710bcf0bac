"""The Evoformer block written plainly, as a textbook would: one einsum a line, every table held by autograd.

It reads the weights of our own block, so that both must give the same numbers; `benchmark_layers.py` measures against
it and the tests compare with it. AlphaFold 2 (Jumper et al. 2021), Supplement, Algorithms 6–15; no dropout.

Dimension key: B batch, N sequences, L residues (i, j, k), H heads, D channels a head, R rows attended independently, S
positions along the attended axis; c channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from msaformer.model.attention import GatedAttention
    from msaformer.model.column_attention import ColumnAttention
    from msaformer.model.evoformer import EvoformerBlock
    from msaformer.model.outer_product import OuterProductMean
    from msaformer.model.row_attention import RowAttentionWithPairBias
    from msaformer.model.transition import Transition
    from msaformer.model.triangle import TriangleAttention, TriangleMultiplication

_MASKED_LOGIT = -1e9  # as in our kernels, so that rows without a real key agree too


def plain_block(
    block: EvoformerBlock, msa: Tensor, pair: Tensor, msa_mask: Tensor, pair_mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Algorithm 6 with the weights of `block`: both tracks `[B, N, L, c_m]`, `[B, L, L, c_z]`, updated."""
    msa = msa + plain_row_attention(block.row_attention, msa, pair, msa_mask)
    msa = msa + plain_column_attention(block.column_attention, msa, msa_mask)
    msa = msa + plain_transition(block.msa_transition, msa)
    pair = pair + plain_outer_product_mean(block.outer_product_mean, msa, msa_mask)
    pair = pair + plain_triangle_multiplication(block.triangle_outgoing, pair, pair_mask)
    pair = pair + plain_triangle_multiplication(block.triangle_incoming, pair, pair_mask)
    pair = pair + plain_triangle_attention(block.triangle_starting, pair, pair_mask)
    pair = pair + plain_triangle_attention(block.triangle_ending, pair, pair_mask)
    pair = pair + plain_transition(block.pair_transition, pair)
    return msa, pair


def plain_row_attention(
    layer: RowAttentionWithPairBias, msa: Tensor, pair: Tensor, msa_mask: Tensor
) -> Tensor:
    """Algorithm 7."""
    bias = torch.einsum("bijc,hc->bhij", _norm(layer.norm_pair, pair), layer.to_bias.weight)
    return plain_gated_attention(layer.attention, _norm(layer.norm_msa, msa), msa_mask, bias)


def plain_column_attention(layer: ColumnAttention, msa: Tensor, msa_mask: Tensor) -> Tensor:
    """Algorithm 8."""
    columns = _norm(layer.norm, msa).transpose(1, 2)
    return plain_gated_attention(layer.attention, columns, msa_mask.transpose(1, 2), None).transpose(1, 2)


def plain_transition(layer: Transition, x: Tensor) -> Tensor:
    """Algorithms 9 and 15."""
    return layer.narrow(torch.relu(layer.widen(_norm(layer.norm, x))))


def plain_outer_product_mean(layer: OuterProductMean, msa: Tensor, msa_mask: Tensor) -> Tensor:
    """Algorithm 10, the mean over the sequences that are real at both residues."""
    real = msa_mask.to(msa.dtype)
    left, right = (layer.to_left_right(_norm(layer.norm, msa)) * real[..., None]).chunk(2, dim=-1)
    outer = torch.einsum("bnic,bnjd->bijcd", left, right).flatten(-2)
    count = torch.einsum("bni,bnj->bij", real, real)
    return layer.to_pair(outer / count.clamp(min=1.0)[..., None])


def plain_triangle_multiplication(layer: TriangleMultiplication, pair: Tensor, pair_mask: Tensor) -> Tensor:
    """Algorithms 11 and 12."""
    normed = _norm(layer.norm_in, pair)
    edges = torch.sigmoid(layer.to_edge_gates(normed)) * layer.to_edges(normed)
    left, right = (edges * pair_mask[..., None]).chunk(2, dim=-1)
    equation = "bikc,bjkc->bijc" if layer.outgoing else "bkic,bkjc->bijc"
    triangles = torch.einsum(equation, left, right)
    return torch.sigmoid(layer.to_gate(normed)) * layer.to_out(_norm(layer.norm_out, triangles))


def plain_triangle_attention(layer: TriangleAttention, pair: Tensor, pair_mask: Tensor) -> Tensor:
    """Algorithms 13 and 14."""
    if not layer.starting:
        pair, pair_mask = pair.transpose(1, 2), pair_mask.transpose(1, 2)
    normed = _norm(layer.norm, pair)
    bias = torch.einsum("bjkc,hc->bhjk", normed, layer.to_bias.weight)
    out = plain_gated_attention(layer.attention, normed, pair_mask, bias)
    return out if layer.starting else out.transpose(1, 2)


def plain_gated_attention(layer: GatedAttention, x: Tensor, mask: Tensor, bias: Tensor | None) -> Tensor:
    """Algorithm 7, lines 2–7, of normalised `x` `[B, R, S, c]` with all logits held."""
    q, k, v = layer.to_qkv(x).chunk(3, dim=-1)
    q, k, v = (table.unflatten(-1, (layer.num_heads, -1)) for table in (q, k, v))
    logits = torch.einsum("brihd,brjhd->brhij", q, k) * q.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias[:, None]
    logits = logits.masked_fill(~mask[:, :, None, None, :], _MASKED_LOGIT)
    probs = torch.softmax(logits, dim=-1)
    attended = torch.einsum("brhij,brjhd->brihd", probs, v)
    return layer.to_out(torch.sigmoid(layer.to_gate(x)) * attended.flatten(-2))


def _norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    return nn.functional.layer_norm(x, layer.normalized_shape, layer.weight, layer.bias, layer.eps)
