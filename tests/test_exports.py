"""Tables and contact files, read back as other programs would."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_cases import SEQUENCE, chain_like_distances, chain_like_positions, make_truth, prediction_from

from msaformer.errors import PredictionError
from msaformer.pair_scores import PairScores
from msaformer.report import write_casp_rr, write_csv
from msaformer.report.contact_list import Selection, contact_list, contact_table
from msaformer.report.exports import save_casp_rr, save_csv, save_parquet
from msaformer.report.score_files import read_pair_scores

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
    assert list(table.columns) == [*expected.columns, "pred_std"]
    assert len(table) == 40 * 39 // 2
    for column in ("i", "j", "aa_i", "aa_j", "separation"):
        assert table[column].tolist() == expected[column].tolist()
    np.testing.assert_allclose(table["prob"], expected["prob"], atol=1e-6)
    np.testing.assert_allclose(table["pred_distance"], expected["pred_distance"], atol=1e-3)


def test_unknown_pairs_are_neither_contacts_nor_non_contacts(tmp_path):
    positions = chain_like_positions(40)
    truth = make_truth(positions, lost=(0,), outside=(9,))
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    table = contact_table(prediction, truth)
    unknown = table.i.isin([1, 10]) | table.j.isin([1, 10])
    assert table.is_contact.isna().equals(unknown)
    assert table.distance.isna().equals(unknown)
    known = table[~unknown]
    assert (known.is_contact == (truth.distances[known.i - 1, known.j - 1] < 8)).all()
    assert set(zip(table.chain_i, table.auth_i, strict=True)) >= {("", ""), ("A", "102")}
    assert (table.chain_i[table.i.isin([1, 10])] == "").all()
    write_csv(prediction, tmp_path / "t.csv", truth)
    row = pd.read_csv(tmp_path / "t.csv", keep_default_na=False).loc[unknown.to_numpy()].iloc[0]
    assert (row["distance"], row["is_contact"]) == ("", "")


def test_author_numbers_keep_their_insertion_codes():
    numbers = tuple(f"{k // 2}{'A' if k % 2 else ''}" for k in range(40))
    truth = make_truth(chain_like_positions(40), chain="Bx", residue_numbers=numbers)
    table = contact_table(prediction_from(chain_like_distances(40), SEQUENCE), truth)
    row = table[(table.i == 4) & (table.j == 21)].iloc[0]
    assert (row.chain_i, row.chain_j, row.auth_i, row.auth_j) == ("Bx", "Bx", "1A", "10")


def test_a_structure_of_another_length_is_refused():
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    with pytest.raises(PredictionError, match="mapped to 3 residues"):
        contact_table(prediction, make_truth(chain_like_positions(3)))


def complex_prediction(**changes):
    """Chains of 15 and 25 residues; two residues of the query were left out before its sixth."""
    index = np.arange(40, dtype=np.int32)
    index[5:] += 2
    fields = {"chain_lengths": (15, 25), "residue_index": index}
    return prediction_from(chain_like_distances(40), SEQUENCE, **(fields | changes))


def test_residues_that_are_called_otherwise_bring_their_names():
    table = complex_prediction().contacts()
    assert list(table.columns[:4]) == ["i", "j", "res_i", "res_j"]
    row = table[(table.i == 6) & (table.j == 16)].iloc[0]
    assert (row.res_i, row.res_j) == ("A8", "B1")
    assert "res_i" not in prediction_from(chain_like_distances(40), SEQUENCE).contacts()


def test_pairs_of_different_chains_have_no_limit_of_separation(tmp_path):
    prediction = complex_prediction(contact_probs=np.full((40, 40), 0.5, dtype=np.float32))
    table = contact_list(prediction, selection=Selection(min_separation=6)).table
    near = table[table.separation < 6]
    assert len(near) == 5 + 4 + 3 + 2 + 1  # of pairs over the border of the chains
    assert ((near.i <= 15) & (near.j > 15)).all()
    write_casp_rr(prediction, tmp_path / "t.rr")
    lines = rr_parts(tmp_path / "t.rr")[0]
    assert lines[3] == "REMARK chains A:15 B:25"
    assert "A15 B1 0 8 0.500000" in lines


def test_complexes_of_any_number_of_chains_come_back(tmp_path):
    prediction = prediction_from(chain_like_distances(60), "AC" * 30, chain_lengths=(1,) * 60)
    write_casp_rr(prediction, tmp_path / "t.rr")
    assert " AH1 0 8 " in (tmp_path / "t.rr").read_text()  # chain 60
    read = read_pair_scores(tmp_path / "t.rr")
    np.testing.assert_allclose(
        read.scores[read.is_listed], prediction.contact_probs[read.is_listed], atol=5e-7
    )
    assert read.chain_lengths == (1,) * 60


def test_scores_without_a_sequence_are_a_table_without_letters(tmp_path):
    matrix = np.arange(9, dtype=np.float32).reshape(3, 3)
    source = PairScores("x", "CCMpred", matrix + matrix.T, ~np.eye(3, dtype=bool), False)
    save_csv(contact_list(source), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "i,j,score,separation\n2,3,12,1\n1,3,8,2\n1,2,4,1\n"
    assert (read_pair_scores(tmp_path / "x.csv", "AAA").scores[~np.eye(3, dtype=bool)] > 0).all()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"top": 7}, 7),
        ({"top": 10_000}, 780),
        ({"min_separation": 39}, 1),
        ({"min_score": 2.0}, 0),
        ({}, 780),
    ],
)
def test_a_selection_takes_what_it_says(choice, expected):
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    assert len(contact_list(prediction, selection=Selection(**choice)).table) == expected


def test_a_selection_by_probability_takes_the_pairs_at_the_threshold_too():
    probs = np.full((40, 40), 0.3, dtype=np.float32)
    probs[0, 9] = probs[9, 0] = 0.2
    prediction = prediction_from(chain_like_distances(40), SEQUENCE, contact_probs=probs)
    assert len(contact_list(prediction, selection=Selection(min_score=0.3)).table) == 779


@pytest.mark.parametrize("choice", [{"top": 0}, {"min_separation": 0}])
def test_a_selection_of_nothing_is_refused(choice):
    with pytest.raises(PredictionError, match="at least 1 is expected"):
        Selection(**choice)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [prediction_from, lambda *_, **fields: complex_prediction(**fields)])
def test_rr_and_csv_read_back_as_they_were(make, seed, tmp_path):
    prediction = make(chain_like_distances(40), SEQUENCE, seed=seed)
    write_casp_rr(prediction, tmp_path / "t.rr")
    write_csv(prediction, tmp_path / "t.csv")
    whole = PairScores.of(prediction)
    for path, query in (("t.rr", None), ("t.csv", SEQUENCE)):
        read = read_pair_scores(tmp_path / path, query)
        np.testing.assert_allclose(read.scores[read.is_listed], whole.scores[read.is_listed], atol=5e-7)
        assert (read.sequence, read.are_probabilities) == (SEQUENCE, True)
    assert (read.is_listed == ~np.eye(40, dtype=bool)).all()


def test_any_scores_are_written_and_read_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "x.csv"
    for _ in range(30):
        bits = rng.integers(0, 2**32, size=6, dtype=np.uint32).view(np.float32)
        matrix = np.zeros((4, 4), dtype=np.float32)
        matrix[np.triu_indices(4, k=1)] = np.where(np.isfinite(bits), bits, 0)
        source = PairScores("x", "plmc", matrix + matrix.T, ~np.eye(4, dtype=bool), False, "MKVL")
        save_csv(contact_list(source), path)
        read = read_pair_scores(path, "MKVL")
        assert (read.scores == source.scores).all()
        assert (read.method, read.are_probabilities) == ("msaformer (score)", False)


def test_parquet_holds_the_table_with_its_types(tmp_path):
    truth = make_truth(chain_like_positions(40), lost=(3,), chain="=A")
    contacts = contact_list(prediction_from(chain_like_distances(40), SEQUENCE), truth)
    save_parquet(contacts, tmp_path / "t.parquet")
    read = pd.read_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read, contacts.table, check_dtype=False)
    assert read.is_contact.dtype == "boolean"
    assert read.prob.dtype == np.float32


def test_no_text_of_a_file_becomes_a_formula_in_a_spreadsheet(tmp_path):
    truth = make_truth(
        chain_like_positions(40),
        chain='=HYPERLINK("http://x")',
        residue_numbers=("-5A", *map(str, range(39))),
    )
    write_csv(prediction_from(chain_like_distances(40), SEQUENCE), tmp_path / "t.csv", truth)
    table = pd.read_csv(tmp_path / "t.csv", dtype=str)
    assert set(table.chain_i) == {'\'=HYPERLINK("http://x")'}
    assert set(table.auth_i[table.i == "1"]) == {"-5A"}


def test_scores_that_are_no_probabilities_do_not_go_into_rr(tmp_path):
    matrix = np.ones((4, 4), dtype=np.float32)
    listed = np.ones((4, 4), dtype=bool)
    for sequence, lacking in (("MKVL", "probabilities; scores of plmc"), (None, "a sequence")):
        source = PairScores("x", "plmc", matrix, listed, sequence is None, sequence)
        with pytest.raises(PredictionError, match=f"CASP RR needs {lacking}"):
            save_casp_rr(contact_list(source), tmp_path / "t.rr")
    assert not list(tmp_path.iterdir())


def test_bins_below_an_edge_are_summed_and_no_bin_is_split():
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    at = int(np.flatnonzero(prediction.bin_edges == 8)[0])
    expected = sum(prediction.distogram_probs[3, 20, k] for k in range(at + 1))
    assert prediction.probs_below(8.0)[3, 20] == pytest.approx(expected, rel=1e-5)
    assert (prediction.probs_below(12) >= prediction.probs_below(8)).all()
    with pytest.raises(PredictionError, match=r"no bin ends at 8.2 Å; the nearest edges are 7.5, 8, 8.5"):
        prediction.probs_below(8.2)


def test_a_single_residue_makes_files_without_rows(tmp_path):
    prediction = prediction_from(np.zeros((1, 1)), "A")
    write_csv(prediction, tmp_path / "t.csv")
    write_casp_rr(prediction, tmp_path / "t.rr")
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1
    assert rr_parts(tmp_path / "t.rr")[1:] == (["A"], [])
