"""ffindex: entries come back as written, the index is what HH-suite bisects, and a wrong one is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.errors import DatabaseError
from data_tools.search import ffindex
from data_tools.search.ffindex import FFReader, FFWriter, check_index, check_key

KEYS = st.text(alphabet="abAB09_-.|é", min_size=1, max_size=16)


def write(folder: Path, entries: dict[str, bytes]) -> tuple[Path, Path]:
    data, index = folder / "x.ffdata", folder / "x.ffindex"
    with FFWriter(data, index) as writer:
        for key, content in entries.items():
            writer.add(key, content)
    return data, index


def files(folder: Path, index: bytes, data: bytes = b"abc\x00defg\x00") -> tuple[Path, Path]:
    (folder / "x.ffdata").write_bytes(data)
    (folder / "x.ffindex").write_bytes(index)
    return folder / "x.ffdata", folder / "x.ffindex"


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.dictionaries(KEYS, st.binary(max_size=20), min_size=1, max_size=12))
def test_entries_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, bytes]
) -> None:
    data, index = write(tmp_path_factory.mktemp("ff"), entries)
    with FFReader(data, index) as reader:
        assert {key: reader[key] for key in reader.keys()} == entries  # noqa: SIM118
        assert list(reader.keys()) == sorted(entries, key=str.encode)
        assert len(reader) == len(entries)


def test_offsets_and_lengths_count_the_nul_of_each_entry(tmp_path: Path) -> None:
    data, index = write(tmp_path, {"b": b"12345", "a": b"", "B": b"xy"})
    assert data.read_bytes() == b"12345\x00\x00xy\x00"
    assert index.read_bytes() == b"B\t7\t3\na\t6\t1\nb\t0\t6\n"
    with FFReader(data, index) as reader:
        assert reader.lengths() == {"B": 3, "a": 1, "b": 6}


@pytest.mark.skipif(shutil.which("ffindex_get") is None, reason="needs ffindex_get (apt install hhsuite)")
def test_hh_suite_finds_every_entry_by_its_key(tmp_path: Path) -> None:
    entries = {key: f"#{key}\n".encode() for key in ("a", "B", "a-b", "a_b", "a.b", "aé", "ab", "Z9", "_")}
    data, index = write(tmp_path, entries)
    for key, content in entries.items():
        found = subprocess.run(["ffindex_get", data, index, key], capture_output=True, check=True, timeout=10)
        assert found.stdout == content


def test_a_key_that_is_not_there_is_a_key_error(tmp_path: Path) -> None:
    with FFReader(*write(tmp_path, {"b": b"1", "d": b"2"})) as reader:
        for key in ("a", "c", "e"):
            with pytest.raises(KeyError):
                reader[key]


def test_a_key_is_written_once(tmp_path: Path) -> None:
    with FFWriter(tmp_path / "d", tmp_path / "i") as writer:
        writer.add("a", b"1")
        with pytest.raises(DatabaseError, match="two entries have the key 'a'"):
            writer.add("a", b"2")


def test_a_writer_that_fails_leaves_no_index(tmp_path: Path) -> None:
    def fail() -> None:
        with FFWriter(tmp_path / "d", tmp_path / "i") as writer:
            writer.add("a", b"1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (tmp_path / "i").exists()


def test_a_writer_replaces_no_file(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("mine")
    with pytest.raises(FileExistsError), FFWriter(tmp_path / "d", tmp_path / "i"):
        pass
    assert (tmp_path / "d").read_text() == "mine"


@pytest.mark.parametrize("key", ["x" * 31, "é" * 15, "sp|P12345|NAME"])
def test_a_key_of_up_to_31_bytes_is_taken(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "0 bytes"),
        ("x" * 32, "32 bytes.*1 to 31.*shorten"),
        ("é" * 16, "32 bytes"),
        ("a b", "blanks"),
        ("a\tb", "blanks or control"),
        ("a\x07b", "control"),
    ],
)
def test_a_key_that_hh_suite_cannot_use_is_refused(key: str, words: str) -> None:
    with pytest.raises(DatabaseError, match=words):
        check_key(key)


def test_a_sound_index_is_summed_up(tmp_path: Path) -> None:
    data, index = files(tmp_path, b"a\t4\t5\nb\t0\t4\n")
    summary = check_index(index, data)
    assert (summary.num_entries, summary.end, summary.lengths_sum) == (2, 9, 9)
    other = check_index(files(tmp_path, b"a\t0\t4\nb\t4\t5\n")[1], data)
    assert other.keys_sha256 == summary.keys_sha256
    assert check_index(files(tmp_path, b"a\t0\t4\nc\t4\t5\n")[1], data).keys_sha256 != summary.keys_sha256


FAULTS = {
    "no line": (b"", ["x.ffindex:", "empty"]),
    "half a line": (b"a\t0\t4\nb\t4", ["x.ffindex:2", "key, offset, length"]),
    "an end without a line end": (b"a\t0\t4\nb\t4\t5", ["x.ffindex:", "last line is cut"]),
    "words for numbers": (b"a\tzero\t4\n", ["x.ffindex:1", "key, offset, length"]),
    "a negative offset": (b"a\t-1\t4\n", ["x.ffindex:1"]),
    "an empty line": (b"a\t0\t4\n\nb\t4\t5\n", ["x.ffindex:2"]),
    "spaces for tabs": (b"a 0 4\n", ["x.ffindex:1"]),
    "out of order": (b"b\t0\t4\na\t4\t5\n", ["x.ffindex:2", "'a' comes after 'b'", "LC_ALL=C sort"]),
    "upper case after lower": (b"a\t0\t4\nB\t4\t5\n", ["x.ffindex:2", "sorted bytewise"]),
    "a key twice": (b"a\t0\t4\na\t4\t5\n", ["x.ffindex:2", "'a' is there twice"]),
    "no key": (b"\t0\t4\n", ["x.ffindex:1", "0 bytes"]),
    "a long key": (b"%s\t0\t4\n" % (b"k" * 32), ["x.ffindex:1", "32 bytes", "shorter names"]),
    "an end beyond the data": (
        b"a\t0\t4\nb\t4\t6\n",
        ["x.ffdata: the file has 9 bytes", "'b'", "10", "in part"],
    ),
    "no length": (b"a\t0\t0\n", ["x.ffdata", "'a'"]),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("block_bytes", [8, 2**20])
def test_a_faulty_index_is_refused_with_its_line(
    case: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffindex, "_BLOCK_BYTES", max(block_bytes, 64 if case == "a long key" else 0))
    content, words = FAULTS[case]
    data, index = files(tmp_path, content)
    with pytest.raises(DatabaseError) as raised:
        check_index(index, data)
    for word in words:
        assert word in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_order_is_checked_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b"k%03d\t0\t4\n" % number for number in range(100)]
    monkeypatch.setattr(ffindex, "_BLOCK_BYTES", len(lines[0]) * 10)
    data, index = files(tmp_path, b"".join(lines))
    assert check_index(index, data).num_entries == 100
    in_blocks = check_index(index, data).keys_sha256
    with monkeypatch.context() as patch:
        patch.setattr(ffindex, "_BLOCK_BYTES", 2**20)
        assert check_index(index, data).keys_sha256 == in_blocks
    for wrong in (10, 20, 55, 99):
        swapped = [*lines[: wrong - 1], lines[wrong], lines[wrong - 1], *lines[wrong + 1 :]]
        with pytest.raises(DatabaseError, match=rf"x.ffindex:{wrong + 1}: "):
            check_index(files(tmp_path, b"".join(swapped))[1], data)


def test_keys_cut_at_other_places_are_other_keys(tmp_path: Path) -> None:
    contents = (b"a\t0\t4\nbc\t4\t5\n", b"ab\t0\t4\nc\t4\t5\n")
    digests = [check_index(*reversed(files(tmp_path, content))).keys_sha256 for content in contents]
    assert digests[0] != digests[1]


def test_empty_keys_of_mmseqs_are_no_accident(tmp_path: Path) -> None:
    data, index = files(tmp_path, b"\t0\t4\n")
    assert check_index(index, data, order="any").num_entries == 1


def test_mmseqs_sorts_by_number_and_has_long_keys(tmp_path: Path) -> None:
    data, index = files(tmp_path, b"9\t0\t4\n10\t4\t5\n")
    assert check_index(index, data, order="any").num_entries == 2
    with pytest.raises(DatabaseError, match="in part"):
        check_index(files(tmp_path, b"9\t0\t4\n10\t4\t50\n")[1], data, order="any")


def test_an_entry_without_its_nul_is_damaged(tmp_path: Path) -> None:
    data, index = files(tmp_path, b"a\t0\t3\n")
    with FFReader(data, index) as reader, pytest.raises(DatabaseError, match="'a' does not end in a NUL"):
        reader["a"]
