"""Tensors without numbers, and a book of the memory that they would hold.

A `HollowTensor` says that it lies on the CPU, so that code takes the way it takes there, and holds a tensor of torch's
"meta" device, which has shapes and no memory. Each operation's result is entered in the book when its storage is new,
and struck out when the last tensor that sees it is gone; views and results in place enter nothing. What an operation
takes in passing, within itself, is not seen.

torch's own `FakeTensorMode` would serve as well, and takes five times as long.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class HollowTensor(Tensor):
    """The outside of a tensor; `inside` is the same on the meta device."""

    inside: Tensor

    @staticmethod
    def __new__(cls, inside: Tensor) -> HollowTensor:
        tensor: HollowTensor = Tensor._make_wrapper_subclass(
            cls,
            inside.size(),
            strides=inside.stride(),
            storage_offset=inside.storage_offset(),
            dtype=inside.dtype,
            device=torch.device("cpu"),
        )
        tensor.inside = inside
        return tensor

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        raise RuntimeError(f"{func} on tensors without numbers, outside of their ledger")


@dataclass(slots=True)
class Stretch:
    """A part of the work: bytes held when it began, and the most that were held in it."""

    name: str
    start: int
    peak: int


class MemoryLedger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within `with MemoryLedger() as ledger:` all tensors are hollow; `held` is the bytes that they would take.

    A question about the numbers (`bool(mask.all())`) is answered with yes, for there are none.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = 0
        self.stretches = [Stretch("start", 0, 0)]
        self._bytes_of: dict[int, int] = {}
        self._shapes: dict[Hashable, list[tuple[torch.Size, tuple[int, ...], torch.dtype]]] = {}

    @property
    def peak(self) -> int:
        """The most bytes held at a time since the start, or since `forget`."""
        return max(stretch.peak for stretch in self.stretches)

    def begin(self, name: str) -> None:
        """A new stretch of the work begins."""
        self.stretches.append(Stretch(name, self.held, self.held))

    def forget(self) -> None:
        """Count what is there now for nothing, and start again."""
        self._bytes_of = dict.fromkeys(self._bytes_of, 0)
        self.held = 0
        self.stretches = [Stretch("start", 0, 0)]

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return True
        named = dict(kwargs or {})
        if _works_in_place(func):  # nothing to do, as the shape stays
            return named.get("out", args[0])
        outer: dict[int, Tensor] = {}
        inside = _inner(args, outer)
        named = {key: _inner(value, outer) for key, value in named.items()}
        if "generator" in named:
            named["generator"] = None  # nothing is drawn
        if _takes_device(func):
            named["device"] = "meta"
        return self._entered(self._result(func, inside, named), outer)

    def _result(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """As `func(*args, **kwargs)`, which is slow; shapes of new tensors are remembered for the same arguments."""
        key = (func, _described(args), _described(tuple(kwargs.items())))
        known = self._shapes.get(key)
        if known is not None:
            made = [torch.empty_strided(*shape, dtype=dtype, device="meta") for *shape, dtype in known]
            return made[0] if len(made) == 1 else tuple(made)
        out = func(*args, **kwargs)
        parts = out if isinstance(out, tuple) else (out,)
        if all(isinstance(x, Tensor) and x.untyped_storage()._cdata not in self._bytes_of for x in parts):
            self._shapes[key] = [(x.shape, x.stride(), x.dtype) for x in parts]
        return out

    def _entered(self, out: Any, outer: Mapping[int, Tensor]) -> Any:
        """The results of an operation as hollow tensors; one that is an argument is that argument."""
        if isinstance(out, Tensor):
            if id(out) in outer:
                return outer[id(out)]
            self._enter(out)
            return HollowTensor(out)
        if isinstance(out, list | tuple):
            return type(out)(self._entered(value, outer) for value in out)
        return out

    def _enter(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._bytes_of:
            return
        self._bytes_of[key] = storage.nbytes()
        self.held += self._bytes_of[key]
        self.stretches[-1].peak = max(self.stretches[-1].peak, self.held)
        weakref.finalize(storage, self._strike, key)

    def _strike(self, key: int) -> None:
        self.held -= self._bytes_of.pop(key)


def _inner(value: Any, outer: dict[int, Tensor]) -> Any:
    """An operation's arguments on the meta device; `outer` is told which hollow tensor each is the inside of."""
    if isinstance(value, HollowTensor):
        outer[id(value.inside)] = value
        return value.inside
    if isinstance(value, Tensor):  # a constant with numbers
        return value.to("meta")
    if isinstance(value, list | tuple):
        return type(value)(_inner(part, outer) for part in value)
    return value


def _described(value: Any) -> Hashable:
    """What the shape of a result depends on."""
    if isinstance(value, Tensor):
        return (value.shape, value.stride(), value.dtype)
    if isinstance(value, list | tuple):
        return tuple(_described(part) for part in value)
    return (type(value), value)


@cache
def _works_in_place(func: Any) -> bool:
    """Does it write to one argument and return that?"""
    written = [argument.name for argument in func._schema.arguments if _is_written(argument)]
    returned = [value for value in func._schema.returns if _is_written(value)]
    return len(written) == len(returned) == 1 and torch.Tag.inplace_view not in func.tags


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


@cache
def _takes_device(func: Any) -> bool:
    return any(argument.name == "device" for argument in func._schema.arguments)
