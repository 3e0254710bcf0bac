"""Axial sharding: D ranks share one sample, each holding some rows or some columns of its tables.

The MSA track `[B, N, L, c]` is sharded on N for row attention and on L for everything that works within a column; the
pair track `[B, L, L, c]` is sharded on its first residue axis. One all-to-all leads from one to the other (dynamic
axial parallelism, Cheng et al. 2022, "FastFold", section 4). Tables that all need whole are gathered.

Every operation is exact and differentiable for a loss that is the sum of the ranks' partial losses. With one rank each
is the identity, so that one network serves both cases. Sharded axes must be multiples of D (`collate` pads them).

Dimension key: D ranks that share a sample; axes are counted as in the whole table.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class AxialSharding:
    """What this rank holds of a sample that `size` ranks share; `group` is their process group."""

    def __init__(self, rank: int = 0, size: int = 1, group: dist.ProcessGroup | None = None) -> None:
        if size > 1 and group is None:
            raise ValueError(
                "several ranks need their process group (never the world's: it is torch's to keep)"
            )
        self.rank = rank
        self.size = size
        self.group = group

    def share(self, length: int) -> int:
        """Places of an axis of `length` on each rank. Raises ValueError when not all ranks can hold as many."""
        share, rest = divmod(length, self.size)
        if rest:
            raise ValueError(f"an axis of {length} cannot be shared by {self.size} ranks; pad it")
        return share

    def local(self, length: int) -> slice:
        """Places of an axis of `length` that this rank holds."""
        share = self.share(length)
        return slice(self.rank * share, (self.rank + 1) * share)

    def take(self, x: Tensor, axis: int) -> Tensor:
        """This rank's part of a table that every rank holds whole and alike; its gradient stays on this rank."""
        if self.size == 1:
            return x
        places = self.local(x.shape[axis])
        return x.narrow(axis, places.start, places.stop - places.start)

    def swap(self, x: Tensor, whole: int, sharded: int) -> Tensor:
        """All-to-all: a table sharded on axis `sharded` becomes whole along it, and sharded on `whole` instead."""
        if self.size == 1:
            return x
        out: Tensor = _Swap.apply(x, whole, sharded, self)  # type: ignore[no-untyped-call]
        return out

    def gather(self, x: Tensor, axis: int) -> Tensor:
        """The whole table on every rank, from one sharded on `axis`; gradients are summed over the ranks."""
        if self.size == 1:
            return x
        out: Tensor = _Gather.apply(x, axis, self)  # type: ignore[no-untyped-call]
        return out

    def sum(self, x: Tensor) -> Tensor:
        """The sum of the ranks' tables on every rank."""
        if self.size == 1:
            return x
        out: Tensor = _Sum.apply(x, self)  # type: ignore[no-untyped-call]
        return out

    def transpose(self, pair: Tensor) -> Tensor:
        """Exchange the two residue axes of a pair table `[B, L, L, …]` sharded on the first; so is the result."""
        return self.swap(pair, 2, 1).transpose(1, 2)

    # Without gradients, for functions that write their own backward pass.

    def collected(self, x: Tensor, axis: int) -> Tensor:
        """What `gather` returns."""
        if self.size == 1:
            return x
        parts = x.new_empty((self.size, *x.shape))
        self.collect(parts, x.contiguous())
        return _joined(parts, axis)

    def summed(self, x: Tensor, axis: int) -> Tensor:
        """This rank's part along `axis` of the sum of the ranks' whole tables: the gradient of `collected`."""
        if self.size == 1:
            return x
        parts = _parts(x, axis, self)
        own = torch.empty_like(parts[0])
        self.sum_parts(own, parts)
        self.let_go(parts, x)
        return own

    def exchanged(self, x: Tensor, whole: int, sharded: int) -> Tensor:
        """What `swap` returns."""
        sent = _parts(x, whole, self)
        received = torch.empty_like(sent)
        self.exchange(received, sent)
        self.let_go(sent, x)
        out = _joined(received, sharded)
        self.let_go(received, out)
        return out

    def let_go(self, table: Tensor, kept: Tensor) -> None:
        """Free a table that was sent or received, unless `kept` lies in the same memory.

        To drop it would not do, as gloo's threads hold on to it until they get to run again.
        """
        if table.untyped_storage().data_ptr() != kept.untyped_storage().data_ptr():
            table.untyped_storage().resize_(0)

    # What is sent between the ranks, all of it; `[D, …]` tables hold a part of each rank, or for each.

    def exchange(self, received: Tensor, sent: Tensor) -> None:
        """Send part d to rank d; receive `[D, …]`, one part from each rank."""
        dist.all_to_all_single(received, sent, group=self.group)

    def collect(self, received: Tensor, sent: Tensor) -> None:
        """Receive every rank's `sent` in `[D, …]`."""
        dist.all_gather(list(received.unbind()), sent, group=self.group)

    def sum_parts(self, received: Tensor, sent: Tensor) -> None:
        """Receive the sum over the ranks of the part that each has for this one."""
        dist.reduce_scatter(received, list(sent.unbind()), group=self.group)

    def add_up(self, table: Tensor) -> None:
        """Replace `table` by the sum of all ranks'."""
        dist.all_reduce(table, group=self.group)


UNSHARDED = AxialSharding()
"""One rank holds all."""


class _Swap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, whole: int, sharded: int, axial: AxialSharding) -> Tensor:
        ctx.axes, ctx.axial = (whole, sharded), axial
        return axial.exchanged(x, whole, sharded)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        whole, sharded = ctx.axes
        return ctx.axial.exchanged(grad, sharded, whole), None, None, None


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, axis: int, axial: AxialSharding) -> Tensor:
        ctx.axis, ctx.axial = axis, axial
        return axial.collected(x, axis)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.axial.summed(grad, ctx.axis), None, None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, axial: AxialSharding) -> Tensor:
        ctx.axial = axial
        return _all_reduced(x, axial)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return _all_reduced(grad, ctx.axial), None


def _all_reduced(x: Tensor, axial: AxialSharding) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    axial.add_up(total)
    return total


def _parts(x: Tensor, axis: int, axial: AxialSharding) -> Tensor:
    """The shares of the ranks along `axis`, `[D, …]`, contiguous."""
    shape = (*x.shape[:axis], axial.size, axial.share(x.shape[axis]), *x.shape[axis + 1 :])
    return x.reshape(shape).movedim(axis, 0).contiguous()


def _joined(parts: Tensor, axis: int) -> Tensor:
    """The inverse of `_parts`."""
    return parts.movedim(0, axis).flatten(axis, axis + 1)
