"""Inputs, a pool without processes and worker deaths that the tests of the pipeline share."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Collection, Sequence
from multiprocessing import parent_process
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from data_tools.alphabet import SYMBOLS
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.task import Outcome, Task, run_task


def write_alignment(path: Path, *, depth: int = 4, length: int = 9) -> Path:
    """A random alignment, always the same for the same file name."""
    rng = np.random.default_rng([*path.name.encode()])
    rows = rng.integers(0, 20, size=(depth, length))
    rows[1:][rng.random((depth - 1, length)) < 0.2] = 21
    text = "".join(
        f">s{number}\n{''.join('-' if code == 21 else SYMBOLS[code] for code in row)}\n"
        for number, row in enumerate(rows)
    )
    path.write_text(text)
    return path


def write_folder(folder: Path, names: Sequence[str], *, broken: Sequence[str] = ()) -> list[Input]:
    """Alignments of these names, and files that are none."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_alignment(folder / f"{name}.a3m", depth=2 + len(name) % 3)
    for name in broken:
        (folder / f"{name}.a3m").write_text(">q\nMKV\n>a\nMKVL\n")
    return [Input(name, str(folder / f"{name}.a3m")) for name in sorted([*names, *broken])]


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class InlinePool:
    """Does the tasks in this process, in a shuffled order; counts what it was given."""

    def __init__(
        self,
        capacity: int = 3,
        *,
        seed: int = 0,
        stop_after: int | None = None,
        allowed: Collection[int] | None = None,
    ) -> None:
        self.capacity = capacity
        self.given: list[int] = []
        self.most_under_way = 0
        self._waiting: list[Task] = []
        self._random = random.Random(seed)
        self._stop_after = stop_after
        self._allowed = allowed

    def submit(self, task: Task) -> None:
        if len(self.given) == self._stop_after:
            raise StoppedError
        assert self._allowed is None or task.index in self._allowed, f"input {task.index} is done again"
        self.given.append(task.index)
        self._waiting.append(task)
        self.most_under_way = max(self.most_under_way, len(self._waiting))

    def wait(self, timeout_s: float) -> list[Outcome]:
        task = self._waiting.pop(self._random.randrange(len(self._waiting)))
        return [run_task(task)]

    def __enter__(self) -> InlinePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()


class StoppedError(Exception):
    """The pool had enough."""


class DeadlyPath(str):
    """A path that kills the worker process that receives it, the first `times` times."""

    __slots__ = ("marks", "times")

    def __new__(cls, path: str, marks: Path, times: int) -> DeadlyPath:
        made = super().__new__(cls, path)
        made.marks, made.times = str(marks), times
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return (receive, (str(self), self.marks, self.times))


def receive(path: str, marks: str, times: int) -> str:
    """What `DeadlyPath` becomes in a worker, unless it ends there."""
    if parent_process() is not None:
        deaths = len(os.listdir(marks))
        if deaths < times:
            Path(marks, str(deaths)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return path
