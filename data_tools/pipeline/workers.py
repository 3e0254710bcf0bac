"""Processes of this machine that do the tasks of a job, one task at a time each (`ProcessPool`).

Each process has a pipe of its own, so that when one is killed it is known which input it had: that input is tried once
more in a fresh process, then recorded as failed. Numeric libraries get one thread a process; the same features come
out for any number of workers.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Final

from data_tools.errors import PipelineError
from data_tools.pipeline.task import Outcome, Task, record_failure, run_task

THREAD_VARIABLES: Final = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    "NUMBA_NUM_THREADS",
)
MAX_ATTEMPTS: Final = 2  # of an input whose process dies
_READY: Final = "ready"


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    task: Task | None = None
    is_ready: bool = False
    """It has loaded all it needs."""


class ProcessPool:
    """`num_workers` processes, started when there is work for them; a context manager.

    Raises PipelineError when a process cannot start.
    """

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        self._workers: list[_Worker] = []
        self._deaths: Counter[int] = Counter()

    @property
    def capacity(self) -> int:
        """One task a process."""
        return self._num_workers

    def submit(self, task: Task) -> None:
        """Give `task` to an idle process, or to a new one."""
        idle = (worker for worker in self._workers if worker.task is None)
        worker = next(idle, None) or self._start()
        worker.task = task
        with suppress(OSError):  # it died; wait() finds out and deals with its task
            worker.pipe.send(task)

    def wait(self, timeout_s: float) -> Sequence[Outcome]:
        """Outcomes that have come in; see `Pool.wait`."""
        by_pipe = {worker.pipe: worker for worker in self._workers if worker.task is not None}
        outcomes: list[Outcome] = []
        for pipe in wait(list(by_pipe), timeout_s):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                outcomes += self._bury(worker)
                continue
            if message == _READY:
                worker.is_ready = True
            else:
                worker.task = None
                outcomes.append(message)
        return outcomes

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.process.kill()  # parts are written atomically: nothing is lost but the task under way
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join()
            worker.process.close()
        self._workers.clear()

    def _start(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), daemon=True)
        try:
            with _one_thread_each(), _deaf_to_stop_signals():
                process.start()
        finally:
            theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _bury(self, worker: _Worker) -> list[Outcome]:
        """Deal with the task of a process that died: try again, or record the failure."""
        worker.process.join()
        code = worker.process.exitcode or 0
        worker.pipe.close()
        worker.process.close()
        self._workers.remove(worker)
        if code > 0 and not worker.is_ready:
            raise PipelineError(f"a worker process cannot start (exit code {code}); its own message is above")
        task = worker.task
        assert task is not None
        self._deaths[task.index] += 1
        if self._deaths[task.index] < MAX_ATTEMPTS:
            self.submit(task)
            return []
        return [record_failure(task, f"{task.input.alignment}: {_cause_of_death(code)}")]


def serve(pipe: Connection) -> None:
    """Do the tasks that come through `pipe` until it closes; what a worker process runs."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        pipe.send(_READY)
        while True:
            pipe.send(run_task(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the job is over


def _end_with_parent() -> None:
    """End this process as soon as the one that started it is gone, killed perhaps: nobody waits for its work."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _cause_of_death(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory? try fewer --workers, or --max-depth)" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}, {MAX_ATTEMPTS} times{hint}"
    return (
        f"the worker process ended with exit code {code}, {MAX_ATTEMPTS} times; its own message is on stderr"
    )


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started here load numpy with one thread."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf_to_stop_signals() -> Iterator[None]:
    """Processes started here do not hear what a terminal or scheduler sends to every process of a job.

    The job's own process alone acts upon it, and ends them.
    """
    resource_tracker.ensure_running()  # multiprocessing's own helper; started later, it would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))  # children inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
