"""Whether predicted probabilities mean what they say: reliability of contacts against a structure (numpy only).

L residues of the query, B bins of probability.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM, top_pairs

NUM_BINS: Final = (
    10  # equal steps of probability, as reliability diagrams are drawn (Guo et al. 2017, section 2)
)
MIN_SEPARATION: Final = 6  # CASP counts pairs at least this far apart

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Of the pairs of each bin of probability: what was said, and what came true."""

    edges: npt.NDArray[np.float64]
    """`[B + 1]`, from 0 to 1; bin b holds edges[b] ≤ p < edges[b + 1], the last also p = 1."""
    mean_prob: npt.NDArray[np.float64]
    """`[B]`, mean predicted probability; NaN in an empty bin."""
    fraction: npt.NDArray[np.float64]
    """`[B]`, share of true contacts; NaN in an empty bin."""
    counts: npt.NDArray[np.int64]
    """`[B]`, pairs of known distance."""

    @property
    def expected_error(self) -> float:
        """Expected calibration error: Σ_b counts_b / Σ counts · |mean_prob_b - fraction_b|; NaN without pairs."""
        total = int(self.counts.sum())
        if total == 0:
            return float("nan")
        gaps = np.abs(np.nan_to_num(self.mean_prob) - np.nan_to_num(self.fraction))
        return float((self.counts * gaps).sum() / total)


def reliability(
    probs: Floats,
    distances: Floats,
    *,
    min_separation: int = MIN_SEPARATION,
    max_separation: int | None = None,
    num_bins: int = NUM_BINS,
    chain_lengths: Sequence[int] = (),
) -> Calibration:
    """Compare `probs` `[L, L]` with `distances` `[L, L]` (Å, NaN = unknown) of pairs i < j so far apart in the chain.

    Pairs of two of the chains of `chain_lengths` (one chain if empty) are, unless there is a `max_separation`.

    Guo et al. 2017 (ICML), equations 1 to 3, with the predicted probability as the confidence. Raises PredictionError
    when shapes disagree or a probability lies outside [0, 1].
    """
    if probs.shape != distances.shape or probs.ndim != 2 or probs.shape[0] != probs.shape[1]:
        raise PredictionError(
            f"probabilities {probs.shape} and distances {distances.shape} must be the same [L, L]"
        )
    first, second = top_pairs(
        probs, min_separation=min_separation, max_separation=max_separation, chain_lengths=chain_lengths
    )
    said, true = probs[first, second].astype(np.float64), distances[first, second]
    if said.size and not (said.min() >= 0 and said.max() <= 1 + 1e-6):
        raise PredictionError(f"probabilities must lie in [0, 1], not [{said.min():g}, {said.max():g}]")
    known = ~np.isnan(true)
    said, hits = said[known], (true[known] < CONTACT_ANGSTROM).astype(np.float64)
    edges = np.arange(num_bins + 1) / num_bins
    place = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, num_bins - 1)
    counts = np.bincount(place, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        mean_prob = np.bincount(place, weights=said, minlength=num_bins) / counts
        fraction = np.bincount(place, weights=hits, minlength=num_bins) / counts
    return Calibration(edges, mean_prob, fraction, counts)


def pooled(calibrations: Iterable[Calibration]) -> Calibration:
    """That of all pairs together, as of one large protein; raises ValueError without any, or when bins differ."""
    parts = list(calibrations)
    if not parts or any(not np.array_equal(part.edges, parts[0].edges) for part in parts):
        raise ValueError("calibrations can be pooled when there is one at least and all have the same bins")
    counts = np.sum([part.counts for part in parts], axis=0)
    said = np.sum([part.counts * np.nan_to_num(part.mean_prob) for part in parts], axis=0)
    hits = np.sum([part.counts * np.nan_to_num(part.fraction) for part in parts], axis=0)
    with np.errstate(invalid="ignore"):
        return Calibration(parts[0].edges, said / counts, hits / counts, counts)
