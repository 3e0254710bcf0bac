"""The fuzz script's own promises, without atheris: its seeds are fine, and a broken reader would be noticed."""

import importlib.util
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from data_tools import formats
from data_tools.alignment import Alignment
from data_tools.errors import AlignmentError, AlignmentFormatError

SCRIPT = Path(__file__).parent.parent / "scripts/fuzz_formats.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_formats", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_seed_read_in_every_way_keeps_every_promise(fuzz: ModuleType) -> None:
    for way in range(len(fuzz.VARIANTS)):
        for seed in fuzz.WRITTEN_SEEDS:
            fuzz.examine(bytes([way]) + seed)


def test_the_written_seeds_are_read_by_at_least_one_way_each(fuzz: ModuleType) -> None:
    for seed in fuzz.WRITTEN_SEEDS:
        assert formats.parse_alignment(seed, "seed", on_error="repair").depth >= 1


def loses_a_deletion(parse: Callable[..., Alignment]) -> Callable[..., Alignment]:
    def broken(data: bytes, source: str, **options: Any) -> Alignment:
        alignment = parse(data, source, **options)
        deletions = (
            np.zeros_like(alignment.deletion_matrix) if source == "written" else alignment.deletion_matrix
        )
        return Alignment(alignment.names, alignment.tokens, deletions)

    return broken


def raises(error: Exception) -> Callable[[Any], Callable[..., Alignment]]:
    def broken(data: bytes, source: str, **options: Any) -> Alignment:
        raise error

    return lambda _: broken


@pytest.mark.parametrize(
    ("breaks", "notice"),
    [
        (loses_a_deletion, "insertions are known"),
        (raises(KeyError("x")), "x"),
        (raises(AlignmentError("input: not of the format")), "error is of the format"),
        (raises(AlignmentFormatError("input: two\nlines")), "error is one line"),
        (raises(AlignmentFormatError("elsewhere: wrong")), "error is one line"),
    ],
)
def test_a_broken_reader_is_noticed(
    fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch, breaks: Callable[[Any], Any], notice: str
) -> None:
    monkeypatch.setattr(formats, "parse_alignment", breaks(formats.parse_alignment))
    with pytest.raises((fuzz.BrokenPromiseError, KeyError), match=notice):
        fuzz.examine(b"\x00>q\nMKV\n>h\nMaKV\n")


def test_what_differs_is_named(fuzz: ModuleType) -> None:
    first, second = (formats.parse_alignment(text, "x") for text in (b">q\nMaKV\n", b">q\nMbKV\n"))
    assert fuzz.difference(first, first) == ""
    assert fuzz.difference(first, second) == "letters"
    assert fuzz.difference(first, formats.parse_alignment(b">q\nMKV\n", "x")) == "deletion_matrix"


def test_one_input_a_kind_of_fault_is_kept_and_the_smallest(fuzz: ModuleType, tmp_path: Path) -> None:
    for data in (b"\x00longer", b"\x00short", b"\x00middle"):
        fuzz.keep(tmp_path, data, fuzz.BrokenPromiseError("time", "3 bytes"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken-time-0", "broken-time-0.txt"]
    assert (tmp_path / "broken-time-0").read_bytes() == b"\x00short"


def test_seeds_come_from_files_folders_and_archives(fuzz: ModuleType, tmp_path: Path) -> None:
    long = b">q\n" + b"MKV\n" * 10_000
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.a3m").write_bytes(b">q\nMKV\n")
    (tmp_path / "folder/b.a3m").write_bytes(long)
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz") as archive:
        archive.add(tmp_path / "folder", "folder")
    for path in (tmp_path / "folder", tmp_path / "all.tar.xz"):
        small, cut = sorted(fuzz.read_seeds(path), key=len)
        assert small == b">q\nMKV\n"
        assert len(cut) <= fuzz.SEED_BYTES
        assert long.startswith(cut)
        assert cut.endswith(b"\n")


def test_kept_inputs_can_be_run_again(
    fuzz: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "input").write_bytes(b"\x00>q\nMKV\n")
    assert fuzz.replay([tmp_path / "input"]) == 0
    assert "input: fine" in capsys.readouterr().out
