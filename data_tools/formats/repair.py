"""Repair of A3M, A2M and aligned FASTA, asked for by `on_error="repair"`: what is dropped, what is mended.

Dropped, each with its line in the report:
  - text before the first record (lines that are no comment);
  - a sequence, never the query, that is empty, has a symbol that no alignment has, another number of columns than
    the query, or more insertions in a row than are stored; so too the last record of a truncated file, when it is
    short. This may leave the query alone;
  - ColabFold's first line, when its chains do not fill the columns of the query.
Mended, each with its line in the report:
  - a file without any upper-case letter: all its letters are read as upper case;
  - `.` for a gap in aligned FASTA: read as `-`, when more rows then agree with the query than with `.` as A2M's
    padding.
Where no format is named, the rows are read as A3M or as aligned FASTA, whichever keeps more of them; A3M on a tie.

Never mended, so that the query is what the file says: any other fault of the query, a file without a sequence, NUL
inside a file, another format under a wrong name, a damaged or truncated compressed file, sizes beyond the bounds.
What was repaired, written and read again needs no repair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.formats.faults import (
    PADDING,
    Fault,
    check_query,
    count_columns,
    count_width,
    insertion_fault,
    padding_faults,
    symbol_fault,
    unequal_columns,
    unequal_width,
)
from data_tools.formats.notes import NoteTaker
from data_tools.formats.records import Records

_UPPER_CASE: Final = re.compile(rb"[A-Z]")


def repair_records(records: Records, notes: NoteTaker, format: str | None) -> tuple[Records, bool]:
    """Drop or mend the sequences that cannot be read; tell whether the rest is aligned FASTA, not A3M.

    Raises AlignmentFormatError when the fault lies in the query.
    """
    lines = records.lines()
    records = drop_rows(records, _faults(records, symbol_fault), lines, notes)
    if format != "fasta":
        records = _mend_lower_case(records, lines, notes)
        check_query(records)
    columns = [count_columns(sequence) for sequence in records.sequences]
    widths = [count_width(sequence) for sequence in records.sequences]
    is_aligned = format == "fasta"
    if format is None:
        is_aligned = widths.count(widths[0]) > columns.count(columns[0]) or bool(padding_faults(records))
    if is_aligned:
        records = drop_rows(records, _unequal(widths, unequal_width), lines, notes)
        return _mend_dots(records, lines, notes), True
    records = drop_rows(records, _unequal(columns, unequal_columns), lines, notes)
    records = drop_rows(records, _faults(records, insertion_fault), lines, notes)
    return drop_rows(records, padding_faults(records), lines, notes), False


def drop_rows(
    records: Records, faults: Mapping[int, Fault], lines: npt.NDArray[np.int64], notes: NoteTaker
) -> Records:
    """Leave out the sequences with a fault and note it; raise for the query's. `lines` are those of all parts."""
    if not faults:
        return records
    if 0 in faults:
        raise records.error(0, faults[0].reason, faults[0].offset)
    last = len(records.parts) - 1
    for row, fault in faults.items():
        index = records.kept[row]
        reason = fault.reason.partition("; ")[0]
        if records.is_cut and index == last:
            reason += "; the file ends inside this record"
        notes.note(int(lines[index]), records.record_id(row), "dropped", reason)
    rows = [row for row in range(len(records.kept)) if row not in faults]
    return replace(
        records,
        kept=[records.kept[row] for row in rows],
        sequences=[records.sequences[row] for row in rows],
    )


def _faults(records: Records, find: Callable[[bytes], Fault | None]) -> dict[int, Fault]:
    found = ((row, find(sequence)) for row, sequence in enumerate(records.sequences))
    return {row: fault for row, fault in found if fault is not None}


def _unequal(counts: Sequence[int], describe: Callable[[int, int], Fault]) -> dict[int, Fault]:
    return {row: describe(count, counts[0]) for row, count in enumerate(counts) if count != counts[0]}


def _mend_lower_case(records: Records, lines: npt.NDArray[np.int64], notes: NoteTaker) -> Records:
    """Read lower case as upper case when the file has no upper-case letter at all."""
    if any(_UPPER_CASE.search(sequence) for sequence in records.sequences):
        return records
    for row, index in enumerate(records.kept):
        reason = "lower case read as upper case, as the file has no upper-case letter"
        notes.note(int(lines[index]), records.record_id(row), "mended", reason)
    return replace(records, sequences=[sequence.upper() for sequence in records.sequences])


def _mend_dots(records: Records, lines: npt.NDArray[np.int64], notes: NoteTaker) -> Records:
    """Read `.` as `-`."""
    for row, sequence in enumerate(records.sequences):
        if PADDING in sequence:
            line = int(lines[records.kept[row]])
            notes.note(line, records.record_id(row), "mended", "'.' read as the gap '-'")
    return replace(records, sequences=[sequence.replace(PADDING, b"-") for sequence in records.sequences])
