"""Precision of predicted contacts against a known structure, by sequence separation (numpy only).

L residues of the query. A contact is a pair closer than 8 Å (Cβ–Cβ, Cα for Gly). A pair whose
distance is unknown (NaN: a residue not resolved) is neither a contact nor a non-contact: it is left out
of the ranking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from msaformer.errors import PredictionError

CONTACT_ANGSTROM: Final = 8.0  # CASP contact definition

RANGES: Final[Mapping[str, tuple[int, int | None]]] = {
    "short": (6, 11),
    "medium": (12, 23),
    "long": (24, None),
    "medium_long": (12, None),
}
"""Smallest and largest separation |i - j| of each range, both included; None = no upper limit."""

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RangePrecision:
    """Precision of the best pairs of one range; NaN where the range has no pair of known distance."""

    range: str
    p_at_l: float
    """Among the L best pairs, or among all there are when the range holds fewer; likewise below."""
    p_at_l2: float
    """Among the L // 2 best, at least one."""
    p_at_l5: float
    """Among the L // 5 best, at least one."""
    num_contacts: int
    """Native contacts in the range."""
    num_pairs: int
    """Pairs of known distance in the range."""


def top_pairs(
    scores: Floats,
    *,
    min_separation: int,
    max_separation: int | None = None,
    known: npt.NDArray[np.bool_] | None = None,
) -> tuple[Indices, Indices]:
    """Rank the pairs i < j of `scores` `[L, L]` within a separation, the highest first.

    Returns i and j, 0-based. Only the upper triangle is read; equal scores keep the order of (i, j); pairs
    that are False in `known` `[L, L]` are left out.
    """
    first, second = np.triu_indices(scores.shape[0], k=max(min_separation, 1))
    keep = np.ones(first.shape, dtype=bool)
    if max_separation is not None:
        keep &= second - first <= max_separation
    if known is not None:
        keep &= known[first, second]
    first, second = first[keep], second[keep]
    order = np.argsort(-scores[first, second], kind="stable")
    return first[order], second[order]


def precision_table(
    scores: Floats, distances: Floats, *, threshold_angstrom: float = CONTACT_ANGSTROM
) -> tuple[RangePrecision, ...]:
    """Score `scores` `[L, L]` against `distances` `[L, L]` (Å, NaN = unknown), one row for each of `RANGES`.

    L is the query's length, unresolved residues included. Raises PredictionError when shapes disagree or a
    score is not a number.
    """
    if scores.shape != distances.shape or scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise PredictionError(
            f"scores {scores.shape} and distances {distances.shape} must be the same [L, L]"
        )
    if np.isnan(scores).any():
        raise PredictionError("a score is not a number")
    known = ~np.isnan(distances)
    rows = []
    for name, (low, high) in RANGES.items():
        first, second = top_pairs(scores, min_separation=low, max_separation=high, known=known)
        hits = distances[first, second] < threshold_angstrom
        at = {k: _precision(hits, max(scores.shape[0] // k, 1)) for k in (1, 2, 5)}
        rows.append(RangePrecision(name, at[1], at[2], at[5], int(hits.sum()), len(hits)))
    return tuple(rows)


def _precision(hits: npt.NDArray[np.bool_], count: int) -> float:
    return float(hits[:count].mean()) if hits.size else float("nan")
