"""Outer products of two projections, averaged over the sequences and projected, for a few residues i at a time.

The table `[L, L, c, c]` of outer products, the largest of the whole network, exists for one piece only.

Dimension key: B batch, N sequences, I / J residues of the left / right projection, p residues i of a piece, c channels
of a projection, z channels of the pair track; R of the sequences of the right projection lie on this rank (all, unless
several share a sample).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msaformer.model.functions.pieces import Sums, outside_autocast, rows_at_once, spans, wide, work_dtype
from msaformer.parallel.axial import AxialSharding

_TABLES = 2  # of outer products that a piece holds at a time: as multiplied, and as projected


def projected_outer_product(
    left: Float[Tensor, "B N I c"],
    right: Float[Tensor, "B R J c"],
    share: Float[Tensor, "B I J"],
    layer: nn.Linear,
    chunk_bytes: int,
    axial: AxialSharding,
) -> Float[Tensor, "B I J z"]:
    """`layer` of the outer products summed over N, each pair's times its `share`; sums are taken in float32.

    Keeps both projections for the backward pass; ranks that share a sample gather the right one in each pass.
    """
    options = (work_dtype(left), chunk_bytes, axial)
    out: Tensor = _OuterProduct.apply(left, right, share, options, layer.weight, layer.bias)  # type: ignore[no-untyped-call]
    return out


class _OuterProduct(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any, left: Tensor, right: Tensor, share: Tensor, options: tuple[Any, ...], *parameters: Tensor
    ) -> Tensor:
        ctx.options = options
        ctx.save_for_backward(left, right, share, *parameters)
        dtype, chunk_bytes, axial = options
        weight, bias = (parameter.to(dtype) for parameter in parameters)
        flat_right, channels = axial.collected(right.to(dtype), axis=1).flatten(2), left.shape[-1]
        out = left.new_empty((*share.shape, len(weight)), dtype=dtype)
        for batch, places in _pieces(left, share, chunk_bytes):
            some = left[batch, :, places].to(dtype).flatten(1)
            outer = _by_pair(some.t() @ flat_right[batch], channels)
            pairs = (outer @ weight.t()).view(-1, share.shape[2], len(weight))
            out[batch, places] = pairs.mul_(share[batch, places, :, None]).add_(bias)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        left, right, share, *parameters = ctx.saved_tensors
        dtype, chunk_bytes, axial = ctx.options
        weight, channels = parameters[0].to(dtype), left.shape[-1]
        flat_right = axial.collected(right.to(dtype), axis=1).flatten(2)
        grad_left = torch.empty_like(left, memory_format=torch.contiguous_format)
        grad_right = torch.zeros_like(flat_right, dtype=wide(dtype))
        sums = Sums(*parameters)
        for batch, places in _pieces(left, share, chunk_bytes):
            some = left[batch, :, places].to(dtype).flatten(1)
            outer = _by_pair(some.t() @ flat_right[batch], channels)
            grad_out = grad[batch, places]
            sums.add(1, grad_out.sum(dim=(0, 1), dtype=wide(dtype)))
            grad_out = (grad_out * share[batch, places, :, None]).to(dtype).flatten(0, 1)
            sums.add_linear(0, None, grad_out, outer)
            grad_outer = _by_channel(grad_out @ weight, channels, share.shape[2])
            found = flat_right[batch] @ grad_outer.t()
            grad_left[batch, :, places] = found.view(len(found), -1, channels)
            if grad_right.dtype == dtype:
                grad_right[batch].addmm_(some, grad_outer)
            else:
                grad_right[batch] += some @ grad_outer
        grad_right = axial.summed(grad_right, axis=1).view(right.shape).to(right.dtype)
        return grad_left, grad_right, None, None, *sums.gradients()


def _by_pair(outer: Tensor, channels: int) -> Tensor:
    """From `[p·c, J·c]` to `[p·J, c·c]`."""
    pairs = outer.view(-1, channels, outer.shape[1] // channels, channels)
    return pairs.transpose(1, 2).reshape(-1, channels * channels)


def _by_channel(outer: Tensor, channels: int, length: int) -> Tensor:
    """The inverse of `_by_pair`; `length` is J."""
    pairs = outer.view(-1, length, channels, channels)
    return pairs.transpose(1, 2).reshape(-1, length * channels)


def _pieces(left: Tensor, share: Tensor, chunk_bytes: int) -> Iterator[tuple[int, slice]]:
    """Example and residues i of each piece."""
    row_bytes = _TABLES * share.shape[2] * left.shape[-1] ** 2 * wide(left.dtype).itemsize
    step = rows_at_once(row_bytes, chunk_bytes, left.device)
    return ((batch, places) for batch in range(len(left)) for places in spans(left.shape[2], step))
