"""The weights of an attention sub-layer, as the functions of gated and of tied attention take and use them.

Dimension key: r rows of a piece, S positions along the attended axis, H heads, D channels a head, c channels, n = r·S
cells of a piece.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from msaformer.model.functions.pieces import Norm, Sums, normalize, normalize_backward
from msaformer.parallel.axial import UNSHARDED, AxialSharding

_ALL = slice(None)


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

    @classmethod
    def of(
        cls, norm: nn.LayerNorm | None, qkv: nn.Linear, gate: nn.Linear | None, out: nn.Linear
    ) -> AttentionWeights:
        """The parameters of these layers."""
        return cls(
            norm_weight=None if norm is None else norm.weight,
            norm_bias=None if norm is None else norm.bias,
            qkv_weight=qkv.weight,
            qkv_bias=qkv.bias,
            gate_weight=None if gate is None else gate.weight,
            gate_bias=None if gate is None else gate.bias,
            out_weight=out.weight,
            out_bias=out.bias,
        )


class AttentionOptions(NamedTuple):
    """What is no tensor."""

    num_heads: int
    eps: float
    """Of the norm."""
    dtype: torch.dtype
    """Of the products."""
    chunk_bytes: int
    """For tables in passing."""
    keep: bool
    """The projections, for the backward pass; else they are computed again."""
    axial: AxialSharding = UNSHARDED
    """The ranks that hold the rows of the pair bias."""


class AttentionLayer:
    """The weights as the pieces use them: in one type, one product for all projections, queries scaled by 1 / √D."""

    def __init__(self, weights: AttentionWeights, options: AttentionOptions) -> None:
        self.options, dtype = options, options.dtype
        self.num_heads, self.inner = options.num_heads, len(weights.qkv_weight) // 3
        self.scale = (self.inner // self.num_heads) ** -0.5
        self.is_gated = weights.gate_weight is not None
        self.norm = None
        if weights.norm_weight is not None and weights.norm_bias is not None:
            self.norm = Norm(weights.norm_weight, weights.norm_bias, options.eps)
        self.has_qkv_bias = weights.qkv_bias is not None
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
        self.queries_and_keys = slice(0, 2 * self.inner)
        self.values_and_gate = slice(2 * self.inner, None)
        self.out_weight, self.out_bias = weights.out_weight.to(dtype), weights.out_bias.to(dtype)

    def normalize(self, cells: Tensor) -> tuple[Tensor, ...]:
        """Normalised cells, and their means and inverse deviations if there is a norm."""
        if self.norm is None:
            return (cells.to(self.options.dtype),)
        normed, *moments = normalize(cells, self.norm)
        return normed.to(self.options.dtype), *moments

    def normalize_backward(self, grad: Tensor, cells: Tensor, moments: list[Tensor], sums: Sums) -> Tensor:
        """Gradient of the cells from that of the normalised ones."""
        if self.norm is None:
            return grad
        grad, *grad_norm = normalize_backward(grad, cells, self.norm, *moments)
        sums.add(0, grad_norm[0])
        sums.add(1, grad_norm[1])
        return grad

    def place_for(self, x: Tensor, part: slice = _ALL) -> Tensor | None:
        """Where the projections, or a part of them, of the track `[B, R, S, c]` are kept; None if they are not."""
        if not self.options.keep:
            return None
        return x.new_empty((*x.shape[:3], len(self.bias[part])), dtype=self.options.dtype)

    def project(self, normed: Tensor, part: slice = _ALL, out: Tensor | None = None) -> Tensor:
        """Queries, keys, values and the gate's logits `[n, 3·H·D or 4·H·D]`, or a part of them."""
        if self.has_qkv_bias:
            return torch.addmm(self.bias[part], normed, self.weight[part].t(), out=out)
        out = torch.mm(normed, self.weight[part].t(), out=out)
        gates = slice(3 * self.inner - (part.start or 0), None)
        out[:, gates] += self.bias[part][gates]  # adding to the gates alone saves a pass over all
        return out

    def project_backward(self, grad: Tensor, normed: Tensor, sums: Sums, part: slice = _ALL) -> Tensor:
        """Gradient of the normalised cells from that of their projections."""
        sums.add_linear(2, 3, grad, normed, part)
        return grad @ self.weight[part]

    def split(self, projected: Tensor, length: int) -> Tensor:
        """The same as `[3 or 4, r, H, S, D]`, a view."""
        channels = self.inner // self.num_heads
        projected = projected.view(-1, length, 3 + self.is_gated, self.num_heads, channels)
        return projected.permute(2, 0, 3, 1, 4)

    def sums(self, parameters: list[Tensor | None]) -> Sums:
        """Where the gradients of the norm, the projections (places 2, 3) and the output (4, 5) are added up."""
        return Sums(*parameters[:2], self.weight, self.bias, *parameters[6:])

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
