"""The bytes that features are said to take, against what numpy allocates while they are made."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from data_tools.alignment import Alignment
from data_tools.couplings import standardized_couplings
from data_tools.features import featurize
from data_tools.features_memory import features_bytes
from data_tools.weights import sampling


def measured(depth: int, length: int, *, couplings: bool) -> int:
    rng = np.random.default_rng(3)
    tokens = np.where(rng.random((depth, length)) < 0.5, np.uint8(3), rng.integers(0, 20, (depth, length)))
    names = tuple(map(str, range(depth)))
    tracemalloc.start()
    try:
        given = Alignment(names, tokens.astype(np.uint8), np.zeros((depth, length), np.uint16))
        features = featurize(given)
        if couplings:
            standardized_couplings(features.tokens, features.weights)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("depth", "length", "couplings"),
    [(300, 60, False), (900, 30, False), (64, 120, True), (400, 50, True), (900, 20, True)],
)
def test_what_is_foretold_is_what_is_taken(depth: int, length: int, couplings: bool) -> None:
    """Never less than nine tenths, so that a run that is said to fit fits, and never twice as much."""
    foretold = features_bytes(depth, length, couplings=couplings)
    taken = measured(depth, length, couplings=couplings)
    assert 0.9 * taken < foretold < 2 * taken


def test_a_limit_of_the_cells_limits_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MAX_CELLS", 300 * 50)
    monkeypatch.setattr("data_tools.features_memory.MAX_CELLS", 300 * 50)
    foretold, taken = features_bytes(900, 50, couplings=True), measured(900, 50, couplings=True)
    assert 0.9 * taken < foretold < 2 * taken


def test_a_protein_of_a_thousand_residues_fits_a_laptop_however_deep_its_alignment() -> None:
    """Its couplings, 0.9 GB in half precision, are made of a table of 1.8 GB."""
    assert 2.6e9 < features_bytes(1_000, 1_000, couplings=True) < 3e9
    assert features_bytes(20_000, 1_000, couplings=True) < 4e9


def test_without_co_evolution_little_more_than_the_alignment_is_held() -> None:
    assert features_bytes(20_000, 1_000, coevolution=False) == 60_080_000
    assert features_bytes(1, 5_000, couplings=True) == 15_004
