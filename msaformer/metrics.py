"""Precision of predicted contacts against a known structure, by sequence separation (numpy only).

L residues of the query. A contact is a pair closer than 8 Å (Cβ–Cβ, Cα for Gly). A pair whose
distance is unknown (NaN: a residue not resolved) is neither a contact nor a non-contact: it is left out
of the ranking. Between the chains of a complex (`chain_lengths`) there is no separation: such pairs are long range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from msaformer.chains import chain_of_residue
from msaformer.errors import PredictionError

CONTACT_ANGSTROM: Final = 8.0  # CASP contact definition

RANGES: Final[Mapping[str, tuple[int, int | None]]] = {
    "short": (6, 11),
    "medium": (12, 23),
    "long": (24, None),
    "medium_long": (12, None),
}
"""Smallest and largest separation |i - j| of each range, both included; None = no upper limit, and pairs of two chains
belong to it."""
INTER_CHAIN: Final = "inter_chain"
"""The range of all pairs of two chains."""

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RangePrecision:
    """Precision of the best pairs of one range; NaN where the range has no pair of known distance."""

    range: str
    """One of `RANGES`, or `INTER_CHAIN`."""
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
    chain_lengths: Sequence[int] = (),
) -> tuple[Indices, Indices]:
    """Rank the pairs i < j of `scores` `[L, L]` within a separation, the highest first.

    Returns i and j, 0-based. Only the upper triangle is read; equal scores keep the order of (i, j); pairs
    that are False in `known` `[L, L]` are left out. Pairs of two of the chains of `chain_lengths` (one chain, if
    empty) are there unless there is a `max_separation`. Raises PredictionError when the chains do not make L residues.
    """
    between = between_chains(scores.shape[0], chain_lengths)
    nearest = max(min_separation, 1)
    first, second = np.triu_indices(scores.shape[0], k=nearest if between is None else 1)
    keep = np.ones(first.shape, dtype=bool)
    if max_separation is not None:
        keep &= second - first <= max_separation
    if between is not None:
        is_within = ~between[first, second]
        keep = np.where(is_within, keep & (second - first >= nearest), max_separation is None)
    if known is not None:
        keep &= known[first, second]
    first, second = first[keep], second[keep]
    order = np.argsort(-scores[first, second], kind="stable")
    return first[order], second[order]


def between_chains(length: int, chain_lengths: Sequence[int]) -> npt.NDArray[np.bool_] | None:
    """`[L, L]`, True where i and j lie in different chains; None for one chain.

    Raises PredictionError when the chains do not make `length` residues.
    """
    if chain_lengths and sum(chain_lengths) != length:
        raise PredictionError(f"chains of {tuple(chain_lengths)} residues do not make the {length} scored")
    if len(chain_lengths) < 2:
        return None
    chain = chain_of_residue(chain_lengths)
    is_between: npt.NDArray[np.bool_] = chain[:, None] != chain
    return is_between


def precision_table(
    scores: Floats,
    distances: Floats,
    *,
    threshold_angstrom: float = CONTACT_ANGSTROM,
    chain_lengths: Sequence[int] = (),
) -> tuple[RangePrecision, ...]:
    """Score `scores` `[L, L]` against `distances` `[L, L]` (Å, NaN = unknown), one row for each of `RANGES`.

    L is the query's length, unresolved residues included, of all chains. Where `chain_lengths` are several, a row
    `INTER_CHAIN` follows, of the pairs between chains, which count as long range too. Raises PredictionError when
    shapes disagree, a score is not a number, or the chains do not make L residues.
    """
    if scores.shape != distances.shape or scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise PredictionError(
            f"scores {scores.shape} and distances {distances.shape} must be the same [L, L]"
        )
    if np.isnan(scores).any():
        raise PredictionError("a score is not a number")
    known = ~np.isnan(distances)
    between = between_chains(scores.shape[0], chain_lengths)
    ranked = {
        name: top_pairs(
            scores, min_separation=low, max_separation=high, known=known, chain_lengths=chain_lengths
        )
        for name, (low, high) in RANGES.items()
    }
    if between is not None:
        ranked[INTER_CHAIN] = top_pairs(scores, min_separation=1, known=known & between)
    rows = []
    for name, pairs in ranked.items():
        hits = distances[pairs] < threshold_angstrom
        at = {k: _precision(hits, max(scores.shape[0] // k, 1)) for k in (1, 2, 5)}
        rows.append(RangePrecision(name, at[1], at[2], at[5], int(hits.sum()), len(hits)))
    return tuple(rows)


def _precision(hits: npt.NDArray[np.bool_], count: int) -> float:
    return float(hits[:count].mean()) if hits.size else float("nan")
