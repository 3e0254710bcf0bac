"""Attention whose map is shared by all rows: its logits, and the update they weigh, a few rows at a time.

Between the two stands the softmax of one map for each example, where ranks that share the rows add up their logits.
Both keep the track, and either keep its projections too or project it again in the backward pass.

Dimension key: B batch, R rows tied to one another, r of them in a piece, S positions along the attended axis, H heads,
D channels a head, c channels, n = r·S cells of a piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from msaformer.model.functions.attention_layer import AttentionLayer, AttentionOptions, AttentionWeights
from msaformer.model.functions.pieces import (
    outside_autocast,
    rows_at_once,
    spans,
    wide,
)


def tied_logits(
    x: Float[Tensor, "B R S c"],
    mask: Bool[Tensor, "B R S"],
    weights: AttentionWeights,
    options: AttentionOptions,
) -> Float[Tensor, "B H S S"]:
    """Σ q kᵀ / √D over the rows, float32 or wider; cells that are not real add nothing."""
    out: Tensor = _TiedLogits.apply(x, mask, options, *weights)  # type: ignore[no-untyped-call]
    return out


def tied_update(
    x: Float[Tensor, "B R S c"],
    probs: Float[Tensor, "B H S S"],
    mask: Bool[Tensor, "B R S"],
    weights: AttentionWeights,
    options: AttentionOptions,
) -> Float[Tensor, "B R S c_out"]:
    """Output projection of each row's values, zero in cells that are not real, weighed by `probs` and gated."""
    out: Tensor = _TiedUpdate.apply(x, probs.to(options.dtype), mask, options, *weights)  # type: ignore[no-untyped-call]
    return out


class _TiedLogits(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(ctx: Any, x: Tensor, mask: Tensor, options: AttentionOptions, *flat: Tensor | None) -> Tensor:
        layer = AttentionLayer(AttentionWeights(*flat), options)  # type: ignore[arg-type]
        length, part = x.shape[2], layer.queries_and_keys
        kept = layer.place_for(x, part)
        ctx.options = options
        ctx.save_for_backward(x, mask, kept, *flat)
        out = x.new_zeros((len(x), options.num_heads, length, length), dtype=wide(options.dtype))
        for batch, rows in _pieces(x, layer):
            cells = x[batch, rows].flatten(0, 1)
            place = None if kept is None else kept[batch, rows].flatten(0, 1)
            projected = layer.project(layer.normalize(cells)[0], part, out=place)
            q, k = _by_head(_masked(projected, mask[batch, rows]), layer, length)
            _add_product(out[batch], q, k.transpose(1, 2))
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, mask, kept, *flat = ctx.saved_tensors
        layer = AttentionLayer(AttentionWeights(*flat), ctx.options)
        length, part, grad = x.shape[2], layer.queries_and_keys, grad.to(layer.options.dtype)
        grad_x = torch.empty_like(x)
        sums = layer.sums(flat)
        for batch, rows in _pieces(x, layer):
            cells = x[batch, rows].flatten(0, 1)
            normed, *moments = layer.normalize(cells)
            projected = layer.project(normed, part) if kept is None else kept[batch, rows].flatten(0, 1)
            q, k = _by_head(_masked(projected, mask[batch, rows]), layer, length)
            grads = torch.stack([grad[batch] @ k, grad[batch].transpose(1, 2) @ q])
            grad_projected = _masked(_by_cell(grads, layer, length), mask[batch, rows])
            grad_cells = layer.project_backward(grad_projected, normed, sums, part)
            grad_cells = layer.normalize_backward(grad_cells, cells, moments, sums)
            grad_x[batch, rows] = grad_cells.view(-1, *x.shape[2:])
        return grad_x, None, None, *layer.gradients(sums, flat)


class _TiedUpdate(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any, x: Tensor, probs: Tensor, mask: Tensor, options: AttentionOptions, *flat: Tensor | None
    ) -> Tensor:
        layer = AttentionLayer(AttentionWeights(*flat), options)  # type: ignore[arg-type]
        part = layer.values_and_gate
        kept = layer.place_for(x, part)
        ctx.options = options
        ctx.save_for_backward(x, probs, mask, kept, *flat)
        out = torch.empty_like(x, dtype=options.dtype)
        for batch, rows in _pieces(x, layer):
            cells = x[batch, rows].flatten(0, 1)
            place = None if kept is None else kept[batch, rows].flatten(0, 1)
            projected = layer.project(layer.normalize(cells)[0], part, out=place)
            values, gate = _values_and_gate(layer, projected, mask[batch, rows])
            attended = _by_cell((probs[batch] @ values)[None], layer, x.shape[2])
            if gate is not None:
                attended.mul_(gate)
            updates = torch.addmm(layer.out_bias, attended, layer.out_weight.t())
            out[batch, rows] = updates.view(-1, *x.shape[2:])
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, probs, mask, kept, *flat = ctx.saved_tensors
        layer = AttentionLayer(AttentionWeights(*flat), ctx.options)
        length, part = x.shape[2], layer.values_and_gate
        grad_x, grad_probs = torch.empty_like(x), torch.zeros_like(probs, dtype=wide(probs.dtype))
        sums = layer.sums(flat)
        for batch, rows in _pieces(x, layer):
            cells = x[batch, rows].flatten(0, 1)
            normed, *moments = layer.normalize(cells)
            projected = layer.project(normed, part) if kept is None else kept[batch, rows].flatten(0, 1)
            values, gate = _values_and_gate(layer, projected, mask[batch, rows])
            grad_out = grad[batch, rows].flatten(0, 1).to(probs.dtype)
            grad_gated = grad_out @ layer.out_weight
            gated = _by_cell((probs[batch] @ values)[None], layer, length)
            grad_attended = grad_gated
            if gate is not None:
                gated.mul_(gate)  # its derivative by the gate's logit is gated · (1 - gate)
                grad_attended = grad_gated * gate
                grad_gated.mul_(gated).mul_(gate.neg_().add_(1))
            sums.add_linear(4, 5, grad_out, gated)
            (by_head,) = _by_head(grad_attended, layer, length)
            _add_product(grad_probs[batch], by_head, values.transpose(1, 2))
            grad_values = _by_cell((probs[batch].transpose(1, 2) @ by_head)[None], layer, length)
            grad_projected = _masked(grad_values, mask[batch, rows])
            if gate is not None:
                grad_projected = torch.cat([grad_projected, grad_gated], dim=1)
            grad_cells = layer.project_backward(grad_projected, normed, sums, part)
            grad_cells = layer.normalize_backward(grad_cells, cells, moments, sums)
            grad_x[batch, rows] = grad_cells.view(-1, *x.shape[2:])
        return grad_x, grad_probs.to(probs.dtype), None, None, *layer.gradients(sums, flat)


def _values_and_gate(layer: AttentionLayer, projected: Tensor, mask: Tensor) -> tuple[Tensor, Tensor | None]:
    """Values `[H, S, r·D]`, zero where the mask is False, and gates `[n, H·D]`."""
    values, *gate = torch.split(projected, layer.inner, dim=1)
    (by_head,) = _by_head(_masked(values, mask), layer, mask.shape[1])
    return by_head, gate[0].sigmoid() if gate else None


def _by_head(cells: Tensor, layer: AttentionLayer, length: int) -> Tensor:
    """From `[n, k·H·D]` to `[k, H, S, r·D]`."""
    split = cells.view(
        -1, length, cells.shape[1] // layer.inner, layer.num_heads, layer.inner // layer.num_heads
    )
    return split.permute(2, 3, 1, 0, 4).flatten(3)


def _by_cell(tables: Tensor, layer: AttentionLayer, length: int) -> Tensor:
    """The inverse of `_by_head`."""
    split = tables.unflatten(3, (-1, layer.inner // layer.num_heads))  # type: ignore[no-untyped-call]
    return split.permute(3, 2, 0, 1, 4).reshape(-1, len(tables) * layer.inner)


def _masked(cells: Tensor, mask: Tensor) -> Tensor:
    return cells.masked_fill_(~mask.reshape(-1, 1), 0.0)


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    if total.dtype == left.dtype:
        total.baddbmm_(left, right)
    else:
        total += left @ right


def _pieces(x: Tensor, layer: AttentionLayer) -> Iterator[tuple[int, slice]]:
    """Example and rows of each piece."""
    row_bytes = 2 * x.shape[2] * layer.inner * wide(layer.options.dtype).itemsize
    step = rows_at_once(row_bytes, layer.options.chunk_bytes, x.device)
    return ((batch, rows) for batch in range(len(x)) for rows in spans(x.shape[1], step))
