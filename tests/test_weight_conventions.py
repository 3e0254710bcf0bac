"""Weights as other programs define them, and Henikoff's: hand-computed values and the obvious loops."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.alphabet import GAP, UNKNOWN, encode
from data_tools.weights import (
    henikoff_weights,
    sequence_weights,
    weights_alphafold,
    weights_evcouplings,
    weights_plmc,
    weights_without_gaps,
)

Tokens = npt.NDArray[np.uint8]
Weigh = Callable[[Tokens], npt.NDArray[np.floating]]

ALL: dict[str, Weigh] = {
    "evcouplings": weights_evcouplings,
    "plmc": weights_plmc,
    "without_gaps": weights_without_gaps,
    "alphafold": weights_alphafold,
    "henikoff": henikoff_weights,
    "henikoff with gaps": lambda tokens: henikoff_weights(tokens, gaps_are_symbols=True),
}


def table(*rows: str) -> Tokens:
    return np.stack([encode(row) for row in rows])


def fragments(depth: int, length: int, seed: int) -> Tokens:
    """Relatives of two ancestors with gaps, end gaps and X."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 20, (2, length))[rng.integers(0, 2, depth)]
    is_mutated = rng.random((depth, length)) < rng.random((depth, 1)) * 0.5
    tokens = np.where(is_mutated, rng.integers(0, 22, (depth, length)), tokens)
    for row in tokens[1:]:
        start, stop = np.sort(rng.integers(0, length + 1, 2))
        row[:start] = GAP
        row[stop:] = GAP
    return tokens.astype(np.uint8)


def test_evcouplings_reads_x_as_a_gap_and_lets_gaps_match() -> None:
    tokens = table("AXXXX", "A----", "CDEFG")
    assert weights_evcouplings(tokens).tolist() == [0.5, 0.5, 1.0]
    assert sequence_weights(tokens).tolist() == [1.0, 1.0, 1.0]


def test_without_x_evcouplings_and_plmc_weigh_as_we_do() -> None:
    tokens = fragments(60, 40, seed=1)
    tokens[tokens == UNKNOWN] = GAP
    np.testing.assert_array_equal(weights_evcouplings(tokens), sequence_weights(tokens))
    np.testing.assert_array_equal(weights_plmc(tokens, theta=0.38), sequence_weights(tokens, identity=0.62))


def test_plmc_counts_a_divergence_of_theta_as_alike_and_leaves_out_rows_with_x() -> None:
    tokens = table("ACDEF", "ACDEG", "ACDGG", "ACDEX")
    assert weights_plmc(tokens).tolist() == pytest.approx(
        [1 / 2, 1 / 3, 1 / 2, 0.0]
    )  # as without the last row
    assert weights_plmc(tokens, theta=0.4).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0])
    assert weights_plmc(table("AXC", "XXX")).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("theta", [-0.1, 1.0, 80, math.nan])
def test_a_theta_that_is_no_divergence_is_refused(theta: float) -> None:
    with pytest.raises(ValueError, match="theta must be a fraction"):
        weights_plmc(table("ACD"), theta=theta)


def test_without_gaps_a_fragment_has_neighbours_but_is_none_itself() -> None:
    # The fragment's 4 residues are all in the first row; of that row's 8, only 4 are in the fragment.
    tokens = table("ACDEFGHI", "ACDE----", "--------", "WWWWWWWW")
    assert weights_without_gaps(tokens).tolist() == [1.0, 0.5, 0.0, 1.0]
    assert weights_without_gaps(tokens, identity=0.5).tolist() == [0.5, 0.5, 0.0, 1.0]


def test_alphafold_divides_by_the_columns_with_a_residue_in_either() -> None:
    # 4 matches of 5 columns that either covers: 80 %. The last column is a gap in both and counts for nothing.
    tokens = table("ACDEF-", "ACDE--", "AC----", "------")
    assert weights_alphafold(tokens).tolist() == [0.5, 0.5, 1.0, 0.0]
    assert weights_alphafold(tokens, identity=0.5).tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 2, 0.0])


def test_henikoff_weights_of_the_papers_kind_of_example() -> None:
    # Columns: G G G A A -> 1/6 and 1/4; Y F Y Y Y -> 1/8 and 1/2; (of 4 and 5 rows, computed by hand)
    tokens = table("GY", "GF", "GY", "AY", "AY")
    expected = np.array([1 / 6 + 1 / 8, 1 / 6 + 1 / 2, 1 / 6 + 1 / 8, 1 / 4 + 1 / 8, 1 / 4 + 1 / 8]) / 2
    np.testing.assert_allclose(henikoff_weights(tokens), expected, rtol=1e-12)


def test_henikoff_skips_gaps_or_counts_them_and_never_counts_x() -> None:
    tokens = table("AC", "A-", "AX")
    # 1/3 each from the first column; the second gives 1 to C; with gaps as symbols, 1/2 to C and 1/2 to the gap.
    np.testing.assert_allclose(henikoff_weights(tokens), np.array([4, 1, 1]) / 6)
    np.testing.assert_allclose(henikoff_weights(tokens, gaps_are_symbols=True), np.array([5, 5, 2]) / 12)
    assert henikoff_weights(table("XX", "--")).tolist() == [0.5, 0.5]


def loop(tokens: Tokens, is_alike: Callable[[int, int, int, int], bool], *, x_is_gap: bool) -> list[float]:
    """1 / number alike; `is_alike(matches, residues of i, residues of j, shared columns)`."""
    rows = np.where(tokens == UNKNOWN, GAP, tokens).tolist() if x_is_gap else tokens.tolist()
    weights = []
    for one in rows:
        alike = 0
        for other in rows:
            both = [(a, b) for a, b in zip(one, other, strict=True) if a != GAP and b != GAP]
            matches = sum(a == b for a, b in both)
            residues = [sum(a != GAP for a in row) for row in (one, other)]
            alike += bool(matches) and is_alike(matches, *residues, len(both))
        weights.append(1 / alike if alike else 0.0)
    return weights


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 70), st.integers(1, 140), st.integers(0, 2**32), st.sampled_from([0.3, 0.62, 0.8, 1.0]))
def test_weights_by_residues_are_those_of_the_obvious_loop(
    depth: int, length: int, seed: int, identity: float
) -> None:
    tokens = fragments(depth, length, seed)
    nearly = identity - 1e-11
    own = loop(tokens, lambda matches, one, other, shared: matches >= nearly * one, x_is_gap=True)
    either = loop(
        tokens, lambda matches, one, other, shared: matches >= nearly * (one + other - shared), x_is_gap=False
    )
    np.testing.assert_array_equal(
        weights_without_gaps(tokens, identity=identity), np.array(own, dtype=np.float32)
    )
    np.testing.assert_array_equal(
        weights_alphafold(tokens, identity=identity), np.array(either, dtype=np.float32)
    )


def test_tiles_join_without_a_seam_where_alikeness_is_not_mutual() -> None:
    tokens = fragments(4300, 12, seed=3)
    tokens[tokens == UNKNOWN] = GAP
    is_residue = tokens != GAP
    counts = [
        (
            ((tokens == row) & is_residue & (row != GAP)).sum(axis=1)
            >= max(0.8 * (row != GAP).sum() - 1e-9, 1)
        ).sum()
        for row in tokens
    ]
    expected = [1 / count if count else 0.0 for count in counts]
    np.testing.assert_array_equal(weights_without_gaps(tokens), np.array(expected, dtype=np.float32))


@pytest.mark.parametrize("name", ALL)
def test_every_weight_follows_its_row(name: str) -> None:
    tokens = fragments(80, 30, seed=9)
    order = np.random.default_rng(4).permutation(80)
    np.testing.assert_allclose(ALL[name](tokens[order]), ALL[name](tokens)[order], rtol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_every_weight_lies_in_zero_to_one_and_copies_share_theirs(name: str) -> None:
    tokens = fragments(50, 30, seed=2)
    weights = ALL[name](tokens)
    assert ((weights >= 0) & (weights <= 1)).all()
    doubled = ALL[name](np.concatenate([tokens, tokens]))
    np.testing.assert_allclose(doubled[:50] + doubled[50:], weights, rtol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_table_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="non-empty uint8"):
        ALL[name](np.zeros((0, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="token 32 does not fit"):
        ALL[name](np.full((2, 3), 32, dtype=np.uint8))


@pytest.mark.parametrize("weigh", [weights_evcouplings, weights_without_gaps, weights_alphafold])
def test_an_identity_that_is_no_fraction_is_refused(weigh: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="identity must be a fraction"):
        weigh(table("ACD"), identity=80)
