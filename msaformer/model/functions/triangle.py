"""The two ends of triangle multiplication, in pieces: from the pair track to gated edges, and from triangles back.

Between them stands one product for each channel, `msaformer/model/triangle.py`, so that edges and triangles have their
channels first. Both ends keep what they are given and compute gates and norms again.

Dimension key: B batch, I / J residues of a pair table's axes, n cells of a piece, z channels of the pair track, c
channels of the triangles, d = 2 c of both edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

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


class _Options(NamedTuple):
    eps: float
    dtype: torch.dtype
    chunk_bytes: int


def gated_edges(
    pair: Float[Tensor, "B I J z"],
    mask: Bool[Tensor, "B I J"],
    norm: nn.LayerNorm,
    edges: nn.Linear,
    gates: nn.Linear,
    chunk_bytes: int,
) -> Float[Tensor, "B d I J"]:
    """`sigmoid(gates(norm(pair))) · edges(norm(pair))`, channels first, zero where the mask is False."""
    options = _Options(norm.eps, work_dtype(pair), chunk_bytes)
    weights = (norm.weight, norm.bias, edges.weight, edges.bias, gates.weight, gates.bias)
    out: Tensor = _GatedEdges.apply(pair, mask, options, *weights)  # type: ignore[no-untyped-call]
    return out


def gated_update(
    triangles: Float[Tensor, "B c I J"],
    pair: Float[Tensor, "B I J z"],
    norms: tuple[nn.LayerNorm, nn.LayerNorm],
    update: nn.Linear,
    gate: nn.Linear,
    chunk_bytes: int,
) -> Float[Tensor, "B I J z"]:
    """`sigmoid(gate(norms[1](pair))) · update(norms[0](triangles))`; the triangles have their channels first."""
    options = tuple(_Options(norm.eps, work_dtype(pair), chunk_bytes) for norm in norms)
    weights = [weight for layer in (*norms, update, gate) for weight in (layer.weight, layer.bias)]
    out: Tensor = _GatedUpdate.apply(pair, triangles, options, *weights)  # type: ignore[no-untyped-call]
    return out


class _GatedEdges(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(ctx: Any, pair: Tensor, mask: Tensor, options: _Options, *weights: Tensor) -> Tensor:
        ctx.options = options
        ctx.save_for_backward(pair, mask, *weights)
        norm, dtype = Norm(weights[0], weights[1], options.eps), options.dtype
        w_edges, b_edges, w_gates, b_gates = (weight.to(dtype) for weight in weights[2:])
        out = pair.new_empty((len(pair), len(w_edges), mask[0].numel()), dtype=dtype)
        for batch, piece in _pieces(pair, len(w_edges), options):
            normed = normalize(pair[batch].flatten(0, 1)[piece], norm)[0].to(dtype).t()
            gates = torch.addmm(b_gates[:, None], w_gates, normed).sigmoid_()
            gates.masked_fill_(~mask[batch].flatten()[piece], 0.0)
            torch.mul(torch.addmm(b_edges[:, None], w_edges, normed), gates, out=out[batch, :, piece])
        return out.unflatten(2, pair.shape[1:3])  # type: ignore[no-untyped-call]

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        pair, mask, *weights = ctx.saved_tensors
        norm, dtype = Norm(weights[0], weights[1], ctx.options.eps), ctx.options.dtype
        w_edges, b_edges, w_gates, b_gates = (weight.to(dtype) for weight in weights[2:])
        grad, grad_pair = grad.flatten(2), torch.empty_like(pair, memory_format=torch.contiguous_format)
        sums = Sums(*weights)
        for batch, piece in _pieces(pair, len(w_edges), ctx.options):
            cells = pair[batch].flatten(0, 1)[piece]
            normed, *moments = normalize(cells, norm)
            normed = normed.to(dtype)
            gates = torch.addmm(b_gates[:, None], w_gates, normed.t()).sigmoid_()
            grad_edges = grad[batch, :, piece].to(dtype) * gates
            grad_edges.masked_fill_(~mask[batch].flatten()[piece], 0.0)
            grad_gates = torch.addmm(b_edges[:, None], w_edges, normed.t()).mul_(grad_edges)
            grad_gates.mul_(gates.neg_().add_(1))
            sums.add_linear(2, 3, grad_edges.t(), normed)
            sums.add_linear(4, 5, grad_gates.t(), normed)
            grad_normed = (grad_edges.t() @ w_edges).addmm_(grad_gates.t(), w_gates)
            grad_cells, *grad_norm = normalize_backward(grad_normed, cells, norm, *moments)
            grad_pair[batch].flatten(0, 1)[piece] = grad_cells
            sums.add(0, grad_norm[0])
            sums.add(1, grad_norm[1])
        return grad_pair, None, None, *sums.gradients()


class _GatedUpdate(torch.autograd.Function):
    """The norm of the triangles is over their first axis; its weight and bias are folded into the dense layer."""

    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any, pair: Tensor, triangles: Tensor, options: tuple[_Options, _Options], *weights: Tensor
    ) -> Tensor:
        ctx.options = options
        ctx.save_for_backward(pair, triangles, *weights)
        norm_out, norm_in, dtype = *_norms(weights, options), options[0].dtype
        w_update, b_update = _folded(norm_out, weights[4], weights[5], dtype)
        w_gate, b_gate = (weight.to(dtype) for weight in weights[6:])
        out = torch.empty_like(pair, dtype=dtype, memory_format=torch.contiguous_format)
        for batch, piece in _pieces(pair, triangles.shape[1], options[0]):
            centred = _normalize_channels(triangles[batch].flatten(1)[:, piece], norm_out.eps)[0].to(dtype)
            updates = torch.addmm(b_update, centred.t(), w_update.t())
            normed = normalize(pair[batch].flatten(0, 1)[piece], norm_in)[0].to(dtype)
            gates = torch.addmm(b_gate, normed, w_gate.t()).sigmoid_()
            torch.mul(gates, updates, out=out[batch].flatten(0, 1)[piece])
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        pair, triangles, *weights = ctx.saved_tensors
        norm_out, norm_in, dtype = *_norms(weights, ctx.options), ctx.options[0].dtype
        w_update, b_update = _folded(norm_out, weights[4], weights[5], dtype)
        w_gate, b_gate = (weight.to(dtype) for weight in weights[6:])
        grad_pair = torch.empty_like(pair, memory_format=torch.contiguous_format)
        grad_triangles = torch.empty_like(triangles, memory_format=torch.contiguous_format)
        sums = Sums(*weights)
        for batch, piece in _pieces(pair, triangles.shape[1], ctx.options[0]):
            cells = pair[batch].flatten(0, 1)[piece]
            normed, *moments = normalize(cells, norm_in)
            normed = normed.to(dtype)
            sides, inverse = _normalize_channels(triangles[batch].flatten(1)[:, piece], norm_out.eps)
            gates = torch.addmm(b_gate, normed, w_gate.t()).sigmoid_()
            grad_update = grad[batch].flatten(0, 1)[piece].to(dtype) * gates
            grad_gate = torch.addmm(b_update, sides.to(dtype).t(), w_update.t()).mul_(grad_update)
            grad_gate.mul_(gates.neg_().add_(1))
            sums.add_linear(4, 5, grad_update, sides.to(dtype).t())
            sums.add_linear(6, 7, grad_gate, normed)
            grad_sides = (w_update.t() @ grad_update.t()).to(sides.dtype)
            grad_triangles[batch].flatten(1)[:, piece] = _normalize_channels_backward(
                grad_sides, sides, inverse
            )
            grad_cells, *grad_norm = normalize_backward(grad_gate @ w_gate, cells, norm_in, *moments)
            grad_pair[batch].flatten(0, 1)[piece] = grad_cells
            sums.add(2, grad_norm[0])
            sums.add(3, grad_norm[1])
        _unfold(sums, norm_out, weights[4])
        return grad_pair, grad_triangles, None, *sums.gradients()


def _normalize_channels(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """`x` `[c, n]` less its mean over the channels, times the inverse deviation, which comes second `[n]`."""
    x = x.to(wide(x.dtype))
    centred = x - x.mean(dim=0)
    inverse = centred.square().mean(dim=0).add_(eps).rsqrt_()
    return centred.mul_(inverse), inverse


def _normalize_channels_backward(grad: Tensor, normed: Tensor, inverse: Tensor) -> Tensor:
    """Gradient of `x` of `_normalize_channels`; overwrites `grad`."""
    along = (grad * normed).mean(dim=0)
    return grad.sub_(grad.mean(dim=0)).sub_(normed * along).mul_(inverse)


def _folded(norm: Norm, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Weight and bias of the dense layer that does the norm's affine part too."""
    kind = wide(dtype)
    weight = weight.to(kind)
    folded_bias = torch.addmv(bias.to(kind), weight, norm.bias.to(kind))
    return (weight * norm.weight.to(kind)).to(dtype), folded_bias.to(dtype)


def _unfold(sums: Sums, norm: Norm, weight: Tensor) -> None:
    """From the gradients of `_folded`'s results, at places 4 and 5, to those of the norm (0, 1) and the weight (4)."""
    kind = sums[4].dtype
    sums.add(0, (sums[4] * weight.to(kind)).sum(dim=0))
    sums.add(1, weight.to(kind).t() @ sums[5])
    sums[4].mul_(norm.weight.to(kind)).addr_(sums[5], norm.bias.to(kind))


def _norms(weights: Any, options: tuple[_Options, _Options]) -> tuple[Norm, Norm]:
    return Norm(weights[0], weights[1], options[0].eps), Norm(weights[2], weights[3], options[1].eps)


def _pieces(pair: Tensor, channels: int, options: _Options) -> Iterator[tuple[int, slice]]:
    """Example and cells of each piece."""
    cell_bytes = 2 * max(channels, pair.shape[-1]) * wide(options.dtype).itemsize
    step = rows_at_once(cell_bytes, options.chunk_bytes, pair.device)
    cells = pair.shape[1] * pair.shape[2]
    return ((batch, piece) for batch in range(len(pair)) for piece in spans(cells, step))
