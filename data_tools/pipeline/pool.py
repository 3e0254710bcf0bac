"""What a job asks of those who do its tasks: `Pool`, on this machine (`workers`) or a Dask cluster (`cluster`)."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from data_tools.pipeline.task import Outcome, Task


class Pool(Protocol):
    """A context manager; leaving it stops all that is under way."""

    @property
    def capacity(self) -> int:
        """How many tasks may be under way at a time; more would only wait in memory."""
        ...

    def submit(self, task: Task) -> None:
        """Begin a task; at most `capacity` may be under way."""
        ...

    def wait(self, timeout_s: float) -> Sequence[Outcome]:
        """Outcomes that have come in, as soon as there is one; none after `timeout_s`."""
        ...

    def __enter__(self) -> Pool: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
