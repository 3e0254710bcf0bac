"""Featurizing many inputs into a store, so that it can be stopped at any moment and gone on with (`featurize_inputs`).

The same inputs and options make the same files, bit for bit, with any number of workers, on a cluster, and however
often the job was killed on its way.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.errors import PipelineError, StoreError
from data_tools.folder_lock import locked
from data_tools.pipeline.assembly import Assembler
from data_tools.pipeline.folder import FINISHED, JobFolder, Status
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.messages import one_line
from data_tools.pipeline.plan import Plan, absolute, read_plan
from data_tools.pipeline.pool import Pool
from data_tools.pipeline.retry import close_gaps, forget_failures, reopen
from data_tools.pipeline.task import Options, Outcome, Task
from data_tools.stop_signals import stop_signals

_LOOK_UP_S: Final = 0.2  # how soon a stop signal is heard while all workers compute
_VISIBLE_WITHIN_S: Final = 10.0  # a shared file system may show a file late (NFS caches names for seconds)


class JobStoppedError(PipelineError):
    """SIGINT or SIGTERM stopped the job; what was done is kept."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


@dataclass(frozen=True, slots=True)
class Summary:
    """What a job came to."""

    store: str
    num_inputs: int
    num_examples: int
    num_labelled: int
    """Examples with distances."""
    num_failed: int
    num_done_before: int
    """Inputs that an earlier run had settled."""
    wall_s: float
    examples_per_s: float
    """Of this run: inputs that it settled, a second."""


def featurize_inputs(
    inputs: Sequence[Input],
    store: str | Path,
    make_pool: Callable[[], Pool],
    *,
    options: Options | None = None,
    program: str = "data_tools",
    overwrite: bool = False,
    retry_failed: bool = False,
    on_outcome: Callable[[Outcome | None], None] = lambda outcome: None,
) -> Summary:
    """Make an example of each input, in their order, in the store at `store`.

    A job that was stopped goes on where it was when it is called again with the same inputs, options and `program`
    (which names what makes the examples, with its version). Inputs that fail are listed in `failures.tsv` of the
    store; without a single example there is no store but that list. `on_outcome` hears of each input as it is settled,
    with None of those settled by an earlier run.

    Raises PipelineError or StoreError when the folder holds something else, another run is at work in it, or it
    cannot be written; JobStoppedError after SIGINT or SIGTERM.
    """
    plan = Plan.of(inputs, options or Options(), program)
    folder = JobFolder(Path(store))
    if not overwrite:
        folder.refuse_unless_ours(plan, retry_failed=retry_failed)
    try:
        with locked(folder.lock):
            if not (overwrite or retry_failed) and folder.status(plan) is Status.COMPLETE:
                folder.remove()  # of a run that was killed while it removed it, or only the lock
                return _summary_of_finished(folder, plan)
            job = _Job(folder, inputs, plan, on_outcome)
            job.prepare(overwrite=overwrite, retry_failed=retry_failed)
            return job.run(make_pool)
    except OSError as error:
        raise PipelineError(_unwritable(folder.store, one_line(error))) from error


class _Job:
    """One run of a job whose lock is held."""

    def __init__(
        self,
        folder: JobFolder,
        inputs: Sequence[Input],
        plan: Plan,
        on_outcome: Callable[[Outcome | None], None],
    ) -> None:
        self._folder = folder
        self._inputs = inputs
        self._plan = plan
        self._on_outcome = on_outcome
        self._settled: dict[int, bool] = {}
        self._start_s = time.monotonic()

    def prepare(self, *, overwrite: bool, retry_failed: bool) -> None:
        """Bring the folder to where the work goes on, whatever the last run left."""
        folder = self._folder
        if not overwrite:
            folder.refuse_unless_ours(self._plan, retry_failed=retry_failed)  # once more, under the lock
        status = self._status(overwrite)
        if status is Status.COMPLETE and retry_failed:
            reopen(folder, self._inputs, self._plan)
        elif status is not Status.UNFINISHED:
            folder.clear()
        folder.begin(self._plan)
        folder.remove_leftovers()
        if retry_failed:
            forget_failures(folder)
        try:
            self._check_shards()
            close_gaps(folder)
        except (PipelineError, StoreError):
            if not overwrite:
                raise
            folder.clear()
            folder.begin(self._plan)

    def _status(self, overwrite: bool) -> Status:
        try:
            return self._folder.status(self._plan)
        except PipelineError:  # a damaged plan
            if not overwrite:
                raise
            return Status.OTHER_JOB

    def _check_shards(self) -> None:
        """Raise StoreError or PipelineError when a finished shard is damaged or one of its inputs has changed."""
        for file in self._folder.record_files():
            record = self._folder.read_record(file)
            record.shard.check_size(self._folder.store)
            for index, provenance in zip(record.indices, record.provenances, strict=True):
                if not provenance.is_current(self._inputs[index]):
                    raise PipelineError(
                        f"{self._inputs[index].alignment}, or its structure, has changed since it was featurized into "
                        f"{record.shard.file} of {self._folder.store}; say --overwrite to begin again"
                    )

    def run(self, make_pool: Callable[[], Pool]) -> Summary:
        """Do what is open, assemble the store, and remove the job."""
        assembler = Assembler(self._folder, self._inputs)
        self._settled = self._folder.settled(self._inputs, assembler.next)
        open_inputs = [
            index for index in range(assembler.next, len(self._inputs)) if index not in self._settled
        ]
        num_before = len(self._inputs) - len(open_inputs)
        for _ in range(num_before):
            self._on_outcome(None)
        try:
            assembler.advance(self._settled)
            if open_inputs:
                with make_pool() as pool, stop_signals() as received:
                    self._work(pool, iter(open_inputs), assembler, received)
            assembler.finish(self._plan)
        finally:
            assembler.discard()
        num_examples = assembler.num_examples
        self._folder.remove()
        wall_s = time.monotonic() - self._start_s
        return Summary(
            store=str(self._folder.store),
            num_inputs=len(self._inputs),
            num_examples=num_examples,
            num_labelled=assembler.num_labelled,
            num_failed=len(self._inputs) - num_examples,
            num_done_before=num_before,
            wall_s=wall_s,
            examples_per_s=len(open_inputs) / wall_s,
        )

    def _work(
        self, pool: Pool, open_inputs: Iterator[int], assembler: Assembler, received: Sequence[int]
    ) -> None:
        """Keep the pool busy and the shards coming until every input is settled."""
        parts = str(self._folder.parts.absolute())
        under_way: dict[int, Task] = {}
        while True:
            while len(under_way) < pool.capacity and (index := next(open_inputs, None)) is not None:
                given = self._inputs[index]
                task = Task(index, given, absolute(given), self._plan.options, parts)
                under_way[index] = task
                pool.submit(task)
            if not under_way:
                return
            for outcome in pool.wait(_LOOK_UP_S):
                self._settle(under_way.pop(outcome.index), outcome)
            assembler.advance(self._settled)
            if received:
                raise JobStoppedError(
                    received[0],
                    f"stopped by {signal.Signals(received[0]).name}; run the same command again to go on",
                )

    def _settle(self, task: Task, outcome: Outcome) -> None:
        if outcome.state == "unwritable":
            raise PipelineError(_unwritable(self._folder.store, outcome.message))
        self._await_part(outcome.index)
        self._settled[outcome.index] = outcome.state == "done"
        self._on_outcome(outcome)

    def _await_part(self, index: int) -> None:
        """Wait until the part that another machine wrote is seen here."""
        deadline_s = time.monotonic() + _VISIBLE_WITHIN_S
        while not self._folder.has_part(index):
            if time.monotonic() > deadline_s:
                raise PipelineError(
                    f"{self._folder.parts}: what a worker wrote does not arrive here; the workers and this machine "
                    "must share the file system of the store"
                )
            time.sleep(_LOOK_UP_S)


def _summary_of_finished(folder: JobFolder, plan: Plan) -> Summary:
    finished = read_plan(folder.store / FINISHED) or {}
    counts = {name: int(finished[name]) for name in ("num_examples", "num_labelled", "num_failed")}
    return Summary(
        store=str(folder.store),
        num_inputs=plan.num_inputs,
        **counts,
        num_done_before=plan.num_inputs,
        wall_s=0.0,
        examples_per_s=0.0,
    )


def _unwritable(store: Path, message: str) -> str:
    return f"{store}: cannot go on: {message}; once that is mended, run the same command again: what is done is kept"
