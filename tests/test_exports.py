"""Tables and contact files, read back as other programs would."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_cases import SEQUENCE, chain_like_distances, make_labels, prediction_from

from msaformer.errors import PredictionError
from msaformer.report import write_casp_rr, write_csv
from msaformer.report.exports import contact_table

LONG = (SEQUENCE * 3)[:107]


def rr_parts(path):
    lines = path.read_text(encoding="ascii").splitlines()
    start = lines.index("MODEL 1") + 1
    rows = [line.split() for line in lines[start:] if " " in line]
    sequence = [line for line in lines[start:-1] if " " not in line]
    return lines, sequence, rows


def test_rr_has_the_lines_of_casp_in_their_order(tmp_path):
    prediction = prediction_from(chain_like_distances(107), LONG, name="T1")
    write_casp_rr(prediction, tmp_path / "t.rr")
    lines, sequence, rows = rr_parts(tmp_path / "t.rr")
    assert lines[:3] == ["PFRMAT RR", "TARGET T1", "AUTHOR msaformer"]
    assert lines[3].startswith("METHOD name=msaformer-tiny ")
    assert lines[-1] == "END"
    assert [len(line) for line in sequence] == [50, 50, 7]
    assert "".join(sequence) == LONG
    for i, j, low, high, prob in rows:
        assert 1 <= int(i) <= int(j) - 6 <= 101
        assert (low, high) == ("0", "8")
        assert float(prob) == pytest.approx(prediction.contact_probs[int(i) - 1, int(j) - 1], abs=1e-6)
    probs = [float(row[4]) for row in rows]
    assert probs == sorted(probs, reverse=True)


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_rr_lists_all_probable_pairs_and_enough_to_rank(tmp_path, scale):
    prediction = prediction_from(chain_like_distances(107), LONG)
    scaled = (scale * prediction.contact_probs).astype(np.float32)
    write_casp_rr(dataclasses.replace(prediction, contact_probs=scaled), tmp_path / "t.rr")
    probable = int((scaled[np.triu_indices(107, k=6)] >= 0.01).sum())
    assert (probable > 5 * 107) == (scale == 1)
    assert len(rr_parts(tmp_path / "t.rr")[2]) == max(probable, 5 * 107)


def test_rr_headers_cannot_be_broken_by_names(tmp_path):
    prediction = prediction_from(chain_like_distances(8), "ACDEFGHI", name="a b é", model={"x\nEND": "1\n2"})
    write_casp_rr(prediction, tmp_path / "t.rr")
    lines = rr_parts(tmp_path / "t.rr")[0]
    assert lines[1] == "TARGET a_b__"
    assert lines[3] == "METHOD x_END=1_2"
    assert lines.count("END") == 1


def test_csv_holds_every_pair_and_reads_back(tmp_path):
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    write_csv(prediction, tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    expected = prediction.contacts()
    assert list(table.columns) == list(expected.columns)
    assert len(table) == 40 * 39 // 2
    for column in ("i", "j", "aa_i", "aa_j", "separation"):
        assert table[column].tolist() == expected[column].tolist()
    np.testing.assert_allclose(table["prob"], expected["prob"], atol=1e-6)
    np.testing.assert_allclose(table["pred_distance"], expected["pred_distance"], atol=1e-3)


def test_unknown_pairs_are_neither_contacts_nor_non_contacts(tmp_path):
    distances = chain_like_distances(40)
    labels = make_labels(distances, lost=(0, 9))
    prediction = prediction_from(distances, SEQUENCE)
    table = contact_table(prediction, labels)
    unknown = table.i.isin([1, 10]) | table.j.isin([1, 10])
    assert table.is_contact.isna().equals(unknown)
    assert table.distance.isna().equals(unknown)
    known = table[~unknown]
    assert (known.is_contact == (distances[known.i - 1, known.j - 1] < 8)).all()
    write_csv(prediction, tmp_path / "t.csv", labels)
    row = pd.read_csv(tmp_path / "t.csv", keep_default_na=False).loc[unknown.to_numpy()].iloc[0]
    assert (row["distance"], row["is_contact"]) == ("", "")


def test_author_numbers_keep_their_insertion_codes():
    distances = chain_like_distances(40)
    numbers = tuple(f"{k // 2}{'A' if k % 2 else ''}" for k in range(40))
    table = contact_table(
        prediction_from(distances, SEQUENCE), make_labels(distances, residue_numbers=numbers)
    )
    row = table[(table.i == 4) & (table.j == 21)].iloc[0]
    assert (row.chain, row.auth_i, row.auth_j) == ("A", "1A", "10")


def test_a_structure_of_another_length_is_refused():
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    with pytest.raises(PredictionError, match="mapped to 3 residues"):
        contact_table(prediction, make_labels(np.zeros((3, 3), np.float32), "ACD"))


def test_a_single_residue_makes_files_without_rows(tmp_path):
    prediction = prediction_from(np.zeros((1, 1)), "A")
    write_csv(prediction, tmp_path / "t.csv")
    write_casp_rr(prediction, tmp_path / "t.rr")
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1
    assert rr_parts(tmp_path / "t.rr")[1:] == (["A"], [])
