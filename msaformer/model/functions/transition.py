"""Layer norm, widen, non-linearity, narrow: the wide layer `[n, f·c]` exists for one piece of the cells at a time.

Dimension key: n cells of a piece, c channels, f widening factor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from jaxtyping import Float
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
)

_TABLES = 3  # of the wide layer that the backward pass holds at a time: it, its activation, the gradient


class TransitionOptions(NamedTuple):
    """What is no tensor."""

    gelu: bool
    """GELU in place of ReLU."""
    dtype: torch.dtype
    """Of the products."""
    chunk_bytes: int
    """For tables in passing."""
    keep: bool
    """The wide layer, for the backward pass; else it is computed again."""


def transition(
    x: Float[Tensor, "*axes c"],
    norm: nn.LayerNorm,
    widen: nn.Linear,
    narrow: nn.Linear,
    options: TransitionOptions,
) -> Float[Tensor, "*axes c"]:
    """`narrow(relu(widen(norm(x))))`, or with GELU; keeps `x` for the backward pass."""
    weights = (norm.weight, norm.bias, widen.weight, widen.bias, narrow.weight, narrow.bias)
    out: Tensor = _Transition.apply(x, norm.eps, options, *weights)  # type: ignore[no-untyped-call]
    return out


class _Transition(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(ctx: Any, x: Tensor, eps: float, options: TransitionOptions, *weights: Tensor) -> Tensor:
        norm, dtype = Norm(weights[0], weights[1], eps), options.dtype
        w_widen, b_widen, w_narrow, b_narrow = (weight.to(dtype) for weight in weights[2:])
        cells = x.reshape(-1, x.shape[-1])
        kept = cells.new_empty((len(cells), len(w_widen)), dtype=dtype) if options.keep else None
        ctx.eps, ctx.options = eps, options
        ctx.save_for_backward(x, kept, *weights)
        out = x.new_empty((len(cells), len(w_narrow)), dtype=dtype)
        for piece in _pieces(cells, w_widen, options.chunk_bytes):
            normed = normalize(cells[piece], norm)[0].to(dtype)
            place = None if kept is None else kept[piece]
            wide_layer = torch.addmm(b_widen, normed, w_widen.t(), out=place)
            hidden = F.gelu(wide_layer) if options.gelu else wide_layer.relu_()
            torch.addmm(b_narrow, hidden, w_narrow.t(), out=out[piece])
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        x, kept, *weights = ctx.saved_tensors
        gelu, dtype = ctx.options.gelu, ctx.options.dtype
        norm = Norm(weights[0], weights[1], ctx.eps)
        w_widen, b_widen, w_narrow = (weight.to(dtype) for weight in weights[2:5])
        cells, grads = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
        grad_x = torch.empty_like(cells, memory_format=torch.contiguous_format)
        sums = Sums(*weights)
        for piece in _pieces(cells, w_widen, ctx.options.chunk_bytes):
            normed, mean, inverse = normalize(cells[piece], norm)
            normed, grad_out = normed.to(dtype), grads[piece].to(dtype)
            wide_layer = torch.addmm(b_widen, normed, w_widen.t()) if kept is None else kept[piece]
            hidden = F.gelu(wide_layer) if gelu else wide_layer.relu_()  # a kept one already is
            sums.add_linear(4, 5, grad_out, hidden)
            grad_hidden = grad_out @ w_narrow
            if gelu:
                grad_hidden = torch.ops.aten.gelu_backward(grad_hidden, wide_layer)
            else:
                torch.ops.aten.threshold_backward(grad_hidden, hidden, 0, grad_input=grad_hidden)
            sums.add_linear(2, 3, grad_hidden, normed)
            grad_normed = grad_hidden @ w_widen
            grad_cells, *grad_norm = normalize_backward(grad_normed, cells[piece], norm, mean, inverse)
            grad_x[piece] = grad_cells
            sums.add(0, grad_norm[0])
            sums.add(1, grad_norm[1])
        return grad_x.view(x.shape), None, None, *sums.gradients()


def _pieces(cells: Tensor, w_widen: Tensor, chunk_bytes: int) -> Iterator[slice]:
    cell_bytes = _TABLES * len(w_widen) * wide(w_widen.dtype).itemsize
    return spans(len(cells), rows_at_once(cell_bytes, chunk_bytes, cells.device))
