"""Kernels of attention with a pair bias: queries, keys and values in, attended values out.

`attention` is our own: it walks over the rows in pieces, keeps no table of probabilities and has an exact backward pass
for the bias, whose gradient is summed in float32. `torch.nn.functional.scaled_dot_product_attention` stores everything
once the bias needs a gradient. `reference_attention` is what every other kernel is tested and measured against.

Dimension key: B batch, R rows attended independently, S positions along the attended axis, H heads, D channels a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from jaxtyping import Bool, Float
from torch import Tensor

from msaformer.model.execution import DEFAULT_CHUNK_BYTES
from msaformer.model.functions.pieces import outside_autocast, rows_at_once, spans, wide
from msaformer.model.functions.softmax_attention import (
    MASKED_LOGIT,
    added_to,
    attend,
    attend_backward,
    mask_logits,
)


def attention(
    q: Float[Tensor, "B R H S D"],
    k: Float[Tensor, "B R H S D"],
    v: Float[Tensor, "B R H S D"],
    key_mask: Bool[Tensor, "B R S"],
    pair_bias: Float[Tensor, "B H S S"] | None,
    chunk_bytes: int = DEFAULT_CHUNK_BYTES,
) -> Float[Tensor, "B R H S D"]:
    """Attend along S in each row: softmax(q kᵀ / √D + bias) v over the keys whose mask is True.

    The softmax is computed in float32 or wider. A row without a real key gives finite values without meaning.
    """
    bias = None if pair_bias is None else pair_bias.to(wide(q.dtype))
    out: Tensor = _Attention.apply(q, k, v, bias, key_mask, chunk_bytes)  # type: ignore[no-untyped-call]
    return out


def reference_attention(
    q: Float[Tensor, "B R H S D"],
    k: Float[Tensor, "B R H S D"],
    v: Float[Tensor, "B R H S D"],
    key_mask: Bool[Tensor, "B R S"],
    pair_bias: Float[Tensor, "B H S S"] | None,
) -> Float[Tensor, "B R H S D"]:
    """The same, written plainly with all logits held."""
    logits = torch.einsum("brhid,brhjd->brhij", q, k) * q.shape[-1] ** -0.5
    if pair_bias is not None:
        logits = logits + pair_bias[:, None]
    logits = logits.masked_fill(~key_mask[:, :, None, None, :], MASKED_LOGIT)
    probs = torch.softmax(logits.to(wide(logits.dtype)), dim=-1).to(v.dtype)
    return torch.einsum("brhij,brhjd->brhid", probs, v)


def sdpa_attention(
    q: Float[Tensor, "B R H S D"],
    k: Float[Tensor, "B R H S D"],
    v: Float[Tensor, "B R H S D"],
    key_mask: Bool[Tensor, "B R S"],
    pair_bias: Float[Tensor, "B H S S"] | None,
) -> Float[Tensor, "B R H S D"]:
    """The same by PyTorch's fused kernels; its fast ones want four dimensions and a bias in the type of q.

    Bias and mask are added to one another beforehand, so that the largest table has the size of one row's logits a row.
    """
    batch, rows, heads, length = q.shape[:4]
    lowest = torch.finfo(q.dtype).min / 2 if q.dtype == torch.float16 else MASKED_LOGIT
    added = torch.zeros(key_mask.shape, dtype=q.dtype, device=q.device).masked_fill(~key_mask, lowest)
    added = added[:, :, None, None, :]
    if pair_bias is not None:
        added = added + pair_bias.to(q.dtype)[:, None]
    added = added.expand(batch, rows, heads, length, length).flatten(0, 1)
    out = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), attn_mask=added)
    return out.unflatten(0, (batch, rows))  # type: ignore[no-untyped-call]


class _Attention(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, mask: Tensor, chunk_bytes: int
    ) -> Tensor:
        ctx.chunk_bytes = chunk_bytes
        ctx.save_for_backward(q, k, v, bias, mask)
        masked, scale = mask_logits(mask, q.dtype), q.shape[-1] ** -0.5
        out = torch.empty_like(v, memory_format=torch.contiguous_format)
        for batch, rows in _pieces(q, chunk_bytes):
            added, place = added_to(bias, masked, batch, rows), (batch, rows)
            out[place] = attend(q[place] * scale, k[place], v[place], added, chunk_bytes)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias, mask = ctx.saved_tensors
        masked, scale = mask_logits(mask, q.dtype), q.shape[-1] ** -0.5
        grads = q.new_empty((3, *q.shape))
        grad_bias = None if bias is None else torch.zeros_like(bias)
        for batch, rows in _pieces(q, ctx.chunk_bytes):
            qkv = torch.stack([q[batch, rows] * scale, k[batch, rows], v[batch, rows]])
            bias_grad = None if grad_bias is None else grad_bias[batch]
            added = added_to(bias, masked, batch, rows)
            grads[:, batch, rows] = attend_backward(
                qkv, added, grad[batch, rows], bias_grad, ctx.chunk_bytes
            )[1]
        return grads[0].mul_(scale), grads[1], grads[2], grad_bias, None, None


def _pieces(q: Tensor, chunk_bytes: int) -> Iterator[tuple[int, slice]]:
    """(example, rows) of each piece."""
    batch, rows, heads, length = q.shape[:4]
    step = rows_at_once(2 * heads * length * length * wide(q.dtype).itemsize, chunk_bytes, q.device)
    return ((b, some) for b in range(batch) for some in spans(rows, step))
