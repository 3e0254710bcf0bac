"""Which attention kernel runs, decided once before a run, and the line that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import Tensor

from msaformer.errors import ConfigError
from msaformer.model.kernels import attention, reference_attention, sdpa_attention
from msaformer.model.optional_kernels import (
    AttentionNeed,
    cuequivariance_attention,
    deepspeed_attention,
    why_unfit,
)

Kernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""(q, k, v, key_mask, pair_bias) to the attended values; see `msaformer.model.kernels`."""

KERNELS: Final[dict[str, Kernel]] = {
    "own": attention,
    "reference": reference_attention,
    "sdpa": sdpa_attention,
    "cuequivariance": cuequivariance_attention,  # type: ignore[dict-item] # with a pair bias only
    "deepspeed": deepspeed_attention,  # type: ignore[dict-item]
}
NEED_A_PAIR_BIAS: Final = ("cuequivariance", "deepspeed")


def choose_attention(name: str, need: AttentionNeed) -> str:
    """The kernel that runs where `name`, `auto` or one of KERNELS, is asked for.

    auto is `own`: it runs everywhere, and no other has been measured to be faster with a bias that learns. Raises
    ConfigError when the kernel asked for cannot serve.
    """
    if name == "auto":
        return "own"
    reason = why_unfit(name, need)
    if reason is not None:
        raise ConfigError(f"execution.attention: {name} cannot be used: {reason}; use auto")
    return name


def attention_line(chosen: str, need: AttentionNeed) -> str:
    """For the log: the kernel chosen, and for each other whether it was not asked for or why it cannot serve."""
    others = []
    for name in KERNELS:
        reason = why_unfit(name, need)
        if name not in (chosen, "reference"):
            others.append(f"{name} {'not asked for' if reason is None else f'off: {reason}'}")
    return f"attention: {chosen} ({'; '.join(others)})"
