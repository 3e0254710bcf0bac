"""Samples: crops that agree with the whole protein, and a run whose sample p depends on p alone."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from training_cases import assert_same, hairpin, tiny_config, write_hairpins

from data_tools.alphabet import MASK
from data_tools.store import Store, open_store
from data_tools.store_stream import epoch_order
from msaformer.data import dataset
from msaformer.data.batch import NOT_SCORED, Sample
from msaformer.data.cropping import standardize_maps
from msaformer.data.dataset import (
    TrainingSamples,
    full_sample,
    training_sample,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(write_hairpins(tmp_path / "store"))


@pytest.mark.parametrize("two_segments", [0.0, 1.0])
def test_a_crop_agrees_with_the_whole_protein_at_its_residues(two_segments: float) -> None:
    example = hairpin("x", length=40, depth=9)
    features = example.features
    config = tiny_config(
        Path("s"),
        Path("o"),
        data__two_segment_share=two_segments,
        data__drop_coevolution=0.0,
        data__max_depth=9,
    ).data
    whole_maps = standardize_maps(features.coevolution)
    splits = set()
    for seed in range(20):
        sample = training_sample(example, config, rng(seed))
        at = sample.residue_index
        splits.add(bool((np.diff(at) > 1).any()))
        assert len(at) == 16
        assert sample.coevolution is not None
        assert sample.distances is not None
        assert sample.masked_targets is not None
        np.testing.assert_array_equal(sample.coevolution, whole_maps[np.ix_(at, at)])
        assert example.distances is not None
        np.testing.assert_array_equal(sample.distances, example.distances[np.ix_(at, at)])
        untouched = (sample.masked_targets == NOT_SCORED).all(axis=0)
        np.testing.assert_array_equal(sample.profile[untouched], features.profile[at][untouched])
        if len(sample.tokens) == 9:
            unmasked = np.where(sample.masked_targets == NOT_SCORED, sample.tokens, sample.masked_targets)
            np.testing.assert_array_equal(unmasked, features.tokens[:, at])
            np.testing.assert_array_equal(sample.deletions, features.deletion_matrix[:, at])
    assert (True in splits) == (two_segments == 1.0)


def test_orientations_of_a_crop_are_those_of_the_whole_protein_at_its_residues() -> None:
    example = hairpin("x", length=40, depth=3)
    assert example.orientations is not None
    config = tiny_config(Path("s"), Path("o")).data
    sample = training_sample(example, config, rng(2))
    pairs = np.ix_(sample.residue_index, sample.residue_index)
    assert sample.orientations is not None
    for place, name in enumerate(("omega", "theta", "phi")):
        whole = getattr(example.orientations, name)
        np.testing.assert_array_equal(sample.orientations[..., place], whole[pairs])
        assert np.isfinite(whole[0, 2:]).all()
    assert training_sample(example, config, rng(2), with_orientations=False).orientations is None
    full = full_sample(example.features, 3, rng(), example.distances, example.backbone)
    assert full.orientations is not None
    np.testing.assert_array_equal(full.orientations[..., 1], example.orientations.theta)


def test_masking_reaches_the_query_and_leaves_the_maps_alone() -> None:
    example = hairpin("x", length=16, depth=4)
    config = tiny_config(Path("s"), Path("o"), data__mask_ratio=0.9, data__drop_coevolution=0.0).data
    sample = training_sample(example, config, rng(1))
    assert (sample.tokens[0] == MASK).any()
    np.testing.assert_array_equal(sample.coevolution, standardize_maps(example.features.coevolution))


def test_co_evolution_is_dropped_in_the_share_asked_for_and_absent_for_one_sequence() -> None:
    config = tiny_config(Path("s"), Path("o"), data__drop_coevolution=0.25).data
    example = hairpin("x")
    dropped = [training_sample(example, config, rng(seed)).coevolution is None for seed in range(600)]
    assert np.mean(dropped) == pytest.approx(0.25, abs=0.06)  # standard error 0.018
    kept = tiny_config(Path("s"), Path("o"), data__drop_coevolution=0.0).data
    assert training_sample(hairpin("y", depth=1), kept, rng()).coevolution is None
    assert full_sample(hairpin("y", depth=1).features, 5, rng()).coevolution is None


def test_a_whole_protein_is_neither_cropped_nor_masked() -> None:
    example = hairpin("x", length=40, depth=9)
    sample = full_sample(example.features, 100, rng(), example.distances)
    np.testing.assert_array_equal(sample.tokens, example.features.tokens)
    np.testing.assert_array_equal(sample.residue_index, np.arange(40))
    assert sample.masked_targets is None
    assert full_sample(example.features, 3, rng()).tokens.shape == (3, 40)


def test_a_stretch_of_a_protein_is_cut_out_of_the_whole() -> None:
    example = hairpin("x", length=40, depth=9)
    given = (example.features, 4, rng(1), example.distances, example.backbone)
    whole = full_sample(*given)
    part = full_sample(*given[:2], rng(1), *given[3:], residues=slice(7, 20))
    for name in ("tokens", "deletions"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:, 7:20])
    for name in ("profile", "residue_index"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[7:20])
    for name in ("coevolution", "distances", "orientations"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[7:20, 7:20])


def test_a_sample_is_a_function_of_its_number_alone(store: Store, tmp_path: Path) -> None:
    config = tiny_config(tmp_path, tmp_path)
    forward = [TrainingSamples(store, config)[p] for p in range(9)]
    again = TrainingSamples(open_store(tmp_path / "store"), config)
    for position in (7, 2, 8, 0, 7):  # whatever was asked for before
        assert_same(again[position], forward[position])


def test_the_seed_changes_the_samples(store: Store, tmp_path: Path) -> None:
    first, other = (
        TrainingSamples(store, tiny_config(tmp_path, tmp_path, training__seed=seed)) for seed in (5, 6)
    )
    assert any(first[p].tokens.tobytes() != other[p].tokens.tobytes() for p in range(3))


def test_the_same_protein_is_cropped_anew_in_the_next_epoch(store: Store, tmp_path: Path) -> None:
    samples = TrainingSamples(store, tiny_config(tmp_path, tmp_path))
    long = [samples[p] for p in range(30) if samples[p].profile.shape[0] == 16]
    assert len({sample.residue_index.tobytes() for sample in long}) > 5


def test_each_epoch_visits_every_example_once_in_an_order_of_its_own(store: Store, tmp_path: Path) -> None:
    samples = TrainingSamples(store, tiny_config(tmp_path, tmp_path, data__crop_length=24))
    orders = []
    for epoch in range(12):
        lengths = [samples[epoch * 3 + place].profile.shape[0] for place in range(3)]
        assert sorted(lengths) == [12, 20, 24]
        orders.append(tuple(lengths))
    assert len(set(orders)) > 2


def test_the_order_of_an_epoch_is_made_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(dataset, "epoch_order", lambda *given: made.append(given[2]) or epoch_order(*given))
    samples = TrainingSamples(store, tiny_config(tmp_path, tmp_path))
    names = [samples[position].name for position in range(6)]
    assert made == [0, 1]
    assert names == [store.ids[index] for epoch in (0, 1) for index in epoch_order(store, 5, epoch)]


def test_batches_do_not_touch_the_global_generators(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].tobytes()
    samples = TrainingSamples(store, tiny_config(tmp_path, tmp_path))
    first = samples[3]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state(legacy=False)["state"]["key"].tobytes() == before[1]
    torch.manual_seed(99)
    assert_same(samples[3], first)


def test_a_sample_whose_shapes_disagree_is_refused() -> None:
    sample = full_sample(hairpin("x").features, 3, rng())
    arrays = {field.name: getattr(sample, field.name) for field in fields(Sample)}
    with pytest.raises(ValueError, match=r"deletions must be \(3, 20\)"):
        Sample(**arrays | {"deletions": sample.deletions[:2]})
    with pytest.raises(ValueError, match="coevolution must be"):
        Sample(**arrays | {"coevolution": np.zeros((4, 4, 2), np.float32)})
