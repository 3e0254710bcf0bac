"""How well any scores rank the contacts of a structure: precision, recall and calibration by one rule for all methods.

L residues of the query. Ranked are the pairs that a file lists and whose distance is known. A file that lists fewer
pairs of a range than are taken (L, L/2, L/5) is scored on those it lists: what it keeps silent about is no prediction,
neither right nor wrong, but costs recall, which counts all contacts of the structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from msaformer.calibration import reliability
from msaformer.errors import PredictionError
from msaformer.metrics import RangePrecision, precision_table
from msaformer.pair_scores import PairScores
from msaformer.report.truth import Truth


@dataclass(frozen=True, slots=True)
class RangeScore:
    """One range of separations of one file."""

    precision: RangePrecision
    """`num_contacts` and `num_pairs` are the structure's, whatever the file lists."""
    num_ranked: int
    """Pairs of the range that the file lists, of known distance."""
    recall_at_l: float
    """Share of the range's contacts among its L best pairs; NaN where it has none."""

    def is_short(self, count: int) -> bool:
        """Whether the file lists fewer than `count` pairs of the range where the structure has more."""
        return self.num_ranked < min(count, self.precision.num_pairs)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The scores of one file against a structure."""

    ranges: tuple[RangeScore, ...]
    """One for each of `metrics.RANGES`, of a complex and one for pairs between chains."""
    expected_calibration_error: float | None
    """Of the listed pairs at least 6 apart (`msaformer.calibration`); None where scores are no probabilities."""
    num_listed: int
    """Pairs i < j that the file lists."""


def compare(scores: PairScores, truth: Truth, chain_lengths: Sequence[int] = ()) -> Comparison:
    """Score what a file lists; raises PredictionError when it and the structure's mapping have different lengths."""
    if scores.length != truth.length:
        raise PredictionError(
            f"{scores.name}: scores of {scores.length} residues, the structure was mapped to {truth.length}"
        )
    listed = np.where(scores.is_listed, truth.distances, np.float32(np.nan))
    of_file = precision_table(scores.scores, listed, chain_lengths=chain_lengths)
    of_structure = precision_table(scores.scores, truth.distances, chain_lengths=chain_lengths)
    ranges = tuple(
        _range_score(ranked, whole, scores.length)
        for ranked, whole in zip(of_file, of_structure, strict=True)
    )
    error = None
    if scores.are_probabilities:
        error = reliability(scores.scores, listed, chain_lengths=chain_lengths).expected_error
    return Comparison(ranges, error, int(np.triu(scores.is_listed, k=1).sum()))


def _range_score(ranked: RangePrecision, whole: RangePrecision, length: int) -> RangeScore:
    hits = ranked.p_at_l * min(length, ranked.num_pairs) if ranked.num_pairs else 0.0
    return RangeScore(
        precision=RangePrecision(
            range=whole.range,
            p_at_l=ranked.p_at_l,
            p_at_l2=ranked.p_at_l2,
            p_at_l5=ranked.p_at_l5,
            num_contacts=whole.num_contacts,
            num_pairs=whole.num_pairs,
        ),
        num_ranked=ranked.num_pairs,
        recall_at_l=round(hits) / whole.num_contacts if whole.num_contacts else float("nan"),
    )
