"""Sizes of pieces, types, layer norms and sums of gradients: what all functions here share.

Dimension key: n cells of a piece, c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

# Tables of one piece that together fit a core's share of the caches (an L2 of 1–2 MiB, an L3 of some MiB a core); of
# 1, 2, 4, 8, 16 MiB, 4 was fastest for a whole block on a core with 1 MiB and 16 MiB.
CACHED_BYTES: Final = 4 * 2**20


_Method = TypeVar("_Method", bound=Callable[..., Any])

_planned_for: ContextVar[str | None] = ContextVar("planned_for", default=None)


class Norm(NamedTuple):
    """Weight, bias and ε of a layer normalisation."""

    weight: Tensor
    bias: Tensor
    eps: float


def work_dtype(x: Tensor) -> torch.dtype:
    """The type that products are taken in: autocast's where it is on, else that of `x`."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def wide(dtype: torch.dtype) -> torch.dtype:
    """Float32, or float64 if that is what is given: for norms, softmax, and sums over pieces."""
    return torch.promote_types(dtype, torch.float32)


def rows_at_once(row_bytes: int, chunk_bytes: int, device: torch.device) -> int:
    """How many rows, each needing `row_bytes` of tables in passing, are worked on together; at least one."""
    if kind_of(device) == "cpu":
        chunk_bytes = min(chunk_bytes, CACHED_BYTES * torch.get_num_threads())
    return max(1, chunk_bytes // max(1, row_bytes))


def spans(length: int, step: int) -> Iterator[slice]:
    """Consecutive slices of at most `step` that cover an axis; in a plan, the first two of them."""
    end = length if _planned_for.get() is None else min(length, 2 * step)
    for start in range(0, end, step):
        yield slice(start, min(start + step, length))


@contextmanager
def planned_for(device_type: str) -> Iterator[None]:
    """Nothing is computed within, and the memory is counted that a run on another device would take.

    Pieces after the second of an axis are left out, as none takes more than the second, beside what the first leaves.
    """
    token = _planned_for.set(device_type)
    try:
        yield
    finally:
        _planned_for.reset(token)


def kind_of(device: torch.device) -> str:
    """The type of the device that runs, or will run, what is on `device`."""
    return _planned_for.get() or device.type


def is_predicting() -> bool:
    """In inference mode, and in the plan of a prediction, nobody needs again what a block was given."""
    return torch.is_inference_mode_enabled() or (
        _planned_for.get() is not None and not torch.is_grad_enabled()
    )


def outside_autocast(method: _Method) -> _Method:
    """For `forward(ctx, x, …)` and `backward(ctx, grad)`: types are cast by hand within."""

    @wraps(method)
    def run(ctx: Any, x: Tensor, *others: Any) -> Any:
        with torch.autocast(x.device.type, enabled=False):
            return method(ctx, x, *others)

    return cast("_Method", run)


def normalize(x: Tensor, norm: Norm) -> tuple[Tensor, Tensor, Tensor]:
    """Layer norm of the cells `[n, c]`, their means and their inverse deviations, float32 or wider."""
    kind = wide(x.dtype)
    out: tuple[Tensor, Tensor, Tensor] = torch.native_layer_norm(
        x.to(kind), (x.shape[-1],), norm.weight.to(kind), norm.bias.to(kind), norm.eps
    )
    return out


def normalize_backward(
    grad: Tensor, x: Tensor, norm: Norm, mean: Tensor, inverse: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `x`, of the norm's weight and of its bias."""
    kind = wide(x.dtype)
    out: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_layer_norm_backward(
        grad.to(kind),
        x.to(kind),
        (x.shape[-1],),
        mean,
        inverse,
        norm.weight.to(kind),
        norm.bias.to(kind),
        (True, True, True),
    )
    return out


class Sums:
    """Gradients of parameters, summed over the pieces in float32 or wider."""

    def __init__(self, *parameters: Tensor | None) -> None:
        self._parameters = parameters
        self._sums = [None if p is None else p.new_zeros(p.shape, dtype=wide(p.dtype)) for p in parameters]

    def add(self, place: int, grad: Tensor) -> None:
        """Add a gradient of parameter number `place`."""
        total = self._sums[place]
        if total is not None:
            total.add_(grad)

    def add_linear(
        self, weight: int, bias: int | None, grad: Tensor, x: Tensor, part: slice = slice(None)
    ) -> None:
        """Add the gradients of a dense layer, or of a part of its outputs, from those of its output `[n, out]`.

        `x` is its input `[n, in]`.
        """
        total = self[weight][part]
        if total.dtype == grad.dtype:
            total.addmm_(grad.t(), x)
        else:
            total.add_(grad.t() @ x)
        if bias is not None and self._sums[bias] is not None:
            self[bias][part].add_(grad.sum(dim=0, dtype=total.dtype))

    def __getitem__(self, place: int) -> Tensor:
        total = self._sums[place]
        assert total is not None
        return total

    def gradients(self) -> Sequence[Tensor | None]:
        """In the types of the parameters; None for one that is None."""
        pairs = zip(self._sums, self._parameters, strict=True)
        return [total if p is None or total is None else total.to(p.dtype) for total, p in pairs]
