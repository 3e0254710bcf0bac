"""`msaformer evaluate` of one prediction, and `msaformer report`; of several files in test_cli_export.py."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from cli_cases import Terminal, files_in

from msaformer import example
from msaformer.cli import main
from msaformer.distance_metrics import distance_error, lddt
from msaformer.prediction import load_prediction
from msaformer.report.truth import read_truth


def test_evaluate_prints_four_ranges(example_prediction: Path, terminal: Terminal) -> None:
    arguments = ["evaluate", str(example_prediction), "--structure", str(example.STRUCTURE)]
    assert main([*arguments, "--json"]) == 0
    scores = json.loads(terminal.read()[0])
    assert [row["range"] for row in scores["ranges"]] == ["short", "medium", "long", "medium_long"]
    contacts = [row["num_contacts"] for row in scores["ranges"]]
    assert contacts[1] + contacts[2] == contacts[3]
    assert (scores["chain"], scores["mismatches"], scores["unresolved_residues"]) == ("A", 2, 0)
    prediction = load_prediction(example_prediction)
    true = read_truth(prediction, example.STRUCTURE).distances
    expected = prediction.expected_distance
    assert scores["distances"]["error"] == pytest.approx(distance_error(expected, true))
    assert scores["distances"]["lddt"] == pytest.approx(lddt(expected, true))
    assert main([*arguments, "--csv"]) == 0
    row = next(csv.DictReader(terminal.read()[0].splitlines()))
    assert float(row["lddt"]) == scores["distances"]["lddt"]
    assert float(row["distance_error"]) == scores["distances"]["error"]
    assert main(arguments) == 0
    table = terminal.read()[0]
    assert "P@L/5" in table
    assert (
        f"off by {scores['distances']['error']:.2f} Angstrom on average where truly below 15, lDDT 0."
        in table
    )
    assert f"{contacts[2]:,}" in table


def test_evaluate_json_has_null_where_a_range_has_no_pair(
    tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    from data_tools.formats import read_alignment

    query = read_alignment(example.ALIGNMENT).query[:20]  # too short for long range
    alignment = tmp_path / "short.a3m"
    alignment.write_text(f">q\n{query}\n>a\n{query}\n")
    out = tmp_path / "out"
    assert main(["predict", str(alignment), "-o", str(out), "--weights", str(random_weights)]) == 0
    terminal.read()
    assert main(["evaluate", str(out / "short.npz"), "--structure", str(example.STRUCTURE), "--json"]) == 0
    tree = json.loads(terminal.read()[0])
    assert tree["distances"]["lddt"] is not None
    rows = {row["range"]: row for row in tree["ranges"]}
    assert rows["long"] == {"range": "long", "p_at_l": None, "p_at_l2": None, "p_at_l5": None} | {
        "recall_at_l": None,
        "num_contacts": 0,
        "num_pairs": 0,
        "num_ranked": 0,
    }


def test_an_unknown_chain_is_one_line_with_the_chains_there_are(
    example_prediction: Path, tmp_path: Path, terminal: Terminal
) -> None:
    structure = ["--structure", str(example.STRUCTURE), "--chain", "Q"]
    assert main(["evaluate", str(example_prediction), *structure]) == 1
    terminal.shows_one_error(str(example.STRUCTURE), "'Q'", "A")
    page = tmp_path / "page.html"
    assert main(["report", str(example_prediction), *structure, "-o", str(page)]) == 1
    terminal.shows_one_error("'Q'")
    assert not page.exists()


def test_a_structure_of_another_protein_is_one_line(
    good: Path,
    tmp_path: Path,
    random_weights: Path,
    terminal: Terminal,
) -> None:
    out = tmp_path / "out"
    assert main(["predict", str(good), "-o", str(out), "--weights", str(random_weights)]) == 0
    terminal.read()
    structure = ["--structure", str(example.STRUCTURE)]
    assert main(["evaluate", str(out / "good.npz"), *structure]) == 1
    terminal.shows_one_error(str(example.STRUCTURE), "identical")
    assert main(["report", str(out / "good.npz"), *structure, "-o", str(out / "page.html")]) == 1
    terminal.shows_one_error(str(example.STRUCTURE), "identical")
    assert not (out / "page.html").exists()


@pytest.mark.parametrize("data", [b"", b"not a prediction", b"PK\x03\x04 damaged"])
def test_a_file_that_is_no_prediction_is_one_line(data: bytes, tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    assert main(["evaluate", str(path), "--structure", str(example.STRUCTURE)]) == 1
    terminal.shows_one_error(str(path), "msaformer predict")
    assert main(["report", str(path), "-o", str(tmp_path / "x.html")]) == 1
    terminal.shows_one_error(str(path), "msaformer predict")
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize("data", [b"", b"not a structure\n"])
def test_a_file_that_is_no_structure_is_one_line(
    data: bytes, example_prediction: Path, tmp_path: Path, terminal: Terminal
) -> None:
    path = tmp_path / "x.pdb"
    path.write_bytes(data)
    assert main(["evaluate", str(example_prediction), "--structure", str(path)]) == 1
    terminal.shows_one_error(str(path))


def test_report_writes_one_page(example_prediction: Path, tmp_path: Path, terminal: Terminal) -> None:
    page = tmp_path / "pages" / "dhfr.html"
    inputs = ["--structure", str(example.STRUCTURE), "--alignment", str(example.ALIGNMENT)]
    assert main(["report", str(example_prediction), *inputs, "-o", str(page)]) == 0
    assert terminal.read()[0] == f"{page}\n"
    assert files_in(page.parent) == {"dhfr.html"}
    assert "<html" in page.read_text(encoding="utf-8")[:500].lower()


def test_report_refuses_the_alignment_of_another_query(
    example_prediction: Path, good: Path, tmp_path: Path, terminal: Terminal
) -> None:
    page = tmp_path / "page.html"
    assert main(["report", str(example_prediction), "--alignment", str(good), "-o", str(page)]) == 1
    terminal.shows_one_error("alignment")
    assert not page.exists()
