"""Attention of a few rows at a time, forward and backward, from queries, keys and values that are at hand.

No table is kept from forward to backward: probabilities and the attended values are computed again. Where the logits of
a single row are larger than the memory for a piece, its queries are taken in turn. On a CPU the forward pass is
PyTorch's fused kernel, which has no backward pass for the bias.

Dimension key: r rows of a piece, S positions along the attended axis, H heads, D channels a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from jaxtyping import Bool, Float
from torch import Tensor

from msaformer.model.functions.pieces import kind_of, spans, wide

# Finite, so that a row without any real key stays finite (and is masked by its user).
MASKED_LOGIT: Final = -1e9


class Added(NamedTuple):
    """What is added to the logits of a piece."""

    bias: Float[Tensor, "H S S"] | None
    masked: Float[Tensor, "r S"] | None


def added_to(bias: Tensor | None, masked: Tensor | None, batch: int, rows: slice) -> Added:
    """The parts of `bias` `[B, H, S, S]` and of `masked` `[B, R, S]` that belong to a piece."""
    return Added(None if bias is None else bias[batch], None if masked is None else masked[batch, rows])


def mask_logits(mask: Bool[Tensor, "*axes"], dtype: torch.dtype) -> Float[Tensor, "*axes"] | None:
    """What to add to the logits of each key; None if all are real, which is asked on a CPU only: elsewhere it waits."""
    if kind_of(mask.device) == "cpu" and bool(mask.all()):
        return None
    return torch.zeros(mask.shape, dtype=wide(dtype), device=mask.device).masked_fill_(~mask, MASKED_LOGIT)


def attend(
    q: Float[Tensor, "r H S D"],
    k: Float[Tensor, "r H S D"],
    v: Float[Tensor, "r H S D"],
    added: Added,
    chunk_bytes: int,
) -> Float[Tensor, "r H S D"]:
    """Softmax(q kᵀ + added) v; the queries are already scaled by 1 / √D."""
    if kind_of(q.device) == "cpu" and q.dtype != torch.float16:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=_joined(added), scale=1.0)
    out = torch.empty_like(q)
    for queries in _query_spans(q, chunk_bytes):
        probs = _probs(q[..., queries, :], k, added, queries)
        out[..., queries, :] = probs.to(v.dtype) @ v
    return out


def attend_backward(
    qkv: Float[Tensor, "3 r H S D"],
    added: Added,
    grad_out: Float[Tensor, "r H S D"],
    grad_bias: Float[Tensor, "H S S"] | None,
    chunk_bytes: int,
) -> tuple[Float[Tensor, "r H S D"], Float[Tensor, "3 r H S D"]]:
    """What `attend` returned, and the gradients of q, k and v; that of the bias is added to `grad_bias`."""
    q, k, v = qkv
    out, grads = torch.empty_like(q), torch.empty_like(qkv)
    for number, queries in enumerate(_query_spans(q, chunk_bytes)):
        some_q, grad = q[..., queries, :], grad_out[..., queries, :]
        probs = _probs(some_q, k, added, queries)
        rounded = probs.to(v.dtype)
        attended = rounded @ v
        out[..., queries, :] = attended
        delta = (grad.to(probs.dtype) * attended).sum(dim=-1, keepdim=True)
        grad_logits = (grad @ v.transpose(-1, -2)).to(probs.dtype).sub_(delta).mul_(probs)
        if grad_bias is not None:
            grad_bias[:, queries] += grad_logits.sum(dim=0)
        grad_logits = grad_logits.to(q.dtype)
        grads[0][..., queries, :] = grad_logits @ k
        if number == 0:
            torch.matmul(grad_logits.transpose(-1, -2), some_q, out=grads[1])
            torch.matmul(rounded.transpose(-1, -2), grad, out=grads[2])
        else:
            grads[1] += grad_logits.transpose(-1, -2) @ some_q
            grads[2] += rounded.transpose(-1, -2) @ grad
    return out, grads


def _joined(added: Added) -> Tensor | None:
    """Both in one table; one that asks for a gradient would not be fused."""
    bias = None if added.bias is None else added.bias.detach()[None]
    masked = None if added.masked is None else added.masked[:, None, None, :]
    if bias is None or masked is None:
        return masked if bias is None else bias
    return bias + masked


def _probs(q: Tensor, k: Tensor, added: Added, queries: slice) -> Tensor:
    """Float32 or wider probabilities `[r, H, s, S]` in one table."""
    logits = torch.matmul(q, k.transpose(-1, -2)).to(wide(q.dtype))
    if added.bias is not None:
        logits += added.bias[:, queries]
    if added.masked is not None:
        logits += added.masked[:, None, None, :]
    return torch.softmax(logits, dim=-1, out=logits)


def _query_spans(q: Tensor, chunk_bytes: int) -> Iterator[slice]:
    rows, heads, length = q.shape[:3]
    query_bytes = 2 * rows * heads * length * wide(q.dtype).itemsize
    return spans(length, max(1, chunk_bytes // query_bytes))
