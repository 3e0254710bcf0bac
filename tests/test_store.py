"""The example store: what goes in comes out as documented, and damage is reported, never read."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data_tools import store as store_module
from data_tools import store_manifest
from data_tools.errors import StoreError
from data_tools.features import COEVOLUTION_MAPS, MSAFeatures
from data_tools.orientations import orientations
from data_tools.store import Example, StoreWriter, open_store, write_store
from data_tools.store_rows import ROW_SCHEMA, to_row


def random_example(
    name: str, *, depth: int, length: int, with_distances: bool = True, seed: int = 0
) -> Example:
    rng = np.random.default_rng([seed, depth, length])
    maps = rng.normal(size=(length, length, len(COEVOLUTION_MAPS))).astype(np.float32)
    maps = maps + maps.transpose(1, 0, 2)
    maps[np.arange(length), np.arange(length)] = 0
    features = MSAFeatures(
        tokens=rng.integers(0, 22, size=(depth, length), dtype=np.uint8),
        deletion_matrix=rng.choice([0, 0, 0, 1, 65535], size=(depth, length)).astype(np.uint16),
        weights=rng.uniform(0.01, 1, size=depth).astype(np.float32),
        profile=rng.dirichlet(np.ones(22), size=length).astype(np.float32),
        residue_index=np.arange(7, 7 + length, dtype=np.int32),
        coevolution=maps,
    )
    if not with_distances:
        return Example(name, features, None)
    backbone = rng.normal(scale=15.0, size=(length, 4, 3)).astype(np.float32)
    backbone[length // 2] = np.nan
    atoms = backbone[:, 3].astype(np.float64)
    distances = np.linalg.norm(atoms[:, None] - atoms[None, :], axis=-1).astype(np.float32)
    return Example(name, features, distances, backbone)


@pytest.fixture
def examples() -> list[Example]:
    return [
        random_example("deep", depth=31, length=12),
        random_example("one_sequence", depth=1, length=9),
        random_example("one_residue", depth=3, length=1),
        random_example("without_structure", depth=5, length=8, with_distances=False),
        random_example("Åß/..", depth=4, length=6),
    ]


@pytest.fixture
def stored(examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of three shards: 2 + 2 + 1 examples."""
    monkeypatch.setattr(store_module, "_MAX_SHARD_EXAMPLES", 2)
    write_store(examples, tmp_path / "store")
    return tmp_path / "store"


def edit_manifest(folder: Path, **changes: object) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_integer_and_float32_arrays_come_back_exactly(stored: Path, examples: list[Example]) -> None:
    for given, read in zip(examples, open_store(stored), strict=True):
        assert read.id == given.id
        for name in ("tokens", "deletion_matrix", "weights", "profile", "residue_index"):
            expected, found = getattr(given.features, name), getattr(read.features, name)
            assert found.dtype == expected.dtype
            assert found.flags.writeable
            np.testing.assert_array_equal(found, expected)


def test_coevolution_comes_back_symmetric_in_float16_precision(stored: Path, examples: list[Example]) -> None:
    for given, read in zip(examples, open_store(stored), strict=True):
        maps = read.features.coevolution
        assert maps.dtype == np.float32
        np.testing.assert_array_equal(maps, maps.transpose(1, 0, 2))
        np.testing.assert_array_equal(maps, given.features.coevolution.astype(np.float16).astype(np.float32))


def test_distances_come_back_rounded_down_to_hundredths_with_nan_kept(
    stored: Path, examples: list[Example]
) -> None:
    for given, read in zip(examples, open_store(stored), strict=True):
        if given.distances is None:
            assert read.distances is None
            continue
        assert read.distances is not None
        assert read.distances.dtype == np.float32
        np.testing.assert_array_equal(np.isnan(read.distances), np.isnan(given.distances))
        lost = (given.distances - read.distances)[~np.isnan(given.distances)]
        assert (lost >= 0).all()
        assert (lost < 0.01 + 1e-5).all()


def test_the_backbone_comes_back_exactly_and_so_do_orientations(
    stored: Path, examples: list[Example]
) -> None:
    for given, read in zip(examples, open_store(stored), strict=True):
        if given.backbone is None:
            assert read.backbone is None
            assert read.orientations is None
            continue
        assert read.backbone is not None
        assert read.backbone.dtype == np.float32
        np.testing.assert_array_equal(read.backbone, given.backbone)
        expected = orientations(given.backbone)
        assert read.orientations is not None
        for name in ("omega", "theta", "phi"):
            np.testing.assert_array_equal(getattr(read.orientations, name), getattr(expected, name))


def test_a_store_of_schema_1_is_read_its_backbones_unknown(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pa.schema([field for field in ROW_SCHEMA if field.name != "backbone"])
    monkeypatch.setattr(store_module, "ROW_SCHEMA", old)
    monkeypatch.setattr(store_manifest, "SCHEMA_VERSION", 1)
    write_store(examples, tmp_path / "old")
    monkeypatch.undo()
    assert json.loads((tmp_path / "old" / "manifest.json").read_text())["schema_version"] == 1
    for given, read in zip(examples, open_store(tmp_path / "old", verify=True), strict=True):
        assert read.id == given.id
        assert (read.backbone, read.orientations) == (None, None)
        assert (read.distances is None) == (given.distances is None)
        np.testing.assert_array_equal(read.features.tokens, given.features.tokens)


def test_distances_of_whole_hundredths_are_exact_and_contacts_never_change(tmp_path: Path) -> None:
    steps = np.arange(0, 65535, 131)
    grid = (steps / 100).astype(np.float32)
    edge = np.float32(8.0)
    values = np.concatenate([grid, [np.nextafter(edge, np.float32(0)), edge, np.float32(7.996)]])
    length = len(values) + 1
    distances = np.zeros((length, length), dtype=np.float32)
    distances[0, 1:] = distances[1:, 0] = values
    template = random_example("x", depth=1, length=length, with_distances=False)
    write_store([Example("x", template.features, distances)], tmp_path / "store")
    read = open_store(tmp_path / "store")[0].distances
    assert read is not None
    np.testing.assert_array_equal(read[0, 1 : len(grid) + 1], grid)
    np.testing.assert_array_equal(read < 8.0, distances < 8.0)


def test_distances_beyond_the_range_are_stored_as_its_end(tmp_path: Path) -> None:
    distances = np.array([[0, 1e6], [1e6, 0]], dtype=np.float32)
    template = random_example("x", depth=1, length=2, with_distances=False)
    write_store([Example("x", template.features, distances)], tmp_path / "store")
    read = open_store(tmp_path / "store")[0].distances
    assert read is not None
    assert read[0, 1] == np.float32(655.34)


def test_catalogue_is_known_without_reading_examples(stored: Path, examples: list[Example]) -> None:
    store = open_store(stored)
    assert len(store) == 5
    assert store.ids == tuple(example.id for example in examples)
    assert store.lengths == (12, 9, 1, 8, 6)
    assert store.depths == (31, 1, 3, 5, 4)
    assert store.neffs == tuple(example.features.neff for example in examples)
    assert len(list(stored.glob("*.parquet"))) == 3


def test_examples_are_read_in_any_order_by_index_and_id(stored: Path, examples: list[Example]) -> None:
    store = open_store(stored, verify=True)
    for index in (4, 0, 3, -1, 2):
        assert store[index].id == examples[index].id
    assert store[store.index_of("one_residue")].id == "one_residue"
    with pytest.raises(IndexError):
        store[5]
    with pytest.raises(StoreError, match="no example 'absent'"):
        store.index_of("absent")


def test_store_survives_pickling(stored: Path) -> None:
    store = open_store(stored)
    assert store[0].id == "deep"
    assert pickle.loads(pickle.dumps(store))[4].id == store.ids[4]


def test_open_shards_are_bounded(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_MAX_OPEN_SHARDS", 1)
    store = open_store(stored)
    assert [store[index].id for index in (0, 4, 1)] == [store.ids[index] for index in (0, 4, 1)]
    assert len(store._files) == 1


def test_same_examples_make_the_same_files(stored: Path, examples: list[Example], tmp_path: Path) -> None:
    write_store(examples, tmp_path / "again")
    for file in stored.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_each_example_is_a_row_group_of_its_own(stored: Path) -> None:
    store = open_store(stored)
    assert store._shard_file(0).num_row_groups == 2


def test_shards_end_at_their_size_limit(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_MAX_SHARD_BYTES", 1)
    write_store(examples, tmp_path / "store")
    assert len(list((tmp_path / "store").glob("*.parquet"))) == len(examples)


def test_an_empty_store_is_a_store(tmp_path: Path) -> None:
    write_store([], tmp_path / "store")
    assert len(open_store(tmp_path / "store")) == 0


def test_an_exception_leaves_no_store_and_no_files(examples: list[Example], tmp_path: Path) -> None:
    def interrupted_build() -> None:
        with StoreWriter(tmp_path / "store") as writer:
            writer.add(examples[0])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted_build()
    assert list((tmp_path / "store").iterdir()) == []
    with pytest.raises(StoreError, match="no finished store"):
        open_store(tmp_path / "store")


def test_an_exception_after_the_first_shard_leaves_no_files(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_MAX_SHARD_EXAMPLES", 1)
    with pytest.raises(StoreError, match="two examples have the id 'deep'"):
        write_store([examples[0], examples[1], examples[0]], tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_an_existing_store_is_kept_unless_overwriting_is_allowed(stored: Path) -> None:
    other = random_example("other", depth=2, length=3)
    (stored / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        write_store([other], stored)
    assert len(open_store(stored)) == 5
    write_store([other], stored, overwrite=True)
    assert open_store(stored).ids == ("other",)
    assert sorted(file.name for file in stored.iterdir()) == [
        "manifest.json",
        "notes.txt",
        "shard-00000.parquet",
    ]


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write a store"):
        write_store([], tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be read"):
        open_store(tmp_path / "file")


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such folder"):
        open_store(tmp_path / "nowhere")


def test_a_truncated_or_missing_shard_is_found_at_opening(stored: Path) -> None:
    shard = stored / "shard-00001.parquet"
    content = shard.read_bytes()
    shard.write_bytes(content[:-1])
    with pytest.raises(StoreError, match=r"shard-00001\.parquet is damaged: it has"):
        open_store(stored)
    shard.unlink()
    with pytest.raises(StoreError, match=r"shard-00001\.parquet: cannot be read"):
        open_store(stored)


def test_a_flipped_bit_is_found_before_the_shard_is_read(stored: Path) -> None:
    shard = stored / "shard-00001.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    store = open_store(stored)
    assert store[0].id == "deep"
    with pytest.raises(StoreError, match="SHA-256"):
        store[2]
    with pytest.raises(StoreError, match="SHA-256"):
        open_store(stored, verify=True)


def test_a_damaged_shard_is_hashed_once_however_often_it_is_asked_for(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = stored / "shard-00001.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    hashed = []
    plain = store_manifest._sha256
    monkeypatch.setattr(store_manifest, "_sha256", lambda file: hashed.append(file.name) or plain(file))
    store = open_store(stored)
    for index in (2, 3, 2):
        with pytest.raises(StoreError, match="SHA-256"):
            store[index]
    assert hashed == ["shard-00001.parquet"]


def test_sound_shards_of_a_store_with_one_cut_or_gone_can_be_read(stored: Path) -> None:
    shard = stored / "shard-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    store = open_store(stored, check_sizes=False)
    assert [store[index].id for index in (0, 4)] == ["deep", "Åß/.."]
    with pytest.raises(StoreError, match="SHA-256"):
        store[2]
    shard.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        open_store(stored, check_sizes=False)[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [("tokens", 22), ("weights", 0), ("weights", np.nan), ("weights", 1.5), ("profile", np.inf)],
)
def test_values_no_example_can_have_are_found_when_they_are_read(
    tmp_path: Path, name: str, value: float
) -> None:
    example = random_example("x", depth=3, length=4)
    getattr(example.features, name).flat[-1] = value
    write_store([example], tmp_path / "store")
    with pytest.raises(StoreError, match=f"'x' is damaged: impossible values in {name}"):
        open_store(tmp_path / "store")[0]


def test_a_manifest_that_lies_about_its_rows_is_found(stored: Path) -> None:
    shards = json.loads((stored / "manifest.json").read_text())["shards"]
    shards[0]["ids"] = shards[0]["ids"][::-1]
    edit_manifest(stored, shards=shards)
    with pytest.raises(StoreError, match="the manifest says 'one_sequence'"):
        open_store(stored)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 99}, "schema version 99, this program reads 1 and 2"),
        ({"coevolution_maps": ["other"]}, r"co-evolution maps \['other'\]"),
        ({"num_examples": 4}, "does not add up to 4 examples"),
        ({"shards": [{"bytes": 1}]}, "list of shards is damaged"),
        ({"shards": [{"file": "../shard-00000.parquet"}]}, "is no shard name"),
        ({"shards": [{"file": "shard-00000.parquet", "ids": ["a"]}]}, "lists of different lengths"),
        ({"shards": None}, "list of shards is damaged"),
    ],
)
def test_a_damaged_manifest_is_refused(stored: Path, changes: dict[str, object], message: str) -> None:
    edit_manifest(stored, **changes)
    with pytest.raises(StoreError, match=message):
        open_store(stored)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"3"])
def test_a_manifest_that_is_no_json_object_is_refused(stored: Path, content: bytes) -> None:
    (stored / "manifest.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"manifest\.json: "):
        open_store(stored)


def test_examples_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    good = random_example("x", depth=2, length=4)
    assert good.distances is not None
    with pytest.raises(StoreError, match="not empty"):
        Example("", good.features, None)
    with pytest.raises(StoreError, match="must be float32"):
        Example("x", good.features, good.distances.astype(np.float64))
    with pytest.raises(StoreError, match="must be float32"):
        Example("x", good.features, good.distances[:3, :3])
    assert good.backbone is not None
    with pytest.raises(StoreError, match=r"backbone must be float32 \(4, 4, 3\)"):
        Example("x", good.features, None, good.backbone[:, :3])
    with pytest.raises(StoreError, match="backbone must be finite"):
        Example("x", good.features, None, np.full_like(good.backbone, np.inf))
    uneven = good.distances.copy()
    uneven[0, 1] += 1
    with pytest.raises(StoreError, match="not symmetric"):
        Example("x", good.features, uneven)
    with pytest.raises(StoreError, match="finite and not negative"):
        write_store([Example("x", good.features, -good.distances)], tmp_path / "negative")


@pytest.mark.parametrize(
    ("value", "message"), [(np.inf, "not finite"), (1e5, "float16"), (0.5, "not symmetric")]
)
def test_coevolution_that_float16_or_symmetry_would_change_is_refused(
    tmp_path: Path, value: float, message: str
) -> None:
    example = random_example("x", depth=2, length=4)
    example.features.coevolution[0, 1, 0] = value
    with pytest.raises(StoreError, match=message):
        write_store([example], tmp_path / "store")


def test_pandas_and_duckdb_read_the_metadata_of_all_shards(stored: Path, examples: list[Example]) -> None:
    import duckdb
    import pandas as pd

    columns = ["id", "length", "depth", "neff"]
    shards = sorted(stored.glob("*.parquet"))
    frame = pd.read_parquet(shards, columns=columns)
    expected = [(one.id, one.features.length, one.features.depth, one.features.neff) for one in examples]
    assert list(frame.itertuples(index=False, name=None)) == expected
    with duckdb.connect() as connection:
        query = f"select {', '.join(columns)} from '{stored}/*.parquet' where depth > 3 order by depth"
        assert connection.sql(query).fetchall() == sorted(
            (row for row in expected if row[2] > 3), key=lambda row: row[2]
        )


def test_a_discarded_shard_leaves_no_file(examples: list[Example], tmp_path: Path) -> None:
    writer = store_module.ShardWriter(tmp_path, 3)
    writer.add(pa.Table.from_pylist([to_row(examples[0])], schema=ROW_SCHEMA))
    writer.discard()
    assert list(tmp_path.iterdir()) == []
