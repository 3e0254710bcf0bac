"""Measures of predicted distances against values worked out by hand and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from msaformer.distance_metrics import (
    distance_error,
    distogram_log_likelihood,
    lddt,
    rank_correlation,
    residue_lddt,
    spread_correlation,
)
from msaformer.errors import PredictionError


def symmetric(rng, length, scale=30.0):
    upper = np.triu(rng.random((length, length)), k=1) * scale
    return upper + upper.T


def test_the_error_is_of_pairs_truly_below_fifteen_angstrom_and_six_apart():
    distances = np.full((10, 10), 20.0)
    expected = distances.copy()
    distances[0, 6], expected[0, 6] = 10.0, 13.0  # counts: off by 3
    distances[1, 9], expected[1, 9] = 14.9, 13.9  # counts: off by 1
    distances[0, 5], expected[0, 5] = 10.0, 99.0  # too near in the chain
    distances[0, 7], expected[0, 7] = 15.0, 99.0  # too far in space
    distances[2, 9], expected[2, 9] = np.nan, 99.0  # not resolved
    assert distance_error(expected, distances) == pytest.approx(2.0)
    assert distance_error(expected, distances, below_angstrom=12) == pytest.approx(3.0)


def test_lddt_by_hand():
    # residue 0 with 1 and 2; residues 1 and 2 are 16 Å apart, beyond the radius
    distances = np.array([[0.0, 5.0, 12.0], [5.0, 0.0, 16.0], [12.0, 16.0, 0.0]])
    expected = distances.copy()
    expected[0, 1] = expected[1, 0] = 5.7  # within 1, 2 and 4 Å: 3/4
    expected[0, 2] = expected[2, 0] = 15.0  # within 4 Å alone: 1/4
    assert residue_lddt(expected, distances).tolist() == [0.5, 0.75, 0.25]
    assert lddt(expected, distances) == 0.5


@pytest.mark.parametrize("min_separation", [1, 6])
def test_lddt_equals_the_plain_loop(min_separation):
    rng = np.random.default_rng(0)
    distances = symmetric(rng, 23)
    expected = distances + symmetric(rng, 23, 12.0) - 6
    distances[4] = distances[:, 4] = np.nan
    found = residue_lddt(expected, distances, min_separation=min_separation)
    for i in range(23):
        kept, counted = 0, 0
        for j in range(23):
            if abs(i - j) >= min_separation and distances[i, j] < 15:
                counted += 4
                kept += sum(abs(expected[i, j] - distances[i, j]) < t for t in (0.5, 1, 2, 4))
        np.testing.assert_allclose(found[i], kept / counted if counted else math.nan)
    assert np.isnan(found[4])


def test_a_perfect_prediction_has_no_error_and_lddt_one():
    distances = symmetric(np.random.default_rng(1), 20)
    assert distance_error(distances, distances) == 0
    assert lddt(distances, distances) == 1


def test_the_likelihood_is_that_of_the_bin_that_holds_the_true_distance():
    edges = np.array([4.0, 8.0])
    distances = np.full((8, 8), np.nan)
    distances[0, 6], distances[0, 7], distances[1, 7] = 3.9, 8.0, 4.0  # bins 0, 2 and 1
    probs = np.zeros((8, 8, 3))
    probs[0, 6], probs[0, 7], probs[1, 7] = (0.5, 0.3, 0.2), (0.7, 0.2, 0.1), (0.75, 0.25, 0.0)
    expected = (math.log(0.5) + math.log(0.1) + math.log(0.25)) / 3
    assert distogram_log_likelihood(probs, edges, distances) == pytest.approx(expected)
    probs[1, 7] = (1.0, 0.0, 0.0)
    assert distogram_log_likelihood(probs, edges, distances) == pytest.approx(
        (math.log(0.5) + math.log(0.1) + math.log(1e-6)) / 3
    )


def test_rank_correlation_by_hand_and_with_ties():
    assert rank_correlation(np.array([1.0, 5.0, 9.0]), np.array([2.0, 30.0, 400.0])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 5.0, 9.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1)
    # ranks 1.5, 1.5, 3, 4 and 1, 2, 3, 4: covariance 4.5, squares 4.5 and 5
    assert rank_correlation(np.array([1.0, 1.0, 2.0, 7.0]), np.arange(4.0)) == pytest.approx(
        4.5 / math.sqrt(4.5 * 5)
    )
    assert math.isnan(rank_correlation(np.array([1.0, 1.0]), np.array([1.0, 2.0])))


def test_the_spread_is_compared_with_the_error_of_the_pairs_expected_to_be_near():
    distances = np.full((12, 12), np.nan)
    expected, std = np.full((12, 12), 21.0), np.zeros((12, 12))
    for j, (error, spread) in enumerate([(1.0, 0.5), (2.0, 1.0), (3.0, 4.0)], start=6):
        distances[0, j], expected[0, j], std[0, j] = 10.0, 10.0 + error, spread
    assert spread_correlation(std, expected, distances, saturation_angstrom=22) == pytest.approx(1)
    std[0, 6] = 9.0  # the smallest error has the largest spread now: ranks 3, 1, 2 against 1, 2, 3
    assert spread_correlation(std, expected, distances, saturation_angstrom=22) == pytest.approx(-0.5)
    near = spread_correlation(std, expected, distances, saturation_angstrom=22, expected_below_angstrom=12.5)
    assert near == pytest.approx(-1)  # without the pair expected at 13 Å


def test_distances_beyond_where_the_bins_end_count_as_that():
    distances, expected, std = np.full((8, 8), np.nan), np.full((8, 8), 21.5), np.zeros((8, 8))
    distances[0, 6], distances[0, 7], distances[1, 7] = 60.0, 19.0, 18.0  # errors 0, 1 and 2 Å
    std[0, 6], std[0, 7], std[1, 7] = 1.0, 2.0, 3.0
    assert spread_correlation(std, expected, distances, saturation_angstrom=20) == pytest.approx(1)


def test_without_a_known_pair_there_is_no_number():
    nothing = np.full((9, 9), np.nan)
    maps = np.zeros((9, 9))
    assert math.isnan(distance_error(maps, nothing))
    assert math.isnan(lddt(maps, nothing))
    assert math.isnan(distogram_log_likelihood(np.ones((9, 9, 2)) / 2, np.array([8.0]), nothing))
    assert math.isnan(spread_correlation(maps, maps, nothing, saturation_angstrom=22))


def test_shapes_that_disagree_are_refused():
    with pytest.raises(PredictionError, match=r"predicted \(3, 3\) and true distances \(4, 4\)"):
        distance_error(np.zeros((3, 3)), np.zeros((4, 4)))
    with pytest.raises(PredictionError, match=r"\(3, 3, 5\) does not fit"):
        distogram_log_likelihood(np.zeros((3, 3, 5)), np.zeros(3), np.zeros((3, 3)))
