"""A contact map made small: what each cell of a coarse grid says of the residue pairs that fall into it.

L residues of the query; R, C rows and columns of the grid. Above the diagonal a cell holds the greatest score of its
pairs, so that a lone contact is never lost; below, where a structure is known, what most of its pairs turned out to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from msaformer.metrics import CONTACT_ANGSTROM, top_pairs

MIN_SEPARATION: Final = 6  # |i - j| from which contacts are counted, CASP's short range
SHADED_PER_RESIDUE: Final = 2  # scores that are no probabilities: the best 2·L pairs are shaded by their rank

Floats = npt.NDArray[np.floating[Any]]


class Cell(IntEnum):
    """What a cell below the diagonal says."""

    NOTHING = 0
    CONTACT = 1
    """True and not among the best L pairs."""
    HIT = 2
    """Among the best L, and true."""
    FALSE = 3
    """Among the best L, and not true."""
    UNKNOWN = 4
    """Most of its pairs have a residue that the structure lacks."""
    DIAGONAL = 5


@dataclass(frozen=True, slots=True, eq=False)
class MapData:
    """What a picture of any size is made of."""

    shades: npt.NDArray[np.float32]
    """`[L, L]`, in [0, 1], symmetric: probabilities, or ranks where scores are none."""
    is_best: npt.NDArray[np.bool_]
    """`[L, L]`, i < j: the L best pairs, 6 apart or more or of two chains (whose distance is known, if any is)."""
    distances: Floats | None
    """`[L, L]` Å, NaN where a residue is not resolved; None without a structure."""
    numbers: npt.NDArray[np.integer[Any]]
    """`[L]`, number of each residue, to write at the axes."""
    shaded: str
    """What the shades are, for a legend."""

    @property
    def length(self) -> int:
        """L."""
        return self.shades.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A map of R rows and C columns."""

    shades: npt.NDArray[np.float32]
    """`[R, C]`, the greatest of each cell; of the pairs i < j where there is a structure, else of all."""
    has_best: npt.NDArray[np.bool_]
    """`[R, C]`, likewise: a cell has one of the best L pairs."""
    cells: npt.NDArray[np.uint8]
    """`[R, C]`, a `Cell` each; without a structure NOTHING and DIAGONAL only."""


def map_data(
    scores: Floats,
    numbers: npt.NDArray[np.integer[Any]],
    distances: Floats | None = None,
    *,
    are_probabilities: bool = True,
    is_listed: npt.NDArray[np.bool_] | None = None,
    chain_lengths: Sequence[int] = (),
) -> MapData:
    """Collect what the picture of `scores` `[L, L]` needs; `is_listed` `[L, L]` where not all pairs have a score."""
    length = scores.shape[0]
    ranked = np.ones((length, length), dtype=bool) if is_listed is None else is_listed
    judged = ranked if distances is None else ranked & ~np.isnan(distances)
    first, second = top_pairs(
        scores, min_separation=MIN_SEPARATION, known=judged, chain_lengths=chain_lengths
    )
    is_best = np.zeros((length, length), dtype=bool)
    is_best[first[:length], second[:length]] = True
    if are_probabilities:
        shades = np.clip(scores, 0, 1).astype(np.float32)
    else:
        shades = _ranked(
            length,
            *top_pairs(scores, min_separation=MIN_SEPARATION, known=ranked, chain_lengths=chain_lengths),
        )
    return MapData(shades, is_best, distances, numbers, "probability" if are_probabilities else "rank")


def coarse(data: MapData, rows: int, columns: int) -> Grid:
    """Pool the map to `rows` x `columns` cells; a grid that is finer than the map repeats its residues."""
    length = data.length
    row, column = _places(rows, length), _places(columns, length)
    upper = np.triu(np.ones((length, length), dtype=bool), k=1)
    best, shades = data.is_best, data.shades
    if data.distances is None:
        best, shades = best | best.T, shades.copy()
    else:
        shades = np.where(upper, shades, 0)
    cells = np.zeros((rows, columns), dtype=np.uint8)
    if data.distances is not None:
        cells = _judged(data, upper, row, column)
    on_diagonal = _overlaps(row, column, length)
    cells[on_diagonal] = Cell.DIAGONAL
    return Grid(_pooled(np.maximum, shades, row, column), _pooled(np.logical_or, best, row, column), cells)


def _judged(
    data: MapData, upper: npt.NDArray[np.bool_], row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint8]:
    """What the cells below the diagonal say; a cell with as many hits as false pairs is false."""
    assert data.distances is not None
    lower = upper.T
    is_contact = (data.distances < CONTACT_ANGSTROM) & lower
    is_best = data.is_best.T
    hits = _pooled(np.add, is_best & is_contact, row, column)
    false = _pooled(np.add, is_best & ~is_contact, row, column)
    contacts = _pooled(np.add, is_contact, row, column)
    unknown = _pooled(np.add, np.isnan(data.distances) & lower, row, column)
    all_pairs = _pooled(np.add, lower, row, column)
    cells = np.where(2 * unknown > all_pairs, Cell.UNKNOWN, Cell.NOTHING)
    cells = np.where(contacts > 0, Cell.CONTACT, cells)
    cells = np.where(hits > 0, Cell.HIT, cells)
    return np.where((false > 0) & (false >= hits), Cell.FALSE, cells).astype(np.uint8)


def _ranked(
    length: int, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """`[L, L]`, 1 for the best of the ranked pairs, falling evenly to 0 at number 2·L."""
    shown = min(len(first), SHADED_PER_RESIDUE * length)
    shades = np.zeros((length, length), dtype=np.float32)
    shades[first[:shown], second[:shown]] = 1 - np.arange(shown) / max(shown, 1)
    return np.maximum(shades, shades.T)


def _places(count: int, length: int) -> npt.NDArray[np.intp]:
    """`[count]`, the first residue of each cell."""
    return np.arange(count, dtype=np.intp) * length // count


def _pooled(
    function: np.ufunc, values: npt.NDArray[Any], row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]
) -> npt.NDArray[Any]:
    """Reduce the block of each cell; `reduceat` gives the one value of a cell that is finer than a residue."""
    kind = np.intp if function is np.add else values.dtype
    return function.reduceat(function.reduceat(values, row, axis=0, dtype=kind), column, axis=1, dtype=kind)


def _overlaps(row: npt.NDArray[np.intp], column: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.bool_]:
    """`[R, C]`, True where a cell's rows and columns share a residue."""
    row_end, column_end = (np.maximum(np.append(x[1:], length), x + 1) for x in (row, column))
    return (row[:, None] < column_end[None, :]) & (column[None, :] < row_end[:, None])
