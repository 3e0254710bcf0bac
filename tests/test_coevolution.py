"""Co-evolution maps against the formula written out in plain loops, in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from data_tools.alphabet import GAP, UNKNOWN
from data_tools.coevolution import average_product_correction, mean_field_dca, mutual_information_apc

Q = 21  # states: 20 amino acids, and gap or X
PSEUDOCOUNT = 0.5
# float32 products and sums of N rows against float64: relative error about 1e-7 · sqrt(N), amplified by the inverse
TOLERANCE = 1e-4

MAPS = [mean_field_dca, mutual_information_apc]


def random_alignment(
    depth: int, length: int, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Tokens with gaps and X, conserved enough to have structure, and weights."""
    rng = np.random.default_rng([seed, depth, length])
    tokens = rng.integers(0, 22, (depth, length), dtype=np.uint8)
    kept = rng.random((depth, length)) < 0.5
    tokens = np.where(kept, rng.integers(0, 20, length, dtype=np.uint8), tokens)
    return tokens, rng.uniform(0.05, 1.0, depth).astype(np.float32)


def state(token: int) -> int:
    return 20 if token in (GAP, UNKNOWN) else int(token)


def pair_frequencies(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """f_ij(a, b) `[L, L, 21, 21]` without pseudocount."""
    depth, length = tokens.shape
    frequencies = np.zeros((length, length, Q, Q))
    total = float(weights.sum(dtype=np.float64))
    for n in range(depth):
        states = [state(token) for token in tokens[n]]
        for i in range(length):
            for j in range(length):
                frequencies[i, j, states[i], states[j]] += float(weights[n]) / total
    return frequencies


def apc(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """s_ij - mean_i mean_j / mean over pairs i ≠ j."""
    length = len(scores)
    row = [sum(scores[i, k] for k in range(length) if k != i) / (length - 1) for i in range(length)]
    mean = sum(row) / length
    corrected = np.zeros_like(scores)
    for i in range(length):
        for j in range(length):
            if i != j:
                corrected[i, j] = scores[i, j] - row[i] * row[j] / mean
    return corrected


def plain_dca(tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Morcos et al. 2011, equations 4 to 8, with the Frobenius norm of Ekeberg et al. 2013, equation 26."""
    length = tokens.shape[1]
    pairs = pair_frequencies(tokens, weights)
    mixed = (1 - PSEUDOCOUNT) * pairs + PSEUDOCOUNT / Q**2
    single = np.zeros((length, Q))
    for i in range(length):
        single[i] = (1 - PSEUDOCOUNT) * np.diag(pairs[i, i]) + PSEUDOCOUNT / Q
        mixed[i, i] = np.diag(single[i])
    covariance = np.zeros((length * (Q - 1), length * (Q - 1)))
    for i in range(length):
        for j in range(length):
            block = mixed[i, j] - np.outer(single[i], single[j])
            covariance[i * 20 : i * 20 + 20, j * 20 : j * 20 + 20] = block[:20, :20]
    inverse = np.linalg.inv(covariance)
    norms = np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            if i != j:
                couplings = np.zeros((Q, Q))  # the gap's are zero in this gauge
                couplings[:20, :20] = -inverse[i * 20 : i * 20 + 20, j * 20 : j * 20 + 20]
                couplings -= couplings.mean(axis=0, keepdims=True)
                couplings -= couplings.mean(axis=1, keepdims=True)
                norms[i, j] = np.sqrt((couplings[:20, :20] ** 2).sum())
    return apc(norms)


def plain_mutual_information(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    pairs = pair_frequencies(tokens, weights)
    length = len(pairs)
    information = np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            first, second = np.diag(pairs[i, i]), np.diag(pairs[j, j])
            for a in range(Q):
                for b in range(Q):
                    if i != j and pairs[i, j, a, b] > 0:
                        ratio = pairs[i, j, a, b] / (first[a] * second[b])
                        information[i, j] += pairs[i, j, a, b] * np.log(ratio)
    return apc(information)


@pytest.mark.parametrize(("depth", "length"), [(7, 6), (90, 5), (250, 4), (41, 19)])
def test_mean_field_dca_equals_the_formula_whether_low_rank_or_dense(depth: int, length: int) -> None:
    tokens, weights = random_alignment(depth, length)
    expected = plain_dca(tokens, weights)
    found = mean_field_dca(tokens, weights)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max())


def test_both_ways_to_invert_are_taken() -> None:
    """The sizes above stand on both sides of N + 1 = 20 L."""
    assert 7 + 1 < 20 * 6
    assert 90 + 1 < 20 * 5
    assert 250 + 1 >= 20 * 4
    for depth in (78, 79):  # the two sides of the border, L = 4, of nearly the same alignment
        tokens, weights = random_alignment(79, 4)
        expected = plain_dca(tokens[:depth], weights[:depth])
        np.testing.assert_allclose(
            mean_field_dca(tokens[:depth], weights[:depth]), expected, atol=TOLERANCE * np.abs(expected).max()
        )


@pytest.mark.parametrize(("depth", "length"), [(7, 6), (60, 5), (30, 19)])
def test_mutual_information_equals_the_formula(depth: int, length: int) -> None:
    tokens, weights = random_alignment(depth, length)
    expected = plain_mutual_information(tokens, weights)
    found = mutual_information_apc(tokens, weights)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize(("depth", "length"), [(9, 33), (500, 7)])
def test_maps_are_symmetric_with_a_zero_diagonal(method: object, depth: int, length: int) -> None:
    scores = method(*random_alignment(depth, length))  # type: ignore[operator]
    assert scores.dtype == np.float32
    assert scores.shape == (length, length)
    np.testing.assert_allclose(scores, scores.T, atol=1e-6)
    np.testing.assert_array_equal(np.diag(scores), 0)


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize(("depth", "length"), [(30, 11), (500, 7)])
def test_the_order_of_the_sequences_does_not_matter(method: object, depth: int, length: int) -> None:
    tokens, weights = random_alignment(depth, length)
    order = np.random.default_rng(3).permutation(depth)
    scores, shuffled = method(tokens, weights), method(tokens[order], weights[order])  # type: ignore[operator]
    np.testing.assert_allclose(shuffled, scores, atol=TOLERANCE * np.abs(scores).max())


@pytest.mark.parametrize("method", MAPS)
def test_only_the_ratio_of_the_weights_matters(method: object) -> None:
    tokens, weights = random_alignment(30, 11)
    scores = method(tokens, weights)  # type: ignore[operator]
    scaled = method(tokens, weights * np.float32(0.01))  # type: ignore[operator]
    np.testing.assert_allclose(scaled, scores, atol=TOLERANCE * np.abs(scores).max())


@pytest.mark.parametrize("method", MAPS)
def test_gap_and_unknown_are_one_state(method: object) -> None:
    tokens, weights = random_alignment(30, 11)
    replaced = np.where(tokens == UNKNOWN, np.uint8(GAP), tokens)
    assert (replaced != tokens).any()
    np.testing.assert_array_equal(method(tokens, weights), method(replaced, weights))  # type: ignore[operator]


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize("depth", [60, 900])
def test_a_planted_coupling_ranks_first(method: object, depth: int) -> None:
    rng = np.random.default_rng(4)
    tokens = rng.integers(0, 20, (depth, 20), dtype=np.uint8)
    coupled = rng.random(depth) < 0.9
    tokens[:, 15] = np.where(coupled, (tokens[:, 3] * 7 + 2) % 20, tokens[:, 15])
    scores = method(tokens, np.ones(depth, np.float32))  # type: ignore[operator]
    best = np.unravel_index(np.argmax(np.triu(scores)), scores.shape)
    assert [int(place) for place in best] == [3, 15]
    others = np.triu(scores, 1)
    others[3, 15] = 0
    assert scores[3, 15] > 2 * others.max()


def test_mean_field_dca_tells_direct_couplings_from_indirect_better_than_mutual_information() -> None:
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, 20, (900, 12), dtype=np.uint8)
    for left, right in ((2, 5), (5, 9)):
        copied = rng.random(900) < 0.8
        tokens[:, right] = np.where(copied, tokens[:, left], tokens[:, right])
    contrast = {}
    for method in MAPS:
        scores = method(tokens, np.ones(900, np.float32))
        contrast[method] = min(scores[2, 5], scores[5, 9]) / scores[2, 9]
    assert contrast[mean_field_dca] > 2
    assert contrast[mean_field_dca] > 1.2 * contrast[mutual_information_apc]


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize(("depth", "length"), [(1, 9), (1, 1), (40, 1)])
def test_one_sequence_or_one_residue_tells_nothing(method: object, depth: int, length: int) -> None:
    scores = method(*random_alignment(depth, length))  # type: ignore[operator]
    np.testing.assert_array_equal(scores, np.zeros((length, length), np.float32))


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize("symbol", [4, GAP, UNKNOWN])
@pytest.mark.parametrize("depth", [2, 5, 700])
def test_copies_of_one_sequence_tell_nothing(method: object, symbol: int, depth: int) -> None:
    tokens = np.full((depth, 8), symbol, np.uint8)
    scores = method(tokens, np.full(depth, 1 / depth, np.float32))  # type: ignore[operator]
    np.testing.assert_allclose(scores, 0, atol=1e-5)  # float32 rounding


def test_two_residues_have_no_average_product_to_exceed() -> None:
    np.testing.assert_allclose(average_product_correction(np.array([[9.0, 2.0], [2.0, 9.0]])), 0)


def test_average_product_correction_by_hand() -> None:
    scores = np.array([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]])
    # row means over two others: 1.5, 2, 2.5; their mean: 2
    expected = [[0, 1 - 1.5, 2 - 1.875], [-0.5, 0, 3 - 2.5], [0.125, 0.5, 0]]
    np.testing.assert_allclose(average_product_correction(scores), expected)


@pytest.mark.parametrize("pseudocount", [0.0, 1.0, -0.1, float("nan")])
def test_a_pseudocount_outside_0_to_1_is_refused(pseudocount: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_field_dca(*random_alignment(3, 4), pseudocount=pseudocount)
