"""The gated convolution of the pair track: norm, gate and dense layers in pieces, the convolution itself at once.

Kept for the backward pass are the track, its norm and the convolution's result; the rest is computed again.

A dilated convolution is an ordinary one on every d-th cell, d² grids of them, and is computed so: on a CPU the backward
pass of torch's own dilated depthwise convolution takes forty times as long.

Dimension key: B batch, I of L first residues on this rank, J = L second ones, z channels of the pair track, c of the
convolution, n cells of a piece, d dilation = reach of the kernel of three cells, S cells of a grid along an axis.
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
    mix: nn.Linear
    convolution: nn.Conv2d
    """Depthwise."""
    gate: nn.Linear
    out: nn.Linear


def gated_convolution(
    pair: Float[Tensor, "B I J z"],
    mask: Bool[Tensor, "B I J"],
    layers: ConvolutionLayers,
    options: ConvolutionOptions,
) -> Float[Tensor, "B I J z"]:
    """`out(gelu(convolution(mix(x))) · sigmoid(gate(x)))` of `x = norm(pair)`.

    Where the mask is False, the convolution sees zeros.
    """
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
        w_mix, b_mix, kernel, bias, w_gate, b_gate, w_out, b_out = (w.to(dtype) for w in weights[2:])
        track, hidden = pair.reshape(-1, pair.shape[-1]), _hidden(mask)
        normed = torch.empty_like(track, dtype=dtype, memory_format=torch.contiguous_format)
        moments = track.new_empty((2, len(track), 1), dtype=wide(track.dtype))
        mixed = track.new_empty((len(track), len(w_mix)), dtype=dtype)
        for piece in _pieces(track, mixed, options):
            normed[piece], moments[0, piece], moments[1, piece] = normalize(track[piece], norm)
            _hide(torch.addmm(b_mix, normed[piece], w_mix.t(), out=mixed[piece]), hidden, piece)
        around = _Grids(mixed.view(*pair.shape[:3], -1), options).convolved(kernel, bias)
        ctx.options = options
        ctx.save_for_backward(pair, mask, normed, moments, around, *weights)
        flat, out = around.view(-1, around.shape[-1]), torch.empty_like(normed)
        for piece in _pieces(track, mixed, options):
            gates = torch.addmm(b_gate, normed[piece], w_gate.t()).sigmoid_()
            torch.addmm(b_out, F.gelu(flat[piece]).mul_(gates), w_out.t(), out=out[piece])
        return out.view(pair.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        pair, mask, normed, moments, around, *weights = ctx.saved_tensors
        options: ConvolutionOptions = ctx.options
        norm, dtype = Norm(weights[0], weights[1], options.eps), options.dtype
        w_mix, b_mix, kernel, _, w_gate, b_gate, w_out = (w.to(dtype) for w in weights[2:9])
        track, hidden = pair.reshape(-1, pair.shape[-1]), _hidden(mask)
        grads, flat = grad.reshape(-1, grad.shape[-1]), around.view(-1, around.shape[-1])
        mixed, grad_around = torch.empty_like(flat), torch.empty_like(flat)
        grad_normed = torch.empty_like(normed)
        sums = Sums(*weights)
        for piece in _pieces(track, flat, options):
            _hide(torch.addmm(b_mix, normed[piece], w_mix.t(), out=mixed[piece]), hidden, piece)
            gates = torch.addmm(b_gate, normed[piece], w_gate.t()).sigmoid_()
            active, grad_out = F.gelu(flat[piece]), grads[piece].to(dtype)
            sums.add_linear(8, 9, grad_out, active * gates)
            grad_gated = grad_out @ w_out
            grad_gates = torch.ops.aten.sigmoid_backward(active.mul_(grad_gated), gates)
            sums.add_linear(6, 7, grad_gates, normed[piece])
            torch.mm(grad_gates, w_gate, out=grad_normed[piece])
            grad_around[piece] = torch.ops.aten.gelu_backward(grad_gated.mul_(gates), flat[piece])
        grids = _Grids(mixed.view(around.shape), options)
        grad_mixed, grad_kernel, grad_bias = grids.convolution_backward(
            grad_around.view(around.shape), kernel
        )
        sums.add(4, grad_kernel)
        sums.add(5, grad_bias)
        grad_mixed = grad_mixed.reshape(flat.shape)
        grad_pair = torch.empty_like(track, memory_format=torch.contiguous_format)
        for piece in _pieces(track, flat, options):
            of_piece = _hide(grad_mixed[piece], hidden, piece)
            sums.add_linear(2, 3, of_piece, normed[piece])
            of_piece = grad_normed[piece].addmm_(of_piece, w_mix)
            grad_pair[piece], *grad_norm = normalize_backward(
                of_piece, track[piece], norm, *moments[:, piece]
            )
            sums.add(0, grad_norm[0])
            sums.add(1, grad_norm[1])
        return grad_pair.view(pair.shape), None, None, *sums.gradients()


class _Grids:
    """This rank's rows of a table `[B, I, J, c]`, those within reach of them and a border of zeros, as d² grids."""

    def __init__(self, table: Tensor, options: ConvolutionOptions) -> None:
        self.axial, self.shape, d = options.axial, table.shape, options.dilation
        whole = self.axial.collected(table, axis=1)
        self.length = whole.shape[1]
        own = self.axial.local(self.length)
        self.seen = slice(max(0, own.start - d), min(self.length, own.stop + d))
        first = self.seen.start - own.start + d
        self.place = (slice(first, first + self.seen.stop - self.seen.start), slice(d, d + self.shape[2]))
        self.own = (slice(self.shape[1]), slice(self.shape[2]))
        self.grids = self._apart(whole[:, self.seen], self.place, border=2)

    def convolved(self, kernel: Tensor, bias: Tensor) -> Tensor:
        """The convolution `[B, I, J, c]` of this rank's rows."""
        out = F.conv2d(self.grids, kernel, bias, groups=len(kernel))
        return self._together(out)[:, *self.own].contiguous()

    def convolution_backward(self, grad: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the table `[B, I, J, c]`, of the kernel and of its bias, from that of what `convolved` gives."""
        grad_grids, grad_kernel, grad_bias = torch.ops.aten.convolution_backward(
            *(self._apart(grad, self.own, border=0), self.grids, kernel, [len(kernel)]),
            *([1, 1], [0, 0], [1, 1], False, [0, 0], len(kernel)),
            [True, True, True],
        )
        grad_seen = self._together(grad_grids)[:, *self.place]
        if self.axial.size > 1:
            table = grad.new_zeros((grad.shape[0], self.length, *grad.shape[2:]))
            table[:, self.seen] = grad_seen
            grad_seen = self.axial.summed(table, axis=1)
        return grad_seen, grad_kernel, grad_bias

    def _apart(self, table: Tensor, place: tuple[slice, slice], border: int) -> Tensor:
        """`[B d d, c, S + border, S + border]`, channels last in memory, of `table` at its place among zeros."""
        batch, rows, columns, channels = self.shape
        d = self.place[1].start
        down, across = (-(-size // d) + border for size in (rows, columns))
        whole = table.new_zeros((batch, down * d, across * d, channels))
        whole[:, *place] = table
        grids = whole.view(batch, down, d, across, d, channels).permute(0, 2, 4, 1, 3, 5)
        return grids.reshape(batch * d * d, down, across, channels).permute(0, 3, 1, 2)

    def _together(self, grids: Tensor) -> Tensor:
        """The inverse: `[B, d S, d S, c]`, zeros included."""
        batch, d = self.shape[0], self.place[1].start
        cells = grids.permute(0, 2, 3, 1)
        down, across, channels = cells.shape[1:]
        whole = cells.reshape(batch, d, d, down, across, channels).permute(0, 3, 1, 4, 2, 5)
        return whole.reshape(batch, down * d, across * d, channels)


def _hidden(mask: Tensor) -> Tensor | None:
    """Cells `[n, 1]` to be hidden; None when there are none, as in a batch of one, since hiding takes its time."""
    return None if bool(mask.all()) else ~mask.reshape(-1, 1)


def _hide(cells: Tensor, hidden: Tensor | None, piece: slice) -> Tensor:
    return cells if hidden is None else cells.masked_fill_(hidden[piece], 0.0)


def _pieces(track: Tensor, mixed: Tensor, options: ConvolutionOptions) -> Iterator[slice]:
    widest = max(track.shape[-1], mixed.shape[-1])
    cell_bytes = _TABLES * widest * wide(options.dtype).itemsize
    return spans(len(track), rows_at_once(cell_bytes, options.chunk_bytes, track.device))
