"""Clustal: the parser. Blocks of `name symbols [count]`, a line that marks conservation below each, a header above.

The header's first word may also be that of other programs that write the format (MUSCLE, PROBCONS, MSAPROBS, Kalign,
T-COFFEE, Biopython). Marks of conservation and counts of residues are left out: they follow from the rows.
"""

from __future__ import annotations

import re
from typing import Final

from data_tools.alignment import Alignment
from data_tools.errors import AlignmentFormatError
from data_tools.formats.blocks import BlockCollector, quoted
from data_tools.formats.column_rows import ColumnRows, read_columns
from data_tools.formats.notes import NoteTaker
from data_tools.formats.text import normalize

HEADER: Final = re.compile(
    rb"(?:CLUSTAL(?:W|X)?(?=[ \t(]|$)|(?:MUSCLE|PROBCONS|MSAPROBS|KALIGN|T-COFFEE|BIOPYTHON)(?=[ \t(,].*alignment))",
    re.IGNORECASE,
)
_BLANKS: Final = b" \t"
_CONSERVATION: Final = b" \t*:."


def parse_clustal(data: bytes, source: str, notes: NoteTaker) -> Alignment:
    """Parse the bytes of a Clustal file; `source` names it in errors.

    Raises AlignmentFormatError, with line and sequence, when the file breaks the format.

    >>> text = b"CLUSTAL W (1.83) multiple sequence alignment\\n\\nquery MK-V 3\\nhit   M-AV 3\\n      *  *\\n"
    >>> parse_clustal(text, "doc.aln", NoteTaker("doc.aln", "clustal", repair=False)).query
    'MKV'
    """
    rows = _read_rows(normalize(data, source, notes).split(b"\n"), source, notes)
    arrays = read_columns(rows, notes)
    return Alignment(
        names=tuple(rows.names[row] for row in arrays.rows),
        tokens=arrays.tokens,
        deletion_matrix=arrays.deletion_matrix,
        insertions=arrays.insertions,
        report=notes.report(),
    )


def _read_rows(lines: list[bytes], source: str, notes: NoteTaker) -> ColumnRows:
    rows = BlockCollector(source, notes)
    start = _after_header(lines, source)
    for number, line in enumerate(lines[start:], start + 1):
        if not line.strip(_CONSERVATION):  # blank, or marks of conservation: the block is over
            rows.end_block()
            continue
        words = line.split()
        if line[0] in _BLANKS or not 2 <= len(words) <= 3:
            raise AlignmentFormatError(
                f"{source}:{number}: a name and a row of symbols are expected, not {quoted(line)}"
            )
        if len(words) == 3 and not words[2].isdigit():
            raise AlignmentFormatError(
                f"{source}:{number}: behind the row only a count of residues may stand, not {quoted(words[2])}"
            )
        rows.add(words[0], words[1], number)
    return rows.rows()


def _after_header(lines: list[bytes], source: str) -> int:
    """Number of the header's line."""
    for index, line in enumerate(lines):
        if line.strip():
            if HEADER.match(line):
                return index + 1
            raise AlignmentFormatError(
                f"{source}:{index + 1}: the first line must begin with 'CLUSTAL', not {quoted(line)}"
            )
    raise AlignmentFormatError(f"{source}: the file holds no sequence; it is empty")
