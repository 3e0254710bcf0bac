"""How far predicted distances are from a known structure: error, lDDT, likelihood, worth of the spread (numpy only).

L residues of the query, K distance bins. Distances are those of the contact definition (Cβ–Cβ, Cα for Gly), in Å, NaN
where a residue is not resolved; a pair with NaN counts nowhere. Each pair counts once, by its entry i < j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from msaformer.errors import PredictionError

if TYPE_CHECKING:
    from msaformer.prediction import Prediction

MIN_SEPARATION: Final = 6  # |i - j| of CASP's shortest range: nearer pairs say little beyond the chain itself
MAX_ERROR_ANGSTROM: Final = (
    15.0  # pairs farther apart lie beyond the reach of co-evolution and, soon, of the bins
)
NEAR_ANGSTROM: Final = 15.0  # expected distances that say something of the fold; the reach of lDDT
LDDT_RADIUS_ANGSTROM: Final = 15.0  # Mariani et al. 2013, default inclusion radius
LDDT_THRESHOLDS_ANGSTROM: Final = (0.5, 1.0, 2.0, 4.0)  # Mariani et al. 2013, those of GDT-HA
_SMALLEST_PROBABILITY: Final = (
    1e-6  # half precision on disk rounds smaller ones to zero, whose logarithm has no end
)

Floats = npt.NDArray[np.floating[Any]]
Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class DistanceScores:
    """What can be said of the distances that one distogram predicts; NaN where no pair counts."""

    error: float
    """`distance_error`, Å."""
    lddt: float
    """`lddt`, the published measure."""
    lddt_far: float
    """`lddt` of pairs at least `MIN_SEPARATION` apart in the chain."""
    log_likelihood: float
    """`distogram_log_likelihood`, nats a pair."""
    spread_correlation: float
    """`spread_correlation` of the pairs expected closer than `NEAR_ANGSTROM`."""
    spread_correlation_all: float
    """`spread_correlation` of all pairs."""


def distance_scores(prediction: Prediction, distances: Floats) -> DistanceScores:
    """Score the distogram of a prediction against `distances` `[L, L]`; raises PredictionError when shapes disagree."""
    expected, edges = prediction.expected_distance, prediction.bin_edges
    maps, end = (prediction.distance_std, expected, distances), float(edges[-1])
    return DistanceScores(
        error=distance_error(expected, distances),
        lddt=lddt(expected, distances),
        lddt_far=lddt(expected, distances, min_separation=MIN_SEPARATION),
        log_likelihood=distogram_log_likelihood(prediction.distogram_probs, edges, distances),
        spread_correlation=spread_correlation(
            *maps, saturation_angstrom=end, expected_below_angstrom=NEAR_ANGSTROM
        ),
        spread_correlation_all=spread_correlation(*maps, saturation_angstrom=end),
    )


def known_pairs(
    distances: Floats, *, min_separation: int = MIN_SEPARATION, below_angstrom: float = np.inf
) -> Pairs:
    """i and j of the pairs i < j at least `min_separation` apart in the chain, truly nearer than `below_angstrom`."""
    first, second = np.triu_indices(len(distances), k=max(min_separation, 1))
    keep = distances[first, second] < below_angstrom  # False for NaN
    return first[keep], second[keep]


def distance_error(
    expected: Floats,
    distances: Floats,
    *,
    below_angstrom: float = MAX_ERROR_ANGSTROM,
    min_separation: int = MIN_SEPARATION,
) -> float:
    """Mean |expected − true| in Å over the pairs truly nearer than `below_angstrom`; NaN without any.

    Both `[L, L]`. Pairs are chosen by the truth, so that no prediction can leave out those it is bad at. Raises
    PredictionError when shapes disagree.
    """
    _check_shapes(expected, distances)
    pairs = known_pairs(distances, min_separation=min_separation, below_angstrom=below_angstrom)
    return _mean(np.abs(expected[pairs].astype(np.float64) - distances[pairs]))


def residue_lddt(expected: Floats, distances: Floats, *, min_separation: int = 1) -> npt.NDArray[np.float64]:
    """Local distance difference test `[L]` in [0, 1], one point a residue; NaN where no pair of a residue counts.

    Mariani et al. 2013 (doi 10.1093/bioinformatics/btt473): of the pairs of a residue truly nearer than 15 Å, the share
    that is kept to within 0.5, 1, 2 and 4 Å, averaged over the four. It compares distances alone: `expected` `[L, L]`
    may be of a distogram, which no structure has to realise; one that saturates does so at 20 Å, beyond the radius.
    `min_separation` 1 is the published measure; larger leaves out the neighbours in the chain, which are easy. Raises
    PredictionError when shapes disagree.
    """
    _check_shapes(expected, distances)
    first, second = known_pairs(distances, min_separation=min_separation, below_angstrom=LDDT_RADIUS_ANGSTROM)
    error = np.abs(expected[first, second].astype(np.float64) - distances[first, second])
    kept = (error[:, None] < np.array(LDDT_THRESHOLDS_ANGSTROM)).mean(axis=1)
    ends = np.concatenate([first, second])
    length = len(distances)
    counts = np.bincount(ends, minlength=length)
    totals = np.bincount(ends, weights=np.concatenate([kept, kept]), minlength=length)
    return np.divide(totals, counts, out=np.full(length, np.nan), where=counts > 0)


def lddt(expected: Floats, distances: Floats, *, min_separation: int = 1) -> float:
    """Mean of `residue_lddt` over the residues that have one; NaN without any."""
    values = residue_lddt(expected, distances, min_separation=min_separation)
    return _mean(values[~np.isnan(values)])


def distogram_log_likelihood(
    probs: Floats, bin_edges: Floats, distances: Floats, *, min_separation: int = MIN_SEPARATION
) -> float:
    """Mean ln P(bin of the true distance) over the known pairs, in nats a pair, at most 0; NaN without any.

    `probs` `[L, L, K]`, `bin_edges` `[K - 1]` Å as in `Prediction`; a probability below 1e-6 counts as that. Raises
    PredictionError when shapes disagree.
    """
    if probs.shape != (*distances.shape, len(bin_edges) + 1):
        raise PredictionError(
            f"a distogram {probs.shape} does not fit distances {distances.shape} and {len(bin_edges)} edges of bins"
        )
    first, second = known_pairs(distances, min_separation=min_separation)
    true = distance_bins(distances[first, second], bin_edges)
    return _mean(np.log(np.maximum(probs[first, second, true].astype(np.float64), _SMALLEST_PROBABILITY)))


def distance_bins(distances: Floats, bin_edges: Floats) -> npt.NDArray[np.intp]:
    """The bin of each distance in Å; bin k is [edge k-1, edge k)."""
    return np.searchsorted(bin_edges, distances, side="right")


def spread_correlation(
    std: Floats,
    expected: Floats,
    distances: Floats,
    *,
    saturation_angstrom: float,
    expected_below_angstrom: float = np.inf,
    min_separation: int = MIN_SEPARATION,
) -> float:
    """Spearman's correlation of a distogram's spread with its error |expected − true| over the known pairs.

    All `[L, L]` Å. Pairs are chosen by the prediction (`expected_below_angstrom`), as who uses it has to. Distances
    beyond `saturation_angstrom`, where the bins end, count as that, expected and true ones. NaN when fewer than two
    pairs count, or all are alike. Raises PredictionError when shapes disagree.
    """
    _check_shapes(expected, distances)
    _check_shapes(std, distances)
    first, second = known_pairs(distances, min_separation=min_separation)
    chosen = expected[first, second] < expected_below_angstrom
    pairs = first[chosen], second[chosen]
    said, true = (
        np.minimum(table[pairs].astype(np.float64), saturation_angstrom) for table in (expected, distances)
    )
    return rank_correlation(std[pairs], np.abs(said - true))


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's ρ of two arrays `[n]`, equal values sharing their mean rank; NaN where it is not defined."""
    if len(first) < 2:
        return float("nan")
    a, b = _ranks(first), _ranks(second)
    a -= a.mean()
    b -= b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")


def _ranks(values: Floats) -> npt.NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = last - (counts - 1) / 2
    return np.asarray(mean_rank[place], dtype=np.float64)


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _check_shapes(predicted: Floats, distances: Floats) -> None:
    if predicted.shape != distances.shape or predicted.ndim != 2 or predicted.shape[0] != predicted.shape[1]:
        raise PredictionError(
            f"predicted {predicted.shape} and true distances {distances.shape} must be the same [L, L]"
        )
