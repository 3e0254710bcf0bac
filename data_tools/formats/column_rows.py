"""Rows of one width, in one block or many, to the arrays of an alignment (Stockholm, Clustal, PSICOV).

A column is kept where the query has a residue (AlphaFold 2's rule for Stockholm files), or, on demand, only among
columns that are marked. Each row's residues in the other columns are insertions: counted in `deletion_matrix` at the
next column kept, after the last in `Insertions.trailing`. Case means nothing here. Gaps are `-` and `.`, and easel's
`_` and `~`.

Rows go through array operations in groups that fit the cache. Dimension key: N rows, W columns of the file, L kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Insertions
from data_tools.alphabet import BYTE_TO_TOKEN, GAP, NOT_A_SYMBOL
from data_tools.errors import AlignmentFormatError
from data_tools.formats.faults import LOWER_CASE, MAX_INSERTIONS
from data_tools.formats.notes import NoteTaker

_GROUP_CELLS: Final = 2**20  # cells that are read at a time: the temporaries stay in the cache
_GAPS: Final = b"-._~"
_LABEL_LETTERS: Final = 60  # of a name, in an error
_LOWER_CASE_BIT: Final = 0x20  # what ASCII letters of either case differ in


def label(name: str) -> str:
    """First word of a name, quoted, cut when long."""
    word = next(iter(name.split()), "")
    return repr(word if len(word) <= _LABEL_LETTERS else word[: _LABEL_LETTERS - 3] + "...")


def _code_table() -> bytes:
    table = BYTE_TO_TOKEN.copy()
    table[list(LOWER_CASE)] = table[list(LOWER_CASE.upper())]
    table[list(_GAPS)] = GAP
    return table.tobytes()


_CODES: Final = _code_table()  # byte -> token, NOT_A_SYMBOL for what no alignment holds


@dataclass(frozen=True, slots=True)
class ColumnRows:
    """Rows as a file has them, query first."""

    source: str
    """Name of the file in errors."""
    names: Sequence[str]
    """`[N]`."""
    blocks: Sequence[Sequence[bytes]]
    """`[blocks][N]`, the text of each row; empty where a block lacks the row."""
    lines: Sequence[array[int]]
    """`[blocks][N]`, 1-based line of each text, or of the block's first row where it is absent."""

    @property
    def width(self) -> int:
        """W, as the query has it."""
        return sum(len(block[0]) for block in self.blocks)

    def text(self, rows: slice) -> bytes:
        """All columns of `rows`, row after row."""
        return b"".join(chain.from_iterable(zip(*(block[rows] for block in self.blocks), strict=True)))


@dataclass(frozen=True, slots=True)
class ColumnArrays:
    """What `read_columns` makes of them; n <= N rows, as repair drops some."""

    rows: npt.NDArray[np.intp]
    """`[n]`, which rows of the file these are."""
    columns: npt.NDArray[np.intp]
    """`[L]`, which columns of the file were kept."""
    tokens: npt.NDArray[np.uint8]
    """`[n, L]`."""
    deletion_matrix: npt.NDArray[np.uint16]
    """`[n, L]`."""
    insertions: Insertions


def read_columns(
    rows: ColumnRows, notes: NoteTaker, *, marked: npt.NDArray[np.bool_] | None = None
) -> ColumnArrays:
    """Read tokens, deletions and insertions; columns are kept only where `marked` `[W]`, if given.

    Raises AlignmentFormatError for rows of unequal width, symbols that are none, and too many insertions in a row;
    in repair mode such rows are dropped, but never the query.
    """
    depth, width = len(rows.names), rows.width
    is_dropped = _find_unequal(rows, notes)
    query = _codes_of_query(rows)
    is_kept = query != GAP if marked is None else (query != GAP) & marked
    columns = np.flatnonzero(is_kept)
    if columns.size == 0:
        raise AlignmentFormatError(
            f"{rows.source}:{rows.lines[0][0]}: the query {label(rows.names[0])} holds gaps only"
            f"{'' if marked is None else ' in the columns that RF marks'}; put a real sequence first"
        )
    tokens = np.empty((depth, columns.size), dtype=np.uint8)
    deletions = np.zeros((depth, columns.size), dtype=np.uint16)
    trailing = np.zeros(depth, dtype=np.int32)
    letters: list[npt.NDArray[np.uint8]] = []
    step = max(1, _GROUP_CELLS // width)
    for top in range(0, depth, step):
        group = slice(top, min(top + step, depth))
        text = _equal_text(rows, group, is_dropped)
        codes = _codes(text, rows, group, is_dropped, notes)
        if width - columns.size > MAX_INSERTIONS:
            codes = codes.copy()
            _check_counts(codes, is_kept, rows, group, is_dropped, notes)
        tokens[group] = codes if columns.size == width else codes[:, columns]
        letters.append(_count_insertions(text, codes, is_kept, deletions[group], trailing[group]))
    insertions = Insertions(np.concatenate(letters), trailing)
    if not is_dropped.any():
        return ColumnArrays(np.arange(depth), columns, tokens, deletions, insertions)
    left = np.flatnonzero(~is_dropped)  # the rows dropped were read as gaps: they have no letters
    insertions = Insertions(insertions.letters, trailing[left])
    return ColumnArrays(left, columns, tokens[left], deletions[left], insertions)


def _find_unequal(rows: ColumnRows, notes: NoteTaker) -> npt.NDArray[np.bool_]:
    """Rows `[N]` that lack columns in some block, or have too many."""
    is_dropped = np.zeros(len(rows.names), dtype=np.bool_)
    for block, lines in zip(rows.blocks, rows.lines, strict=True):
        expected = len(block[0])
        if expected == 0:
            raise AlignmentFormatError(
                f"{rows.source}:{lines[0]}: the query {label(rows.names[0])} is absent from this block; is the file "
                "complete?"
            )
        lengths = list(map(len, block))
        if lengths.count(expected) == len(lengths):
            continue
        for row, found in enumerate(lengths):
            if found == expected or is_dropped[row]:
                continue
            name = label(rows.names[row])
            what = f"has {found} columns in this block" if found else "is absent from this block"
            error = AlignmentFormatError(
                f"{rows.source}:{lines[row]}: sequence {name} {what}, the query has {expected} columns; "
                "is the file complete? Restore the row or remove the sequence"
            )
            reason = f"{what}, the query has {expected}"
            notes.fault(error, line=lines[row], record=rows.names[row], action="dropped", reason=reason)
            is_dropped[row] = True
    return is_dropped


def _codes_of_query(rows: ColumnRows) -> npt.NDArray[np.uint8]:
    text = rows.text(slice(0, 1))
    codes = np.frombuffer(text.translate(_CODES), dtype=np.uint8)
    if (codes == NOT_A_SYMBOL).any():
        raise _not_a_symbol(rows, 0, int(np.argmax(codes)))[0]
    return codes


def _equal_text(rows: ColumnRows, group: slice, is_dropped: npt.NDArray[np.bool_]) -> bytes:
    """The text of a group of rows, W bytes each: gaps only for those that are dropped."""
    dropped = np.flatnonzero(is_dropped[group])
    if dropped.size == 0:
        return rows.text(group)
    texts = [rows.text(slice(row, row + 1)) for row in range(group.start, group.stop)]
    for row in dropped:
        texts[row] = b"-" * rows.width
    return b"".join(texts)


def _codes(
    text: bytes, rows: ColumnRows, group: slice, is_dropped: npt.NDArray[np.bool_], notes: NoteTaker
) -> npt.NDArray[np.uint8]:
    """Tokens `[n, W]` of a group; rows with other symbols are dropped, or refused."""
    codes = np.frombuffer(text.translate(_CODES), dtype=np.uint8).reshape(-1, rows.width)
    if codes.max() != NOT_A_SYMBOL:
        return codes
    codes = codes.copy()
    for row in np.flatnonzero((codes == NOT_A_SYMBOL).any(axis=1)):
        error, line, reason = _not_a_symbol(rows, group.start + int(row), int(np.argmax(codes[row])))
        name = rows.names[group.start + int(row)]
        notes.fault(error, line=line, record=name, action="dropped", reason=reason)
        is_dropped[group.start + row] = True
        codes[row] = GAP
    return codes


def _not_a_symbol(rows: ColumnRows, row: int, column: int) -> tuple[AlignmentFormatError, int, str]:
    """Describe the symbol of `row` at `column` (0-based); also its line, and the words for a note."""
    number, before = 0, column
    while before >= len(rows.blocks[number][row]):
        before -= len(rows.blocks[number][row])
        number += 1
    symbol, line = rows.blocks[number][row][before : before + 1].decode("latin-1"), rows.lines[number][row]
    what = f"the symbol {symbol!r} at position {column + 1}"
    error = AlignmentFormatError(
        f"{rows.source}:{line}: sequence {label(rows.names[row])} has {what}; letters, '-' and '.' are "
        "expected"
    )
    return error, line, what


def _check_counts(
    codes: npt.NDArray[np.uint8],
    is_kept: npt.NDArray[np.bool_],
    rows: ColumnRows,
    group: slice,
    is_dropped: npt.NDArray[np.bool_],
    notes: NoteTaker,
) -> None:
    """Drop, or refuse, rows with more insertions before one column than `deletion_matrix` can count."""
    columns_before = np.cumsum(is_kept)
    for row in range(len(codes)):
        inserted = np.flatnonzero((codes[row] != GAP) & ~is_kept)
        if inserted.size == 0 or int(np.bincount(columns_before[inserted]).max()) <= MAX_INSERTIONS:
            continue
        at = group.start + row
        what = f"more than {MAX_INSERTIONS:,} insertions in a row"
        error = AlignmentFormatError(
            f"{rows.source}:{rows.lines[0][at]}: sequence {label(rows.names[at])} has {what}, the most that is "
            "stored; remove it or cut it shorter"
        )
        notes.fault(error, line=rows.lines[0][at], record=rows.names[at], action="dropped", reason=what)
        is_dropped[at] = True
        codes[row] = GAP


def _count_insertions(
    text: bytes,
    codes: npt.NDArray[np.uint8],
    is_kept: npt.NDArray[np.bool_],
    deletions: npt.NDArray[np.uint16],
    trailing: npt.NDArray[np.int32],
) -> npt.NDArray[np.uint8]:
    """Count the residues outside the columns kept, in place; their letters, in lower case, row after row."""
    dropped_columns = np.flatnonzero(~is_kept)
    if dropped_columns.size == 0:
        return np.empty(0, dtype=np.uint8)
    inserted = np.flatnonzero((codes != GAP) & ~is_kept)
    if inserted.size == 0:
        return np.empty(0, dtype=np.uint8)
    rows, columns = np.divmod(inserted, is_kept.size)
    num_kept = deletions.shape[1]
    cells = rows * (num_kept + 1) + np.cumsum(is_kept)[columns]  # cell L of a row: after the last column
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    runs = np.diff(starts, append=cells.size)
    rows, columns = np.divmod(cells[starts], num_kept + 1)
    inside = columns < num_kept
    deletions[rows[inside], columns[inside]] = runs[inside]
    trailing[rows[~inside]] = runs[~inside]
    return np.frombuffer(text, dtype=np.uint8)[inserted] | np.uint8(_LOWER_CASE_BIT)
