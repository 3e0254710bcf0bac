"""Which residues and sequences a sample is made of, and the scale of its maps."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.weights import sample_rows
from msaformer.data.cropping import crop_residues, draw_depth, standardize_maps


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("length", [1, 7, 16])
def test_a_protein_no_longer_than_the_crop_is_taken_whole(length: int) -> None:
    np.testing.assert_array_equal(crop_residues(length, 16, 0.5, rng()), np.arange(length))


def test_one_stretch_is_contiguous_and_starts_anywhere() -> None:
    generator = rng(1)
    starts = set()
    for _ in range(300):
        residues = crop_residues(12, 8, 0.0, generator)
        np.testing.assert_array_equal(np.diff(residues), 1)
        assert len(residues) == 8
        starts.add(int(residues[0]))
    assert starts == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("length", [17, 40])
def test_two_stretches_ascend_without_overlap_and_reach_both_ends(length: int) -> None:
    generator = rng(2)
    seen: set[int] = set()
    for _ in range(500):
        residues = crop_residues(length, 16, 1.0, generator)
        assert len(residues) == 16
        steps = np.diff(residues)
        assert (steps >= 1).all()
        assert np.count_nonzero(steps > 1) <= 1
        assert steps[7] == steps.max()  # the gap stands between two halves of 8
        seen |= set(residues.tolist())
    assert seen == set(range(length))


def test_the_share_of_two_stretches_is_as_asked() -> None:
    generator = rng(3)
    gaps = [np.diff(crop_residues(200, 20, 0.3, generator)).max() > 1 for _ in range(2000)]
    assert np.mean(gaps) == pytest.approx(0.3, abs=0.04)  # standard error 0.01


def test_all_sequences_are_kept_in_order_when_there_are_few() -> None:
    np.testing.assert_array_equal(sample_rows(np.ones(5, np.float32), 5, rng()), np.arange(5))
    np.testing.assert_array_equal(sample_rows(np.ones(5, np.float32), 9, rng()), np.arange(5))


def test_the_query_comes_first_and_no_sequence_comes_twice() -> None:
    weights = rng(4).uniform(0.01, 1, 30).astype(np.float32)
    weights[0] = 1e-3
    generator = rng(5)
    for depth in (1, 2, 7, 29):
        rows = sample_rows(weights, depth, generator)
        assert rows[0] == 0
        assert len(rows) == depth
        assert (np.diff(rows) > 0).all()
        assert rows[-1] < 30


def test_sequences_are_drawn_in_proportion_to_their_weights() -> None:
    weights = np.array([1, 0.5, 0.1, 0.25, 0.15], np.float32)
    generator = rng(6)
    drawn = np.bincount([sample_rows(weights, 2, generator)[1] for _ in range(4000)], minlength=5)
    np.testing.assert_allclose(drawn / 4000, [0, 0.5, 0.1, 0.25, 0.15], atol=0.03)  # standard error 0.008


def test_the_second_draw_is_in_proportion_among_those_left() -> None:
    weights = np.array([1, 0.6, 0.3, 0.1], np.float32)
    generator = rng(7)
    left_out = np.bincount([6 - sample_rows(weights, 3, generator).sum() for _ in range(4000)], minlength=4)
    # P(1 and 2) = .6 · .3/.4 + .3 · .6/.7 = 0.7071 leaves 3 out; P(1 and 3) = .6 · .1/.4 + .1 · .6/.9 = 0.2167
    np.testing.assert_allclose(left_out / 4000, [0, 1 - 0.7071 - 0.2167, 0.2167, 0.7071], atol=0.03)


def test_the_depth_is_full_in_a_share_of_the_draws_and_log_uniform_in_the_rest() -> None:
    generator = rng(8)
    assert {draw_depth(64, 1, 1.0, generator) for _ in range(50)} == {64}
    depths = np.array([draw_depth(64, 4, 0.0, generator) for _ in range(4000)])
    assert (depths.min(), depths.max()) == (4, 64)
    assert np.median(depths) == pytest.approx(16, abs=1)  # the geometric mean of 4 and 64
    shares = np.array([draw_depth(64, 1, 0.7, generator) == 64 for _ in range(2000)])
    assert shares.mean() == pytest.approx(0.7, abs=0.04)
    assert draw_depth(1, 1, 0.0, generator) == 1


def test_maps_have_mean_0_and_spread_1_over_the_pairs_4_and_more_apart() -> None:
    maps = rng(9).normal(3.0, 0.2, (30, 30, 2)).astype(np.float32)
    maps = maps + maps.transpose(1, 0, 2)
    maps[..., 1] *= 100
    scaled = standardize_maps(maps)
    first, second = np.triu_indices(30, 4)
    values = scaled[first, second]
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-4)
    np.testing.assert_array_equal(scaled, scaled.transpose(1, 0, 2))
    np.testing.assert_array_equal(np.diagonal(scaled), 0)
    np.testing.assert_allclose(
        scaled[2, 3] - scaled[2, 4], (maps[2, 3] - maps[2, 4]) / maps[first, second].std(0), rtol=1e-3
    )


def test_an_outlier_is_bounded() -> None:
    maps = rng(10).normal(0, 1e-3, (60, 60, 1)).astype(np.float32)
    maps = maps + maps.transpose(1, 0, 2)
    maps[5, 50] = maps[50, 5] = 1e4
    assert standardize_maps(maps)[5, 50, 0] == 30
    assert standardize_maps(-maps)[5, 50, 0] == -30


@pytest.mark.parametrize("length", [1, 4, 12])
def test_a_map_without_spread_is_zero(length: int) -> None:
    maps = np.full((length, length, 2), 0.7, np.float32)
    maps += rng(11).normal(0, 1e-7, maps.shape).astype(np.float32)  # the rounding of copies of one sequence
    np.testing.assert_array_equal(standardize_maps(maps), 0)
