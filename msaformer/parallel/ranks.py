"""`Ranks`: this process among all of a run, and the few words they exchange beside gradients and activations.

Ranks share each sample in groups of D consecutive ones (`axial`); group g = rank // D has samples of its own. With one
rank every exchange is the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from msaformer.errors import ConfigError, MSAFormerError, PeerError
from msaformer.parallel.axial import UNSHARDED, AxialSharding

_TEXT_BYTES: Final = 2000  # of each rank; longer texts are cut


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Rank, sizes and groups; made by `process_group`."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_size: int = 1
    """Ranks on this machine."""
    axial: AxialSharding = UNSHARDED

    @property
    def is_first(self) -> bool:
        """Does this rank write the files and speak?"""
        return self.rank == 0

    @property
    def data_rank(self) -> int:
        """Number of the group that shares this rank's samples."""
        return self.rank // self.axial.size

    @property
    def data_ranks(self) -> int:
        """Number of groups, each with samples of its own."""
        return self.world_size // self.axial.size

    def sum(self, values: Tensor) -> Tensor:
        """The sum of the ranks' tensors, on every rank."""
        if self.world_size == 1:
            return values
        total = self._sendable(values).clone()
        dist.all_reduce(total)
        return total.to(values.device)

    def from_first(self, number: int) -> int:
        """Rank 0's number, on every rank."""
        if self.world_size == 1:
            return number
        sent = self._sendable(torch.tensor([number], dtype=torch.int64))
        dist.broadcast(sent, src=0)
        return int(sent)

    def least(self, number: int) -> int:
        """The least of the ranks' numbers, on every rank."""
        if self.world_size == 1:
            return number
        sent = self._sendable(torch.tensor([number], dtype=torch.int64))
        dist.all_reduce(sent, dist.ReduceOp.MIN)
        return int(sent)

    def texts(self, text: str) -> list[str]:
        """Every rank's text, in the order of the ranks, on every rank; the first 2,000 bytes of each."""
        if self.world_size == 1:
            return [text]
        content = text.encode()[:_TEXT_BYTES]
        own = torch.zeros(_TEXT_BYTES, dtype=torch.uint8)
        own[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else 0
        own = self._sendable(own)
        parts = [torch.empty_like(own) for _ in range(self.world_size)]
        dist.all_gather(parts, own)
        return [bytes(part.tolist()).rstrip(b"\0").decode(errors="ignore") for part in parts]

    def together(self) -> AbstractContextManager[None]:
        """Do something that may fail on some ranks; see `together`."""
        return together(self.rank, self.texts)

    def alike(self) -> AbstractContextManager[None]:
        """Do something that fails on all ranks or on none; see `alike`."""
        return alike(self.rank)

    def _sendable(self, values: Tensor) -> Tensor:
        """The tensor where the backend wants it: on the GPU for NCCL."""
        is_nccl = dist.get_backend() == "nccl"
        return values.to(torch.device("cuda", self.local_rank) if is_nccl else torch.device("cpu"))


@contextmanager
def together(rank: int, exchange: Callable[[str], list[str]]) -> Iterator[None]:
    """Do something that may fail on some ranks: when it fails on one, it fails on all, and none waits for ever.

    The first rank that failed raises its own error, the others, and those with the same one, PeerError. The block must
    not exchange anything itself. `exchange` gives every rank's text to every rank.
    """
    try:
        yield
    except Exception as error:
        own = _described(error)
        if own in exchange(own)[:rank]:
            raise _told(rank, own) from error
        raise
    failed = [text for text in exchange("") if text]
    if failed:
        raise _told(rank, failed[0])


@contextmanager
def alike(rank: int) -> Iterator[None]:
    """Do something that fails on all ranks or on none, as all know the same: rank 0 raises the error.

    The others raise PeerError, so that it is said once. Nothing is exchanged.
    """
    try:
        yield
    except MSAFormerError as error:
        if rank == 0:
            raise
        raise _told(rank, _described(error)) from error


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".encode()[:_TEXT_BYTES].decode(errors="ignore")


def _told(rank: int, first: str) -> PeerError:
    """The end of a rank whose reason another one tells, with the same exit code."""
    is_configuration = first.startswith(f"{ConfigError.__name__}: ")
    return PeerError(
        f"rank {rank}: stopped, as another rank failed: {first}", is_told=True, exit_code=1 + is_configuration
    )
