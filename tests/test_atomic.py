"""A file written atomically is there whole or not at all."""

import os
from pathlib import Path

import pytest

from data_tools.atomic import atomic_path, remove_leftovers


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out.npz"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"whole")
        assert not target.exists()
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".npz")
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_block_leaves_the_old_file_and_no_other(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(interruption), atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise interruption
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with atomic_path(str(tmp_path / "atomic")) as temporary:
        temporary.write_bytes(b"")
    assert os.stat(tmp_path / "atomic").st_mode == os.stat(tmp_path / "ordinary").st_mode


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "none" / "out"):
        pass


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".npz")
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"1")
    assert target.read_bytes() == b"1"


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "log.jsonl"
    with atomic_path(target) as temporary:
        left = temporary.name
    others = [
        ".log.jsonl",
        ".log.backup.jsonl",
        "log.abcdefgh.jsonl",
        ".weights.abcdefgh.jsonl",
        ".log.abcdefgh.txt",
    ]
    for name in (left, *others):
        (tmp_path / name).touch()
    remove_leftovers(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "log.jsonl"])
