"""Scaled dot-product attention with a pair bias, in memory that does not grow with the number of rows.

The table `[B, R, S, S]` of probabilities of R rows is never held: rows are taken in chunks, and the backward pass
computes a chunk's probabilities again from the saved log-sum-exp (the recomputation of FlashAttention, Dao et al.
2022, applied over rows because the pair bias is shared by them). The bias gradient is accumulated in float32.
`torch.nn.functional.scaled_dot_product_attention` serves attention without a bias; with a bias that needs a gradient it
falls back to the path that stores everything.

Dimension key: B batch, R rows attended independently, S positions along the attended axis, H heads, D channels a head.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from jaxtyping import Bool, Float
from torch import Tensor

# Finite, so that a row without any real key stays finite (and is masked by its user).
MASKED_LOGIT: Final = -1e9
_CHUNK_LOGITS: Final = 1 << 20  # logits a chunk; 4 MiB in float32, near the size of a core's cache


def attention(
    q: Float[Tensor, "B R H S D"],
    k: Float[Tensor, "B R H S D"],
    v: Float[Tensor, "B R H S D"],
    key_mask: Bool[Tensor, "B R S"],
    pair_bias: Float[Tensor, "B H S S"] | None,
) -> Float[Tensor, "B R H S D"]:
    """Attend along S in each row: softmax(q kᵀ / √D + bias) v over the keys whose mask is True.

    The softmax is computed in float32. A row without a real key gives finite values without meaning.
    """
    if pair_bias is None:
        return _unbiased(q, k, v, key_mask)
    bias = pair_bias.float()
    out: Tensor = _PairBiasedAttention.apply(q, k, v, bias, key_mask)  # type: ignore[no-untyped-call]
    return out


def reference_attention(
    q: Float[Tensor, "B R H S D"],
    k: Float[Tensor, "B R H S D"],
    v: Float[Tensor, "B R H S D"],
    key_mask: Bool[Tensor, "B R S"],
    pair_bias: Float[Tensor, "B H S S"] | None,
) -> Float[Tensor, "B R H S D"]:
    """The same, written plainly with all logits held: what every other route is tested and measured against."""
    logits = torch.einsum("brhid,brhjd->brhij", q, k) * q.shape[-1] ** -0.5
    if pair_bias is not None:
        logits = logits + pair_bias[:, None]
    logits = logits.masked_fill(~key_mask[:, :, None, None, :], MASKED_LOGIT)
    probs = torch.softmax(logits.float(), dim=-1).to(v.dtype)
    return torch.einsum("brhij,brhjd->brhid", probs, v)


def _unbiased(q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor) -> Tensor:
    """Fused SDPA; its fast paths want four dimensions."""
    batch, rows = q.shape[:2]
    mask = None
    if not bool(key_mask.all()):
        additive = torch.zeros(key_mask.shape, dtype=q.dtype, device=q.device)
        additive = additive.masked_fill(~key_mask, MASKED_LOGIT if q.dtype != torch.float16 else -6e4)
        mask = additive.flatten(0, 1)[:, None, None, :]
    out = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), attn_mask=mask)
    return out.unflatten(0, (batch, rows))  # type: ignore[no-untyped-call]


class _PairBiasedAttention(torch.autograd.Function):
    """Attention over rows that share one bias, chunk by chunk, with an exact hand-written backward pass."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, key_mask: Tensor) -> Tensor:
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        mask_logits = torch.zeros(key_mask.shape, dtype=torch.float32, device=q.device)
        mask_logits.masked_fill_(~key_mask, MASKED_LOGIT)
        needs_grad = any(ctx.needs_input_grad)
        out = torch.empty_like(v)
        log_sums = torch.empty(q.shape[:-1], dtype=torch.float32, device=q.device) if needs_grad else None
        for batch, rows in _chunks(q):
            logits = _logits(q[batch, rows], k[batch, rows], bias[batch], mask_logits[batch, rows])
            if log_sums is not None:
                log_sum = torch.logsumexp(logits, dim=-1)
                log_sums[batch, rows] = log_sum
                probs = logits.sub_(log_sum[..., None]).exp_()
            else:
                probs = torch.softmax(logits, dim=-1)
            torch.matmul(probs.to(v.dtype), v[batch, rows], out=out[batch, rows])
        if needs_grad:
            ctx.save_for_backward(q, k, v, bias, mask_logits, out, log_sums)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias, mask_logits, out, log_sums = ctx.saved_tensors
        scale = q.shape[-1] ** -0.5
        grad_out = grad_out.contiguous()
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        grad_bias = torch.zeros_like(bias)
        for batch, rows in _chunks(q):
            grad = grad_out[batch, rows]
            logits = _logits(q[batch, rows], k[batch, rows], bias[batch], mask_logits[batch, rows])
            probs = logits.sub_(log_sums[batch, rows][..., None]).exp_()
            torch.matmul(probs.to(v.dtype).transpose(-1, -2), grad, out=grad_v[batch, rows])
            delta = (grad.float() * out[batch, rows].float()).sum(dim=-1, keepdim=True)
            grad_probs = torch.matmul(grad, v[batch, rows].transpose(-1, -2)).float()
            grad_logits = probs.mul_(grad_probs.sub_(delta))
            grad_bias[batch] += grad_logits.sum(dim=0)
            grad_logits = grad_logits.to(q.dtype)
            torch.matmul(grad_logits, k[batch, rows], out=grad_q[batch, rows])
            torch.matmul(grad_logits.transpose(-1, -2), q[batch, rows], out=grad_k[batch, rows])
        return grad_q.mul_(scale), grad_k.mul_(scale), grad_v, grad_bias, None


def _chunks(q: Tensor) -> list[tuple[int, slice]]:
    """(example, rows) of each chunk."""
    batch, rows, heads, length = q.shape[:4]
    step = max(1, _CHUNK_LOGITS // (heads * length * length))
    return [(b, slice(r, min(r + step, rows))) for b in range(batch) for r in range(0, rows, step)]


def _logits(q: Tensor, k: Tensor, bias: Tensor, mask_logits: Tensor) -> Tensor:
    """Float32 logits `[r, H, S, S]` of one chunk, in one new tensor."""
    logits = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)).float()
    return logits.add_(bias).add_(mask_logits[:, None, None, :])
