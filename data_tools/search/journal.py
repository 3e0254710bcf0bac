"""The journal of a batch: one line of JSON for each thing that happened to a query, appended as it happens.

A line is written by one call and flushed to the disk, so a batch that is killed leaves whole lines and at most one torn
one at the end, which is dropped when the journal is opened again. The open journal is locked: two batches cannot work
in one folder.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from data_tools.errors import PipelineError

State = Literal["started", "done", "failed"]
_STATES: Final = ("started", "done", "failed")
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What happened to a query."""

    id: str
    """Of the query; names its output file."""
    key: str
    """SHA-256 of all that the result depends on (see `data_tools.search.batch`)."""
    state: State
    """`started` before the program runs, then `done` or `failed`."""
    sha256: str = ""
    """Of the output file, when done."""
    num_sequences: int = 0
    """Rows of the alignment, the query counted, when done."""
    seconds: float = 0.0
    """Wall time, all attempts together."""
    attempts: int = 0
    """How often the program was run; 0 when the result came from the cache."""
    error: str = ""
    """Kind of error (`ToolTimeoutError`), when failed."""
    message: str = ""
    """What went wrong, in one line, when failed."""
    warnings: tuple[str, ...] = ()
    """What the program and its output's check warned of."""
    time: str = ""
    """When the line was written, UTC; filled in by `append`."""


class Journal:
    """The journal at PATH, open and locked; a context manager. `append` may be called from several threads.

    Raises PipelineError when another batch holds it, or it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._latest: dict[str, JournalEntry] = {}
        self._descriptor = -1

    def __enter__(self) -> Journal:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise PipelineError(
                f"{self._path}: cannot be opened: {(error.strerror or '').lower()}"
            ) from error
        try:
            self._lock()
            content = self._path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.ftruncate(self._descriptor, whole)
            self._latest = {entry.id: entry for entry in _parse(content[:whole], self._path)}
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)  # releases the lock

    def latest(self, identifier: str) -> JournalEntry | None:
        """The last entry of a query; None when there is none."""
        return self._latest.get(identifier)

    def append(self, entry: JournalEntry) -> None:
        """Write one entry and wait until it is on the disk."""
        fields = asdict(entry) | {"time": datetime.now(UTC).isoformat(timespec="seconds")}
        line = json.dumps(fields, ensure_ascii=True).encode("ascii") + b"\n"
        with self._mutex:
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise PipelineError(f"{self._path}: cannot be written: is the disk full?")
            os.fsync(self._descriptor)
            self._latest[entry.id] = entry

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineError(
                f"{self._path}: another search works in this folder; wait for it, or choose another folder"
            ) from None
        except OSError as error:
            raise PipelineError(
                f"{self._path}: cannot be locked ({error.strerror}); choose a folder on a disk that supports locks"
            ) from error


def read_journal(path: Path) -> dict[str, JournalEntry]:
    """The last entry of each query, from a journal that is not opened for writing; empty when there is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from error
    return {entry.id: entry for entry in _parse(content[: content.rfind(b"\n") + 1], path)}


def _parse(content: bytes, path: Path) -> Iterator[JournalEntry]:
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            fields = json.loads(line)
            entry = JournalEntry(**fields | {"warnings": tuple(fields["warnings"])})
            if not isinstance(entry.id, str) or entry.state not in _STATES:
                raise ValueError(f"state {entry.state!r}")
        except (ValueError, TypeError, KeyError) as error:
            _LOGGER.warning(
                "%s:%d: no entry of a journal (%s); what it told is done again", path, number, error
            )
            continue
        yield entry
