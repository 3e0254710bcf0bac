"""`msaformer convert`."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
from cli_cases import QUERY, Terminal, files_in

from data_tools.compression import COMPRESSION_SUFFIXES
from data_tools.formats import FORMATS, read_alignment
from data_tools.formats.writing import SUFFIXES
from data_tools.pipeline import inputs
from msaformer.cli import convert, main

GLOBINS = Path("/usr/share/doc/hmmer/examples/tutorial/globins4.sto")


def test_formats_and_suffixes_of_the_command_line_are_those_of_data_tools() -> None:
    assert convert.FORMATS == FORMATS
    assert all(suffix in SUFFIXES[name] for name, suffix in convert.SUFFIXES.items())
    assert set(inputs.ALIGNMENT_SUFFIXES) == {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}
    assert set(inputs.COMPRESSION_SUFFIXES) == set(COMPRESSION_SUFFIXES)


def test_a_file_is_written_in_the_format_of_its_suffix(
    good: Path, tmp_path: Path, terminal: Terminal
) -> None:
    out = tmp_path / "good.sto.gz"
    assert main(["convert", str(good), "-o", str(out)]) == 0
    assert terminal.read() == (f"{out}: 3 sequences, 40 columns, a3m to stockholm\n", "")
    assert gzip.decompress(out.read_bytes()).startswith(b"# STOCKHOLM 1.0\n")
    assert read_alignment(out).tokens.tolist() == read_alignment(good).tokens.tolist()


@pytest.mark.skipif(not GLOBINS.exists(), reason="needs Debian's hmmer-examples")
def test_the_example_of_the_help_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    assert main(["convert", "--help"]) == 0
    help_text = terminal.read()[0]
    (tmp_path / "globins4.sto").write_bytes(GLOBINS.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main(["convert", "globins4.sto", "-o", "globins4.a3m"]) == 0
    shown = terminal.read()[0]
    assert "$ msaformer convert globins4.sto -o globins4.a3m" in help_text
    assert shown.strip() in help_text


def test_what_is_lost_is_said_on_stderr(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    out = tmp_path / "good.aln"
    assert main(["convert", str(good), "-o", str(out)]) == 0
    assert terminal.read()[1] == f"warning: {good}: the names of 3 sequences are not written\n"
    assert out.read_text().splitlines()[0] == QUERY
    assert main(["-q", "convert", str(good), "-o", str(out), "--overwrite"]) == 0
    assert terminal.read()[1] == ""


class _Bytes(io.TextIOWrapper):
    """A stream that keeps its bytes when it is closed."""

    def close(self) -> None:
        pass


def test_standard_input_becomes_standard_output(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(
        sys, "stdin", _Bytes(io.BytesIO(gzip.compress(b"# STOCKHOLM 1.0\nq M-K\nh MaK\n//\n")))
    )
    assert main(["convert", "-", "-o", "-"]) == 0
    assert capfdbinary.readouterr() == (b">q\nMK\n>h\nMaK\n", b"")
    monkeypatch.setattr(sys, "stdin", _Bytes(io.BytesIO(b"MK\nM-\n")))
    assert main(["convert", "-", "-o", "-", "--to", "clustal", "--from", "psicov"]) == 0
    assert capfdbinary.readouterr().out.endswith(b"sequence_1 MK\nsequence_2 M-\n")


def test_repair_is_told_and_reported(tmp_path: Path, terminal: Terminal) -> None:
    broken, out, report = tmp_path / "x.sto", tmp_path / "x.a3m", tmp_path / "report.json"
    broken.write_text("# STOCKHOLM 1.0\nq MKV\na MK\nh M-V\n//\n")
    assert main(["convert", str(broken), "-o", str(out)]) == 1
    terminal.shows_one_error("x.sto:3: sequence 'a' has 2 columns")
    assert main(["convert", str(broken), "-o", str(out), "--json"]) == 1
    terminal.shows_one_error("x.sto:3: sequence 'a' has 2 columns")
    assert files_in(tmp_path) == {"x.sto"}
    assert main(["convert", str(broken), "-o", str(out), "--repair", "--report", str(report)]) == 0
    assert terminal.read()[1] == f"warning: {broken}: 1 dropped; --report FILE says which\n"
    assert out.read_text() == ">q\nMKV\n>h\nM-V\n"
    content = json.loads(report.read_text())
    assert content["counts"] == {"dropped": 1}
    assert (content["notes"][0]["line"], content["notes"][0]["record"]) == (3, "a")


def test_nothing_is_overwritten_unasked_and_an_input_never(
    good: Path, tmp_path: Path, terminal: Terminal
) -> None:
    out = tmp_path / "out.a3m"
    out.write_text("before")
    assert main(["convert", str(good), "-o", str(out)]) == 2
    terminal.shows_one_error(str(out), "exists", "--overwrite")
    assert main(["convert", str(good), "-o", str(tmp_path / "new.a3m"), "--report", str(out)]) == 2
    terminal.shows_one_error(str(out), "exists")
    assert out.read_text() == "before"
    assert main(["convert", str(good), "-o", str(out), "--overwrite"]) == 0
    assert out.read_text() != "before"
    terminal.read()
    before = good.read_bytes()
    link = tmp_path / "link.a3m"
    link.symlink_to(good)
    for path in (good, link):
        assert main(["convert", str(good), "-o", str(path), "--overwrite"]) == 2
        terminal.shows_one_error("is an input")
    assert main(["convert", str(good), "-o", str(out), "--report", str(good), "--overwrite"]) == 2
    terminal.shows_one_error("is an input")
    assert main(["convert", str(good), "-o", str(out), "--report", str(out), "--overwrite"]) == 2
    terminal.shows_one_error("name two files")
    assert good.read_bytes() == before


def test_a_dry_run_reads_and_writes_nothing(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    out, report = tmp_path / "sub" / "x.sto", tmp_path / "report.json"
    arguments = ["convert", str(good), "-o", str(out), "--report", str(report), "--dry-run"]
    assert main(arguments) == 0
    assert terminal.read()[0] == f"{out}: would be written: 3 sequences, 40 columns, a3m to stockholm\n"
    assert files_in(tmp_path) == {"good.a3m"}
    good.write_text(">q\nMK\n>q\nMK\n")
    assert main(arguments) == 1
    terminal.shows_one_error("sequences 1 and 2 have one id")


def test_json_says_what_was_done(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    out = tmp_path / "x.psicov"
    assert main(["convert", str(good), "-o", str(out), "--json"]) == 0
    shown = json.loads(terminal.read()[0])
    assert shown["dry_run"] is False
    (file,) = shown["files"]
    assert (file["input"], file["output"]) == (str(good), str(out))
    assert (file["source_format"], file["target_format"], file["depth"], file["length"]) == (
        "a3m",
        "psicov",
        3,
        40,
    )
    assert file["lost"] == ["the names of 3 sequences are not written"]
    assert file["report"]["counts"] == {}
    assert main(["convert", str(good), "-o", "-", "--json"]) == 2
    terminal.shows_one_error("standard output")


def test_several_inputs_go_into_a_folder_and_failures_are_told(
    good: Path, tmp_path: Path, terminal: Terminal
) -> None:
    bad, other, folder = tmp_path / "bad.a3m", tmp_path / "other.sto", tmp_path / "out"
    bad.write_text(">q\nMK\n>h\nM\n")
    other.write_text("# STOCKHOLM 1.0\nq MK\n//\n")
    report = tmp_path / "report.json"
    arguments = ["convert", str(good), str(bad), str(other), "-o", str(folder)]
    assert main([*arguments, "--to", "fasta", "--report", str(report), "--json"]) == 3
    out, err = terminal.read()
    assert err.startswith(f"error: {bad}:3: ")
    assert files_in(folder) == {"good.fasta", "other.fasta"}
    files = json.loads(out)["files"]
    assert [Path(file["input"]).name for file in files] == ["good.a3m", "other.sto", "bad.a3m"]
    assert str(bad) in files[2]["error"]
    assert [entry["format"] for entry in json.loads(report.read_text())] == ["a3m", "stockholm"]
    assert main(["convert", str(bad), str(bad.with_name("none.a3m")), "-o", str(folder), "--to", "a2m"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["good.a3m", "good.a3m", "-o", "x"], "--to FORMAT"),
        (["good.a3m", "-o", "."], "--to FORMAT"),
        (["good.a3m", "-", "-o", "x", "--to", "a3m"], "stands for one alignment"),
        (["good.a3m", "b.a3m", "-o", "-", "--to", "a3m"], "stands for one alignment"),
        (["good.a3m", "b.a3m", "-o", "good.a3m", "--to", "a3m"], "is a file; name a folder"),
        (["good.a3m", "good.sto", "-o", "x", "--to", "a3m"], "would both be written"),
        (["good.a3m", "-o", "x", "--to", "sto"], "--to"),
    ],
)
def test_usage_that_cannot_be_meant_is_refused(
    arguments: list[str], words: str, good: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.chdir(good.parent)
    assert main(["convert", *arguments]) == 2
    terminal.shows_one_error(words)
    assert files_in(good.parent) == {"good.a3m"}


def test_equal_ids_are_renamed_on_demand(tmp_path: Path, terminal: Terminal) -> None:
    source, out = tmp_path / "x.a3m", tmp_path / "x.sto"
    source.write_text(">q\nMK\n>q again\nMK\n")
    assert main(["convert", str(source), "-o", str(out), "--rename"]) == 0
    assert terminal.read()[1] == f"warning: {source}: 1 names were changed\n"
    assert read_alignment(out).names == ("q", "q_2 again")


def test_match_columns_of_stockholm_are_chosen(tmp_path: Path, terminal: Terminal) -> None:
    source, out = tmp_path / "x.sto", tmp_path / "x.a3m"
    source.write_text("# STOCKHOLM 1.0\nq MKV\nh M-V\n#=GC RF x.x\n//\n")
    assert main(["convert", str(source), "-o", str(out), "--match-columns", "rf"]) == 0
    assert out.read_text() == ">q\nMkV\n>h\nMV\n"
