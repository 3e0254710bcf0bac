"""`msaformer featurize`: what it takes, writes, keeps, refuses and lists as failed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cli_cases import GOOD, Terminal, files_in
from pipeline_cases import write_folder

from data_tools.formats import read_alignment
from data_tools.labels import label_distances
from data_tools.store import open_store
from data_tools.structure import read_chains
from msaformer import example
from msaformer.cli import main
from msaformer.cli.featurize import command

STORE_FILES = {"manifest.json", "featurize.json", "sources.tsv", "shard-00000.parquet"}


def featurize(*arguments: str | Path) -> int:
    return main(["featurize", *map(str, arguments)])


def test_what_has_a_structure_is_labelled(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    store = tmp_path / "store"
    assert featurize(example.ALIGNMENT, good, "--structures", example.FOLDER, "-o", store) == 0
    out, err = terminal.read()
    assert re.fullmatch(rf"{store}: 2 examples, 1 of them with distances; \d+\.\d s, \d+\.\d inputs/s\n", out)
    assert err == ""
    opened = open_store(store, verify=True)
    assert opened.ids == ("dhfr", "good")
    assert opened[0].distances is not None
    query = read_alignment(example.ALIGNMENT).query
    labels = label_distances(query, read_chains(example.STRUCTURE)[0], source=example.STRUCTURE)
    np.testing.assert_array_equal(opened[0].backbone, labels.backbone)
    assert (opened[1].distances, opened[1].backbone) == (None, None)
    assert files_in(store) == STORE_FILES
    source = (store / "sources.tsv").read_text().splitlines()[1].split("\t")
    assert source[4] == str(example.STRUCTURE)
    assert source[7] == "A"


def test_a_table_names_id_structure_and_chain(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    table = tmp_path / "inputs.csv"
    lines = [
        "id,alignment,structure,chain",
        f"one,{example.ALIGNMENT},{example.STRUCTURE},A",
        "two,good.a3m,,",
    ]
    lines.append(f"three,{example.ALIGNMENT},{example.STRUCTURE},Q")
    table.write_text("\n".join(lines) + "\n")
    assert featurize(table, "-o", tmp_path / "store") == 3
    assert "no protein chain 'Q'" in terminal.read()[1]
    store = open_store(tmp_path / "store")
    assert store.ids == ("one", "two")
    assert store[0].distances is not None
    failed = (tmp_path / "store" / "failures.tsv").read_text().splitlines()[1].split("\t")
    assert failed[2] == "three"


def test_a_bad_input_is_listed_and_the_others_go_on(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    bad, store = tmp_path / "bad.a3m", tmp_path / "store"
    bad.write_text("")
    assert featurize(bad, good, "-o", store) == 3
    out, err = terminal.read()
    assert err.count("error: ") == 1
    assert "1 examples" in out
    assert "1 inputs failed, see failures.tsv in it" in out
    failures = (store / "failures.tsv").read_text().splitlines()
    assert failures[0] == "input\terror\tid"
    assert failures[1].startswith(f"{bad}\t")
    assert featurize(bad, good, "-o", store) == 3
    assert "2 inputs were done before" in terminal.read()[0]
    bad.write_text(GOOD)
    assert featurize(bad, good, "-o", store, "--retry-failed") == 0
    assert open_store(store, verify=True).ids == ("bad", "good")
    assert files_in(store) == STORE_FILES


def test_no_store_is_left_when_all_inputs_fail(tmp_path: Path, terminal: Terminal) -> None:
    bad, store = tmp_path / "bad.a3m", tmp_path / "store"
    bad.write_text("")
    assert featurize(bad, "-o", store) == 1
    terminal.shows_one_error(str(bad))
    assert files_in(store) == {"failures.tsv"}


def test_a_folder_of_other_things_is_not_touched(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    for more in ([], ["--dry-run"]):
        assert featurize(good, "-o", mine, *more) == 1
        terminal.shows_one_error(str(mine), "not empty")
    assert files_in(mine) == {"thesis.txt"}


def test_a_structure_of_another_protein_is_a_failure(good: Path, tmp_path: Path, terminal: Terminal) -> None:
    structures = tmp_path / "structures"
    structures.mkdir()
    (structures / "good.pdb.gz").write_bytes(example.STRUCTURE.read_bytes())
    assert featurize(good, "--structures", structures, "-o", tmp_path / "store") == 1
    terminal.shows_one_error("good.pdb.gz", "identical")


def test_json_is_one_object(tmp_path: Path, terminal: Terminal) -> None:
    write_folder(tmp_path / "msas", ["a", "b"], broken=["c"])
    assert featurize(tmp_path / "msas", "-o", tmp_path / "store", "--workers", "2", "--json") == 3
    summary = json.loads(terminal.read()[0])
    assert summary.pop("wall_s") > 0
    assert summary.pop("examples_per_s") > 0
    assert summary == {
        "store": str(tmp_path / "store"),
        "num_inputs": 3,
        "num_examples": 2,
        "num_labelled": 0,
        "num_failed": 1,
        "num_done_before": 0,
    }


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path: Path, terminal: Terminal) -> None:
    write_folder(tmp_path / "msas", ["a", "b"])
    (tmp_path / "b.pdb").touch()
    store = tmp_path / "store"
    arguments: Sequence[str | Path] = [tmp_path / "msas", "--structures", tmp_path, "-o", store, "--dry-run"]
    assert featurize(*arguments) == 0
    out, err = terminal.read()
    assert out.splitlines() == [
        f"a\t{tmp_path}/msas/a.a3m\t\t",
        f"b\t{tmp_path}/msas/b.a3m\t{tmp_path}/b.pdb\t",
    ]
    assert err == f"{store} holds nothing yet; 2 inputs, 1 of them with structures\n"
    assert featurize(*arguments, "--json") == 0
    planned = json.loads(terminal.read()[0])
    assert planned["inputs"][1]["structure"] == f"{tmp_path}/b.pdb"
    assert not store.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["absent/*.a3m"], 1, ["no file matches"]),
        (["x.a3m", "--overwrite", "--retry-failed"], 2, ["give one of them"]),
        (["x.a3m", "--workers", "0"], 2, ["--workers"]),
        (["x.a3m", "--max-depth", "0"], 2, ["--max-depth"]),
    ],
)
def test_wrong_arguments_are_one_error(
    tmp_path: Path, terminal: Terminal, arguments: list[str], code: int, words: list[str]
) -> None:
    assert featurize(*arguments, "-o", tmp_path / "store") == code
    terminal.shows_one_error(*words)
    assert not (tmp_path / "store").exists()


def test_the_examples_of_the_help_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "alignments", ["a", "b"])
    (tmp_path / "structures").mkdir()
    (tmp_path / "training_set.csv").write_text("id,alignment\nx,alignments/a.a3m\n")
    assert command.epilog is not None
    lines = [line.split() for line in command.epilog.splitlines() if line.startswith("  msaformer")]
    assert len(lines) == 2
    for number, words in enumerate(lines):
        words[words.index("store")] = f"store{number}"
        assert main(words[1:]) == 0
    assert "2 examples" in terminal.read()[0]
