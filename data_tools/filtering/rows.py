"""Rows by how much of the query they cover and how alike they are to it.

Dimension key: N sequences, row 0 is the query; L columns.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP

Tokens = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Denominator = Literal["aligned", "length"]

_ROUNDING: Final = 1e-9  # a fraction such as 0.55 x 100 must not miss 55 by the last bit


def coverage(tokens: Tokens) -> npt.NDArray[np.float64]:
    """`[N]`, the fraction of the L columns in which each row has a residue."""
    return np.count_nonzero(tokens != GAP, axis=1) / tokens.shape[1]


def identity_to_query(tokens: Tokens, *, denominator: Denominator = "aligned") -> npt.NDArray[np.float64]:
    """`[N]`, the fraction of columns in which each row has the query's residue.

    Of the columns in which the row has a residue ("aligned", 0 for a row of gaps), or of all L ("length").
    """
    matches, columns = _matches_to_query(tokens, denominator)
    return matches / np.maximum(columns, 1)


def rows_by_coverage(tokens: Tokens, minimum: float) -> Rows:
    """Rows with residues in at least `minimum` x L columns, and the query."""
    check_fraction("minimum coverage", minimum)
    residues = np.count_nonzero(tokens != GAP, axis=1)
    return with_query(residues >= minimum * tokens.shape[1] - _ROUNDING)


def rows_by_identity(
    tokens: Tokens, minimum: float = 0.0, maximum: float = 1.0, *, denominator: Denominator = "aligned"
) -> Rows:
    """Rows whose identity to the query is at least `minimum` and at most `maximum`, and the query."""
    check_fraction("minimum identity", minimum)
    check_fraction("maximum identity", maximum)
    if minimum > maximum:
        raise ValueError(f"minimum identity {minimum} is above the maximum, {maximum}")
    matches, columns = _matches_to_query(tokens, denominator)
    is_kept = matches >= minimum * columns - _ROUNDING
    is_kept &= matches <= maximum * columns + _ROUNDING
    is_kept &= (columns > 0) | (minimum == 0)  # a row of gaps has nothing in common with the query
    return with_query(is_kept)


def with_query(is_kept: npt.NDArray[np.bool_]) -> Rows:
    """Numbers of the rows kept `[N]`, the query in any case, which is written into `is_kept`."""
    is_kept[0] = True
    return np.flatnonzero(is_kept).astype(np.int64)


def check_fraction(name: str, value: float) -> None:
    """Raise ValueError unless `value` lies in [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be a fraction in [0, 1], not {value}")


def _matches_to_query(tokens: Tokens, denominator: Denominator) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    is_residue = tokens != GAP
    matches = np.count_nonzero((tokens == tokens[0]) & is_residue, axis=1)
    if denominator == "aligned":
        return matches, np.count_nonzero(is_residue & is_residue[0], axis=1)
    if denominator == "length":
        return matches, np.full(len(tokens), tokens.shape[1])
    raise ValueError(f"denominator must be 'aligned' or 'length', not {denominator!r}")
