"""`msaformer inspect`: Neff under its names, several files, what the reader did."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path

import pytest
from cli_cases import QUERY, Terminal

from msaformer.cli import main


def test_every_neff_is_named_and_defined(good: Path, terminal: Terminal) -> None:
    assert main(["inspect", str(good), "--json", "--hhsuite-neff"]) == 0
    summary = json.loads(terminal.read()[0])
    assert summary["neff80"] == summary["neff"] == pytest.approx(2.0)
    assert summary["neff62"] == pytest.approx(2.0)
    assert summary["neff_per_sqrt_length"] == pytest.approx(2 / 40**0.5)
    assert set(summary["neff_definitions"]) <= set(summary)
    # Half of the columns are covered by 1/2 + 1/2 (q and b) and 1 (a), half by q and b alone.
    assert summary["column_neff"] == pytest.approx(
        {"min": 1.0, "q25": 1.0, "median": 1.5, "q75": 2.0, "max": 2.0}
    )
    # Two of 40 columns hold K and R; a half row weighs less than a whole one, R is alone in its column.
    assert 1.0 < summary["neff_henikoff"] < 1.05
    assert 1.0 < summary["neff_hhsuite"] < 1.05
    assert summary["format"] == "a3m"


def test_hhsuites_neff_is_counted_only_when_asked(good: Path, terminal: Terminal) -> None:
    assert main(["inspect", str(good), "--json"]) == 0
    assert json.loads(terminal.read()[0])["neff_hhsuite"] is None
    assert main(["inspect", str(good)]) == 0
    assert "HH-suite" not in terminal.read()[0]
    assert main(["inspect", str(good), "--hhsuite-neff"]) == 0
    assert "HH-suite's: 1.0" in terminal.read()[0]


def test_several_files_are_a_table_with_a_line_each(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    other = tmp_path / "other.a3m"
    other.write_text(">q\nMKVL\n")
    assert main(["inspect", str(good), str(other)]) == 0
    lines = terminal.read()[0].splitlines()
    assert [line.split() for line in lines] == [
        ["N", "L", "Neff", "Neff62", "Neff/√L", "gaps", "file"],
        ["3", "40", "2.0", "2.0", "0.32", "16.7%", str(good)],
        ["1", "4", "1.0", "1.0", "0.50", "0.0%", str(other)],
    ]


def test_files_that_fail_are_named_and_the_others_shown(
    good: Path, tmp_path: Path, terminal: Terminal
) -> None:
    bad = tmp_path / "bad.a3m"
    bad.write_text(">q\nMKV\n>a\nM1V\n")
    assert main(["inspect", str(good), str(bad), "--json"]) == 3
    printed, errors = terminal.read()
    tree = json.loads(printed)
    assert [summary["file"] for summary in tree["alignments"]] == [str(good)]
    assert list(tree["failures"]) == [str(bad)]
    assert errors.startswith(f"error: {bad}:4:")
    assert main(["inspect", str(bad), str(bad)]) == 1


def test_repair_reads_on_and_the_report_says_what_it_did(tmp_path: Path, terminal: Terminal) -> None:
    path, report = tmp_path / "broken.a3m", tmp_path / "report.json"
    path.write_text(">q\nMKVL\n>short\nMKV\n>a\nMKVI\n")
    assert main(["inspect", str(path), "--repair", "--report", str(report)]) == 0
    assert "reader       dropped 1" in terminal.read()[0]
    tree = json.loads(report.read_text())
    assert tree["counts"] == {"dropped": 1}
    assert [note["record"] for note in tree["notes"]] == ["short"]


def test_the_format_can_be_named(good: Path, terminal: Terminal) -> None:
    assert main(["inspect", str(good), "--from", "stockholm"]) == 1
    terminal.shows_one_error(str(good), "STOCKHOLM")


def test_a_report_of_several_files_is_refused(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    assert main(["inspect", str(good), str(good), "--report", str(tmp_path / "r.json")]) == 2
    terminal.shows_one_error("--report takes one ALIGNMENT, not 2")


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    class Stdin:
        buffer = io.BytesIO(f">q\n{QUERY}\n".encode())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert main(["inspect", "-", "--json"]) == 0
    summary = json.loads(terminal.read()[0])
    assert (summary["file"], summary["length"]) == ("-", 40)


def test_chains_of_a_complex_are_shown(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "complex.a3m"
    path.write_text("#2,3\t1,2\n>101\t102\nMKVLA\n>101\nMK---\n>102\n--VLA\n")
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(terminal.read()[0])["chains"] == [
        {"length": 2, "cardinality": 1},
        {"length": 3, "cardinality": 2},
    ]
    assert main(["inspect", str(path)]) == 0
    assert "chains       2 columns x 1, 3 columns x 2" in terminal.read()[0]


def test_annotations_are_named(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "x.sto"
    path.write_text("# STOCKHOLM 1.0\nq MKVL\na MKVI\n#=GC SS_cons HHEE\n//\n")
    assert main(["inspect", str(path), "--json"]) == 0
    summary = json.loads(terminal.read()[0])
    assert (summary["format"], summary["annotations"]) == ("stockholm", ["SS_cons"])


def test_the_help_ends_with_examples_that_run(
    good: Path, tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("deep.a3m", "filtered.a3m"):
        Path(name).write_bytes(good.read_bytes())
    assert main(["inspect", "--help"]) == 0
    example = terminal.read()[0].partition("Example:")[2].splitlines()
    commands = [line.partition("$ ")[2].split() for line in example if "$ " in line]
    for words in commands:
        assert words[0] == "msaformer"
        assert main(words[1:]) == 0
    assert len(commands) == 2
    head = next(line.split() for line in example if "Neff62" in line)
    assert head in [line.split() for line in terminal.read()[0].splitlines()]


def test_counts_that_only_the_right_rows_and_columns_give(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "x.a3m"
    path.write_text(">q\nMKXL\n>a\naaMRX-\n>b\nMccR--\n>c\nM-a--\n")
    assert main(["inspect", str(path), "--json"]) == 0
    summary = json.loads(terminal.read()[0])
    assert summary["num_deletions"] == 2 + 2 + 1
    assert summary["unknown_residues"] == 1  # the query's; row a has another
    assert summary["thin_columns"] == 1  # the last; the third is half full
    # Without the query: a matches M and X of 3, b M of 2, c M of 1.
    assert summary["identity_to_query"] == pytest.approx(
        {"min": 1 / 2, "q25": 7 / 12, "median": 2 / 3, "q75": 5 / 6, "max": 1.0}
    )


def test_the_two_neffs_of_entropy_differ_where_fragments_are(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "x.a3m"
    path.write_text(f">q\n{'A' * 24}\n>a\n{'C' * 6}{'A' * 6}{'-' * 12}\n")
    assert main(["inspect", str(path), "--json", "--hhsuite-neff"]) == 0
    summary = json.loads(terminal.read()[0])
    assert summary["neff_hhsuite"] == pytest.approx((2**0.5 + 1) / 2)
    # Henikoff's weights: q 12 columns alone and half of 12, a the other half; 6 of 24 columns are mixed.
    share = (12 + 3 + 3) / 24
    entropy = -(share * math.log(share) + (1 - share) * math.log(1 - share)) * 6 / 24
    assert summary["neff_henikoff"] == pytest.approx(math.exp(entropy))
