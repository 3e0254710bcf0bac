"""Batches of a run: the same for any number of ranks and workers, after a resume, and with damaged shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training_cases import assert_same, hairpin, tiny_config, write_hairpins

from data_tools import store as store_module
from data_tools.errors import StoreError
from data_tools.store import Store, open_store, write_store
from data_tools.store_stream import epoch_order
from msaformer.data import dataset, loading
from msaformer.data.batch import NOT_SCORED, Batch
from msaformer.data.dataset import (
    TrainingSamples,
    has_labels,
    passes_per_rank,
    training_batches,
)
from msaformer.errors import ConfigError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(write_hairpins(tmp_path / "store"))


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


def test_worker_processes_change_no_batch(store: Store, tmp_path: Path) -> None:
    def of(num_workers: int) -> list[Batch]:
        config = tiny_config(
            *(tmp_path, tmp_path),
            data__num_workers=num_workers,
            training__steps=3,
            training__accumulation=6,
        )
        return list(training_batches(store, config, 1, data_rank=1, data_ranks=2, multiple_of=4))

    here, elsewhere = of(0), of(2)
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
    order = [store.ids[index] for epoch in range(8) for index in epoch_order(store, 5, epoch)]
    assert "h2" in order[::3]  # so that the search for it goes round the end of an epoch
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


@pytest.mark.parametrize(("ranks", "workers"), [(1, 1), (2, 0)])
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
    workers: int, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a worker process may die while it is ended."""
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
    config = tiny_config(tmp_path, tmp_path, data__num_workers=workers)
    with pytest.raises(StoreError, match=r"none of its 3 examples can be read: h\d: .*SHA-256") as error:
        next(training_batches(open_store(shards), config, 0))
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).startswith(str(shards))
    assert len(ended) == workers


def test_labels_are_looked_for_in_the_examples_that_can_be_read(shards: Path, tmp_path: Path) -> None:
    damage(shards / "shard-00000.parquet")
    assert has_labels(open_store(shards), "distances")
    write_store([hairpin("x", labelled=False)], tmp_path / "blind")
    assert not has_labels(open_store(tmp_path / "blind"), "distances")
    for number in (1, 2):
        damage(shards / f"shard-0000{number}.parquet")
    with pytest.raises(StoreError, match="shard-00000"):
        has_labels(open_store(shards), "distances")
