"""Layer norm, projections, attention, gate and output projection of a few rows at a time.

Rows attend independently, so that a piece of them passes through the whole sub-layer before the next begins: neither
queries, keys and values nor the gates of all rows exist at once. The pair bias is shared by the rows.

Dimension key: B batch, R rows attended independently, S positions along the attended axis, H heads, D channels a head,
c channels, n = r·S cells of a piece of r rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

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
from msaformer.model.functions.softmax_attention import attend, attend_backward, mask_logits

_TABLES = 2  # of the size of the logits that the backward pass holds at a time


class AttentionWeights(NamedTuple):
    """Parameters of gated attention; those that a layer does without are None."""

    norm_weight: Tensor | None
    norm_bias: Tensor | None
    qkv_weight: Tensor
    qkv_bias: Tensor | None
    gate_weight: Tensor | None
    gate_bias: Tensor | None
    out_weight: Tensor
    out_bias: Tensor


class _Options(NamedTuple):
    num_heads: int
    eps: float
    dtype: torch.dtype
    chunk_bytes: int


def gated_attention(
    x: Float[Tensor, "B R S c"],
    mask: Bool[Tensor, "B R S"],
    bias: Float[Tensor, "B H S S"] | None,
    weights: AttentionWeights,
    *,
    num_heads: int,
    eps: float,
    chunk_bytes: int,
) -> Float[Tensor, "B R S c_out"]:
    """Attend along S in each row; keeps `x` and the bias alone for the backward pass."""
    options = _Options(num_heads, eps, work_dtype(x), chunk_bytes)
    if bias is not None:
        bias = bias.to(wide(options.dtype))
    out: Tensor = _GatedAttention.apply(x, bias, mask, options, *weights)  # type: ignore[no-untyped-call]
    return out


class _GatedAttention(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any, x: Tensor, bias: Tensor | None, mask: Tensor, options: _Options, *flat: Tensor | None
    ) -> Tensor:
        ctx.options = options
        ctx.save_for_backward(x, bias, mask, *flat)
        weights = AttentionWeights(*flat)  # type: ignore[arg-type]
        layer = _Layer(weights, options)
        masked = mask_logits(mask, options.dtype)
        out = torch.empty_like(x, dtype=options.dtype)  # strides of x: columns come as a transposed view
        for batch, rows in _pieces(x, options):
            cells = x[batch, rows].flatten(0, 1)
            q, k, v, *gate = layer.split(layer.project(layer.normalize(cells)[0]), x.shape[2])
            attended = attend(q, k, v, _of(bias, batch), _of(masked, batch, rows), options.chunk_bytes)
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
        x, bias, mask, *flat = ctx.saved_tensors
        options, weights = ctx.options, AttentionWeights(*flat)
        layer = _Layer(weights, options)
        masked = mask_logits(mask, options.dtype)
        grad_x = torch.empty_like(x)
        grad_bias = None if bias is None else torch.zeros_like(bias)
        sums = Sums(weights.norm_weight, weights.norm_bias, layer.weight, layer.bias, *flat[6:])
        for batch, rows in _pieces(x, options):
            tables = (_of(bias, batch), _of(masked, batch, rows), _of(grad_bias, batch))
            cells = x[batch, rows].flatten(0, 1)
            grad_out = grad[batch, rows].flatten(0, 1).to(options.dtype)
            normed, *moments = layer.normalize(cells)
            grad_projected = _through_attention(layer, normed, grad_out, tables, sums, x.shape[2])
            sums.add_linear(2, 3, grad_projected, normed)
            grad_cells = grad_projected @ layer.weight
            if layer.norm is not None:
                grad_cells, *grad_norm = normalize_backward(grad_cells, cells, layer.norm, *moments)
                sums.add(0, grad_norm[0])
                sums.add(1, grad_norm[1])
            grad_x[batch, rows] = grad_cells.view(-1, *x.shape[2:])
        return grad_x, grad_bias, None, None, *layer.gradients(sums, flat)


def _through_attention(
    layer: _Layer, normed: Tensor, grad_out: Tensor, tables: tuple[Any, Any, Any], sums: Sums, length: int
) -> Tensor:
    """Gradient of a piece's projections `[n, …]` from that of its output `[n, c]`."""
    bias, masked, grad_bias = tables
    projected = layer.split(layer.project(normed), length).contiguous()
    grad_gated = (grad_out @ layer.out_weight).unflatten(1, (layer.num_heads, -1))
    grad_gated = grad_gated.unflatten(0, (-1, length)).transpose(1, 2)
    grads = torch.empty_like(projected)
    gate = projected[3].sigmoid_() if layer.is_gated else None
    grad_attended = (grad_gated if gate is None else grad_gated * gate).contiguous()
    attended, grads[:3] = attend_backward(
        *projected[:3], bias, masked, grad_attended, grad_bias, layer.options.chunk_bytes
    )
    if gate is not None:
        attended.mul_(gate)  # now gated; its derivative by the gate's logit is gated · (1 - gate)
        torch.mul(grad_gated, attended, out=grads[3]).mul_(gate.neg_().add_(1))
    sums.add_linear(4, 5, grad_out, attended.transpose(1, 2).reshape(len(normed), -1))
    return grads.permute(1, 3, 0, 2, 4).reshape(len(normed), -1)


class _Layer:
    """The weights as the pieces use them: in one type, one product for all projections, queries scaled by 1 / √D."""

    def __init__(self, weights: AttentionWeights, options: _Options) -> None:
        self.options, dtype = options, options.dtype
        self.num_heads, self.inner = options.num_heads, len(weights.qkv_weight) // 3
        self.scale = (self.inner // self.num_heads) ** -0.5
        self.is_gated = weights.gate_weight is not None
        self.norm = None
        if weights.norm_weight is not None and weights.norm_bias is not None:
            self.norm = Norm(weights.norm_weight, weights.norm_bias, options.eps)
        qkv_bias = weights.qkv_bias
        if qkv_bias is None:
            qkv_bias = weights.qkv_weight.new_zeros(3 * self.inner)
        self.weight = weights.qkv_weight.to(dtype, copy=True)
        self.bias = qkv_bias.to(dtype, copy=True)
        self.weight[: self.inner] *= self.scale
        self.bias[: self.inner] *= self.scale
        if weights.gate_weight is not None and weights.gate_bias is not None:
            self.weight = torch.cat([self.weight, weights.gate_weight.to(dtype)])
            self.bias = torch.cat([self.bias, weights.gate_bias.to(dtype)])
        self.out_weight, self.out_bias = weights.out_weight.to(dtype), weights.out_bias.to(dtype)

    def normalize(self, cells: Tensor) -> tuple[Tensor, ...]:
        """Normalised cells, and their means and inverse deviations if there is a norm."""
        if self.norm is None:
            return (cells.to(self.options.dtype),)
        normed, *moments = normalize(cells, self.norm)
        return normed.to(self.options.dtype), *moments

    def project(self, normed: Tensor) -> Tensor:
        """Queries, keys, values and the gate's logits `[n, 3·H·D or 4·H·D]`."""
        return torch.addmm(self.bias, normed, self.weight.t())

    def split(self, projected: Tensor, length: int) -> Tensor:
        """The same as `[3 or 4, r, H, S, D]`, a view."""
        channels = self.inner // self.num_heads
        return projected.view(-1, length, 3 + self.is_gated, self.num_heads, channels).permute(2, 0, 3, 1, 4)

    def gradients(self, sums: Sums, parameters: list[Tensor | None]) -> list[Tensor | None]:
        """In the order of AttentionWeights."""
        norm_weight, norm_bias, weight, bias, out_weight, out_bias = sums.gradients()
        assert weight is not None
        assert bias is not None
        weight, bias, end = sums[2], sums[3], 3 * self.inner
        weight[: self.inner] *= self.scale
        bias[: self.inner] *= self.scale
        found = [norm_weight, norm_bias, weight[:end], bias[:end], weight[end:], bias[end:]]
        pairs = zip([*found, out_weight, out_bias], parameters, strict=True)
        return [None if p is None or g is None else g.to(p.dtype) for g, p in pairs]


def _of(table: Tensor | None, *place: Any) -> Tensor | None:
    return None if table is None else table[place]


def _pieces(x: Tensor, options: _Options) -> Iterator[tuple[int, slice]]:
    """Example and rows of each piece."""
    length = x.shape[2]
    row_bytes = _TABLES * options.num_heads * length * length * wide(options.dtype).itemsize
    step = rows_at_once(row_bytes, options.chunk_bytes, x.device)
    return ((batch, rows) for batch in range(len(x)) for rows in spans(x.shape[1], step))
