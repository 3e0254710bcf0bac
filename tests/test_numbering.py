"""Numbers of residues from the alignment to the scores, by the command line: insertions of the query, and complexes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_cases import Terminal
from test_truth import FIRST, SECOND, chain_atoms, dimer, seqres
from tiny_structures import mmcif, save

from msaformer.cli import main
from msaformer.metrics import precision_table
from msaformer.prediction import Prediction, load_prediction
from msaformer.report.truth import read_truth

WHOLE = "MKVLHAAGETSRNDQWFYCPILKEGATVHDSN"  # of 32 residues


def predicted(text: str, folder: Path, weights: Path, terminal: Terminal) -> Path:
    (folder / "query.a3m").write_text(text)
    arguments = ["predict", str(folder / "query.a3m"), "-o", str(folder / "out"), "--weights", str(weights)]
    assert main(arguments) == 0
    terminal.read()
    return folder / "out" / "query.npz"


@pytest.mark.parametrize("left_out", [(5,), (6,), (0, 1, 31), (4, 5, 6, 7, 20)])
def test_residues_that_are_insertions_of_the_query_keep_the_numbers_of_the_others(
    left_out: tuple[int, ...], tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    """Of H-A-A-G either A may be left out, and only the lower case says which."""
    query = "".join(letter.lower() if k in left_out else letter for k, letter in enumerate(WHOLE))
    kept = [k for k in range(32) if k not in left_out]
    path = predicted(f">q\n{query}\n>a\n{'-' * len(kept)}\n", tmp_path, random_weights, terminal)
    prediction = load_prediction(path)
    assert prediction.sequence == "".join(WHOLE[k] for k in kept)
    assert prediction.residue_numbers.tolist() == [k + 1 for k in kept]
    structure = save(tmp_path, mmcif(chain_atoms(WHOLE, "A", 0.0, first=101), {"A": seqres(WHOLE)}))
    truth = read_truth(prediction, structure)
    assert truth.residue_numbers == tuple(str(k + 101) for k in kept)
    along = [3.8 * k + (0 if WHOLE[k] == "G" else 0.5) for k in kept]  # Cβ, Cα for Gly
    np.testing.assert_allclose(truth.distances, np.abs(np.subtract.outer(along, along)), atol=1e-3)
    assert main(["evaluate", str(path), "--structure", str(structure), "--json"]) == 0
    scores = json.loads(terminal.read()[0])
    assert (scores["length"], scores["mismatches"], scores["unresolved_residues"]) == (len(kept), 0, 0)
    table = precision_table(prediction.contact_probs, truth.distances)
    assert [row["num_pairs"] for row in scores["ranges"]] == [row.num_pairs for row in table]
    assert main(["report", str(path), "--structure", str(structure), "-o", str(tmp_path / "page.html")]) == 0


def complex_prediction(folder: Path, weights: Path, terminal: Terminal) -> Path:
    rows = [f"#{len(FIRST)},{len(SECOND)}\t1,1", ">101\t102", FIRST + SECOND, ">a\tb", FIRST + SECOND]
    rows += [">101", FIRST + "-" * len(SECOND), ">102", "-" * len(FIRST) + SECOND]
    return predicted("\n".join(rows) + "\n", folder, weights, terminal)


def test_a_complex_is_scored_within_and_between_its_chains(
    tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    path = complex_prediction(tmp_path, random_weights, terminal)
    prediction: Prediction = load_prediction(path)
    assert prediction.chain_lengths == (15, 12)
    assert prediction.residue_labels[14:16] == ("A15", "B1")
    structure = dimer(tmp_path)
    assert main(["evaluate", str(path), "--structure", str(structure), "--json"]) == 0
    scores = json.loads(terminal.read()[0])
    rows = {row["range"]: row for row in scores["ranges"]}
    assert list(rows) == ["short", "medium", "long", "medium_long", "inter_chain"]
    assert rows["inter_chain"]["num_pairs"] == rows["long"]["num_pairs"] == 14 * 10
    truth = read_truth(prediction, structure)
    assert rows["inter_chain"]["num_contacts"] == (truth.distances[:15, 15:] < 8).sum() > 10
    assert rows["short"]["num_pairs"] + rows["medium"]["num_pairs"] < 27 * 26 // 2 - 15 * 12
    assert main(["evaluate", str(path), "--structure", str(structure)]) == 0
    assert "140" in terminal.read()[0]
    arguments = ["report", str(path), "--structure", str(structure), "-o", str(tmp_path / "page.html")]
    assert main(arguments) == 0
    assert main([*arguments, "--chain", "B,-"]) == 0
    terminal.read()
    assert main([*arguments, "--chain", "A,B"]) == 1
    terminal.shows_one_error(str(structure), "chain A of the query")
