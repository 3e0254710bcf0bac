"""Scores of any file against a structure: what is not listed is not ranked, and costs recall only."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from report_cases import chain_like_positions, make_truth

from msaformer.calibration import reliability
from msaformer.errors import PredictionError
from msaformer.metrics import precision_table
from msaformer.pair_scores import PairScores
from msaformer.report.score_comparison import compare

LENGTH = 60
TRUTH = make_truth(chain_like_positions(LENGTH), lost=(4,))


def scores(is_listed: np.ndarray | None = None, *, seed: int = 0, negative: bool = False) -> PairScores:
    """Seeded scores, all pairs listed unless said otherwise; 0 where not listed."""
    values = np.random.default_rng(seed).random((LENGTH, LENGTH)).astype(np.float32) - (2 if negative else 0)
    values = (values + values.T) / 2
    listed = np.ones((LENGTH, LENGTH), dtype=bool) if is_listed is None else is_listed
    return PairScores("x", "m", np.where(listed, values, 0).astype(np.float32), listed, not negative)


def listing(*pairs: tuple[int, int]) -> np.ndarray:
    listed = np.zeros((LENGTH, LENGTH), dtype=bool)
    for i, j in pairs:
        listed[i, j] = listed[j, i] = True
    return listed


def test_a_file_that_lists_all_pairs_is_scored_as_a_prediction_is() -> None:
    source = scores()
    found = compare(source, TRUTH)
    assert [row.precision for row in found.ranges] == list(precision_table(source.scores, TRUTH.distances))
    assert found.expected_calibration_error == reliability(source.scores, TRUTH.distances).expected_error
    assert found.num_listed == LENGTH * (LENGTH - 1) // 2
    assert not any(row.is_short(LENGTH) for row in found.ranges)


def test_recall_is_the_share_of_contacts_among_the_best_l() -> None:
    source = scores()
    for row in compare(source, TRUTH).ranges:
        first, second = np.triu_indices(
            LENGTH, k={"short": 6, "medium": 12, "long": 24, "medium_long": 12}[row.precision.range]
        )
        nearest = {"short": 11, "medium": 23}.get(row.precision.range, LENGTH)
        ranked = sorted(
            (-float(source.scores[i, j]), bool(TRUTH.distances[i, j] < 8))
            for i, j in zip(first, second, strict=True)
            if j - i <= nearest and not np.isnan(TRUTH.distances[i, j])
        )
        contacts = sum(hit for _, hit in ranked)
        if contacts == 0:
            assert math.isnan(row.recall_at_l)
        else:
            assert row.recall_at_l == sum(hit for _, hit in ranked[:LENGTH]) / contacts
        assert row.num_ranked == row.precision.num_pairs == len(ranked)


def test_pairs_that_are_not_listed_are_never_ranked_above_listed_negatives() -> None:
    i, j = np.argwhere((TRUTH.distances < 8) & (np.subtract.outer(range(LENGTH), range(LENGTH)) <= -12))[0]
    far = next((a, b) for a in range(LENGTH) for b in range(a + 12, LENGTH) if TRUTH.distances[a, b] > 12)
    row = compare(scores(listing((i, j), far), negative=True), TRUTH).ranges[3]
    assert (row.num_ranked, row.precision.p_at_l) == (2, 0.5)
    assert row.recall_at_l == 1 / row.precision.num_contacts
    assert row.is_short(LENGTH)
    assert not row.is_short(2)


def test_a_file_that_lists_nothing_has_no_precision_and_no_recall() -> None:
    for row in compare(scores(listing()), TRUTH).ranges:
        assert math.isnan(row.precision.p_at_l)
        assert row.recall_at_l == 0 or row.precision.num_contacts == 0
        assert row.num_ranked == 0


def test_calibration_is_of_the_listed_pairs_and_of_probabilities_only() -> None:
    source = scores(listing((0, 20), (1, 30)))
    assert not (TRUTH.distances[[0, 1], [20, 30]] < 8).any()  # so what was said is all wrong
    expected = np.mean([source.scores[0, 20], source.scores[1, 30]])
    assert compare(source, TRUTH).expected_calibration_error == pytest.approx(expected, abs=1e-6)
    assert compare(scores(negative=True), TRUTH).expected_calibration_error is None


def test_a_complex_has_a_row_for_pairs_between_chains() -> None:
    found = compare(scores(), TRUTH, (25, 35))
    assert [row.precision.range for row in found.ranges][-1] == "inter_chain"
    assert found.ranges[-1].num_ranked == 24 * 35  # residue 5 is not resolved


def test_a_structure_of_another_length_is_refused() -> None:
    with pytest.raises(PredictionError, match="scores of 3 residues, the structure was mapped to 60"):
        compare(
            dataclasses.replace(
                scores(), scores=np.zeros((3, 3), np.float32), is_listed=np.ones((3, 3), bool)
            ),
            TRUTH,
        )
