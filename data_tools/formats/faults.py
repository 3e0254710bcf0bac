"""What is wrong with the rows of an A3M or aligned FASTA file: a slow search, run only when something is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from data_tools.alphabet import BYTE_TO_TOKEN, NOT_A_SYMBOL
from data_tools.errors import AlignmentFormatError
from data_tools.formats.records import Records

MAX_INSERTIONS: Final = 65_535  # in one cell: deletion_matrix is uint16
BLANKS: Final = b" \t\n"
PADDING: Final = b"."  # A2M's, opposite an insertion
LOWER_CASE: Final = bytes(range(ord("a"), ord("z") + 1))
COLUMN_BYTES: Final = bytes(byte for byte in range(256) if BYTE_TO_TOKEN[byte] != NOT_A_SYMBOL)
TOO_MANY_INSERTIONS: Final = (
    f"has more than {MAX_INSERTIONS:,} insertions in a row, the most that is stored; "
    "remove it or cut it shorter"
)
GAPS_ONLY: Final = "holds gaps only; put a real sequence first"

_FORBIDDEN: Final = re.compile(b"[^" + re.escape(COLUMN_BYTES + LOWER_CASE + PADDING + BLANKS) + b"]")
_RUN: Final = re.compile(rb"[a-z]+")
_KINDS: Final = bytes.maketrans(
    COLUMN_BYTES + LOWER_CASE, b"C" * len(COLUMN_BYTES) + PADDING * len(LOWER_CASE)
)  # column or insertion


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one sequence."""

    reason: str
    """Completes "sequence 'hit' ..."."""
    offset: int | None = None
    """Byte of the sequence at fault; None when it is the sequence as a whole."""


def count_columns(sequence: bytes) -> int:
    """Count the match columns of a row: upper-case letters and gaps."""
    return len(sequence.translate(None, BLANKS + PADDING + LOWER_CASE))


def count_width(sequence: bytes) -> int:
    """Count the characters of a row, each a column in aligned FASTA."""
    return len(sequence.translate(None, BLANKS))


def symbol_fault(sequence: bytes) -> Fault | None:
    """What is wrong with a sequence that is empty or has a symbol that no alignment has."""
    if not sequence.translate(None, BLANKS + PADDING):
        return Fault("is empty; remove it or restore its residues")
    found = _FORBIDDEN.search(sequence)
    if not found:
        return None
    position = count_width(sequence[: found.end()])
    symbol = found.group().decode("latin-1")
    return Fault(
        f"has the symbol {symbol!r} at position {position}; letters, '-' and '.' are expected", found.start()
    )


def insertion_fault(sequence: bytes) -> Fault | None:
    """What is wrong with a sequence with a run of insertions that `deletion_matrix` cannot count."""
    if len(sequence) <= MAX_INSERTIONS:
        return None
    runs = _RUN.finditer(sequence.translate(None, BLANKS + PADDING))
    return (
        Fault(TOO_MANY_INSERTIONS) if any(run.end() - run.start() > MAX_INSERTIONS for run in runs) else None
    )


def check_query(records: Records) -> None:
    """Raise when the query has no match column."""
    if count_columns(records.sequences[0]) == 0:
        raise AlignmentFormatError(
            f"{records.where(0)}: the query {records.label(0)} has no match columns; is it in "
            "lower case? The query's residues are upper case"
        )


def gaps_only(records: Records) -> AlignmentFormatError:
    """Describe a query without a residue."""
    return AlignmentFormatError(f"{records.where(0)}: the query {records.label(0)} {GAPS_ONLY}")


def unequal_columns(found: int, expected: int, hint: str = "") -> Fault:
    """Describe a row of A3M whose number of match columns is not the query's."""
    return Fault(f"has {found} match columns (upper case and '-'), the query has {expected}; {hint}")


def unequal_width(found: int, expected: int) -> Fault:
    """Describe a row of aligned FASTA that is not as wide as the query."""
    return Fault(f"has {found} columns, the query has {expected}; is the file A3M, and complete?")


def padding_faults(records: Records) -> dict[int, Fault]:
    """Rows that disagree with the query on what is a column, in a file with `.` whose rows have one width.

    There `.` stands for a gap, or the file is no A2M: its padding is opposite insertions only.
    """
    if not records.is_padded:
        return {}
    rows = [sequence.translate(None, BLANKS) for sequence in records.sequences]
    if len(set(map(len, rows))) != 1:
        return {}
    of_query = rows[0].translate(_KINDS)
    faults = {}
    for row, text in enumerate(rows):
        of_row = text.translate(_KINDS)
        if of_row != of_query:
            pairs = zip(of_row, of_query, strict=True)
            position = 1 + next(at for at, (here, there) in enumerate(pairs) if here != there)
            faults[row] = Fault(
                f"and the query disagree on whether position {position} is a column or an insertion; if '.' stands "
                "for a gap, replace it by '-'"
            )
    return faults


def raise_fault(records: Records, format: str | None) -> None:
    """Raise for the first thing that keeps the rows from being read as `format`; None: A3M or aligned FASTA."""
    sequences = records.sequences
    for row, sequence in enumerate(sequences):
        fault = symbol_fault(sequence)
        if fault:
            raise records.error(row, fault.reason, fault.offset)
    if format == "fasta":
        _raise_aligned_fault(records)
        return
    check_query(records)
    columns = [count_columns(sequence) for sequence in sequences]
    if len(set(columns)) == 1:
        for row, sequence in enumerate(sequences):
            fault = insertion_fault(sequence)
            if fault:
                raise records.error(row, fault.reason)
        for row, fault in padding_faults(records).items():
            raise records.error(row, fault.reason)
        return
    hint = "is the file A3M rather than aligned FASTA, and complete?"
    if len(set(map(count_width, sequences))) == 1:
        hint = (
            "the rows agree if every character is a column: name the format, fasta, if they are aligned FASTA"
        )
        if records.is_padded:
            hint = "the rows agree if '.' is a column: if it stands for a gap, replace it by '-'"
    row = next(row for row, found in enumerate(columns) if found != columns[0])
    raise records.error(row, unequal_columns(columns[row], columns[0], hint).reason)


def _raise_aligned_fault(records: Records) -> None:
    widths = [count_width(sequence) for sequence in records.sequences]
    for row, sequence in enumerate(records.sequences):
        if PADDING in sequence:
            reason = "has '.', which is no gap in aligned FASTA; replace it by '-', or name the format, a2m"
            raise records.error(row, reason, sequence.index(PADDING))
    for row, width in enumerate(widths):
        if width != widths[0]:
            raise records.error(row, unequal_width(width, widths[0]).reason)
