"""What a search gives (`SearchResult`), and the checks that its file passes before it is put where it belongs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import SUBSTITUTED, encode
from data_tools.atomic import atomic_path
from data_tools.errors import AlignmentError, OutputInvalidError, ToolFailedError
from data_tools.formats import read_alignment
from data_tools.search.process import ProcessResult
from data_tools.search.query import Query

_RARE: Final = np.frombuffer("".join(SUBSTITUTED).encode(), dtype=np.uint8)
# Warnings of HH-suite 3.3 after which the result is not of what was asked for.
_UNKNOWN_OPTION: Final = re.compile(r"ignoring unknown option", re.IGNORECASE)
_DROPPED: Final = re.compile(r"ignoring invalid symbol|invalid character", re.IGNORECASE)
_TRUNCATED: Final = re.compile(
    r"only first \d+ match columns|maximum number \d* ?of \d* ?sequences exceeded|skipping all following|truncat",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A search that ended well: its alignment has been read, and its first row is the query."""

    alignment_path: Path
    """The A3M file."""
    num_sequences: int
    """Rows of the alignment, the query counted."""
    warnings: tuple[str, ...]
    """What the program warned of, and what was cut by a limit of the configuration."""
    process: ProcessResult
    """The run of the program that searched."""


def watch_lines(on_line: Callable[[str], None] | None) -> Callable[[str], None]:
    """An `on_line` that ends a program at once when it says that it does not know an option."""

    def look(line: str) -> None:
        if _UNKNOWN_OPTION.search(line):
            raise ToolFailedError(
                f"extra_args: the program does not know an option: {line!r}", stderr_tail=(line,)
            )
        if on_line is not None:
            on_line(line)

    return look


def check_warnings(
    process: ProcessResult, *, inputs: Sequence[Path] = (), allow_truncation: bool = False
) -> None:
    """Raise OutputInvalidError when a warning says that rows or columns, or residues of `inputs`, were left out.

    Symbols that are dropped from entries of a database are that database's; they stay warnings.
    """
    for line in process.warnings:
        cut = _TRUNCATED.search(line)
        dropped = _DROPPED.search(line) and any(str(path) in line for path in inputs)
        if dropped or (cut and not allow_truncation):
            raise OutputInvalidError(
                f"{_name(process)} left out part of its input: {line!r}"
                f"{'; raise the limit, or set allow_truncation' if cut else ''}",
                command=process.argv,
                stderr_tail=process.stderr_tail,
            )


def check_written(path: Path, process: ProcessResult) -> None:
    """Raise OutputInvalidError unless the program wrote something to `path`."""
    if not path.is_file() or path.stat().st_size == 0:
        raise OutputInvalidError(
            f"{_name(process)} ended with exit code 0 but wrote no {path.name}; is the disk full?",
            command=process.argv,
            stderr_tail=process.stderr_tail,
        )


def verify_alignment(path: Path, query: Query, process: ProcessResult) -> int:
    """Number of rows of an A3M file; raises OutputInvalidError unless it can be read and begins with the query."""
    check_written(path, process)
    try:
        alignment = read_alignment(path, format="a3m")
    except AlignmentError as error:
        raise _invalid(process, f"wrote an alignment that is damaged: {error}") from error
    expected = encode(query.sequence)
    if alignment.length != expected.size or not _is_query(alignment.tokens[0], expected, query):
        raise _invalid(
            process,
            f"wrote an alignment whose first row is not the query {query.name!r}: {alignment.length} columns that "
            f"begin with {alignment.query[:20]!r}, expected {expected.size} that begin with {query.sequence[:20]!r}",
        )
    return alignment.depth


def _is_query(row: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8], query: Query) -> bool:
    """Whether tokens `[L]` are the query's; for B J O U Z programs write others (MMseqs2 14: X for U, L for J)."""
    rare = np.isin(np.frombuffer(query.sequence.encode(), dtype=np.uint8), _RARE)
    return bool(np.all((row == expected) | rare))


def publish_alignment(written: Path, query: Query, output: Path) -> None:
    """Put the file at `output`, whole or not at all, with the query's real header and letters in its first record."""
    with written.open("rb") as source, atomic_path(output) as temporary, temporary.open("wb") as target:
        records = 0
        for line in source:
            records += line.startswith(b">")
            if records == 0:  # a line such as `#name`
                target.write(line)
            if records == 2:
                break
        name = query.name.encode("utf-8", "surrogateescape")
        target.write(b">" + name + b"\n" + query.sequence.encode("ascii") + b"\n")
        if records == 2:
            target.write(line)
            shutil.copyfileobj(source, target, 2**20)


def publish(written: Path, output: Path) -> None:
    """Put a file of another kind at `output`, whole or not at all."""
    with atomic_path(output) as temporary:
        shutil.copyfile(written, temporary)


def joined_warnings(*parts: Sequence[str]) -> tuple[str, ...]:
    """All warnings, each once, in order."""
    return tuple(dict.fromkeys(line for part in parts for line in part))


@contextmanager
def blamed_on(process: ProcessResult) -> Iterator[None]:
    """Give an OutputInvalidError of the block the command and last lines of the program whose output it is about."""
    try:
        yield
    except OutputInvalidError as error:
        raise OutputInvalidError(
            f"{_name(process)} wrote a damaged result: {error}",
            command=process.argv,
            stderr_tail=process.stderr_tail,
        ) from error


def _invalid(process: ProcessResult, message: str) -> OutputInvalidError:
    return OutputInvalidError(
        f"{_name(process)} {message}", command=process.argv, stderr_tail=process.stderr_tail
    )


def _name(process: ProcessResult) -> str:
    return Path(process.argv[0]).name
