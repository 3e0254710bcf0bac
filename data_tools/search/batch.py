"""Search with many queries (`run_many`): resumable, each result kept by the key of all that it depends on.

    OUT_DIR/ID.a3m          one alignment a query, whole or not there
    OUT_DIR/journal.jsonl   what happened to each query (`data_tools.search.journal`)
    OUT_DIR/failures.tsv    the queries that failed, if any
    OUT_DIR/.searching/     results that are being written; emptied when a batch begins and ends

A batch that was interrupted, or killed outright, goes on where it was when it is run again: a query is done when the
journal says so under the same key and the file still has the SHA-256 noted there. A result of other settings, of
another version or database, or one that somebody has changed, is searched again.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from data_tools.errors import DataToolsError, PipelineError, ToolError
from data_tools.search.batch_queries import BatchQuery, check_distinct
from data_tools.search.journal import Journal, JournalEntry
from data_tools.search.outcome import Outcome, RetryPolicy, one_line, write_failures
from data_tools.search.process import stop_all
from data_tools.search.result_cache import ResultCache, file_sha256
from data_tools.search.searcher import Searcher

JOURNAL: Final = "journal.jsonl"
FAILURES: Final = "failures.tsv"
_SCRATCH: Final = ".searching"
_STOP_WAIT_S: Final = 0.2  # between two calls of stop_all, for a program that was just starting
_LOGGER = logging.getLogger(__name__)


def run_many(
    queries: Sequence[BatchQuery],
    searcher: Searcher,
    out_dir: Path,
    *,
    workers: int = 1,
    resume: bool = True,
    retry: RetryPolicy | None = None,
    cache: Path | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Search with every query, one process each, `workers` at a time; the outcomes in the order of `queries`.

    A query that fails does not stop the others; it is tried again by the next batch. `resume=False` searches all
    again. `cache` is a folder that keeps results for other batches too. Workers × threads are held within the cores.
    `on_outcome` is called, in this thread, as results come.

    On an interrupt, or any exception here, the running programs are ended, and all that was finished is kept. Raises
    PipelineError when the folder cannot be used: another batch works in it, or it holds an ID.a3m that no batch made.
    """
    check_distinct(queries)
    results: dict[str, Outcome] = {}
    with _open_folder(out_dir) as journal:
        kept = None if cache is None else ResultCache(cache)
        job = _Job(searcher, out_dir, journal, resume, retry or RetryPolicy(), kept)
        job.refuse_foreign_files(queries)
        with ThreadPoolExecutor(bounded_workers(workers, searcher.config.num_threads)) as pool:
            futures: list[Future[Outcome]] = []
            try:
                for query in queries:
                    futures.append(pool.submit(job.run, query))
                for future in as_completed(futures):
                    outcome = future.result()
                    results[outcome.id] = outcome
                    if on_outcome is not None:
                        on_outcome(outcome)
            except BaseException:
                job.stop(futures)
                raise
        outcomes = [results[query.id] for query in queries]
        write_failures(outcomes, out_dir / FAILURES)
    return outcomes


def is_pending(
    query: BatchQuery, searcher: Searcher, out_dir: Path, journal: Mapping[str, JournalEntry]
) -> bool:
    """Whether `run_many` would search with this query, by what `read_journal` gives."""
    entry = journal.get(query.id)
    return entry is None or not _is_done(entry, searcher.key(query.query), out_dir / f"{query.id}.a3m")


def bounded_workers(workers: int, num_threads: int) -> int:
    """As many workers as the cores hold, each with `num_threads`; fewer than asked for are told by a warning."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bound = max(1, min(workers, cores // num_threads))
    if bound < workers:
        _LOGGER.warning(
            "%d workers of %d threads do not fit into %d cores; %d are used",
            workers,
            num_threads,
            cores,
            bound,
        )
    return bound


@contextmanager
def _open_folder(out_dir: Path) -> Iterator[Journal]:
    """The folder's journal, locked; with an empty scratch folder."""
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PipelineError(f"{out_dir}: cannot be made: {reason}; choose another folder") from error
    scratch = out_dir / _SCRATCH
    with Journal(out_dir / JOURNAL) as journal:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            yield journal
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


class _StoppedError(Exception):
    """The batch is ending; what the query's program did does not count."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What the workers share."""

    searcher: Searcher
    out_dir: Path
    journal: Journal
    resume: bool
    retry: RetryPolicy
    cache: ResultCache | None
    stopping: threading.Event = field(default_factory=threading.Event)

    def refuse_foreign_files(self, queries: Sequence[BatchQuery]) -> None:
        """Raise PipelineError for a result that no batch made: it is not ours to replace."""
        for query in queries:
            path = self._path(query)
            if path.exists() and self.journal.latest(query.id) is None:
                raise PipelineError(
                    f"{path} exists, but no search made it ({JOURNAL} does not know it); move it away, or choose "
                    "another folder"
                )

    def stop(self, futures: Sequence[Future[Outcome]]) -> None:
        """Start nothing more, end what runs, and wait until it has ended."""
        self.stopping.set()
        for future in futures:
            future.cancel()
        running = [future for future in futures if not future.done()]
        while running:
            stop_all()
            running = list(wait(running, timeout=_STOP_WAIT_S).not_done)

    def run(self, query: BatchQuery) -> Outcome:
        """Do what is to be done for one query, and note it; called by the workers."""
        if self.stopping.is_set():
            raise _StoppedError
        key, path = self.searcher.key(query.query), self._path(query)
        entry = self.journal.latest(query.id)
        if self.resume and entry is not None and _is_done(entry, key, path):
            return Outcome(query.id, "kept", path, num_sequences=entry.num_sequences)
        self.journal.append(JournalEntry(query.id, key, "started"))
        path.unlink(missing_ok=True)  # of other settings: it must not pass for this result
        written = self.out_dir / _SCRATCH / path.name
        if self.resume and self.cache is not None and self.cache.take(key, query.query, written):
            return self._publish(query, key, written, "cached")
        return self._search(query, key, written)

    def _search(self, query: BatchQuery, key: str, written: Path) -> Outcome:
        begun, attempts = time.monotonic(), 0
        while True:
            attempts += 1
            try:
                result = self.searcher.search(query.query, written)
            except (DataToolsError, OSError) as error:
                if self.stopping.is_set():
                    raise _StoppedError from error
                if isinstance(error, DataToolsError) and attempts < self.retry.attempts(error):
                    _LOGGER.warning("%s: %s; tried again", query.id, error)
                    continue
                return self._fail(query, key, error, attempts, time.monotonic() - begun)
            if self.cache is not None:
                self.cache.put(key, written)
            seconds = time.monotonic() - begun
            return self._publish(query, key, written, "searched", result.warnings, attempts, seconds)

    def _publish(
        self,
        query: BatchQuery,
        key: str,
        written: Path,
        state: Literal["searched", "cached"],
        warnings: tuple[str, ...] = (),
        attempts: int = 0,
        seconds: float = 0.0,
    ) -> Outcome:
        """Put the result into its place and note it."""
        path, digest, num_sequences = self._path(query), file_sha256(written), _count_rows(written)
        written.replace(path)
        warnings = (*query.query.changes, *warnings)
        entry = JournalEntry(
            id=query.id,
            key=key,
            state="done",
            sha256=digest,
            num_sequences=num_sequences,
            seconds=round(seconds, 3),
            attempts=attempts,
            warnings=warnings,
        )
        self.journal.append(entry)
        return Outcome(query.id, state, path, warnings=warnings, num_sequences=num_sequences, seconds=seconds)

    def _fail(self, query: BatchQuery, key: str, error: Exception, attempts: int, seconds: float) -> Outcome:
        kind, message = type(error).__name__, one_line(str(error))
        command = error.command if isinstance(error, ToolError) else ()
        entry = JournalEntry(
            query.id, key, "failed", seconds=round(seconds, 3), attempts=attempts, error=kind, message=message
        )
        self.journal.append(entry)
        return Outcome(query.id, "failed", self._path(query), kind, message, command, seconds=seconds)

    def _path(self, query: BatchQuery) -> Path:
        return self.out_dir / f"{query.id}.a3m"


def _is_done(entry: JournalEntry, key: str, path: Path) -> bool:
    """Whether the journal and the file agree that this result is there."""
    if entry.state != "done" or entry.key != key or not path.is_file():
        return False
    if file_sha256(path) != entry.sha256:
        _LOGGER.warning("%s was changed after the search that made it; it is searched again", path)
        return False
    return True


def _count_rows(alignment: Path) -> int:
    with alignment.open("rb") as lines:
        return sum(line.startswith(b">") for line in lines)
