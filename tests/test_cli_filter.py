"""`msaformer filter`: what is written, what is said, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_cases import QUERY, Terminal, files_in

from data_tools.alphabet import decode
from data_tools.formats import read_alignment
from msaformer.cli import main

ROWS = {
    "q": QUERY,
    "copy": QUERY[:39] + "W",
    "fragment": "-" * 30 + QUERY[30:],
    "far": "MKVLAAGICR" + "W" * 29 + "-",
    "other": "MKVLAAGICRGGGGGGGGGGGGGGGGGGGGGGGGGGGGG-",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.a3m"
    path.write_text("".join(f">{name}\n{row}\n" for name, row in ROWS.items()))
    return path


def names(path: Path) -> list[str]:
    return list(read_alignment(path).names)


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("--min-coverage 0.5", "q copy far other"),
        ("--min-identity 0.5", "q copy fragment"),
        ("--max-identity 0.5", "q far other"),
        ("--redundancy 0.9", "q far other"),
        ("--redundancy 0.9 --denominator length", "q fragment far other"),
        ("--depth 2", "q copy"),
        (
            "--depth 3 --select diverse",
            "q fragment other",
        ),  # 30 columns from q; then 29 and 40, far 28 and 39
        ("--min-coverage 0.5 --redundancy 0.9 --depth 2 --select diverse", "q other"),
    ],
)
def test_the_sequences_that_stay(
    options: str, kept: str, source: Path, tmp_path: Path, terminal: Terminal
) -> None:
    output = tmp_path / "out.a3m"
    assert main(["filter", str(source), "-o", str(output), *options.split()]) == 0
    assert names(output) == kept.split()
    assert f"wrote {output}" in terminal.read()[0]


def test_columns_left_out_stay_as_insertions_and_the_numbers_of_residues_too(
    source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.a3m"
    options = ["--min-coverage", "0.5", "--max-column-gaps", "0.4"]
    assert main(["filter", str(source), "-o", str(output), *options]) == 0
    assert output.read_text().splitlines()[1] == QUERY[:39] + QUERY[39].lower()
    output.unlink()
    assert main(["filter", str(source), "-o", str(output), "--max-column-gaps", "0"]) == 0
    filtered = read_alignment(output)
    assert filtered.residue_index.tolist() == list(range(30, 39))


def test_a_random_sample_repeats_with_its_seed(source: Path, tmp_path: Path) -> None:
    written = []
    for number, seed in enumerate((3, 3, 5)):
        output = tmp_path / f"{number}.a3m"
        options = ["--depth", "3", "--select", "random", "--seed", str(seed)]
        assert main(["filter", str(source), "-o", str(output), *options]) == 0
        written.append(output.read_bytes())
    assert written[0] == written[1] != written[2]


def test_json_tells_what_each_step_took(source: Path, tmp_path: Path, terminal: Terminal) -> None:
    output = tmp_path / "out.a3m"
    options = ["--min-coverage", "0.5", "--redundancy", "0.9", "--max-column-gaps", "0.5", "--json"]
    assert main(["filter", str(source), "-o", str(output), *options]) == 0
    assert json.loads(terminal.read()[0]) == {
        "input": str(source),
        "output": str(output),
        "dry_run": False,
        "repaired": {},
        "before": {"depth": 5, "length": 40},
        "steps": [
            {"name": "min_coverage", "rows_removed": 1, "columns_removed": 0},
            {"name": "redundancy", "rows_removed": 1, "columns_removed": 0},
            {"name": "max_column_gaps", "rows_removed": 0, "columns_removed": 1},
        ],
        "after": {"depth": 3, "length": 39},
        "lost": [],
    }


def test_a_dry_run_tells_the_same_and_writes_nothing(
    source: Path, tmp_path: Path, terminal: Terminal
) -> None:
    output = tmp_path / "out.a3m"
    assert main(["filter", str(source), "-o", str(output), "--depth", "2", "--dry-run"]) == 0
    printed = terminal.read()[0]
    assert "- depth                   -3        -0" in printed
    assert printed.endswith(f"would write {output}\n")
    assert files_in(tmp_path) == {"in.a3m"}


def test_a_dry_run_to_standard_output_prints_the_table_only(source: Path, terminal: Terminal) -> None:
    assert main(["filter", str(source), "-o", "-", "--depth", "2", "--dry-run"]) == 0
    printed, errors = terminal.read()
    assert printed.splitlines()[-1] == "would write -"
    assert ">" not in printed
    assert errors == ""


def test_the_format_of_the_input_can_be_named(source: Path, terminal: Terminal) -> None:
    assert main(["filter", str(source), "-o", "-", "--depth", "2", "--from", "stockholm"]) == 1
    terminal.shows_one_error(str(source), "STOCKHOLM")


def test_the_suffix_or_an_option_names_the_format(source: Path, tmp_path: Path) -> None:
    for file, option, first in (
        ("x.sto", [], "# STOCKHOLM"),
        ("x.txt", ["--to", "stockholm"], "# STOCKHOLM"),
    ):
        output = tmp_path / file
        assert main(["filter", str(source), "-o", str(output), "--depth", "2", *option]) == 0
        assert output.read_text().startswith(first)
        assert names(output) == ["q", "copy"]


def test_standard_input_and_output_make_a_pipe(source: Path) -> None:
    command = [sys.executable, "-m", "msaformer", "filter", "-", "-o", "-", "--depth", "2"]
    done = subprocess.run(command, input=source.read_bytes(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == f">q\n{ROWS['q']}\n>copy\n{ROWS['copy']}\n"
    assert b"wrote -" in done.stderr


def test_repair_filters_what_can_be_read(tmp_path: Path, terminal: Terminal) -> None:
    broken = tmp_path / "broken.a3m"
    broken.write_text(">q\nMKVL\n>short\nMKV\n>a\nMKVI\n")
    output = tmp_path / "out.a3m"
    assert main(["filter", str(broken), "-o", str(output), "--depth", "9"]) == 1
    terminal.shows_one_error(str(broken), "short")
    assert main(["filter", str(broken), "-o", str(output), "--depth", "9", "--repair", "--json"]) == 0
    assert json.loads(terminal.read()[0])["repaired"] == {"dropped": 1}
    assert names(output) == ["q", "a"]


def test_a_file_that_is_there_is_replaced_only_when_asked(
    source: Path, tmp_path: Path, terminal: Terminal
) -> None:
    output = tmp_path / "out.a3m"
    output.write_text("precious")
    assert main(["filter", str(source), "-o", str(output), "--depth", "2"]) == 2
    terminal.shows_one_error(str(output), "--overwrite")
    assert output.read_text() == "precious"
    assert main(["filter", str(source), "-o", str(output), "--depth", "2", "--overwrite"]) == 0
    assert names(output) == ["q", "copy"]


def test_the_input_is_never_replaced(source: Path, terminal: Terminal) -> None:
    before = source.read_bytes()
    assert main(["filter", str(source), "-o", str(source), "--depth", "2", "--overwrite"]) == 2
    terminal.shows_one_error(str(source), "is the input")
    assert source.read_bytes() == before


def test_what_the_format_cannot_hold_is_said(source: Path, tmp_path: Path, terminal: Terminal) -> None:
    output = tmp_path / "out.psicov"
    assert main(["filter", str(source), "-o", str(output), "--depth", "2", "--json"]) == 0
    printed, errors = terminal.read()
    lost = json.loads(printed)["lost"]
    assert any("names" in loss for loss in lost)
    assert errors == "".join(f"warning: {output}: {loss}\n" for loss in lost)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["nothing to filter by"]),
        (["--min-coverage", "80"], ["--min-coverage", "80"]),
        (["--depth", "0"], ["--depth"]),
        (["--redundancy", "0"], ["redundancy", "above 0"]),
        (["--min-identity", "0.9", "--max-identity", "0.5"], ["min_identity 0.9", "0.5"]),
        (["--select", "diverse"], ["--select needs --depth"]),
        (["--method", "hhfilter"], ["--method needs --redundancy"]),
        (["--depth", "2", "--seed", "1"], ["--seed needs --select random"]),
        (["--redundancy", "0.905", "--method", "hhfilter"], ["whole percent", "0.905"]),
        (["--redundancy", "0.9", "--method", "hhfilter", "--denominator", "length"], ["--denominator"]),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(
    options: list[str], words: list[str], source: Path, tmp_path: Path, terminal: Terminal
) -> None:
    assert main(["filter", str(source), "-o", str(tmp_path / "out.a3m"), *options]) == 2
    terminal.shows_one_error(*words)
    assert files_in(tmp_path) == {"in.a3m"}


def test_json_and_the_alignment_do_not_share_standard_output(source: Path, terminal: Terminal) -> None:
    assert main(["filter", str(source), "-o", "-", "--depth", "2", "--json"]) == 2
    terminal.shows_one_error("--json", "-o -")


def test_no_column_left_is_one_line_and_exit_code_1(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "in.a3m"
    path.write_text(">q\nMKV\n>a\n---\n")
    assert main(["filter", str(path), "-o", str(tmp_path / "out.a3m"), "--max-column-gaps", "0.2"]) == 1
    terminal.shows_one_error("no column would be left")


@pytest.mark.skipif(shutil.which("hhfilter") is None, reason="hhfilter is not installed")
def test_hhfilter_takes_the_place_of_our_redundancy_filter(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ancestors = rng.integers(0, 20, (5, 60))
    copies = np.repeat(ancestors, 6, axis=0)
    copies[np.arange(30), rng.integers(0, 60, 30)] = 0
    path, output = tmp_path / "in.a3m", tmp_path / "out.a3m"
    rows = [
        f">row {number} one and the same name\n{decode(row)}\n"
        for number, row in enumerate(copies.astype(np.uint8))
    ]
    path.write_text("".join(rows))
    for method in ("own", "hhfilter"):
        options = ["--redundancy", "0.9", "--method", method, "--overwrite"]
        assert main(["filter", str(path), "-o", str(output), *options]) == 0
        assert [int(name.split()[1]) // 6 for name in names(output)] == [0, 1, 2, 3, 4]


def test_a_missing_hhfilter_is_one_line(
    source: Path, tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    options = ["--redundancy", "0.9", "--method", "hhfilter"]
    assert main(["filter", str(source), "-o", str(tmp_path / "out.a3m"), *options]) == 1
    terminal.shows_one_error("hhfilter")


def test_the_help_ends_with_an_example_that_runs(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["filter", "--help"]) == 0
    example = terminal.read()[0].partition("Example:")[2].partition("\n")[2]
    words = example.replace("\\\n", " ").partition("$ ")[2].partition("\n")[0].split()
    (tmp_path / "deep.a3m").write_text("".join(f">{name}\n{row}\n" for name, row in ROWS.items()))
    monkeypatch.chdir(tmp_path)
    assert words[0] == "msaformer"
    assert main(words[1:]) == 0
    assert names(tmp_path / "filtered.a3m") == ["q", "far", "other"]
    printed = [line.split()[:-2] for line in terminal.read()[0].splitlines()]
    assert printed == [line.split()[:-2] for line in example.splitlines()[-7:]]
