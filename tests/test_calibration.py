"""Reliability of predicted probabilities."""

import numpy as np
import pytest

from msaformer.calibration import pooled, reliability
from msaformer.errors import PredictionError


def symmetric(length, pairs):
    values = np.zeros((length, length))
    for (i, j), value in pairs.items():
        values[i, j] = values[j, i] = value
    return values


def test_bins_hold_what_was_said_and_what_came_true():
    probs = symmetric(9, {(0, 6): 0.05, (0, 7): 0.31, (0, 8): 0.39, (1, 7): 0.35, (1, 8): 1.0, (2, 8): 0.9})
    distances = np.full((9, 9), 20.0)
    for pair in ((0, 7), (1, 8)):
        distances[pair] = 7.9
    distances[2, 8] = np.nan
    found = reliability(probs, distances)
    assert found.counts.tolist() == [1, 0, 0, 3, 0, 0, 0, 0, 0, 1]
    assert found.mean_prob[[0, 3, 9]] == pytest.approx([0.05, 0.35, 1.0])
    assert found.fraction[[0, 3, 9]] == pytest.approx([0, 1 / 3, 1])
    assert np.isnan(found.fraction[1])
    assert found.expected_error == pytest.approx((1 * 0.05 + 3 * (0.35 - 1 / 3) + 0) / 5)


def test_an_edge_belongs_to_the_bin_above():
    found = reliability(symmetric(7, {(0, 6): 0.3}), np.full((7, 7), 5.0))
    assert found.counts[3] == 1


def test_only_the_upper_triangle_far_enough_from_the_diagonal_counts():
    probs = np.full((8, 8), 0.5)
    assert reliability(probs, np.zeros((8, 8))).counts.sum() == 3
    assert reliability(probs, np.zeros((8, 8)), min_separation=1).counts.sum() == 28


def test_pairs_of_two_chains_always_are_far_enough_apart():
    probs = np.full((8, 8), 0.5)
    assert reliability(probs, np.zeros((8, 8)), chain_lengths=(2, 6)).counts.sum() == 12
    assert reliability(probs, np.zeros((8, 8)), chain_lengths=(8,)).counts.sum() == 3
    assert reliability(probs, np.zeros((8, 8)), chain_lengths=(1, 7)).counts.sum() == 7 + 1


def test_without_known_pairs_there_is_no_error():
    assert np.isnan(reliability(np.zeros((3, 3)), np.zeros((3, 3))).expected_error)


def test_what_is_no_probability_is_refused():
    with pytest.raises(PredictionError, match=r"must lie in \[0, 1\], not \[2, 2\]"):
        reliability(np.full((7, 7), 2.0), np.zeros((7, 7)))
    with pytest.raises(PredictionError, match=r"\(7, 7\) and distances \(6, 6\)"):
        reliability(np.zeros((7, 7)), np.zeros((6, 6)))


def test_a_largest_separation_leaves_out_pairs_farther_apart_and_pairs_of_two_chains():
    probs, distances = np.zeros((9, 9)), np.full((9, 9), 5.0)
    assert reliability(probs, distances, max_separation=7).counts.sum() == 3 + 2
    assert reliability(probs, distances, max_separation=7, chain_lengths=(1, 8)).counts.sum() == 2 + 1


def test_pooled_is_the_calibration_of_all_pairs_together():
    rng = np.random.default_rng(5)
    probs = [symmetric(12, {(0, 11): 0.9}), rng.random((12, 12))]
    distances = [rng.random((12, 12)) * 16 for _ in probs]
    together = pooled(map(reliability, probs, distances))
    said = np.concatenate([table[np.triu_indices(12, 6)] for table in probs])
    hits = np.concatenate([table[np.triu_indices(12, 6)] for table in distances]) < 8
    for bin_number in range(10):
        chosen = (said >= bin_number / 10) & (said < (bin_number + 1) / 10)
        assert together.counts[bin_number] == chosen.sum()
        if chosen.any():
            assert together.mean_prob[bin_number] == pytest.approx(said[chosen].mean())
            assert together.fraction[bin_number] == pytest.approx(hits[chosen].mean())
        else:
            assert np.isnan(together.mean_prob[bin_number])


def test_calibrations_of_other_bins_are_not_pooled():
    parts = [reliability(np.zeros((7, 7)), np.zeros((7, 7)), num_bins=bins) for bins in (5, 10)]
    with pytest.raises(ValueError, match="the same bins"):
        pooled(parts)
    with pytest.raises(ValueError, match="one at least"):
        pooled([])
