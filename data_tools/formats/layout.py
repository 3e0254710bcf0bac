"""Where the letters of an alignment lie in a file: rows padded to one width (`Layout`), or unpadded (`unpadded_rows`).

Rows are made in groups, as bytes `[n, W]`, never all at once. Dimension key: N sequences, L columns of the alignment,
W columns of the file, which has room for the longest insertion before each column and after the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import SYMBOLS
from data_tools.errors import AlignmentError

MAX_ROW_BYTES: Final = 4 * 2**30  # of all padded rows together: no more than is read
_GROUP_CELLS: Final = 2**20  # cells made at a time
_UNKNOWN_INSERTION: Final = ord("x")
_CASE: Final = np.uint8(ord("a") - ord("A"))
_LETTERS: Final = np.frombuffer(SYMBOLS.encode("ascii"), dtype=np.uint8)

ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Columns of a file that holds an alignment with or without its insertions."""

    alignment: Alignment
    width: int
    """W"""
    columns: npt.NDArray[np.intp]
    """`[L]`, where each column of the alignment is."""
    starts: npt.NDArray[np.intp] | None
    """`[L + 1]`, where the insertions before each column start, and those after the last; None without any."""

    @classmethod
    def padded(cls, alignment: Alignment) -> Layout:
        """Room for all insertions; raises AlignmentError when that makes an absurdly large file."""
        longest = np.append(alignment.deletion_matrix.max(axis=0), _trailing(alignment).max()).astype(np.intp)
        length = alignment.length
        width = length + int(longest.sum())
        if width * alignment.depth > MAX_ROW_BYTES:
            raise AlignmentError(
                f"with all insertions aligned the file would have {alignment.depth:,} rows of {width:,} columns, "
                f"more than {MAX_ROW_BYTES:,} bytes; write A3M, which needs no padding"
            )
        columns = np.arange(length) + np.cumsum(longest)[:-1]
        starts = np.append(columns, width) - longest
        return cls(alignment, width, columns, starts)

    @classmethod
    def columns_only(cls, alignment: Alignment) -> Layout:
        """The columns of the alignment; insertions are left out."""
        return cls(alignment, alignment.length, np.arange(alignment.length), None)

    def rows(self, *, padding: str, is_upper: bool) -> Iterator[bytes]:
        """Each row of the file; `padding` stands opposite insertions, which are in lower case unless `is_upper`."""
        letters = _InsertedLetters(self.alignment)
        for rows in _groups(self.alignment.depth, self.width):
            table = np.full((rows.stop - rows.start, self.width), ord(padding), dtype=np.uint8)
            table[:, self.columns] = _LETTERS[self.alignment.tokens[rows]]
            if self.starts is not None:
                counts = _counts(self.alignment, rows)
                inserted = letters.take(int(counts.sum()))
                _put_insertions(table, counts, self.starts, inserted - _CASE if is_upper else inserted)
            yield from map(bytes, table)

    def spread(self, text: bytes, filler: str) -> bytes:
        """A text of one symbol a column `[L]` at the columns of the file, `filler` elsewhere."""
        spread = np.full(self.width, ord(filler), dtype=np.uint8)
        spread[self.columns] = np.frombuffer(text, dtype=np.uint8)
        return spread.tobytes()


def unpadded_rows(alignment: Alignment) -> Iterator[bytes]:
    """Each row as A3M has it: columns in upper case, insertions between them in lower case."""
    letters = _InsertedLetters(alignment)
    for rows in _groups(alignment.depth, alignment.length):
        counts = _counts(alignment, rows)
        # A cell is its insertions, then its letter; the cell behind the last column has no letter but an end.
        ends = np.cumsum(counts + 1).reshape(counts.shape)
        is_inserted = np.ones(int(ends[-1, -1]), dtype=np.bool_)
        is_inserted[ends.ravel() - 1] = False
        flat = np.empty(is_inserted.size, dtype=np.uint8)
        flat[ends[:, :-1] - 1] = _LETTERS[alignment.tokens[rows]]
        flat[is_inserted] = letters.take(int(counts.sum()))
        text = flat.tobytes()
        start = 0
        for end in ends[:, -1].tolist():
            yield text[start : end - 1]
            start = end


class _InsertedLetters:
    """Hands out the letters of an alignment's insertions from row 0 on."""

    def __init__(self, alignment: Alignment) -> None:
        self._letters = None if alignment.insertions is None else alignment.insertions.letters
        self._taken = 0

    def take(self, count: int) -> ByteArray:
        """The next `count` letters, in lower case."""
        if self._letters is None:
            return np.full(count, _UNKNOWN_INSERTION, dtype=np.uint8)
        self._taken += count
        return self._letters[self._taken - count : self._taken]


def _groups(depth: int, width: int) -> Iterator[slice]:
    """Rows that are made together."""
    step = max(1, _GROUP_CELLS // width)
    for top in range(0, depth, step):
        yield slice(top, min(top + step, depth))


def _put_insertions(
    table: ByteArray, counts: npt.NDArray[np.int64], starts: npt.NDArray[np.intp], letters: ByteArray
) -> None:
    """Put the letters of all rows into `table` `[n, W]`; `counts` and `starts` are `[n, L + 1]` and `[L + 1]`."""
    at_row, at_column = np.nonzero(counts)
    runs = counts[at_row, at_column]
    first_cells = at_row * table.shape[1] + starts[at_column]
    within_run = np.arange(letters.size) - np.repeat(np.cumsum(runs) - runs, runs)
    table.reshape(-1)[np.repeat(first_cells, runs) + within_run] = letters


def _trailing(alignment: Alignment) -> npt.NDArray[np.int32]:
    if alignment.insertions is None:
        return np.zeros(alignment.depth, dtype=np.int32)
    return alignment.insertions.trailing


def _counts(alignment: Alignment, rows: slice) -> npt.NDArray[np.int64]:
    """Insertions `[n, L + 1]` before each column and after the last."""
    return np.column_stack([alignment.deletion_matrix[rows], _trailing(alignment)[rows]]).astype(np.int64)
