"""Streams of a store: every example once an epoch over the ranks, and exactly on from any position."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_store import random_example

from data_tools import store as store_module
from data_tools import store_stream as stream_module
from data_tools.errors import StoreError
from data_tools.store import Store, open_store, write_store
from data_tools.store_stream import ExampleStream, StreamState, epoch_order, stream


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """23 examples in shards of 3."""
    folder = tmp_path_factory.mktemp("stream") / "store"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store_module, "_MAX_SHARD_EXAMPLES", 3)
        patched.setattr(stream_module, "SHUFFLED_SHARDS", 2)
        write_store((random_example(f"e{number}", depth=2, length=3) for number in range(23)), folder)
        yield open_store(folder)


def ids(examples: Iterator[object]) -> list[str]:
    return [example.id for example in examples]  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(world_size=st.integers(1, 30), seed=st.none() | st.integers(0, 2**40), epoch=st.integers(0, 5))
def test_each_example_goes_to_exactly_one_rank(
    store: Store, world_size: int, seed: int | None, epoch: int
) -> None:
    shares = [
        stream(store, rank=rank, world_size=world_size, seed=seed, epoch=epoch) for rank in range(world_size)
    ]
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    given_ids = [ids(share) for share in shares]
    assert [len(part) for part in given_ids] == sizes
    assert sorted(name for share in given_ids for name in share) == sorted(store.ids)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), world_size=st.integers(1, 4), seed=st.none() | st.integers(0, 9))
def test_a_stream_goes_on_from_its_state_exactly(
    store: Store, data: st.DataObject, world_size: int, seed: int | None
) -> None:
    rank = data.draw(st.integers(0, world_size - 1))
    whole = ids(stream(store, rank=rank, world_size=world_size, seed=seed, epoch=3))
    first = stream(store, rank=rank, world_size=world_size, seed=seed, epoch=3)
    position = data.draw(st.integers(0, len(first)))
    given_before = [next(first).id for _ in range(position)]
    assert first.position == position
    saved = json.dumps(first.state().to_json())
    rest = ids(ExampleStream.resume(store, StreamState.from_json(json.loads(saved))))
    assert given_before + rest == whole
    assert ids(stream(store, rank=rank, world_size=world_size, seed=seed, epoch=3, position=position)) == rest


def test_without_a_seed_the_order_is_the_stores(store: Store) -> None:
    assert ids(stream(store)) == list(store.ids)
    assert ids(stream(store, epoch=4)) == list(store.ids)


def test_the_order_depends_on_seed_and_epoch_alone(store: Store) -> None:
    orders = {tuple(epoch_order(store, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert (epoch_order(store, 1, 2) == epoch_order(store, 1, 2)).all()


def test_a_shuffled_epoch_touches_few_shards_at_a_time(store: Store) -> None:
    shards = [index // 3 for index in epoch_order(store, 5, 0).tolist()]
    assert shards != sorted(shards)
    places = {shard: [place for place, found in enumerate(shards) if found == shard] for shard in range(8)}
    assert all(max(found) - min(found) < 2 * 3 for found in places.values())  # two shards of three are mixed
    assert any(max(found) - min(found) >= 3 for found in places.values())
    first_group = {frozenset(epoch_order(store, seed, 0)[:6] // 3) for seed in range(5)}
    assert len(first_group) > 1  # which two they are is drawn too


def test_an_empty_store_streams_nothing(tmp_path: Path) -> None:
    write_store([], tmp_path / "store")
    for seed in (None, 1):
        assert ids(stream(open_store(tmp_path / "store"), seed=seed)) == []


def test_a_state_of_another_store_is_refused(store: Store, tmp_path: Path) -> None:
    write_store([random_example("x", depth=2, length=3)], tmp_path / "other")
    state = stream(store, position=1).state()
    with pytest.raises(StoreError, match="a store of other content"):
        ExampleStream.resume(open_store(tmp_path / "other"), state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 2, "world_size": 2}, "rank 2 of 2"),
        ({"rank": -1}, "rank -1 of 1"),
        ({"world_size": 0}, "rank 0 of 0"),
        ({"position": 24}, "position 24 lies beyond the 23 examples"),
        ({"position": -1}, "position -1: it must not be negative"),
        ({"epoch": -1}, "epoch -1"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_numbers_out_of_range_are_refused(store: Store, options: dict[str, int], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        stream(store, **options)


@pytest.mark.parametrize(
    "changes", [{"rank": "0"}, {"position": None}, {"epoch": True}, {"seed": 1.5}, {"content_sha256": 3}]
)
def test_a_damaged_state_is_refused(store: Store, changes: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="no state of a stream"):
        StreamState.from_json(stream(store).state().to_json() | changes)


def test_an_example_that_cannot_be_read_has_not_been_given(tmp_path: Path) -> None:
    write_store([random_example("x", depth=2, length=3)], tmp_path / "store")
    opened = stream(open_store(tmp_path / "store"))
    shard = tmp_path / "store" / "shard-00000.parquet"
    content = shard.read_bytes()
    shard.write_bytes(bytes(len(content)))
    with pytest.raises(StoreError, match="SHA-256"):
        next(opened)
    assert opened.position == 0
