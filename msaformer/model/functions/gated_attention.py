"""Layer norm, projections, attention, gate and output projection of a few rows at a time.

Rows attend independently, so that a piece of them passes through the whole sub-layer before the next begins: neither
queries, keys and values nor the gates of all rows exist at once. The pair bias is shared by the rows. Ranks that share
a sample keep their part of it and gather it in each pass.

Dimension key: B batch, R rows attended independently, S positions along the attended axis, H heads, D channels a head,
c channels, n = r·S cells of a piece of r rows; I of the S rows of the bias lie on this rank (all, unless several share
a sample).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from msaformer.model.functions.attention_layer import AttentionLayer, AttentionOptions, AttentionWeights
from msaformer.model.functions.pieces import (
    Sums,
    outside_autocast,
    rows_at_once,
    spans,
    wide,
)
from msaformer.model.functions.softmax_attention import Added, added_to, attend, attend_backward, mask_logits

_TABLES = 2  # of the size of the logits that the backward pass holds at a time


def gated_attention(
    x: Float[Tensor, "B R S c"],
    mask: Bool[Tensor, "B R S"],
    bias: Float[Tensor, "B H I S"] | None,
    weights: AttentionWeights,
    options: AttentionOptions,
) -> Float[Tensor, "B R S c_out"]:
    """Attend along S in each row; keeps `x` and the bias, and the projections if asked, for the backward pass."""
    if bias is not None:
        bias = bias.to(wide(options.dtype))
    out: Tensor = _GatedAttention.apply(x, bias, mask, options, *weights)  # type: ignore[no-untyped-call]
    return out


class _GatedAttention(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any,
        x: Tensor,
        bias: Tensor | None,
        mask: Tensor,
        options: AttentionOptions,
        *flat: Tensor | None,
    ) -> Tensor:
        layer = AttentionLayer(AttentionWeights(*flat), options)  # type: ignore[arg-type]
        kept = layer.place_for(x)
        ctx.options = options
        ctx.save_for_backward(x, bias, mask, kept, *flat)
        bias = None if bias is None else options.axial.collected(bias, axis=2)
        masked = mask_logits(mask, options.dtype)
        out = torch.empty_like(x, dtype=options.dtype)  # strides of x: columns come as a transposed view
        for batch, rows in _pieces(x, options):
            cells = x[batch, rows].flatten(0, 1)
            place = None if kept is None else kept[batch, rows].flatten(0, 1)
            projected = layer.project(layer.normalize(cells)[0], out=place)
            q, k, v, *gate = layer.split(projected, x.shape[2])
            attended = attend(q, k, v, added_to(bias, masked, batch, rows), options.chunk_bytes)
            attended = attended.transpose(1, 2)
            if gate:
                attended = gate[0].transpose(1, 2).sigmoid().mul_(attended)
            updates = torch.addmm(layer.out_bias, attended.reshape(len(cells), -1), layer.out_weight.t())
            out[batch, rows] = updates.view(-1, *x.shape[2:])
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, bias, mask, kept, *flat = ctx.saved_tensors
        options = ctx.options
        layer = AttentionLayer(AttentionWeights(*flat), options)
        masked = mask_logits(mask, options.dtype)
        grad_x = torch.empty_like(x)
        bias = None if bias is None else options.axial.collected(bias, axis=2)
        grad_bias = None if bias is None else torch.zeros_like(bias)
        sums = layer.sums(flat)
        for batch, rows in _pieces(x, options):
            cells = x[batch, rows].flatten(0, 1)
            grad_out = grad[batch, rows].flatten(0, 1).to(options.dtype)
            normed, *moments = layer.normalize(cells)
            projected = layer.project(normed) if kept is None else kept[batch, rows]
            grad_projected = _through_attention(
                layer,
                layer.split(projected, x.shape[2]),
                added_to(bias, masked, batch, rows),
                grad_out,
                None if grad_bias is None else grad_bias[batch],
                sums,
            )
            grad_cells = layer.project_backward(grad_projected, normed, sums)
            grad_cells = layer.normalize_backward(grad_cells, cells, moments, sums)
            grad_x[batch, rows] = grad_cells.view(-1, *x.shape[2:])
        if grad_bias is not None:
            grad_bias = options.axial.summed(grad_bias, axis=2)
        return grad_x, grad_bias, None, None, *layer.gradients(sums, flat)


def _through_attention(
    layer: AttentionLayer,
    projected: Tensor,
    added: Added,
    grad_out: Tensor,
    grad_bias: Tensor | None,
    sums: Sums,
) -> Tensor:
    """Gradient of a piece's projections, `[3 or 4, r, H, S, D]`, as `[n, …]`, from that of its output `[n, c]`."""
    projected, length = projected.contiguous(), projected.shape[3]
    grad_gated = (grad_out @ layer.out_weight).view(-1, length, layer.num_heads, projected.shape[4])
    grad_gated = grad_gated.transpose(1, 2)
    grads = torch.empty_like(projected)
    gate = projected[3].sigmoid() if layer.is_gated else None
    grad_attended = (grad_gated if gate is None else grad_gated * gate).contiguous()
    attended, grads[:3] = attend_backward(
        projected[:3], added, grad_attended, grad_bias, layer.options.chunk_bytes
    )
    if gate is not None:
        attended.mul_(gate)  # now gated; its derivative by the gate's logit is gated · (1 - gate)
        torch.mul(grad_gated, attended, out=grads[3]).mul_(gate.neg_().add_(1))
    sums.add_linear(4, 5, grad_out, attended.transpose(1, 2).reshape(len(grad_out), -1))
    return grads.permute(1, 3, 0, 2, 4).reshape(len(grad_out), -1)


def _pieces(x: Tensor, options: AttentionOptions) -> Iterator[tuple[int, slice]]:
    """Example and rows of each piece."""
    length = x.shape[2]
    row_bytes = _TABLES * options.num_heads * length * length * wide(options.dtype).itemsize
    step = rows_at_once(row_bytes, options.chunk_bytes, x.device)
    return ((batch, rows) for batch in range(len(x)) for rows in spans(x.shape[1], step))
