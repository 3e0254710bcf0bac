"""The rows of an A3M turned into arrays, block by block: `read_rows`; and the columns of the query chosen.

Each block of rows is joined, goes through one `bytes.translate`, and is told apart by a few array operations: the
codes of match columns are their tokens, a lower-case letter keeps its byte, a NUL ends each row.

Dimension key: N sequences, W columns of the file, L columns kept (the query's residues).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Insertions
from data_tools.alphabet import BYTE_TO_TOKEN, GAP
from data_tools.formats.faults import BLANKS, LOWER_CASE, MAX_INSERTIONS, PADDING, count_columns

_BLOCK_ROWS: Final = 1024  # temporaries stay in the cache; whole files were measured slower, and unsteady
_BLOCK_BYTES: Final = 2**22  # bounds the temporaries for long rows
_FIRST_INSERTED: Final = ord("a")  # codes of lower-case letters are their bytes; tokens lie below
_END: Final = (
    ord("z") + 1
)  # code of the NUL put after each sequence (a file with NUL inside was refused before)
_LOWER_CASE_BIT: Final = 0x20  # set, an upper-case ASCII letter is the lower-case one

TokenArray = npt.NDArray[np.uint8]
CountArray = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Rows:
    """What the sequences of a file say, before the query's gaps are dropped."""

    tokens: TokenArray
    """`[N, W]`"""
    deletion_matrix: CountArray
    """`[N, W]`"""
    insertions: Insertions
    """Lower-case letters of all rows."""

    def take(self, rows: npt.NDArray[np.integer]) -> Rows:
        """Keep the sequences at `rows` `[n]`."""
        insertions = self.insertions.take_rows(rows, self.deletion_matrix)
        return Rows(self.tokens[rows], self.deletion_matrix[rows], insertions)


def read_rows(sequences: Sequence[bytes]) -> Rows | None:
    """Read A3M rows; None when a symbol, the number of columns or a run of insertions does not fit."""
    depth, width = len(sequences), count_columns(sequences[0])
    if width == 0 or depth * width > sum(map(len, sequences)):  # some row is short: allocate nothing for it
        return None
    tokens = np.empty((depth, width), dtype=np.uint8)
    deletions = np.zeros((depth, width), dtype=np.uint16)
    trailing = np.zeros(depth, dtype=np.int32)
    letters: list[TokenArray] = []
    for rows in _blocks(depth, max(map(len, sequences))):
        found = _read_block(sequences[rows], tokens[rows], deletions[rows], trailing[rows])
        if found is None:
            return None
        letters.append(found)
    return Rows(tokens, deletions, Insertions(np.concatenate(letters), trailing))


def drop_query_gaps(
    rows: Rows, kept: npt.NDArray[np.intp], sequences: Sequence[bytes]
) -> Rows | npt.NDArray[np.intp]:
    """Keep the columns `kept` `[L]`; residues elsewhere become insertions before the next column kept.

    `sequences` are those that `rows` were read from: they tell the letters that share a token.

    Returns the numbers of the offending rows instead when some have more insertions before one column than
    `deletion_matrix` can count.
    """
    depth, width = rows.tokens.shape
    is_dropped = np.ones(width, dtype=np.bool_)
    is_dropped[kept] = False
    starts = np.concatenate([[0], kept + 1])  # of the stretches that end in a column kept, and of the rest
    counts = np.empty((depth, kept.size), dtype=np.uint16)
    trailing = np.empty(depth, dtype=np.int32)
    letters: list[TokenArray] = []
    crowded: list[npt.NDArray[np.intp]] = []
    first_letter = 0
    for block in _blocks(depth, 8 * width):
        cells = np.column_stack([rows.deletion_matrix[block], rows.insertions.trailing[block]]).astype(
            np.int64
        )
        stop = first_letter + int(cells.sum())
        is_residue = (rows.tokens[block] != GAP) & is_dropped
        cells[:, :width] += is_residue
        own = rows.insertions.letters[first_letter:stop]
        text = b"".join(sequences[block]).translate(None, BLANKS + PADDING + LOWER_CASE)
        dropped = np.frombuffer(text, dtype=np.uint8).reshape(is_residue.shape)[is_residue] | _LOWER_CASE_BIT
        letters.append(_merge_letters(dropped, is_residue, cells, own))
        first_letter = stop
        summed = np.add.reduceat(cells, starts, axis=1)
        is_crowded = (summed > MAX_INSERTIONS).any(axis=1)
        crowded.append(block.start + np.flatnonzero(is_crowded))
        counts[block], trailing[block] = summed[:, :-1], summed[:, -1]
    offending = np.concatenate(crowded)
    if offending.size:
        return offending
    tokens = np.ascontiguousarray(rows.tokens[:, kept])
    return Rows(tokens, counts, Insertions(np.concatenate(letters), trailing))


def _blocks(depth: int, row_bytes: int) -> list[slice]:
    step = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // max(1, row_bytes)))
    return [slice(top, min(top + step, depth)) for top in range(0, depth, step)]


def _code_table() -> bytes:
    table = BYTE_TO_TOKEN.copy()
    table[list(LOWER_CASE)] = list(LOWER_CASE)
    table[0] = _END
    return table.tobytes()


_CODES: Final = _code_table()


def _read_block(
    sequences: Sequence[bytes], tokens: TokenArray, deletions: CountArray, trailing: npt.NDArray[np.int32]
) -> TokenArray | None:
    """Fill `tokens` and `deletions` `[n, W]` and `trailing` `[n]`; return the letters of the insertions."""
    depth, width = tokens.shape
    text = b"\x00".join(sequences) + b"\x00"
    codes = np.frombuffer(text.translate(_CODES, BLANKS + PADDING), dtype=np.uint8)
    special = np.flatnonzero(codes >= _FIRST_INSERTED)
    kinds = codes[special]
    if (kinds > _END).any():
        return None
    is_end = kinds == _END
    ends, inserted, letters = special[is_end], special[~is_end], kinds[~is_end]
    columns_before = ends - np.searchsorted(inserted, ends) - np.arange(depth)
    if not np.array_equal(columns_before, width * np.arange(1, depth + 1)):
        return None
    tokens.reshape(-1)[:] = codes[codes < _FIRST_INSERTED]
    if inserted.size == 0:
        return letters
    # How many characters that are no insertions come before each: a row has W columns and its end.
    cells = inserted - np.arange(inserted.size)
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    runs = np.diff(starts, append=cells.size)
    if int(runs.max()) > MAX_INSERTIONS:
        return None
    rows, columns = np.divmod(cells[starts], width + 1)
    inside = columns < width
    deletions[rows[inside], columns[inside]] = runs[inside]
    trailing[rows[~inside]] = runs[~inside]
    return letters


def _merge_letters(
    dropped: TokenArray, is_residue: npt.NDArray[np.bool_], cells: npt.NDArray[np.int64], own: TokenArray
) -> TokenArray:
    """Letters of a block's insertions, `own`, with `dropped`, its residues dropped; `cells` `[n, W + 1]` counts both.

    In a cell the residue comes after the insertions before it.
    """
    if own.size == 0:
        return dropped
    ends = np.cumsum(cells).reshape(cells.shape)[:, :-1]
    places = ends[is_residue] - 1
    letters = np.empty(own.size + dropped.size, dtype=np.uint8)
    is_own = np.ones(letters.size, dtype=np.bool_)
    is_own[places] = False
    letters[places] = dropped
    letters[is_own] = own
    return letters
