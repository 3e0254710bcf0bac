"""Layer norm and a dense layer in pieces, where a track is read by a projection narrower than itself.

Dimension key: n cells of a piece, c channels in, d channels out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.functions.pieces import (
    Norm,
    Sums,
    normalize,
    normalize_backward,
    outside_autocast,
    rows_at_once,
    spans,
    wide,
    work_dtype,
)


def normed_linear(
    x: Float[Tensor, "*axes c"],
    norm: nn.LayerNorm,
    layer: nn.Linear,
    chunk_bytes: int,
    mask: Bool[Tensor, "*axes"] | None = None,
) -> Float[Tensor, "*axes d"]:
    """`layer(norm(x))`, zero where the mask is False; keeps `x` alone for the backward pass."""
    options = (norm.eps, work_dtype(x), chunk_bytes)
    weights = (norm.weight, norm.bias, layer.weight, layer.bias)
    out: Tensor = _NormedLinear.apply(x, mask, options, *weights)  # type: ignore[no-untyped-call]
    return out


class _NormedLinear(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any, x: Tensor, mask: Tensor | None, options: tuple[Any, ...], *weights: Tensor | None
    ) -> Tensor:
        ctx.options = options
        ctx.save_for_backward(x, mask, *weights)
        norm, weight, bias = _prepared(weights, options)
        cells = x.reshape(-1, x.shape[-1])
        out = x.new_empty((len(cells), len(weight)), dtype=weight.dtype)
        for piece in _pieces(cells, options):
            normed = normalize(cells[piece], norm)[0].to(weight.dtype)
            if bias is None:
                torch.mm(normed, weight.t(), out=out[piece])
            else:
                torch.addmm(bias, normed, weight.t(), out=out[piece])
        if mask is not None:
            out.masked_fill_(~mask.reshape(-1, 1), 0.0)
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, mask, *weights = ctx.saved_tensors
        norm, weight, _ = _prepared(weights, ctx.options)
        cells, grads = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
        hidden = None if mask is None else ~mask.reshape(-1, 1)
        grad_x = torch.empty_like(cells, memory_format=torch.contiguous_format)
        sums = Sums(*weights)
        for piece in _pieces(cells, ctx.options):
            normed, mean, inverse = normalize(cells[piece], norm)
            grad_out = grads[piece].to(weight.dtype)
            if hidden is not None:
                grad_out = grad_out.masked_fill(hidden[piece], 0.0)
            sums.add_linear(2, 3, grad_out, normed.to(weight.dtype))
            grad_cells, *grad_norm = normalize_backward(grad_out @ weight, cells[piece], norm, mean, inverse)
            grad_x[piece] = grad_cells
            sums.add(0, grad_norm[0])
            sums.add(1, grad_norm[1])
        return grad_x.view(x.shape), None, None, *sums.gradients()


def _prepared(weights: Any, options: tuple[Any, ...]) -> tuple[Norm, Tensor, Tensor | None]:
    norm_weight, norm_bias, weight, bias = weights
    eps, dtype, _ = options
    return Norm(norm_weight, norm_bias, eps), weight.to(dtype), None if bias is None else bias.to(dtype)


def _pieces(cells: Tensor, options: tuple[Any, ...]) -> Iterator[slice]:
    cell_bytes = 2 * cells.shape[-1] * wide(cells.dtype).itemsize
    return spans(len(cells), rows_at_once(cell_bytes, options[-1], cells.device))
