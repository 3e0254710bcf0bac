"""What a reader of alignments did beyond copying: rows set aside, marks skipped, repairs asked for (`ReadReport`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_NOTES: Final = (
    10_000  # kept one by one; beyond, only counted, so that a hostile file cannot fill the memory
)


@dataclass(frozen=True, slots=True)
class ReadNote:
    """One thing that a reader left out or changed."""

    line: int
    """1-based line of the file."""
    record: str
    """Id of the record, "" where the note is about the file."""
    action: str
    """One word for what was done: "set-aside", "skipped", "mended" or "dropped"."""
    reason: str
    """Why, in words."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What became of a file's records; empty for an alignment that was not read from a file."""

    source: str = ""
    """Name of the file, `-` for standard input."""
    format: str = ""
    """Name of the format, as `read_alignment(format=...)` takes it."""
    notes: tuple[ReadNote, ...] = ()
    """In the order of the file, at most `MAX_NOTES`."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How often each action was taken, over all records."""
