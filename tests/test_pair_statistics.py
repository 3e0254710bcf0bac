"""Frequencies and covariance against loops over sequences and columns, in float64."""

from __future__ import annotations

import importlib.util

import numpy as np
import numpy.typing as npt
import pytest

from data_tools.alphabet import AMINO_ACIDS, GAP, UNKNOWN
from data_tools.pair_statistics import (
    covariance,
    one_hot_states,
    pair_frequencies,
    pseudocount_share,
    single_frequencies,
    to_states,
)

Q = 21
AGREEMENT = 2.5e-6  # float32 sums of N rows
HAS_NUMBA = importlib.util.find_spec("numba") is not None
KERNELS = [
    "numpy",
    pytest.param("numba", marks=pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")),
]
Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def random_alignment(depth: int, length: int) -> Pair:
    rng = np.random.default_rng([depth, length])
    return rng.integers(0, 22, (depth, length), dtype=np.uint8), rng.uniform(0.05, 1, depth).astype(
        np.float32
    )


def plain_pairs(tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32], share: float) -> npt.NDArray:
    """f_ij(a, b) `[L, 21, L, 21]`, with a share of pseudocount, one sequence and one pair at a time."""
    depth, length = tokens.shape
    pairs = np.zeros((length, Q, length, Q))
    for n in range(depth):
        states = [20 if token in (GAP, UNKNOWN) else int(token) for token in tokens[n]]
        for i in range(length):
            for j in range(length):
                pairs[i, states[i], j, states[j]] += float(weights[n]) / float(weights.sum(dtype=np.float64))
    for i in range(length):
        for j in range(length):
            uniform = np.eye(Q) / Q if i == j else np.full((Q, Q), 1 / Q**2)
            pairs[i, :, j, :] = (1 - share) * pairs[i, :, j, :] + share * uniform
    return pairs


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("depth", "length"), [(1, 4), (40, 7), (300, 3)])
def test_pair_frequencies_equal_the_loop(depth: int, length: int, share: float, kernel: str) -> None:
    tokens, weights = random_alignment(depth, length)
    found = pair_frequencies(tokens, weights, pseudocount=share, kernel=kernel)  # type: ignore[arg-type]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain_pairs(tokens, weights, share), atol=AGREEMENT, rtol=0)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_single_frequencies_are_the_diagonal_of_the_pair_frequencies(share: float) -> None:
    tokens, weights = random_alignment(40, 7)
    pairs = plain_pairs(tokens, weights, share)
    expected = np.array([np.diag(pairs[i, :, i, :]) for i in range(7)])
    found = single_frequencies(tokens, weights, pseudocount=share)
    np.testing.assert_allclose(found, expected, atol=AGREEMENT, rtol=0)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_covariance_is_that_of_the_one_hot_states(share: float, kernel: str) -> None:
    tokens, weights = random_alignment(60, 5)
    found = covariance(tokens, weights, pseudocount=share, kernel=kernel)  # type: ignore[arg-type]
    pairs = plain_pairs(tokens, weights, share)
    single = np.array([np.diag(pairs[i, :, i, :]) for i in range(5)]).ravel()
    expected = pairs.reshape(5 * Q, 5 * Q) - np.outer(single, single)
    np.testing.assert_allclose(found.reshape(5 * Q, 5 * Q), expected, atol=AGREEMENT, rtol=0)
    assert np.linalg.eigvalsh(found.reshape(5 * Q, 5 * Q).astype(np.float64)).min() > -1e-6
    if not share:  # numpy's own covariance, weighted
        table = one_hot_states(to_states(tokens)).reshape(60, -1)
        np.testing.assert_allclose(expected, np.cov(table.T, aweights=weights, ddof=0), atol=1e-6)


def test_frequencies_by_hand() -> None:
    tokens = np.array([[0, 1], [0, UNKNOWN], [2, GAP]], dtype=np.uint8)
    weights = np.array([1.0, 0.5, 0.5], np.float32)
    single = single_frequencies(tokens, weights)
    assert {(i, a): float(single[i, a]) for i, a in np.argwhere(single)} == {
        (0, 0): 0.75,
        (0, 2): 0.25,
        (1, 1): 0.5,
        (1, 20): 0.5,
    }
    pairs = pair_frequencies(tokens, weights, kernel="numpy")
    np.testing.assert_allclose(
        [pairs[0, 0, 1, 1], pairs[0, 0, 1, 20], pairs[0, 2, 1, 20], pairs[0, 2, 1, 1], pairs[1, 20, 1, 20]],
        [0.5, 0.25, 0.25, 0, 0.5],
        atol=1e-7,
    )


def test_a_pseudocount_of_sequences_is_a_share_of_the_effective_number() -> None:
    """(counts + c / q) / (Neff + c), the usual formula, is the mixture with share c / (Neff + c)."""
    tokens, weights = random_alignment(9, 3)
    neff = float(weights.sum(dtype=np.float64))
    share = pseudocount_share(weights, 1.5)
    expected = (single_frequencies(tokens, weights) * neff + 1.5 / Q) / (neff + 1.5)
    np.testing.assert_allclose(single_frequencies(tokens, weights, pseudocount=share), expected, atol=1e-6)
    with pytest.raises(ValueError, match="at least 0 sequences, not -1"):
        pseudocount_share(weights, -1)


def test_states_follow_the_order_of_the_letters() -> None:
    order = "ARNDCQEGHILKMFPSTWYV"
    states = to_states(np.arange(22, dtype=np.uint8), order)
    assert [order[state] for state in states[:20]] == list(AMINO_ACIDS)
    assert states[20:].tolist() == [20, 20]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("function", [single_frequencies, pair_frequencies, covariance])
def test_a_share_outside_0_to_1_is_refused(function: object, share: float) -> None:
    with pytest.raises(ValueError, match="share between 0 and 1"):
        function(*random_alignment(3, 4), pseudocount=share)  # type: ignore[operator]


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="'auto', 'numpy' or 'numba', not 'fast'"):
        pair_frequencies(*random_alignment(3, 4), kernel="fast")  # type: ignore[arg-type]


def test_a_missing_numba_is_named_with_its_remedy_and_auto_does_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("data_tools.pair_statistics._WORTH_COMPILING", 0)
    monkeypatch.setattr("data_tools.pair_statistics._compiled_count_pairs", None)  # calling it would fail
    tokens, weights = random_alignment(3, 4)
    with pytest.raises(ValueError, match=r"needs numba: pip install 'msaformer\[fast\]'"):
        pair_frequencies(tokens, weights, kernel="numba")
    pair_frequencies(tokens, weights)


@pytest.mark.parametrize(
    ("kernel", "worth", "is_compiled"),
    [("numba", 1e9, True), ("auto", 1e9, False), ("auto", 1, True), ("numpy", 1, False)],
)
def test_the_kernel_asked_for_is_taken(
    kernel: str, worth: float, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr("data_tools.pair_statistics._WORTH_COMPILING", worth)
    monkeypatch.setattr(
        "data_tools.pair_statistics._compiled_count_pairs", lambda: lambda *arrays: calls.append("compiled")
    )
    pair_frequencies(*random_alignment(3, 4), kernel=kernel)  # type: ignore[arg-type]
    assert bool(calls) == is_compiled
