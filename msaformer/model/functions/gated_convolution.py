"""The gated convolution of the pair track: norm, gate and dense layers in pieces, the convolution itself at once.

Kept for the backward pass are the track and the convolution's result; everything else is computed again.

Dimension key: B batch, I of L first residues on this rank, J = L second ones, c channels, n cells of a piece, r reach
of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
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
)
from msaformer.parallel.axial import AxialSharding

_TABLES = 4  # of a piece's cells that the backward pass holds at a time


class ConvolutionOptions(NamedTuple):
    """What is no tensor."""

    eps: float
    """Of the norm."""
    dtype: torch.dtype
    """Of the products."""
    chunk_bytes: int
    """For tables in passing."""
    dilation: int
    axial: AxialSharding
    """The ranks that hold the rows of the pair track."""


class ConvolutionLayers(NamedTuple):
    """The layers whose parameters are used, in the order of the computation."""

    norm: nn.LayerNorm
    convolution: nn.Conv2d
    gate: nn.Linear
    out: nn.Linear


def gated_convolution(
    pair: Float[Tensor, "B I J c"],
    mask: Bool[Tensor, "B I J"],
    layers: ConvolutionLayers,
    options: ConvolutionOptions,
) -> Float[Tensor, "B I J c"]:
    """`out(gelu(convolution(x)) · sigmoid(gate(x)))` of `x = norm(pair)`, which is zero where the mask is False."""
    weights = [weight for layer in layers for weight in (layer.weight, layer.bias)]
    out: Tensor = _GatedConvolution.apply(pair, mask, options, *weights)  # type: ignore[no-untyped-call]
    return out


class _GatedConvolution(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any, pair: Tensor, mask: Tensor, options: ConvolutionOptions, *weights: Tensor
    ) -> Tensor:
        norm, dtype = Norm(weights[0], weights[1], options.eps), options.dtype
        kernel, bias, w_gate, b_gate, w_out, b_out = (weight.to(dtype) for weight in weights[2:])
        track, hidden = pair.reshape(-1, pair.shape[-1]), ~mask.reshape(-1, 1)
        cells = track.new_empty(track.shape, dtype=dtype)
        for piece in _pieces(track, options):
            cells[piece] = normalize(track[piece], norm)[0].masked_fill_(hidden[piece], 0.0)
        window = _Window(cells.view(pair.shape), options)
        around = F.conv2d(window.seen, kernel, bias, padding=window.padding, dilation=options.dilation)
        around = around.permute(
            0, 2, 3, 1
        ).contiguous()  # nothing to do where the kernel keeps the order in memory
        del window
        ctx.options = options
        ctx.save_for_backward(pair, mask, around, *weights)
        out, flat = torch.empty_like(cells), around.view(-1, around.shape[-1])
        for piece in _pieces(track, options):
            gates = torch.addmm(b_gate, cells[piece], w_gate.t()).sigmoid_()
            torch.addmm(b_out, F.gelu(flat[piece]).mul_(gates), w_out.t(), out=out[piece])
        return out.view(pair.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        pair, mask, around, *weights = ctx.saved_tensors
        options: ConvolutionOptions = ctx.options
        norm, dtype = Norm(weights[0], weights[1], options.eps), options.dtype
        kernel, _, w_gate, b_gate, w_out = (weight.to(dtype) for weight in weights[2:7])
        track, hidden = pair.reshape(-1, pair.shape[-1]), ~mask.reshape(-1, 1)
        grads, flat = grad.reshape(-1, grad.shape[-1]), around.view(-1, around.shape[-1])
        cells, grad_cells, grad_around = (torch.empty_like(flat) for _ in range(3))
        moments = [track.new_empty((len(track), 1), dtype=wide(track.dtype)) for _ in range(2)]
        sums = Sums(*weights)
        for piece in _pieces(track, options):
            normed, *of_piece = normalize(track[piece], norm)
            for kept, moment in zip(moments, of_piece, strict=True):
                kept[piece] = moment
            cells[piece] = normed.masked_fill_(hidden[piece], 0.0)
            gates = torch.addmm(b_gate, cells[piece], w_gate.t()).sigmoid_()
            active, grad_out = F.gelu(flat[piece]), grads[piece].to(dtype)
            sums.add_linear(6, 7, grad_out, active * gates)
            grad_gated = grad_out @ w_out
            grad_gates = active.mul_(grad_gated).mul_(gates).mul_(1 - gates)
            sums.add_linear(4, 5, grad_gates, cells[piece])
            torch.mm(grad_gates, w_gate, out=grad_cells[piece])
            grad_around[piece] = torch.ops.aten.gelu_backward(grad_gated.mul_(gates), flat[piece])
        window = _Window(cells.view(pair.shape), options)
        grad_seen, grad_kernel, grad_bias = window.convolution_backward(grad_around.view(pair.shape), kernel)
        sums.add(2, grad_kernel)
        sums.add(3, grad_bias)
        grad_cells += window.spread(grad_seen).reshape(grad_cells.shape)
        grad_pair = torch.empty_like(track, memory_format=torch.contiguous_format)
        for piece in _pieces(track, options):
            grad_normed = grad_cells[piece].masked_fill_(hidden[piece], 0.0)
            of_piece = [moment[piece] for moment in moments]
            grad_pair[piece], *grad_norm = normalize_backward(grad_normed, track[piece], norm, *of_piece)
            sums.add(0, grad_norm[0])
            sums.add(1, grad_norm[1])
        return grad_pair.view(pair.shape), None, None, *sums.gradients()


class _Window:
    """What a rank's convolution sees `[B, c, I + 2 r, J]`: its rows of the table, and those within reach of them."""

    def __init__(self, cells: Tensor, options: ConvolutionOptions) -> None:
        self.options, self.axial = options, options.axial
        self.reach = options.dilation  # of a kernel of three cells
        self.padding = [self.reach, self.reach]
        table = self.axial.collected(cells, axis=1)
        if self.axial.size > 1:
            self.length = table.shape[1]
            own = self.axial.local(self.length)
            self.rows = slice(max(0, own.start - self.reach), min(self.length, own.stop + self.reach))
            self.edges = (self.rows.start - own.start + self.reach, own.stop + self.reach - self.rows.stop)
            table = F.pad(table[:, self.rows], (0, 0, 0, 0, *self.edges))
            self.padding[0] = 0
        self.seen = table.permute(0, 3, 1, 2)

    def convolution_backward(self, grad: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of what is seen, of the kernel and of its bias, from that of the result `[B, I, J, c]`."""
        out: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
            *(grad.permute(0, 3, 1, 2), self.seen, kernel, [len(kernel)]),
            *([1, 1], self.padding, [self.options.dilation] * 2, False, [0, 0], 1),
            [True, True, True],
        )
        return out

    def spread(self, grad_seen: Tensor) -> Tensor:
        """The gradient `[B, I, J, c]` of this rank's cells, from those of what all ranks have seen."""
        grad = grad_seen.permute(0, 2, 3, 1)
        if self.axial.size == 1:
            return grad
        first, last = self.edges
        table = grad.new_zeros((grad.shape[0], self.length, *grad.shape[2:]))
        table[:, self.rows] = grad[:, first : grad.shape[1] - last]
        return self.axial.summed(table, axis=1)


def _pieces(track: Tensor, options: ConvolutionOptions) -> Iterator[slice]:
    cell_bytes = _TABLES * track.shape[-1] * wide(options.dtype).itemsize
    return spans(len(track), rows_at_once(cell_bytes, options.chunk_bytes, track.device))
