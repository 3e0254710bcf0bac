"""Masked MSA: how much, into what, what is to be predicted, and what else must not tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import tiny_config

from data_tools.alphabet import MASK, NUM_SYMBOLS
from data_tools.features import column_profile
from msaformer.config import DataConfig
from msaformer.data.batch import NOT_SCORED, Sample
from msaformer.data.masking import choose_cells, corrupt, mask_sample

N, L = 40, 60
NUM_DRAWN = 30  # sequences of the sample; the alignment has N


def masking(ratio: float, by: str = "residue", block: tuple[int, int] = (4, 8)) -> DataConfig:
    changes: dict[str, Any] = {"data__mask_ratio": ratio, "data__mask_by": by, "data__mask_block": block}
    return tiny_config(Path("s"), Path("o"), **changes).data


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


TOKENS = rng(0).integers(0, NUM_SYMBOLS, (N, L), dtype=np.uint8)
WEIGHTS = rng(1).uniform(0.05, 1, N).astype(np.float32)


def sample() -> Sample:
    """The first sequences of an alignment of random symbols, with deletions and maps that are nowhere zero."""
    return Sample(
        tokens=TOKENS[:NUM_DRAWN],
        deletions=np.ones((NUM_DRAWN, L), np.float32),
        profile=column_profile(TOKENS, WEIGHTS),
        residue_index=np.arange(L, dtype=np.int32),
        coevolution=np.ones((L, L, 2), np.float32),
        distances=None,
        masked_targets=None,
        name="x",
    )


def masked(config: DataConfig, seed: int = 0) -> tuple[Sample, np.ndarray]:
    """A masked sample and its chosen cells."""
    found = mask_sample(sample(), config, WEIGHTS[:NUM_DRAWN], float(WEIGHTS.sum()), rng(seed))
    assert found.masked_targets is not None
    return found, found.masked_targets != NOT_SCORED


ALL_WAYS = ["residue", "row", "column", "block"]
RATIOS = [0.15, 0.3, 0.5, 0.75, 0.9, 0.97]


@pytest.mark.parametrize("by", ALL_WAYS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_share_of_masked_cells_is_the_ratio(by: str, ratio: float) -> None:
    shape = (70, 90)
    shares = [choose_cells(shape, masking(ratio, by), rng(seed)).mean() for seed in range(20)]
    unit = {"residue": 0, "row": 1 / 70, "column": 1 / 90, "block": 1 / (70 * 90)}[by]
    if by == "residue":
        assert np.mean(shares) == pytest.approx(ratio, abs=0.006)  # standard error at most 0.0014
    else:
        assert np.ptp(shares) == 0
        assert abs(shares[0] - ratio) <= unit / 2 + 1e-12


@pytest.mark.parametrize("by", ALL_WAYS)
def test_every_cell_has_the_same_chance(by: str) -> None:
    config = masking(0.4, by, block=(2, 3))
    share = np.mean([choose_cells((7, 10), config, rng(seed)) for seed in range(4000)], axis=0)
    achieved = {"row": 3 / 7}.get(by, 0.4)
    assert np.abs(share - achieved).max() < 0.05  # standard error 0.008; the cut blocks at the edges add 0.02


@pytest.mark.parametrize("by", ["row", "column"])
def test_whole_rows_and_columns_are_masked_the_query_too(by: str) -> None:
    axis = 1 if by == "row" else 0
    of_query = 0
    for seed in range(40):
        chosen = choose_cells((N, L), masking(0.3, by), rng(seed))
        assert (chosen.all(axis=axis) == chosen.any(axis=axis)).all()
        of_query += bool(chosen.all(axis=axis)[0])
    assert 3 < of_query < 25  # 12 expected


@pytest.mark.parametrize(("size", "ratio", "count"), [(1, 0.9, 0), (2, 0.01, 1), (3, 0.97, 2), (9, 0.5, 4)])
def test_at_least_one_row_or_column_is_masked_and_one_is_left(size: int, ratio: float, count: int) -> None:
    assert choose_cells((size, 5), masking(ratio, "row"), rng(0)).all(axis=1).sum() == count
    assert choose_cells((5, size), masking(ratio, "column"), rng(0)).all(axis=0).sum() == count


def test_nothing_is_masked_at_ratio_0() -> None:
    for by in ALL_WAYS:
        found, chosen = masked(masking(0.0, by))
        assert not chosen.any()
        np.testing.assert_array_equal(found.tokens, sample().tokens)
        np.testing.assert_array_equal(found.profile, sample().profile)
        np.testing.assert_array_equal(found.deletions, sample().deletions)
        np.testing.assert_array_equal(found.coevolution, sample().coevolution)


def test_blocks_are_rectangles_of_the_size_asked_for() -> None:
    high, wide = 3, 5
    for seed in range(10):
        chosen = choose_cells((30, 50), masking(0.03, "block", (high, wide)), rng(seed))
        rows, columns = np.nonzero(chosen)
        assert len(rows) == 45  # three whole blocks, but for those that the edge cuts
        corners = {(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if is_corner(chosen, r, c)}
        assert 1 <= len(corners) <= 7
        first = chosen[rows[0] :, columns[0] :][:high, :wide]
        touches = rows[0] == 0 or columns[0] == 0 or columns[0] + wide > 50
        assert first.all() or touches or len(corners) > 3


def is_corner(chosen: np.ndarray, row: int, column: int) -> bool:
    """Is neither the cell above nor the one to the left masked?"""
    above = row > 0 and chosen[row - 1, column]
    left = column > 0 and chosen[row, column - 1]
    return not above and not left


def test_few_single_cells_are_corrupted_as_in_bert() -> None:
    tokens = rng(2).integers(0, NUM_SYMBOLS, (200, 150), dtype=np.uint8)
    chosen = choose_cells(tokens.shape, masking(0.15), rng(1))
    corrupted = corrupt(tokens, chosen, rng(3))
    assert (corrupted[chosen] == MASK).mean() == pytest.approx(0.8, abs=0.03)  # standard error 0.006
    kept = (corrupted[chosen] == tokens[chosen]).mean()
    assert kept == pytest.approx(0.1 + 0.1 / NUM_SYMBOLS, abs=0.02)  # a random symbol may be the true one
    replaced = corrupted[chosen & (corrupted != MASK) & (corrupted != tokens)]
    assert set(replaced.tolist()) == set(range(NUM_SYMBOLS))
    np.testing.assert_array_equal(corrupted[~chosen], tokens[~chosen])
    assert corrupted.dtype == np.uint8


@pytest.mark.parametrize(
    ("by", "ratio"), [("residue", 0.5), ("row", 0.15), ("column", 0.15), ("block", 0.15)]
)
def test_many_cells_or_cells_that_go_together_are_masked_outright(by: str, ratio: float) -> None:
    found, chosen = masked(masking(ratio, by))
    assert (found.tokens[chosen] == MASK).all()
    few, chosen = masked(masking(0.3))
    assert 0.7 < (few.tokens[chosen] == MASK).mean() < 0.9


@pytest.mark.parametrize("by", ALL_WAYS)
def test_targets_are_the_true_tokens_and_other_cells_are_left_alone(by: str) -> None:
    found, chosen = masked(masking(0.3, by))
    assert found.masked_targets is not None
    np.testing.assert_array_equal(found.masked_targets[chosen], sample().tokens[chosen])
    np.testing.assert_array_equal(found.tokens[~chosen], sample().tokens[~chosen])
    assert found.tokens.dtype == np.uint8
    assert found.masked_targets.dtype == np.int64


@pytest.mark.parametrize("by", ["residue", "row", "block"])
def test_the_profile_is_that_of_the_alignment_without_the_masked_cells(by: str) -> None:
    found, chosen = masked(masking(0.6, by))
    for column in range(L):
        counts = np.zeros(NUM_SYMBOLS)
        for row in range(N):
            if row >= NUM_DRAWN or not chosen[row, column]:
                counts[TOKENS[row, column]] += WEIGHTS[row]
        np.testing.assert_allclose(found.profile[column], counts / counts.sum(), atol=2e-6)
        assert (found.profile[column][counts == 0] == 0).all()  # rounding leaves no trace of what was taken


def test_what_is_masked_can_be_read_off_no_other_input() -> None:
    """Another alignment that differs in the masked cells alone gives the same inputs."""
    for by in ("residue", "row", "block"):
        config = masking(0.6, by)
        first, chosen = masked(config)
        tokens = TOKENS.copy()
        tokens[:NUM_DRAWN][chosen] = 3
        other = Sample(
            **{
                name: getattr(sample(), name)
                for name in ("deletions", "residue_index", "coevolution", "distances", "masked_targets")
            },
            tokens=tokens[:NUM_DRAWN],
            profile=column_profile(tokens, WEIGHTS),
        )
        second = mask_sample(other, config, WEIGHTS[:NUM_DRAWN], float(WEIGHTS.sum()), rng(0))
        np.testing.assert_array_equal(first.tokens, second.tokens)
        np.testing.assert_allclose(first.profile, second.profile, atol=2e-6)


def test_the_profile_of_one_masked_sequence_says_nothing() -> None:
    alone = Sample(
        tokens=TOKENS[:1],
        deletions=np.zeros((1, L), np.float32),
        profile=column_profile(TOKENS[:1], np.ones(1, np.float32)),
        residue_index=np.arange(L, dtype=np.int32),
        coevolution=None,
        distances=None,
        masked_targets=None,
    )
    found = mask_sample(alone, masking(0.5), np.ones(1, np.float32), 1.0, rng(0))
    assert found.masked_targets is not None
    chosen = found.masked_targets[0] != NOT_SCORED
    assert chosen.any()
    assert (found.profile[chosen] == 0).all()
    np.testing.assert_array_equal(found.profile[~chosen], alone.profile[~chosen])


def test_masked_columns_are_hidden_in_profile_and_maps_too() -> None:
    found, chosen = masked(masking(0.3, "column"))
    hidden = chosen.all(axis=0)
    assert 0 < hidden.sum() < L
    assert (found.profile[hidden] == 0).all()
    np.testing.assert_array_equal(found.profile[~hidden], sample().profile[~hidden])
    assert found.coevolution is not None
    expected = np.ones((L, L, 2))
    expected[hidden] = expected[:, hidden] = 0
    np.testing.assert_array_equal(found.coevolution, expected)


@pytest.mark.parametrize("by", ["row", "column", "block"])
def test_deletions_of_what_is_masked_together_are_hidden(by: str) -> None:
    found, chosen = masked(masking(0.3, by))
    np.testing.assert_array_equal(found.deletions, np.where(chosen, 0, 1))
    np.testing.assert_array_equal(masked(masking(0.3))[0].deletions, sample().deletions)


@pytest.mark.parametrize("by", ALL_WAYS)
def test_the_input_is_not_changed_and_the_generator_decides(by: str) -> None:
    given = sample()
    before = {name: getattr(given, name).copy() for name in ("tokens", "profile", "deletions", "coevolution")}
    config = masking(0.3, by)
    found = [
        mask_sample(given, config, WEIGHTS[:NUM_DRAWN], float(WEIGHTS.sum()), rng(seed)) for seed in (4, 4, 5)
    ]
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(given, name), value)
    np.testing.assert_array_equal(found[0].tokens, found[1].tokens)
    np.testing.assert_array_equal(found[0].masked_targets, found[1].masked_targets)
    assert (found[0].masked_targets != found[2].masked_targets).any()
