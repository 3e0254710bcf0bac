"""Thinned alignments: a part of the sequences and features of these alone, in the share and depth asked for."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from training_cases import assert_same, hairpin, tiny_config, write_hairpins

from data_tools.alignment import Alignment
from data_tools.errors import AlignmentError
from data_tools.features import MSAFeatures, features_of_rows, featurize
from data_tools.store import open_store
from msaformer.data.dataset import TrainingSamples, training_sample
from msaformer.data.thinning import thinned


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def marked(depth: int, length: int = 12) -> MSAFeatures:
    """Features in which the deletions of a row's first residue are its number."""
    features = hairpin("x", length=length, depth=depth).features
    features.deletion_matrix.setflags(write=True)
    features.deletion_matrix[:, 0] = np.arange(depth)
    return features


def rows_of(features: MSAFeatures) -> list[int]:
    return [int(row) for row in features.deletion_matrix[:, 0]]


def test_features_of_rows_are_those_of_an_alignment_of_these_rows_alone() -> None:
    features = hairpin("x", length=14, depth=9).features
    rows = np.array([0, 5, 2, 7])
    names = ("a", "b", "c", "d")
    alone = featurize(Alignment(names, features.tokens[rows], features.deletion_matrix[rows]))
    assert_same(features_of_rows(features, rows), alone)
    with pytest.raises(AlignmentError, match="first row taken must be row 0"):
        features_of_rows(features, np.array([1, 0]))


def test_residues_of_a_thinned_crop_keep_their_numbers() -> None:
    features = hairpin("x", length=14, depth=9).features
    shifted = MSAFeatures(
        **{field.name: getattr(features, field.name) for field in fields(features)}
        | {"residue_index": features.residue_index + 200}
    )
    np.testing.assert_array_equal(thinned(shifted, 1.0, rng()).residue_index, np.arange(200, 214))


def test_a_thinned_alignment_has_one_sequence_to_half_of_them_and_the_query_first() -> None:
    features, seen = marked(13), set()
    for seed in range(200):
        part = thinned(features, 1.0, rng(seed))
        rows = rows_of(part)
        assert rows[0] == 0
        assert rows == sorted(set(rows))
        assert 1 <= len(rows) <= 6
        np.testing.assert_array_equal(part.tokens, features.tokens[rows])
        seen |= {len(rows)} | {100 + row for row in rows}
    assert seen == set(range(1, 7)) | {100 + row for row in range(13)}


def test_no_thinned_alignment_is_deeper_than_64_and_the_depths_are_log_uniform() -> None:
    features = marked(300, length=4)
    depths = np.array([thinned(features, 1.0, rng(seed)).depth for seed in range(500)])
    assert depths.max() == 64
    assert np.mean(depths < 8) == pytest.approx(np.log(7.5) / np.log(64), abs=0.09)  # standard error 0.022


def test_thinned_features_know_their_own_neff_and_have_no_maps_for_one_sequence() -> None:
    features = marked(40)
    parts = [thinned(features, 1.0, rng(seed)) for seed in range(40)]
    for part in parts:
        assert part.neff <= part.depth
        assert part.coevolution.any() == (part.depth > 1)
    assert any(part.depth == 1 for part in parts)


def test_the_share_of_thinned_alignments_is_as_asked() -> None:
    features, generator = marked(12, length=4), rng(1)
    parts = [thinned(features, 0.3, generator) for _ in range(1000)]
    assert np.mean([part.depth < 12 for part in parts]) == pytest.approx(
        0.3, abs=0.06
    )  # standard error 0.014
    assert all(part is features for part in parts if part.depth == 12)


def test_one_sequence_stays_and_a_share_of_0_draws_nothing() -> None:
    alone = marked(1)
    assert thinned(alone, 1.0, rng()) is alone
    generator = rng(3)
    thinned(marked(12), 0.0, generator)
    assert generator.random() == rng(3).random()


def test_a_thinned_sample_is_a_function_of_its_number_and_has_the_neff_of_its_sequences(
    tmp_path: Path,
) -> None:
    store = open_store(write_hairpins(tmp_path / "store"))
    config = tiny_config(tmp_path, tmp_path, data__thin_share=1.0, data__max_depth=9)
    samples = [TrainingSamples(store, config)[p] for p in range(6)]
    for position in (4, 1, 5):
        assert_same(TrainingSamples(store, config)[position], samples[position])
    assert {sample.tokens.shape[0] for sample in samples} <= {1, 2, 3, 4}
    example = hairpin("x", depth=9)
    sample = training_sample(example, config.data, rng(2), with_couplings=True)
    assert sample.neff <= sample.tokens.shape[0] < example.features.neff


def test_what_is_masked_in_a_lone_sequence_cannot_be_read_off_the_profile_of_the_others() -> None:
    config = tiny_config(Path("s"), Path("o"), data__thin_share=1.0, data__mask_ratio=0.9).data
    sample = training_sample(hairpin("x", length=16, depth=3), config, rng(1))
    assert sample.masked_targets is not None
    assert len(sample.tokens) == 1
    assert not sample.profile[sample.masked_targets[0] >= 0].any()
