"""`msaformer database`: build, check and info, with the real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_cases import Terminal, files_in
from search_database_cases import make_hh, needs_hhsuite, needs_mmseqs, write_families

from msaformer.cli import main


@pytest.mark.parametrize("command", [[], ["build"], ["check"], ["info"]])
def test_help_is_quick(command: list[str]) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "msaformer", "database", *command, "--help"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert "Usage: msaformer database" in result.stdout
    for heavy in ("numpy", "pyarrow", "data_tools.search"):
        assert f" {heavy}\n" not in result.stderr


@needs_hhsuite
def test_broken_inputs_are_left_out_and_listed(tmp_path: Path, terminal: Terminal) -> None:
    files = [str(path) for path in write_families(tmp_path).values()]
    bad = tmp_path / "bad.a3m"
    bad.write_text(">q\nMKV\n>h\nMK\n")
    prefix = str(tmp_path / "db")
    assert main(["database", "build", *files, str(bad), "-o", prefix, "--hhm"]) == 3
    told, errors = terminal.read()
    assert told == f"{prefix}: 2 alignments, with HMMs; built of 2 of 3 inputs\n"
    assert errors.startswith(f"error: {bad}:3")
    assert (tmp_path / "db.failures.tsv").read_text().splitlines()[1].startswith(f"{bad}\t")
    assert main(["database", "build", *files, "-o", prefix, "--overwrite", "--json"]) == 0
    report = json.loads(terminal.read()[0])
    assert (report["entries"], report["holds"], report["kind"]) == (2, "alignments, without HMMs", "hhblits")
    assert (report["inputs"], report["failures"]) == (2, {})
    assert not (tmp_path / "db.failures.tsv").exists()
    assert main(["database", "check", prefix]) == 0
    assert terminal.read()[0] == (
        f"{prefix}: sound (files, indices and all entries): 2 alignments, without HMMs\n"
    )
    assert main(["database", "build", str(bad), "-o", str(tmp_path / "other")]) == 1
    terminal.shows_one_error("none of the 1 inputs", "bad.a3m:3")


def test_a_dry_run_writes_nothing(tmp_path: Path, terminal: Terminal) -> None:
    arguments = ["database", "build", "fams/a.sto", "fams/b.sto.gz", "-o", str(tmp_path / "db"), "--dry-run"]
    assert main(arguments) == 0
    told = terminal.read()[0]
    assert told.splitlines() == [
        f"would build {tmp_path}/db for hhblits of 2 inputs",
        "  a: fams/a.sto",
        "  b: fams/b.sto.gz",
    ]
    assert main([*arguments, "--json", "--kind", "fasta"]) == 0
    plan = json.loads(terminal.read()[0])
    assert plan["inputs"] == {"fams/a.sto": "fams/a.sto", "fams/b.sto.gz": "fams/b.sto.gz"}
    assert files_in(tmp_path) == set()
    make_hh(tmp_path)
    assert main(arguments) == 1
    terminal.shows_one_error("exists already")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["build", "a.a3m", "-o", "x", "--hhm", "--kind", "mmseqs"], "--hhm"),
        (["build", "a.a3m", "b/A.sto", "-o", "x"], "rename one"),
        (["build", "-o", "x"], "ALIGNMENT"),
        (["build", "a.a3m"], "--output"),
        (["check", "x", "--kind", "blast"], "blast"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], word: str, terminal: Terminal) -> None:
    assert main(["database", *arguments]) == 2
    terminal.shows_one_error(word)


def test_check_names_the_first_fault(tmp_path: Path, terminal: Terminal) -> None:
    prefix = make_hh(tmp_path)
    assert main(["database", "check", str(prefix), "--quick", "--json"]) == 0
    report = json.loads(terminal.read()[0])
    assert (report["sound"], report["entries_read"], report["entries"]) == (True, False, 2)
    data = tmp_path / "db_hhm.ffdata"
    data.write_bytes(data.read_bytes().replace(b"//", b"--", 1))
    assert main(["database", "check", str(prefix), "--quick"]) == 0
    terminal.read()
    assert main(["database", "check", str(prefix)]) == 1
    terminal.shows_one_error("db_hhm.ffdata: entry 'a' is cut")
    os.truncate(data, 10)
    assert main(["database", "check", str(prefix), "--quick"]) == 1
    terminal.shows_one_error("db_hhm.ffdata: the file has 10 bytes")
    assert main(["database", "check", str(tmp_path)]) == 1
    terminal.shows_one_error("is a folder", str(prefix))


def test_info_says_what_a_database_is(tmp_path: Path, terminal: Terminal) -> None:
    prefix = make_hh(tmp_path)
    assert main(["database", "info", str(prefix)]) == 0
    told = dict(line.split(maxsplit=1) for line in terminal.read()[0].splitlines())
    assert told["kind"] == "hhblits"
    assert told["entries"] == "2 alignments, with HMMs"
    assert len(told["fingerprint"]) == 64
    (tmp_path / "x.fa").write_text(">a\nMKV\n>b\nMKV\n")
    assert main(["database", "info", str(tmp_path / "x.fa"), "--json"]) == 0
    report = json.loads(terminal.read()[0])
    assert (report["kind"], report["entries"], report["size_bytes"]) == ("fasta", 2, 14)


@needs_mmseqs
def test_sequences_become_a_database_of_mmseqs_or_a_fasta_file(tmp_path: Path, terminal: Terminal) -> None:
    (tmp_path / "a.fa").write_text(">a\nMKVLAAGICRTW\n>b\nMKVLAAGICRTWYD\n")
    inputs = [str(tmp_path / "a.fa")]
    assert main(["database", "build", *inputs, "-o", str(tmp_path / "mm"), "--kind", "mmseqs"]) == 0
    assert terminal.read()[0] == f"{tmp_path}/mm: 2 sequences (amino acids); built of 1 of 1 inputs\n"
    assert main(["database", "check", str(tmp_path / "mm")]) == 0
    assert main(["database", "build", *inputs, "-o", str(tmp_path / "b.fa"), "--kind", "fasta"]) == 0
    assert (tmp_path / "b.fa").read_text() == (tmp_path / "a.fa").read_text()
