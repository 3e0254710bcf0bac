"""Masked-MSA corruption: how much, into what, and what is to be predicted."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.alphabet import MASK, NUM_SYMBOLS
from msaformer.data.batch import NOT_SCORED
from msaformer.data.masking import mask_cells

TOKENS = np.random.default_rng(0).integers(0, NUM_SYMBOLS, (200, 150), dtype=np.uint8)


def test_the_share_of_masked_cells_and_their_fates_are_as_in_bert() -> None:
    corrupted, targets = mask_cells(TOKENS, 0.15, np.random.default_rng(1))
    chosen = targets != NOT_SCORED
    assert chosen.mean() == pytest.approx(0.15, abs=0.01)  # standard error 0.002
    assert (corrupted[chosen] == MASK).mean() == pytest.approx(0.8, abs=0.03)  # standard error 0.006
    kept = (corrupted[chosen] == TOKENS[chosen]).mean()
    assert kept == pytest.approx(0.1 + 0.1 / NUM_SYMBOLS, abs=0.02)  # a random symbol may be the true one
    replaced = corrupted[chosen & (corrupted != MASK) & (corrupted != TOKENS)]
    assert set(replaced.tolist()) == set(range(NUM_SYMBOLS))


def test_targets_are_the_true_tokens_and_other_cells_are_left_alone() -> None:
    corrupted, targets = mask_cells(TOKENS, 0.3, np.random.default_rng(2))
    chosen = targets != NOT_SCORED
    np.testing.assert_array_equal(targets[chosen], TOKENS[chosen])
    np.testing.assert_array_equal(corrupted[~chosen], TOKENS[~chosen])
    assert corrupted.dtype == np.uint8
    assert targets.dtype == np.int64


def test_nothing_is_masked_at_ratio_0() -> None:
    corrupted, targets = mask_cells(TOKENS, 0.0, np.random.default_rng(3))
    np.testing.assert_array_equal(corrupted, TOKENS)
    assert (targets == NOT_SCORED).all()


def test_the_input_is_not_changed_and_the_generator_decides() -> None:
    before = TOKENS.copy()
    first = mask_cells(TOKENS, 0.15, np.random.default_rng(4))
    again = mask_cells(TOKENS, 0.15, np.random.default_rng(4))
    other = mask_cells(TOKENS, 0.15, np.random.default_rng(5))
    np.testing.assert_array_equal(TOKENS, before)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[1] != other[1]).any()
