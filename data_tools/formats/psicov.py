"""PSICOV's `.aln`, which CCMpred, FreeContact and others read too: one row a line, no names.

Rows are named `sequence_1`, `sequence_2` and so on, the query first. Case is ignored; `.` is a gap like `-`. The
format wants a query without gaps; columns where it has one become insertions, as everywhere.
"""

from __future__ import annotations

from array import array

from data_tools.alignment import Alignment
from data_tools.errors import AlignmentFormatError
from data_tools.formats.column_rows import ColumnRows, read_columns
from data_tools.formats.notes import NoteTaker
from data_tools.formats.text import normalize


def parse_psicov(data: bytes, source: str, notes: NoteTaker) -> Alignment:
    """Parse the bytes of an `.aln` file; `source` names it in errors.

    Raises AlignmentFormatError, with line and sequence, for an empty line between rows, rows of unequal width and
    symbols that are none; in repair mode such rows are dropped.

    >>> parse_psicov(b"MKV\\nM-V\\n", "doc.aln", NoteTaker("doc.aln", "psicov", repair=False)).names
    ('sequence_1', 'sequence_2')
    """
    lines = [line.strip() for line in normalize(data, source, notes).split(b"\n")]
    first = next((index for index, line in enumerate(lines) if line), None)
    if first is None:
        raise AlignmentFormatError(f"{source}: the file holds no sequence; it is empty")
    while not lines[-1]:
        lines.pop()
    texts = lines[first:]
    rows = ColumnRows(
        source,
        [f"sequence_{number}" for number in range(1, len(texts) + 1)],
        [texts],
        [array("q", range(first + 1, len(lines) + 1))],
    )
    arrays = read_columns(rows, notes)
    return Alignment(
        names=tuple(rows.names[row] for row in arrays.rows),
        tokens=arrays.tokens,
        deletion_matrix=arrays.deletion_matrix,
        insertions=arrays.insertions,
        report=notes.report(),
    )
