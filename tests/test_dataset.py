"""Samples: crops that agree with the whole protein, and a run whose sample p depends on p alone."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_cases import hairpin, tiny_config, write_hairpins

from data_tools import store as store_module
from data_tools.alphabet import MASK
from data_tools.errors import StoreError
from data_tools.store import Store, open_store, write_store
from data_tools.store_stream import epoch_order
from msaformer.data import dataset, loading
from msaformer.data.batch import NOT_SCORED, Batch, Sample
from msaformer.data.cropping import standardize_maps
from msaformer.data.dataset import (
    TrainingSamples,
    full_sample,
    has_labels,
    passes_per_rank,
    training_batches,
    training_sample,
)
from msaformer.errors import ConfigError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(write_hairpins(tmp_path / "store"))


def assert_same(first: Any, second: Any) -> None:
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        assert (one is None) == (other is None), field.name
        if one is not None:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=field.name)


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


def test_batches_hold_orientations_for_a_network_that_predicts_them_alone(
    store: Store, tmp_path: Path
) -> None:
    for wanted in (True, False):
        config = tiny_config(tmp_path, tmp_path, training__steps=1, model__orientations=wanted)
        for batch in training_batches(store, config, 0):
            assert (batch.orientations is not None) == wanted


def test_alignments_without_structures_make_batches_to_pretrain_on(tmp_path: Path) -> None:
    write_store([hairpin(f"b{n}", length=18 + n, labelled=False) for n in range(3)], tmp_path / "blind")
    for by in ("residue", "row", "column", "block"):
        config = tiny_config(
            *(tmp_path, tmp_path),
            model__orientations=True,
            data__mask_by=by,
            data__mask_ratio=0.75,
            training__steps=1,
        )
        for batch in training_batches(open_store(tmp_path / "blind"), config, 0):
            assert batch.orientations is None
            assert batch.distances.isnan().all()
            assert (batch.masked_targets != NOT_SCORED).any()


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


@pytest.mark.parametrize("first_step", [0, 4])
def test_batches_of_a_resumed_run_are_those_it_would_have_seen(
    first_step: int, store: Store, tmp_path: Path
) -> None:
    config = tiny_config(tmp_path, tmp_path, training__steps=6)
    whole = list(training_batches(store, config, 0))
    assert len(whole) == 6 * 2  # two forward passes a step
    resumed = list(training_batches(store, config, first_step))
    for late, early in zip(resumed, whole[first_step * 2 :], strict=True):
        assert_same(late, early)


def passes(batches: list[list[Batch]]) -> list[Batch]:
    """The forward passes of a run in order, from those of each rank."""
    return [batch for turn in zip(*batches, strict=True) for batch in turn]


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_ranks_together_see_what_one_rank_sees_bit_for_bit(
    ranks: int, store: Store, tmp_path: Path
) -> None:
    config = tiny_config(tmp_path, tmp_path, training__steps=5, training__accumulation=4)
    whole = list(training_batches(store, config, 2))
    assert len(whole) == 3 * 4
    shares = [
        list(training_batches(store, config, 2, data_rank=rank, data_ranks=ranks)) for rank in range(ranks)
    ]
    for together, alone in zip(passes(shares), whole, strict=True):
        assert_same(together, alone)


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_change_no_batch(workers: int, store: Store, tmp_path: Path) -> None:
    def of(num_workers: int) -> list[Batch]:
        config = tiny_config(
            *(tmp_path, tmp_path),
            data__num_workers=num_workers,
            training__steps=3,
            training__accumulation=6,
        )
        return list(training_batches(store, config, 1, data_rank=1, data_ranks=2, multiple_of=4))

    here, elsewhere = of(0), of(workers)
    assert len(here) == 2 * 3
    for one, other in zip(here, elsewhere, strict=True):
        assert_same(one, other)
        assert one.tokens.shape[1] % 4 == one.tokens.shape[2] % 4 == 0


def test_forward_passes_that_ranks_cannot_share_are_refused(store: Store, tmp_path: Path) -> None:
    config = tiny_config(tmp_path, tmp_path, training__accumulation=2)
    message = (
        r"training\.accumulation=2 forward passes cannot be shared by 8 .* a multiple of 8, or a larger "
    )
    with pytest.raises(ConfigError, match=message):
        next(training_batches(store, config, 0, data_ranks=8))
    assert passes_per_rank(config.training, 2) == 1


@pytest.mark.parametrize(
    ("accumulation", "ranks", "workers", "ahead"),
    [(4, 1, 1, 4), (4, 4, 1, 2), (48, 2, 3, 8), (999, 1, 2, 32)],
)
def test_the_workers_of_a_rank_prepare_a_whole_step_ahead(
    accumulation: int, ranks: int, workers: int, ahead: int, tmp_path: Path
) -> None:
    config = tiny_config(
        *(tmp_path, tmp_path), training__accumulation=accumulation, data__num_workers=workers
    )
    assert dataset._batches_ahead(config, ranks) == ahead


def test_the_order_of_an_epoch_is_made_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(dataset, "epoch_order", lambda *given: made.append(given[2]) or epoch_order(*given))
    samples = TrainingSamples(store, tiny_config(tmp_path, tmp_path))
    names = [samples[position].name for position in range(6)]
    assert made == [0, 1]
    assert names == [store.ids[index] for epoch in (0, 1) for index in epoch_order(store, 5, epoch)]


def damage(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one example a shard."""
    monkeypatch.setattr(store_module, "_MAX_SHARD_EXAMPLES", 1)
    return write_hairpins(tmp_path / "shards")


def test_an_example_that_cannot_be_read_is_passed_over_and_named(shards: Path, tmp_path: Path) -> None:
    damage(shards / "shard-00001.parquet")
    (shards / "shard-00000.parquet").unlink()
    store = open_store(shards, check_sizes=False)
    samples = TrainingSamples(store, tiny_config(tmp_path, tmp_path))
    order = [store.ids[index] for epoch in range(3) for index in epoch_order(store, 5, epoch)]
    for position, name in enumerate(order):
        sample = samples[position]
        assert sample.name == "h2"
        if name == "h2":
            assert sample.skipped is None
            continue
        assert sample.skipped is not None
        assert sample.skipped.startswith(f"{name}: {shards}/shard-0000{name[1]}.parquet")
        assert len(sample.skipped.splitlines()) == 1


def test_the_next_readable_example_of_the_epoch_stands_in(shards: Path, tmp_path: Path) -> None:
    damage(shards / "shard-00001.parquet")
    store = open_store(shards)
    samples = TrainingSamples(store, tiny_config(tmp_path, tmp_path))
    for epoch in range(6):
        order = [store.ids[index] for index in epoch_order(store, 5, epoch)]
        place = order.index("h1")
        found = [samples[epoch * 3 + k].name for k in range(3)]
        assert found[place] == order[(place + 1) % 3]
        assert [name for k, name in enumerate(found) if k != place] == [n for n in order if n != "h1"]


@pytest.mark.parametrize(("ranks", "workers"), [(1, 2), (2, 0)])
def test_what_is_skipped_depends_on_no_number_of_ranks_or_workers(
    ranks: int, workers: int, shards: Path, tmp_path: Path
) -> None:
    damage(shards / "shard-00001.parquet")

    def of(ranks: int, workers: int) -> list[Batch]:
        config = tiny_config(tmp_path, tmp_path, training__steps=4, data__num_workers=workers)
        return passes(
            [
                list(training_batches(open_store(shards), config, 1, data_rank=rank, data_ranks=ranks))
                for rank in range(ranks)
            ]
        )

    expected = of(1, 0)
    assert any(batch.skipped for batch in expected)
    for together, alone in zip(of(ranks, workers), expected, strict=True):
        assert_same(together, alone)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_store_of_which_nothing_can_be_read_is_an_error_in_one_line(
    workers: int, shards: Path, tmp_path: Path
) -> None:
    for shard in shards.glob("*.parquet"):
        damage(shard)
    config = tiny_config(tmp_path, tmp_path, data__num_workers=workers)
    with pytest.raises(StoreError, match=r"none of its 3 examples can be read: h\d: .*SHA-256") as error:
        next(training_batches(open_store(shards), config, 0))
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).startswith(str(shards))


def test_a_worker_that_dies_while_it_is_ended_hides_no_error(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shard in shards.glob("*.parquet"):
        damage(shard)
    iterator = loading._MultiProcessingDataLoaderIter
    end = iterator._shutdown_workers
    ended = []

    def end_badly(batches: Any) -> None:
        end(batches)
        if not ended:  # later calls are those of the garbage collector
            ended.append(True)
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Aborted. ")

    monkeypatch.setattr(iterator, "_shutdown_workers", end_badly)
    config = tiny_config(tmp_path, tmp_path, data__num_workers=1)
    with pytest.raises(StoreError, match="none of its 3 examples"):
        next(training_batches(open_store(shards), config, 0))
    assert ended


def test_labels_are_looked_for_in_the_examples_that_can_be_read(shards: Path, tmp_path: Path) -> None:
    damage(shards / "shard-00000.parquet")
    assert has_labels(open_store(shards), "distances")
    write_store([hairpin("x", labelled=False)], tmp_path / "blind")
    assert not has_labels(open_store(tmp_path / "blind"), "distances")
    for number in (1, 2):
        damage(shards / f"shard-0000{number}.parquet")
    with pytest.raises(StoreError, match="shard-00000"):
        has_labels(open_store(shards), "distances")


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
