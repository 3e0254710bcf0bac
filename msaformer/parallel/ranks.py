"""`Ranks`: this process among all of a run, and the few words they exchange beside gradients and activations.

Ranks share each sample in groups of D consecutive ones (`axial`); group g = rank // D has samples of its own. With one
rank every exchange is the identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

from msaformer.errors import PeerError
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

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do something that may fail on some ranks: when it fails on one, it fails on all, and none waits for ever.

        The first rank that failed raises its own error, the others, and those with the same one, PeerError. The
        block must not exchange anything itself.
        """
        try:
            yield
        except Exception as error:
            own = f"{type(error).__name__}: {error}"
            texts = self.texts(own)
            if self._cut(own) in texts[: self.rank]:
                raise PeerError(
                    f"rank {self.rank}: failed as another rank did: {own}", is_told=True
                ) from error
            raise
        failed = [rank for rank, text in enumerate(self.texts("")) if text]
        if failed:
            raise PeerError(f"rank {self.rank}: stopped, as rank {failed[0]} failed", is_told=True)

    @staticmethod
    def _cut(text: str) -> str:
        return text.encode()[:_TEXT_BYTES].decode(errors="ignore")

    def _sendable(self, values: Tensor) -> Tensor:
        """The tensor where the backend wants it: on the GPU for NCCL."""
        is_nccl = dist.get_backend() == "nccl"
        return values.to(torch.device("cuda", self.local_rank) if is_nccl else torch.device("cpu"))
