"""What is wrong with the rows of an A3M or aligned FASTA file: a slow search, run only when something is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from data_tools.alphabet import BYTE_TO_TOKEN, NOT_A_SYMBOL
from data_tools.errors import AlignmentFormatError
from data_tools.formats.records import Records

MAX_INSERTIONS: Final = 65_535  # in one cell: deletion_matrix is uint16
BLANKS: Final = b" \t\n"
PADDING: Final = b"."  # A2M's, opposite an insertion
LOWER_CASE: Final = bytes(range(ord("a"), ord("z") + 1))
COLUMN_BYTES: Final = bytes(byte for byte in range(256) if BYTE_TO_TOKEN[byte] != NOT_A_SYMBOL)
_FORBIDDEN: Final = re.compile(b"[^" + re.escape(COLUMN_BYTES + LOWER_CASE + PADDING + BLANKS) + b"]")
_TOO_MANY: Final = re.compile(rb"[a-z]{%d}" % (MAX_INSERTIONS + 1))


def count_columns(sequence: bytes) -> int:
    """Count the match columns of a row: upper-case letters and gaps."""
    return len(sequence.translate(None, BLANKS + PADDING + LOWER_CASE))


def check_symbols(records: Records) -> None:
    """Raise for the first row that is empty or has a symbol that no alignment has."""
    for row, sequence in enumerate(records.sequences):
        if not sequence.translate(None, BLANKS + PADDING):
            raise AlignmentFormatError(
                f"{records.where(row)}: sequence {records.label(row)} is empty; remove it or "
                "restore its residues"
            )
        found = _FORBIDDEN.search(sequence)
        if found:
            position = len(sequence[: found.end()].translate(None, BLANKS))
            raise AlignmentFormatError(
                f"{records.where(row, found.start())}: sequence {records.label(row)} has the symbol "
                f"{found.group().decode('latin-1')!r} at position {position}; letters, '-' "
                "and '.' are expected"
            )


def check_query(records: Records) -> None:
    """Raise when the query has no match column."""
    if count_columns(records.sequences[0]) == 0:
        raise AlignmentFormatError(
            f"{records.where(0)}: the query {records.label(0)} has no match columns; is it in "
            "lower case? The query's residues are upper case"
        )


def check_insertions(records: Records) -> None:
    """Raise for the first row with a run of insertions that `deletion_matrix` cannot count."""
    for row, sequence in enumerate(records.sequences):
        if _TOO_MANY.search(sequence.translate(None, BLANKS + PADDING)):
            raise too_many_insertions(records, row)


def too_many_insertions(records: Records, row: int) -> AlignmentFormatError:
    """Describe a row with more insertions before one column than `deletion_matrix` can count."""
    return AlignmentFormatError(
        f"{records.where(row)}: sequence {records.label(row)} has more than {MAX_INSERTIONS:,} insertions in "
        "a row, the most that is stored; remove it or cut it shorter"
    )


def unequal_columns(records: Records, num_columns: Sequence[int]) -> AlignmentFormatError:
    """Describe the first row whose number of match columns is not the query's."""
    row = next(row for row, found in enumerate(num_columns) if found != num_columns[0])
    hint = "is the file A3M rather than aligned FASTA, and complete?"
    has_padding = any(PADDING in sequence for sequence in records.sequences)
    if has_padding and len({len(sequence.translate(None, BLANKS)) for sequence in records.sequences}) == 1:
        hint = "the rows agree if '.' is a column: if it stands for a gap, replace it by '-'"
    return AlignmentFormatError(
        f"{records.where(row)}: sequence {records.label(row)} has {num_columns[row]} match columns (upper "
        f"case and '-'), the query has {num_columns[0]}; {hint}"
    )


def check_padding(records: Records) -> None:
    """Raise when rows of one width have `.` in a column of the query: then it is a gap, not A2M's padding."""
    rows = [sequence.translate(None, BLANKS) for sequence in records.sequences]
    if len(set(map(len, rows))) != 1:
        return
    kinds = bytes.maketrans(COLUMN_BYTES + LOWER_CASE, b"C" * len(COLUMN_BYTES) + PADDING * len(LOWER_CASE))
    of_query = rows[0].translate(kinds)
    for row, text in enumerate(rows):
        of_row = text.translate(kinds)
        if of_row != of_query:
            pairs = zip(of_row, of_query, strict=True)
            position = 1 + next(at for at, (here, there) in enumerate(pairs) if here != there)
            raise AlignmentFormatError(
                f"{records.where(row)}: sequence {records.label(row)} and the query disagree on whether "
                f"position {position} is a column or an insertion; if '.' stands for a gap, replace it by '-'"
            )
