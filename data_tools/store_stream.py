"""Reading a store in order: a share for each of several readers, shuffled or not, with a position to go on from.

    for example in stream(store, rank=r, world_size=w, seed=1, epoch=e): ...

In every epoch each example goes to exactly one of the ranks; their numbers of examples differ by at most one. The
order of an epoch keeps the examples of a few shards together, and a rank has one run of it, so that a reader touches
few files at a time and few at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.errors import StoreError
from data_tools.store import Store
from data_tools.store_rows import Example

SHUFFLED_SHARDS: Final = 8  # whose examples are mixed: at most 8 x 64 examples from 8 open files


@dataclass(frozen=True, slots=True)
class StreamState:
    """All that a stream needs to go on; plain values, for a checkpoint."""

    content_sha256: str
    """Of the store (`Store.content_sha256`)."""
    rank: int
    world_size: int
    seed: int | None
    epoch: int
    position: int
    """Examples of this rank that have been given in this epoch."""

    def to_json(self) -> dict[str, Any]:
        """As `json` writes it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> StreamState:
        """The inverse of `to_json`; raises StoreError when a value is missing or of another kind."""
        names = ("rank", "world_size", "epoch", "position")
        seed, digest = values.get("seed"), values.get("content_sha256")
        wrong = [name for name in names if type(values.get(name)) is not int]
        if wrong or not isinstance(digest, str) or not (seed is None or type(seed) is int):
            raise StoreError(f"no state of a stream: {dict(values)}; save `ExampleStream.state().to_json()`")
        return cls(digest, seed=seed, **{name: values[name] for name in names})


class ExampleStream(Iterator[Example]):
    """The examples of one rank in one epoch; made by `stream`, or `resume` from a state."""

    def __init__(self, store: Store, state: StreamState) -> None:
        _check(state, store)
        self._store = store
        self._state = state
        order = epoch_order(store, state.seed, state.epoch)
        first, end = (len(order) * number // state.world_size for number in (state.rank, state.rank + 1))
        self._indices = order[first:end]
        self.position = state.position
        """Examples given so far in this epoch."""
        if state.position > len(self._indices):
            raise StoreError(
                f"position {state.position} lies beyond the {len(self._indices)} examples of rank {state.rank}"
            )

    @classmethod
    def resume(cls, store: Store, state: StreamState) -> ExampleStream:
        """Go on from a state; raises StoreError when it was taken from a store of other content."""
        if state.content_sha256 != store.content_sha256:
            raise StoreError(
                f"the state belongs to a store of other content ({state.content_sha256[:12]}…, this one is "
                f"{store.content_sha256[:12]}…); give that store, or begin a new epoch"
            )
        return cls(store, state)

    def __len__(self) -> int:
        """Examples of this rank in the whole epoch."""
        return len(self._indices)

    def __next__(self) -> Example:
        if self.position >= len(self._indices):
            raise StopIteration
        example = self._store[int(self._indices[self.position])]
        self.position += 1  # after reading: an example that could not be read has not been given
        return example

    def state(self) -> StreamState:
        """What to save; a stream resumed from it gives next what this one would."""
        return StreamState(**(asdict(self._state) | {"position": self.position}))


def stream(
    store: Store,
    *,
    rank: int = 0,
    world_size: int = 1,
    seed: int | None = None,
    epoch: int = 0,
    position: int = 0,
) -> ExampleStream:
    """The share of `rank` among `world_size` readers of `store` in `epoch`, from `position` on.

    Without a `seed` the order is the store's, in every epoch; with one it depends on seed and epoch alone. Raises
    StoreError when a number is out of range.
    """
    return ExampleStream(store, StreamState(store.content_sha256, rank, world_size, seed, epoch, position))


def epoch_order(store: Store, seed: int | None, epoch: int) -> npt.NDArray[np.int64]:
    """All indices of the store in the order of an epoch.

    Shuffled: the shards are put in random order, and the examples of every `SHUFFLED_SHARDS` of them mixed.
    """
    indices = np.arange(len(store), dtype=np.int64)
    if seed is None:
        return indices
    random = np.random.default_rng([seed, epoch])
    ends = np.cumsum(store.shard_sizes)
    shards = np.split(indices, ends[:-1]) if len(ends) else []
    shuffled = [shards[number] for number in random.permutation(len(shards))]
    groups = [
        random.permutation(np.concatenate(shuffled[start : start + SHUFFLED_SHARDS]))
        for start in range(0, len(shuffled), SHUFFLED_SHARDS)
    ]
    return np.concatenate([*groups, indices[:0]])


def _check(state: StreamState, store: Store) -> None:
    if state.world_size < 1 or not 0 <= state.rank < state.world_size:
        raise StoreError(f"rank {state.rank} of {state.world_size}: ranks go from 0 to world_size - 1")
    for name in ("epoch", "position", "seed"):
        value = getattr(state, name)
        if value is not None and value < 0:
            raise StoreError(f"{name} {value}: it must not be negative")
