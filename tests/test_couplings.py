"""Partial correlations of the states of two residues, against the inverse covariance written plainly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from data_tools.couplings import NUM_COUPLINGS, standardized_couplings
from data_tools.pair_statistics import to_states

Q = 21


def alignment(depth: int, length: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    rng = np.random.default_rng(depth)
    tokens = rng.integers(22, size=(depth, length), dtype=np.uint8)
    return tokens, rng.uniform(0.2, 1, size=depth).astype(np.float32)


def plain(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32], residues: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """`[l, l, 441]` entry by entry."""
    length = tokens.shape[1]
    one_hot = np.eye(Q)[to_states(tokens)].reshape(len(tokens), -1)
    covariance = np.cov(one_hot, rowvar=False, aweights=weights.astype(np.float64), ddof=0)
    inverse = np.linalg.inv(covariance + 4.5 / np.sqrt(weights.sum()) * np.eye(length * Q))
    inverse = inverse.reshape(length, Q, length, Q).transpose(0, 2, 1, 3)
    out = np.zeros((len(residues), len(residues), Q, Q))
    far = []
    for i, j, a, b in np.ndindex(*out.shape):
        x, y = residues[i], residues[j]
        if x != y:
            out[i, j, a, b] = -inverse[x, y, a, b] / np.sqrt(inverse[x, x, a, a] * inverse[y, y, b, b])
        if abs(x - y) >= 4:
            far.append(out[i, j, a, b])
    return np.clip(out / np.sqrt(np.mean(np.square(far))), -30, 30).reshape(*out.shape[:2], Q * Q)


@pytest.mark.parametrize(("depth", "length"), [(9, 6), (200, 6)])
@pytest.mark.parametrize("residues", [range(6), [0, 1, 4, 5]])
def test_the_couplings_are_partial_correlations_low_rank_or_dense(
    depth: int, length: int, residues: list[int]
) -> None:
    tokens, weights = alignment(depth, length)
    chosen = np.array(residues)
    found = standardized_couplings(tokens, weights, chosen)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, plain(tokens, weights, chosen), atol=0.01, rtol=2e-3)


def test_the_pair_seen_from_its_other_end_has_its_states_exchanged() -> None:
    found = standardized_couplings(*alignment(30, 8)).reshape(8, 8, Q, Q)
    np.testing.assert_allclose(found, found.transpose(1, 0, 3, 2), atol=0.01)
    assert not found[np.arange(8), np.arange(8)].any()


def test_residues_of_a_crop_keep_the_couplings_that_the_whole_alignment_gives_them() -> None:
    tokens, weights = alignment(40, 12)
    crop = np.array([0, 1, 2, 9, 10, 11])
    part = standardized_couplings(tokens, weights, crop).astype(np.float64)
    whole = standardized_couplings(tokens, weights)[np.ix_(crop, crop)].astype(np.float64)
    real = whole != 0
    ratio = part[real & (np.abs(whole) > 0.5)] / whole[real & (np.abs(whole) > 0.5)]
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=0.02)  # but for the scale
    assert 0.8 < np.median(ratio) < 1.25


def test_a_pair_far_from_all_others_is_clipped() -> None:
    tokens = np.random.default_rng(0).integers(20, size=(400, 40), dtype=np.uint8)
    tokens[:, [3, 30]] = np.where(np.arange(400) % 2, 2, 5)[:, None]
    found = standardized_couplings(tokens, np.ones(400, np.float32))
    assert found[3, 30].max() == found.max() == 30
    assert found[3, 30].min() == found.min() == -30


@pytest.mark.parametrize(("depth", "length"), [(1, 6), (5, 1), (5, 3)])
def test_what_tells_nothing_is_zero(depth: int, length: int) -> None:
    found = standardized_couplings(*alignment(depth, length))
    assert found.shape == (length, length, NUM_COUPLINGS)
    assert not found.any()


def test_a_penalty_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="penalty must be above 0, not 0"):
        standardized_couplings(*alignment(4, 6), penalty=0)


def test_copies_of_one_sequence_tell_nothing() -> None:
    tokens = np.repeat(alignment(1, 9)[0], 5, axis=0)
    assert not standardized_couplings(tokens, np.full(5, 0.2, np.float32)).any()
