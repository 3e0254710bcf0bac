"""Where the ranks of a run meet before they form a group, and what they tell each other there.

torch's groups hang or abort when their members disagree about their number, kind or course, so the configuration is
read and compared here, through the store of keys and texts that torch forms its groups with.
"""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import torch.distributed as dist
from torch._C._distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from msaformer.errors import ConfigError, PeerError
from msaformer.parallel.launch import Launch
from msaformer.parallel.ranks import alike, together

_TIMEOUT_S: Final = 600.0  # the processes of a large job do not start at the same moment
_LAST_WORDS_S: Final = 10.0  # rank 0, which holds the store, waits so long for those that have not read it
_KEY: Final = "msaformer/{}/{}"


class Meeting:
    """One rank's place in the store; `store` is None in a run of one process."""

    def __init__(self, launch: Launch, store: Store | None) -> None:
        self.launch = launch
        self.store = store
        self._number = 0

    def texts(self, text: str) -> list[str]:
        """Every rank's text, in the order of the ranks, on every rank.

        Raises PeerError when one does not come.
        """
        if self.store is None:
            return [text]
        self._number += 1
        self.store.set(_KEY.format(self._number, self.launch.rank), f"={text}")
        texts = [self._text_of(rank) for rank in range(self.launch.world_size)]
        self.store.add(_KEY.format(self._number, "heard"), 1)
        if self.launch.rank == 0:
            self._wait_for_the_others()
        return texts

    def together(self) -> AbstractContextManager[None]:
        """Do something that may fail on some ranks; see `msaformer.parallel.ranks.together`."""
        return together(self.launch.rank, self.texts)

    def agree(self, settings: Mapping[str, object]) -> None:
        """Raise ConfigError, on all ranks, when their settings differ."""
        lines = [f"{key}={value!r}" for key, value in settings.items()]
        everyone = [text.split("\n") for text in self.texts("\n".join(lines))]
        with alike(self.launch.rank):
            for rank, others in enumerate(everyone):
                for first, other in zip(everyone[0], others, strict=False):
                    if first != other:
                        raise ConfigError(
                            f"rank 0 has {first}, rank {rank} has {other}; start all processes with the same keys"
                        )

    def _text_of(self, rank: int) -> str:
        assert self.store is not None
        try:
            return self.store.get(_KEY.format(self._number, rank)).decode()[1:]
        except dist.DistError as error:
            raise _absent(self.launch, f"rank {rank}") from error

    def _wait_for_the_others(self) -> None:
        assert self.store is not None
        key, deadline = _KEY.format(self._number, "heard"), time.monotonic() + _LAST_WORDS_S
        while self.store.add(key, 0) < self.launch.world_size and time.monotonic() < deadline:
            time.sleep(0.005)


@contextmanager
def meet(launch: Launch, timeout_s: float = _TIMEOUT_S) -> Iterator[Meeting]:
    """Wait for all ranks of a run at MASTER_ADDR and MASTER_PORT, for the length of a `with` block.

    Raises PeerError when one of them does not come in time.
    """
    if launch.world_size == 1:
        yield Meeting(launch, None)
        return
    os.environ.setdefault("MASTER_ADDR", launch.address)
    os.environ.setdefault("MASTER_PORT", str(launch.port))
    try:
        found = rendezvous(
            "env://", launch.rank, launch.world_size, timeout=datetime.timedelta(seconds=timeout_s)
        )
        store = next(found)[0]
    except dist.DistError as error:
        raise _absent(launch, "another rank") from error
    yield Meeting(launch, store)


def _absent(launch: Launch, who: str) -> PeerError:
    return PeerError(
        f"rank {launch.rank}: {who} did not come to {launch.address} port {launch.port}, or is gone; the first error "
        "of the job says why"
    )
