"""Drop the rows that are nearly copies of a row kept before them: exact, greedy, in the order of the file.

As `hhfilter -id`, a row stays unless it is at least as alike as the limit to one that stays; unlike it, rows are
visited in their own order (search programs put the best first), not by length, and no row is spared to keep regions
deep (hhfilter's `-diff`). Pairs are compared by bit planes, each new block of rows with the rows kept so far, so
memory is bounded by the planes, 48 bytes a row and 64 columns.

Dimension key: N sequences, row 0 is the query; L columns; words = ceil(L / 64).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.filtering.rows import Denominator, Rows, Tokens
from data_tools.weights.bit_planes import (
    TILE_COLUMNS,
    TILE_ROWS,
    Comparison,
    Planes,
    bit_planes,
    check_identity,
    check_tokens,
    matches_needed,
    needed_table,
)


def nonredundant_rows(tokens: Tokens, max_identity: float, *, denominator: Denominator = "aligned") -> Rows:
    """Rows whose identity to every earlier row kept is below `max_identity`, a fraction in (0, 1].

    "aligned": matching residues among the columns in which both have a residue; rows that share no column are not
    alike. "length": matching symbols among all L columns, gaps included, as `data_tools.weights.sequence_weights`
    counts. A row at `max_identity` exactly is dropped, so 1.0 drops copies only.
    """
    check_identity(max_identity)
    check_tokens(tokens)
    redundancy = _Redundancy(tokens, max_identity, denominator)
    for top in range(0, len(tokens), TILE_ROWS):
        redundancy.visit(np.arange(top, min(top + TILE_ROWS, len(tokens))))
    return np.array(redundancy.kept, dtype=np.int64)


class _Redundancy:
    """The rows kept so far and their bit planes."""

    def __init__(self, tokens: Tokens, max_identity: float, denominator: Denominator) -> None:
        if denominator not in ("aligned", "length"):
            raise ValueError(f"denominator must be 'aligned' or 'length', not {denominator!r}")
        depth, length = tokens.shape
        self.kept: list[int] = []
        self._planes = bit_planes(tokens, with_residues=denominator == "aligned")
        self._kept_planes = np.empty_like(self._planes)
        self._comparison = Comparison.for_pairs(TILE_ROWS * min(TILE_COLUMNS, max(depth, TILE_ROWS)), length)
        self._max_mismatches = length - matches_needed(max_identity, length)
        self._needed = needed_table(max_identity, length)
        self._is_aligned = denominator == "aligned"

    def visit(self, rows: npt.NDArray[np.intp]) -> None:
        """Keep the rows of one block that are like no row kept, nor like each other."""
        for left in range(0, len(self.kept), TILE_COLUMNS):
            kept = self._kept_planes[..., left : min(left + TILE_COLUMNS, len(self.kept))]
            rows = rows[~self._are_alike(self._planes[..., rows], kept).any(axis=1)]
            if rows.size == 0:
                return
        block = self._planes[..., rows]
        are_alike = self._are_alike(block, block)
        is_kept = np.zeros(len(rows), dtype=bool)
        for row in range(len(rows)):
            is_kept[row] = not (are_alike[row] & is_kept).any()
        start, stop = len(self.kept), len(self.kept) + int(is_kept.sum())
        self._kept_planes[..., start:stop] = block[..., is_kept]
        self.kept.extend(rows[is_kept].tolist())

    def _are_alike(self, of_rows: Planes, of_columns: Planes) -> npt.NDArray[np.bool_]:
        if not self._is_aligned:
            mismatches: npt.NDArray[Any] = self._comparison.count_mismatches(of_rows, of_columns)
            return mismatches <= self._max_mismatches
        shared, mismatches = self._comparison.count_shared(of_rows, of_columns)
        return shared - mismatches >= self._needed[shared]
