"""Features of an alignment: shapes, sums and the profile by hand."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from data_tools.alignment import Alignment
from data_tools.alphabet import AMINO_ACIDS, GAP, NUM_SYMBOLS, UNKNOWN, encode
from data_tools.errors import AlignmentError
from data_tools.features import COEVOLUTION_MAPS, MSAFeatures, column_profile, featurize
from data_tools.formats import parse_alignment


def alignment(*rows: str) -> Alignment:
    text = "".join(f">s{number}\n{row}\n" for number, row in enumerate(rows))
    return parse_alignment(text.encode(), "x.a3m")


def random_alignment(depth: int, length: int) -> Alignment:
    rng = np.random.default_rng(11)
    tokens = rng.integers(0, NUM_SYMBOLS, (depth, length), dtype=np.uint8)
    tokens[0] %= UNKNOWN
    names = tuple(f"s{row}" for row in range(depth))
    deletions = rng.integers(0, 9, (depth, length)).astype(np.uint16)
    deletions[0] = 0  # so residues are numbered as columns
    return Alignment(names, tokens, deletions)


def test_profile_of_a_small_alignment_computed_by_hand() -> None:
    tokens = np.stack([encode("AC"), encode("A-"), encode("GX")])
    profile = column_profile(tokens, np.array([1.0, 0.5, 0.5], dtype=np.float32))
    expected = np.zeros((2, NUM_SYMBOLS))
    expected[0, AMINO_ACIDS.index("A")] = 0.75
    expected[0, AMINO_ACIDS.index("G")] = 0.25
    expected[1, AMINO_ACIDS.index("C")] = 0.5
    expected[1, [GAP, UNKNOWN]] = 0.25
    np.testing.assert_allclose(profile, expected, rtol=1e-6)


def test_profile_is_the_weighted_count_of_the_obvious_loop() -> None:
    tokens = random_alignment(13, 7).tokens
    weights = np.random.default_rng(2).random(13).astype(np.float32)
    expected = np.zeros((7, NUM_SYMBOLS))
    for row, weight in zip(tokens, weights, strict=True):
        for column, token in enumerate(row):
            expected[column, token] += float(weight)
    np.testing.assert_allclose(column_profile(tokens, weights), expected / weights.sum(), rtol=1e-5)


def test_rows_of_the_profile_sum_to_one() -> None:
    features = featurize(random_alignment(40, 9))
    np.testing.assert_allclose(features.profile.sum(axis=1), np.ones(9), rtol=1e-5)
    assert (features.profile >= 0).all()


def test_features_carry_the_alignment_and_its_weights() -> None:
    source = random_alignment(12, 6)
    features = featurize(source)
    assert (features.depth, features.length) == (12, 6)
    np.testing.assert_array_equal(features.tokens, source.tokens)
    np.testing.assert_array_equal(features.deletion_matrix, source.deletion_matrix)
    assert features.residue_index.tolist() == [0, 1, 2, 3, 4, 5]
    assert features.neff == pytest.approx(12.0)
    halves = featurize(alignment("ACDEF", "ACDEF", "WWWWW"))
    assert halves.weights.tolist() == [0.5, 0.5, 1.0]
    assert halves.neff == 2.0


def test_coevolution_is_symmetric_float32_with_a_zero_diagonal() -> None:
    maps = featurize(random_alignment(60, 8)).coevolution
    assert maps.shape == (8, 8, len(COEVOLUTION_MAPS))
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps, maps.transpose(1, 0, 2))
    assert not np.diagonal(maps).any()
    assert all(maps[..., kind].any() for kind in range(len(COEVOLUTION_MAPS)))


@pytest.mark.parametrize("rows", [("MKVAC",), ("M",), ("M", "K", "-")])
def test_one_sequence_or_one_residue_has_zero_coevolution(rows: tuple[str, ...]) -> None:
    features = featurize(alignment(*rows))
    assert features.coevolution.shape == (len(rows[0]), len(rows[0]), 2)
    assert not features.coevolution.any()
    assert features.profile.sum(axis=1).tolist() == pytest.approx([1.0] * len(rows[0]))


def test_featurizing_twice_gives_the_same_bits() -> None:
    source = random_alignment(30, 10)
    first, second = featurize(source), featurize(source)
    for field in dataclasses.fields(MSAFeatures):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


@pytest.mark.parametrize("name", ["deletion_matrix", "weights", "profile", "residue_index", "coevolution"])
def test_features_of_disagreeing_shapes_are_refused(name: str) -> None:
    features = featurize(random_alignment(5, 4))
    array: Any = getattr(features, name)
    message = re.escape(f"{name} must be {array.shape}, not {array[:-1].shape}")
    with pytest.raises(AlignmentError, match=message):
        dataclasses.replace(features, **{name: array[:-1]})
