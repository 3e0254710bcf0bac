"""The sequences that co-evolution is computed from: all of a usual alignment, a sample by weight of a huge one."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.alignment import Alignment
from data_tools.coevolution import mean_field_dca, mutual_information_apc
from data_tools.couplings import standardized_couplings
from data_tools.features import column_profile, featurize
from data_tools.weights import representatives, sampling, sequence_weights


def family(depth: int, length: int = 12) -> np.ndarray:
    rng = np.random.default_rng(4)
    return rng.integers(0, 20, (depth, length), dtype=np.uint8)


def test_a_usual_alignment_is_used_whole() -> None:
    tokens, weights = family(50), np.ones(50, np.float32)
    found = representatives(tokens, weights)
    assert found[0] is tokens
    assert found[1] is weights
    assert sampling.MAX_CELLS // 300 > 13_000


def test_of_a_huge_alignment_a_sample_is_used_and_weighed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """90 copies of one sequence and 60 unlike: a sample of 40 by weight, which holds hardly a copy twice."""
    monkeypatch.setattr(sampling, "MAX_CELLS", 40 * 12 + 5)
    tokens = family(150)
    tokens[60:] = tokens[60]
    chosen, weights = representatives(tokens, sequence_weights(tokens))
    assert chosen.shape == (40, 12)
    np.testing.assert_array_equal(chosen[0], tokens[0])
    assert (chosen == tokens[60]).all(axis=1).sum() <= 3
    np.testing.assert_array_equal(weights, sequence_weights(chosen))
    np.testing.assert_array_equal(representatives(tokens, sequence_weights(tokens))[0], chosen)

    many_copies, weights = representatives(tokens, np.ones(150, np.float32))
    assert weights.min() < 0.1
    np.testing.assert_array_equal(weights, sequence_weights(many_copies))


def test_no_sequence_is_drawn_twice_and_the_query_comes_first() -> None:
    for depth in (1, 2, 9):
        rows = sampling.sample_rows(np.ones(10, np.float32), depth, np.random.default_rng(depth))
        assert rows[0] == 0
        assert len(set(rows.tolist())) == len(rows) == depth
        assert (np.diff(rows) > 0).all()


def test_maps_and_couplings_come_from_the_sample_and_all_else_from_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampling, "MAX_CELLS", 40 * 12)
    tokens = family(150)
    features = featurize(Alignment(tuple(map(str, range(150))), tokens, np.zeros_like(tokens, np.uint16)))
    sample = representatives(tokens, features.weights)
    np.testing.assert_array_equal(features.coevolution[..., 0], mean_field_dca(*sample))
    np.testing.assert_array_equal(features.coevolution[..., 1], mutual_information_apc(*sample))
    np.testing.assert_array_equal(features.profile, column_profile(tokens, features.weights))
    assert features.depth == len(features.weights) == 150
    np.testing.assert_array_equal(
        standardized_couplings(tokens, features.weights), standardized_couplings(*sample)
    )
