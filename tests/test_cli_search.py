"""`msaformer search`: what it prints, writes and returns; with a stand-in for hhblits, and with the real programs."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cli_cases import Terminal, files_in
from search_database_cases import (
    TUTORIAL,
    family_a3m,
    install_fake_hhblits,
    make_hh,
    needs_hhsuite,
    needs_jackhmmer,
    needs_mmseqs,
    searches,
    write_families,
)

from data_tools.formats import read_alignment
from data_tools.search.database import HHDatabase, MMseqsDatabase, SequenceDatabase
from msaformer.cli import main

MMSEQS_SEQUENCES = Path("/usr/share/doc/mmseqs2/example-data/DB.fasta.gz")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a database `db` and a query `T1.fa`; hhblits is the stand-in."""
    monkeypatch.setenv("MSAFORMER_HHBLITS", str(install_fake_hhblits(tmp_path)))
    make_hh(tmp_path)
    (tmp_path / "T1.fa").write_text(">P1 a protein\nMKV\n")
    return tmp_path


def search(folder: Path, *arguments: str, query: str = "T1.fa") -> int:
    known = ["search", str(folder / query), "--database", str(folder / "db"), "-o", str(folder / "out")]
    return main([*known, *arguments])


def test_help_is_quick_and_ends_with_examples() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "msaformer", "search", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip().endswith("msaformer featurize msas/*.a3m -o store")
    for heavy in ("numpy", "pyarrow", "torch", "data_tools.search"):
        assert f" {heavy}\n" not in result.stderr


def test_an_alignment_is_written_and_told(bench: Path, terminal: Terminal) -> None:
    assert search(bench) == 0
    told, errors = terminal.read()
    assert told.splitlines()[0].startswith(f"{bench}/out/T1.a3m: 2 sequences, searched in ")
    assert told.splitlines()[1] == f"{bench}/out: 1 searched"
    assert errors == ""
    assert read_alignment(bench / "out" / "T1.a3m").names[0] == "P1 a protein"
    assert search(bench) == 0
    told = terminal.read()[0]
    assert told == f"{bench}/out/T1.a3m: 2 sequences, kept\n{bench}/out: 0 searched, 1 kept\n"
    assert search(bench, "--no-resume") == 0
    assert searches(bench) == ["MKV", "MKV"]


def test_json_is_one_object(bench: Path, terminal: Terminal) -> None:
    (bench / "T1.fa").write_text(">P1\nmkvwarn*\n")
    assert search(bench, "--json") == 0
    report = json.loads(terminal.read()[0])
    assert (report["searched"], report["kept"], report["cached"], report["failed"]) == (1, 0, 0, 0)
    assert (report["version"], report["databases"]) == ("3.3.0", [str(bench / "db")])
    told = report["queries"]["T1"]
    assert (told["state"], told["num_sequences"], told["error"]) == ("searched", 2, "")
    assert told["warnings"][:2] == ["7 lower-case letters made upper-case", "final * taken off"]


def test_some_failed_is_exit_code_3_and_all_failed_1(bench: Path, terminal: Terminal) -> None:
    (bench / "failing").touch()
    (bench / "many.fa").write_text(">a\nMKV\n>b\nFAIL\n>c\nM?V\n")
    assert search(bench, query="many.fa") == 3
    told, errors = terminal.read()
    assert told.splitlines()[-1] == f"{bench}/out: 1 searched, 2 failed"
    assert len(errors.splitlines()) == 2
    assert "error: b: hhblits failed with exit code 3" in errors
    assert f"error: {bench}/many.fa:5: " in errors
    lines = (bench / "out" / "failures.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["query", "b", f"{bench}/many.fa:5"]
    (bench / "T1.fa").write_text(">x\nFAIL\n")
    assert search(bench) == 1
    (bench / "T1.fa").write_text(">x\nM?V\n")
    assert search(bench) == 1


def test_a_dry_run_shows_the_exact_commands_and_writes_nothing(bench: Path, terminal: Terminal) -> None:
    before = files_in(bench)
    assert search(bench, "--dry-run", "--iterations", "2", "--evalue", "1e-5", "--threads", "1") == 0
    words = shlex.split(terminal.read()[0])
    assert words[0] == str(bench / "hhblits")
    for option, value in (("-d", str(bench / "db")), ("-n", "2"), ("-e", "1e-05"), ("-cpu", "1")):
        assert words[words.index(option) + 1] == value
    assert words[words.index("-oa3m") + 1] == str(bench / "out" / "T1.a3m")
    assert files_in(bench) == before
    search(bench)
    terminal.read()
    assert search(bench, "--dry-run") == 0
    assert terminal.read()[0] == f"# {bench}/out/T1.a3m is done\n"
    assert search(bench, "--dry-run", "--json") == 0
    assert json.loads(terminal.read()[0])["commands"] == {"T1": []}
    assert search(bench, "--dry-run", "--no-resume", "--json") == 0
    assert json.loads(terminal.read()[0])["commands"]["T1"][0] == str(bench / "hhblits")
    (bench / "T1.fa").write_text(">x\nM?V\n")
    assert search(bench, "--dry-run") == 1


def test_several_databases_and_further_arguments_reach_the_program(bench: Path, terminal: Terminal) -> None:
    (bench / "two").mkdir()
    other = make_hh(bench / "two")
    assert search(bench, "--database", str(other), "--extra-args", "-Z 1000", "--dry-run") == 0
    words = shlex.split(terminal.read()[0])
    assert [words[n + 1] for n, word in enumerate(words) if word == "-d"] == [str(bench / "db"), str(other)]
    assert words[-2:] == ["-Z", "1000"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--iterations", "9"], "iterations must be an integer from 1 to 8"),
        (["--evalue", "-1"], "evalue"),
        (["--evalue", "nan"], "evalue"),
        (["--timeout", "0"], "--timeout"),
        (["--threads", "0"], "--threads"),
        (["--extra-args", "-n 9"], "-n"),
        (["--extra-args", "'"], "No closing quotation"),
        (["--program", "blast"], "blast"),
    ],
)
def test_nonsense_that_hhblits_would_take_is_wrong_usage(
    arguments: list[str], word: str, bench: Path, terminal: Terminal
) -> None:
    assert search(bench, *arguments) == 2
    terminal.shows_one_error(word)
    assert not (bench / "out").exists()


def test_what_is_wrong_with_a_database_is_one_line(bench: Path, terminal: Terminal) -> None:
    (bench / "db_a3m.ffdata").unlink()
    assert search(bench) == 1
    terminal.shows_one_error("db_a3m.ffdata", "no such file")
    assert search(bench, "--program", "jackhmmer") == 1
    terminal.shows_one_error("db", "give a FASTA file")
    assert not (bench / "out").exists()


def test_truncation_is_allowed_to_hhblits_only(bench: Path, terminal: Terminal) -> None:
    (bench / "db.fa").write_text(">a\nMKV\n")
    assert search(bench, "--allow-truncation") == 0
    terminal.read()
    known = ["search", str(bench / "T1.fa"), "--database", str(bench / "db.fa"), "-o", str(bench / "out2")]
    assert main([*known, "--allow-truncation"]) == 2
    terminal.shows_one_error("hhblits only")


def test_two_queries_of_one_name_are_told(bench: Path, terminal: Terminal) -> None:
    (bench / "other").mkdir()
    (bench / "other" / "t1.fasta").write_text(">x\nWWW\n")
    assert search(bench, str(bench / "other" / "t1.fasta")) == 1
    terminal.shows_one_error("t1.a3m", "T1.fa")


def test_a_cache_serves_another_folder(bench: Path, terminal: Terminal) -> None:
    assert search(bench, "--cache", str(bench / "cache")) == 0
    known = ["search", str(bench / "T1.fa"), "--database", str(bench / "db"), "-o", str(bench / "out2")]
    terminal.read()
    assert main([*known, "--cache", str(bench / "cache")]) == 0
    assert terminal.read()[0].splitlines()[-1] == f"{bench}/out2: 0 searched, 1 cached"


# The worked example, and each real program


@needs_hhsuite
def test_the_worked_example_of_the_help(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("families").mkdir()
    write_families(Path("families"))
    query = family_a3m("globins4").split("\n")[3].replace("-", "").upper()
    Path("T1049.fasta").write_text(f">T1049\n{query}\n")
    families = sorted(str(path) for path in Path("families").iterdir())
    assert main(["database", "build", *families, "-o", "mine"]) == 0
    assert main(["search", "T1049.fasta", "--database", "mine", "-o", "msas"]) == 0
    assert main(["featurize", "msas/T1049.a3m", "-o", "store"]) == 0
    alignment = read_alignment("msas/T1049.a3m")
    assert (alignment.query, alignment.names[0]) == (query, "T1049")
    assert alignment.depth >= 4
    assert not any(os.path.exists(f"T1049.{end}") for end in ("hhr", "a3m"))


@needs_jackhmmer
def test_jackhmmer_searches_a_fasta_file(tmp_path: Path, terminal: Terminal) -> None:
    if not (TUTORIAL / "globins45.fa").exists():
        pytest.skip("needs the globins of hmmer-examples")
    SequenceDatabase.build({"g": TUTORIAL / "globins45.fa"}, tmp_path / "db.fa")
    record = (TUTORIAL / "globins45.fa").read_text().split(">")[1]
    (tmp_path / "T1.fa").write_text(">" + record)
    known = ["search", str(tmp_path / "T1.fa"), "--database", str(tmp_path / "db.fa"), "-o", str(tmp_path)]
    assert main([*known, "--iterations", "2", "--evalue", "1e-6", "--dry-run"]) == 0
    words = shlex.split(terminal.read()[0])
    assert [words[words.index(option) + 1] for option in ("-E", "--incE")] == ["1e-06", "1e-06"]
    assert main([*known, "--iterations", "2", "--evalue", "1e-6", "--json"]) == 0
    assert json.loads(terminal.read()[0])["program"].endswith("jackhmmer")
    assert read_alignment(tmp_path / "T1.a3m").depth > 20


@needs_mmseqs
def test_mmseqs_searches_its_own_database(tmp_path: Path, terminal: Terminal) -> None:
    if not MMSEQS_SEQUENCES.exists():
        pytest.skip("needs the sequences of mmseqs2-examples")
    records = gzip.decompress(MMSEQS_SEQUENCES.read_bytes()).decode().split(">")[1:60]
    (tmp_path / "db.fa").write_text("".join(f">{record}" for record in records))
    MMseqsDatabase.build({"db": tmp_path / "db.fa"}, tmp_path / "mm")
    (tmp_path / "T1.fa").write_text(">" + records[7])
    known = ["search", str(tmp_path / "T1.fa"), "--database", str(tmp_path / "mm"), "-o", str(tmp_path)]
    assert main([*known, "--iterations", "1", "--extra-args", "-k 5"]) == 0  # a small index table
    alignment = read_alignment(tmp_path / "T1.a3m")
    assert alignment.query == "".join(records[7].split("\n")[1:])
    assert alignment.depth >= 2  # it finds itself


@needs_hhsuite
def test_no_hits_are_a_result(tmp_path: Path, terminal: Terminal) -> None:
    HHDatabase.build(write_families(tmp_path), tmp_path / "db")
    (tmp_path / "T1.fa").write_text(">T1\n" + "AAAAAAAAAAAAAAAAAAAA" + "\n")
    assert search(tmp_path, "--iterations", "1") == 0
    assert read_alignment(tmp_path / "out" / "T1.a3m").depth == 1
