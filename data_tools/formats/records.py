"""The text of a FASTA-like file cut into records, with what is needed to find a line again.

Declared bounds, far beyond any alignment in use, so that no file can take time or memory without end: a file of
F bytes and R records is parsed within `MEMORY_PER_BYTE` F + `MEMORY_PER_RECORD` R + `MEMORY_FIXED` bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.annotations import ChainSegment
from data_tools.errors import AlignmentFormatError
from data_tools.formats.annotation_rows import NO_SEQUENCES, is_consensus, is_set_aside
from data_tools.formats.head import read_head
from data_tools.formats.notes import NoteTaker
from data_tools.formats.text import decode, normalize

MAX_RECORDS: Final = 10_000_000  # the deepest alignments in use hold about a million
MAX_HEADER_BYTES: Final = 2**20  # headers of 100 kB exist (merged descriptions)
MAX_SEQUENCE_BYTES: Final = 2**22  # with insertions; the longest protein known has 45,212 residues
MEMORY_PER_BYTE: Final = 16  # peak of a parse, the data included, as tested
MEMORY_PER_RECORD: Final = 600
MEMORY_FIXED: Final = 2**28  # temporaries of the longest sequence

_LABEL_LETTERS: Final = 60  # of a name, in an error


@dataclass(frozen=True, slots=True)
class Records:
    """The sequences of a file, query first."""

    source: str
    """Name of the file in errors."""
    first_line: int
    """Line of the first `>`."""
    parts: list[bytes]
    """Text of every record of the file after its `>`."""
    kept: list[int]
    """Which of `parts` are sequences of the alignment."""
    set_aside: list[int]
    """Which of `parts` are annotation rows of HH-suite."""
    sequences: list[bytes]
    """`[N]`, as in the file, line ends included, without a final `*`."""
    chains: tuple[ChainSegment, ...]
    """Chains that ColabFold's first line names; empty without such a line."""
    is_cut: bool
    """Whether the file ends inside a line, as a truncated file does."""
    has_dots: bool
    """Whether there is a `.` in the file, headers included; without one no row is padded."""

    @property
    def names(self) -> tuple[str, ...]:
        """Headers `[N]`: UTF-8, or Latin-1 one by one where that fails, so no byte is lost."""
        headers = [self.parts[index].partition(b"\n")[0] for index in self.kept]
        try:
            names = b"\n".join(headers).decode("utf-8").split("\n")
        except UnicodeDecodeError:
            names = [decode(header) for header in headers]
        return tuple(name.strip() for name in names)

    @property
    def is_padded(self) -> bool:
        """Whether a sequence has `.`."""
        return self.has_dots and any(b"." in sequence for sequence in self.sequences)

    def lines(self) -> npt.NDArray[np.int64]:
        """Line of the header of every part."""
        counts = np.fromiter((part.count(b"\n") + 1 for part in self.parts), np.int64, len(self.parts))
        return self.first_line + np.cumsum(counts) - counts

    def record_id(self, row: int) -> str:
        """First word of a sequence's header."""
        return _record_id(self.parts[self.kept[row]])

    def label(self, row: int) -> str:
        """First word of a sequence's header, quoted, cut when long."""
        name = self.record_id(row)
        return repr(name if len(name) <= _LABEL_LETTERS else name[: _LABEL_LETTERS - 3] + "...")

    def where(self, row: int, offset: int | None = None) -> str:
        """`source:line` of a sequence's header, or of the byte at `offset` in the sequence."""
        line = self.first_line + sum(part.count(b"\n") + 1 for part in self.parts[: self.kept[row]])
        if offset is not None:
            line += 1 + self.sequences[row].count(b"\n", 0, offset)
        return f"{self.source}:{line}"

    def error(self, row: int, reason: str, offset: int | None = None) -> AlignmentFormatError:
        """The error of a sequence; `reason` completes "sequence 'hit' ..."."""
        return AlignmentFormatError(f"{self.where(row, offset)}: sequence {self.label(row)} {reason}")


def split_records(data: bytes, source: str, notes: NoteTaker) -> Records:
    """Cut a file into records and choose those that are sequences of the alignment.

    Raises AlignmentFormatError when there is none, for text before the first (in repair mode it is dropped), for
    NUL inside the file, and beyond the bounds above.
    """
    data = normalize(data, source, notes)
    start, line, chains = read_head(data, source, notes)
    data = b"\n" + data[start:]
    num_marks = data.count(b">")  # those in headers included; counting them alone is faster
    if num_marks > MAX_RECORDS and (num_records := data.count(b"\n>")) > MAX_RECORDS:
        raise AlignmentFormatError(
            f"{source}: {num_records:,} records, at most {MAX_RECORDS:,} are read; filter the alignment first"
        )
    parts = data.split(b"\n>")[1:]
    if num_marks > len(parts):  # in headers, or after blanks
        parts = re.sub(rb"\n[ \t]+>", b"\n>", data).split(b"\n>")[1:]
    if not parts:
        raise AlignmentFormatError(f"{source}: the file holds no sequence; A3M starts with '>' and a name")
    is_cut, has_stars, has_dots = not data.endswith(b"\n"), b"*" in data, b"." in data
    del data
    _check_sizes(parts, source, line)
    special = [index for index, part in enumerate(parts) if part.startswith(NO_SEQUENCES)]
    set_aside = [index for index in special if is_set_aside(parts[index])]
    kept = _without(range(len(parts)), set_aside)
    consensus = [index for index in special if is_consensus(parts[index]) and index != kept[0]]
    kept = _without(kept, consensus)
    if not kept:
        raise AlignmentFormatError(f"{source}: annotation rows only, no query; put its sequence first")
    sequences = [parts[index].partition(b"\n")[2] for index in kept]
    if has_stars:
        sequences = _strip_stars(sequences)
    records = Records(source, line, parts, kept, set_aside, sequences, chains, is_cut, has_dots)
    if has_stars or consensus:
        _take_notes(records, consensus, notes)
    return records


def _record_id(part: bytes) -> str:
    return next(iter(decode(part.partition(b"\n")[0]).split()), "")


def _without(indices: Sequence[int], left_out: Sequence[int]) -> list[int]:
    if not left_out:
        return list(indices)
    absent = set(left_out)
    return [index for index in indices if index not in absent]


def _strip_stars(sequences: list[bytes]) -> list[bytes]:
    """Take the final `*` off; a sequence without one stays the very object it was."""
    return [
        sequence.rstrip(b" \t\n")[:-1] if sequence.rstrip(b" \t\n").endswith(b"*") else sequence
        for sequence in sequences
    ]


def _take_notes(records: Records, consensus: Sequence[int], notes: NoteTaker) -> None:
    """Note rows of HH-suite's consensus and final `*`."""
    lines, parts = records.lines(), records.parts
    for index in consensus:
        notes.note(int(lines[index]), "Consensus", "dropped", "HH-suite's consensus of the rows")
    for index, sequence in zip(records.kept, records.sequences, strict=True):
        body = parts[index].partition(b"\n")[2]
        if len(body) != len(sequence):
            at = int(lines[index]) + 1 + body.count(b"\n", 0, len(sequence))
            notes.note(at, _record_id(parts[index]), "skipped", "a final '*'")


def _check_sizes(parts: Sequence[bytes], source: str, first_line: int) -> None:
    """Raise for a record beyond the bounds on headers and sequences."""
    if max(map(len, parts)) <= MAX_HEADER_BYTES:  # then no header and no sequence is longer
        return
    line = first_line
    for part in parts:
        header, _, body = part.partition(b"\n")
        for what, text, most in (
            ("header", header, MAX_HEADER_BYTES),
            ("sequence", body, MAX_SEQUENCE_BYTES),
        ):
            if len(text) > most:
                raise AlignmentFormatError(
                    f"{source}:{line}: a {what} of {len(text):,} bytes, at most {most:,} are read; is this a "
                    "file of protein alignments?"
                )
        line += part.count(b"\n") + 1
