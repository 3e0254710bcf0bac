"""Score files of other programs, each as the program writes it: the pairs, numbers and scores that must come of it."""

from __future__ import annotations

import gzip
import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from report_cases import SEQUENCE, chain_like_distances, prediction_from

from msaformer.errors import PredictionError, ScoreFileError
from msaformer.pair_scores import PairScores
from msaformer.report.score_files import read_pair_scores

QUERY = "MKVLAAGICR"
ROWS = [(1, 8, 0.9), (2, 10, 0.25), (3, 9, 0.125)]
HEADER = f"PFRMAT RR\nTARGET T1000\nAUTHOR 1234-5678-9000\nMETHOD some words\nMODEL  1\n{QUERY}\n"
FIVE = "".join(f"{i} {j} 0 8 {p}\n" for i, j, p in ROWS)


def write(folder: Path, text: str | bytes, name: str = "x.rr") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def listed(scores: PairScores) -> list[tuple[int, int, float]]:
    """The listed pairs, from 1, i < j."""
    first, second = np.nonzero(np.triu(scores.is_listed))
    return [(int(i) + 1, int(j) + 1, float(scores.scores[i, j])) for i, j in zip(first, second, strict=True)]


def bins(p: float) -> str:
    return " ".join(map(str, [0, p / 4, 3 * p / 4, 0, 0, 0, 0, 0, 0, 1 - p]))


RR_VARIANTS = {
    "CASP13": HEADER + FIVE + "END\n",
    "CRLF and blank lines": (HEADER + "\n" + FIVE + "END\n").replace("\n", "\r\n"),
    "old Macintosh": (HEADER + FIVE + "END\n").replace("\n", "\r"),
    "remarks and comments": "# made by hand\n"
    + HEADER.replace("AUTHOR", "REMARK for all\nAUTHOR")
    + FIVE
    + "END\n",
    "no end": HEADER + FIVE,
    "ENDMDL": HEADER + FIVE + "ENDMDL\nEND\n",
    "two models": HEADER + FIVE + "ENDMDL\nMODEL 2\n1 9 0 8 0.5\nENDMDL\nEND\n",
    "j before i, decimals": HEADER + "8 1 0.0 8.0 0.9\n10   2 0 8 0.25\n9\t3\t0\t8\t1.25e-1\nEND\n",
    "sequence in two lines": HEADER.replace(QUERY, f"{QUERY[:4]}\n{QUERY[4:]}") + FIVE + "END\n",
    "one chain named": HEADER + "A1 A8 0 8 0.9\nA2 A10 0 8 0.25\nA3 A9 0 8 0.125\nEND\n",
    "mode 1": HEADER.replace("MODEL", "RMODE 1\nMODEL") + "1 8 0.9\n2 10 0.25\n3 9 0.125\nEND\n",
    "mode 2": HEADER.replace("MODEL", "RMODE  2\nMODEL")
    + "".join(f"{i} {j} {p} {bins(p)}\n" for i, j, p in ROWS)
    + "END\n",
    "both orders": HEADER + FIVE + "8 1 0 8 0.9\nEND\n",
    "byte order mark": "\ufeff" + HEADER + FIVE + "END\n",
}


@pytest.mark.parametrize("variant", RR_VARIANTS)
def test_every_variant_of_casp_rr_is_read_alike(variant: str, tmp_path: Path) -> None:
    for query in (None, QUERY, QUERY.replace("K", "X")):
        scores = read_pair_scores(write(tmp_path, RR_VARIANTS[variant]), query)
        assert listed(scores) == [(i, j, pytest.approx(p)) for i, j, p in ROWS]
        assert (scores.name, scores.method, scores.are_probabilities) == ("T1000", "CASP RR", True)
        assert scores.sequence == (query or QUERY)
        assert (scores.scores == scores.scores.T).all()
        assert (scores.is_listed == scores.is_listed.T).all()


def test_a_model_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path, RR_VARIANTS["two models"])
    assert listed(read_pair_scores(path, QUERY, model="2")) == [(1, 9, 0.5)]
    with pytest.raises(ScoreFileError, match="no model '3'; the file has 1, 2"):
        read_pair_scores(path, QUERY, model="3")


@pytest.mark.parametrize("rows", [FIVE.replace("1 8 0", "1 3 0"), ""])
def test_a_sequence_that_ends_with_the_line_end_is_no_end(rows: str, tmp_path: Path) -> None:
    sequence = "A" * 50 + "END"  # in lines of 50, the last line is Glu Asn Asp
    header = HEADER.replace(QUERY, f"{sequence[:50]}\n{sequence[50:]}")
    scores = read_pair_scores(write(tmp_path, header + rows + "END\n"))
    assert scores.sequence == sequence
    assert len(listed(scores)) == rows.count("\n")


def test_a_list_without_a_header_needs_the_query_and_claims_probabilities_only_as_contacts(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, FIVE)
    with pytest.raises(ScoreFileError, match=r"does not state the sequence.*--sequence or --alignment"):
        read_pair_scores(path)
    scores = read_pair_scores(path, QUERY)  # DeepMetaPSICOV
    assert (listed(scores), scores.are_probabilities) == (
        [(i, j, pytest.approx(p)) for i, j, p in ROWS],
        True,
    )
    assert (scores.name, scores.method) == ("x", "list of pairs")
    raw = read_pair_scores(write(tmp_path, FIVE.replace("0.9", "10.84")), QUERY)  # freecontact's pfrmat_rr
    assert (listed(raw)[0][2], raw.are_probabilities) == (pytest.approx(10.84), False)
    three = read_pair_scores(write(tmp_path, "1 8 0.9\n2 10 -0.25\n"), QUERY)
    assert (listed(three)[1][2], three.are_probabilities) == (-0.25, False)
    confold = read_pair_scores(write(tmp_path, f"{QUERY}\n{FIVE}"))  # its first line is the sequence
    assert (confold.sequence, len(listed(confold))) == (QUERY, 3)


def test_distances_other_than_those_of_a_contact_are_said(tmp_path: Path) -> None:
    scores = read_pair_scores(write(tmp_path, HEADER + FIVE.replace("0 8 ", "0 12 ") + "END\n"))
    assert (scores.method, scores.are_probabilities) == ("CASP RR, of distances 0 to 12 Å", False)


def test_pairs_of_a_complex_count_within_their_chains(tmp_path: Path) -> None:
    rows = "A1 A4 0 8 0.5\nB1 A2 0 8 0.75\nB1 B6 0 8 0.25\n"
    expected = [(1, 4, 0.5), (2, 5, 0.75), (5, 10, 0.25)]
    path = write(tmp_path, HEADER + rows + "END\n")
    assert listed(read_pair_scores(path, QUERY, chain_lengths=(4, 6))) == expected
    stated = write(tmp_path, HEADER.replace("MODEL", "REMARK chains A:4 B:6\nMODEL") + rows + "END\n", "y.rr")
    assert listed(read_pair_scores(stated)) == expected
    with pytest.raises(ScoreFileError, match="chains A, B, but their lengths are not known"):
        read_pair_scores(path, QUERY)
    with pytest.raises(ScoreFileError, match=r"x\.rr:9: there is no residue B6; .*A of 5, B of 5 residues"):
        read_pair_scores(path, QUERY, chain_lengths=(5, 5))


def test_plmc_numbers_its_focus_sequence_and_may_leave_residues_out(tmp_path: Path) -> None:
    text = "5 M 6 K 0 0.275207\n5 M 9 A 0 -0.028557\n6 K 14 R 0 0.5\n"  # residue 7 is not modelled, say
    path = write(tmp_path, text, "x.txt")
    scores = read_pair_scores(path, QUERY, numbers=range(5, 15))
    assert listed(scores) == [(1, 2, pytest.approx(0.275207)), (1, 5, pytest.approx(-0.028557)), (2, 10, 0.5)]
    assert (scores.method, scores.are_probabilities) == ("plmc (corrected norm)", False)
    with pytest.raises(
        ScoreFileError, match="if the first residue is number 5: say so with --first-residue 5"
    ):
        read_pair_scores(path, QUERY)
    left_out = write(
        tmp_path, "5 M 6 K 0 0.5\n6 K 20 R 0 0.25\n", "z.txt"
    )  # 14 to 19 are insertions of the query
    assert listed(read_pair_scores(left_out, QUERY, numbers=(*range(5, 14), 20))) == [
        (1, 2, 0.5),
        (2, 10, 0.25),
    ]
    with pytest.raises(
        ScoreFileError, match=r"z\.txt:2: residue 20 is not in the query, whose residues are 5 to 14"
    ):
        read_pair_scores(left_out, QUERY, numbers=range(5, 15))
    unfocused = write(tmp_path, "1 - 2 - 0 0.5\n", "y.txt")
    assert listed(read_pair_scores(unfocused, QUERY)) == [(1, 2, 0.5)]


def test_numbers_that_skip_are_taken_in_order_where_their_letters_spell_the_query(tmp_path: Path) -> None:
    numbers = [
        5,
        6,
        7,
        9,
        10,
        11,
        12,
        15,
        16,
        17,
    ]  # plmc counts columns, also those where the focus has a gap
    called = list(zip(numbers, QUERY, strict=True))
    rows = [f"{i} {a} {j} {b} 0 {i}.{j}\n" for k, (i, a) in enumerate(called) for j, b in called[k + 1 :]]
    scores = read_pair_scores(write(tmp_path, "".join(rows)), QUERY)
    assert len(listed(scores)) == 45
    assert listed(scores)[0] == (1, 2, pytest.approx(5.6))
    assert scores.scores[3, 9] == pytest.approx(9.17)
    with pytest.raises(ScoreFileError, match=r"residue 11 is not in the query|is . in the file"):
        read_pair_scores(write(tmp_path, "".join(rows).replace("17 R", "17 W")), QUERY)


@pytest.mark.parametrize(("column", "expected"), [(None, 3.5), ("cn", 3.5), ("mi", 0.25)])
def test_freecontact_has_two_scores_and_the_corrected_norm_is_taken(
    column: str | None, expected: float, tmp_path: Path
) -> None:
    path = write(tmp_path, "1 M 2 K 0.25 3.5\n1 M 3 V 0.5 1.5\n")
    scores = read_pair_scores(path, QUERY, column=column)
    assert listed(scores)[0] == (1, 2, expected)
    assert scores.method == f"freecontact ({'mutual information' if column == 'mi' else 'corrected norm'})"
    with pytest.raises(ScoreFileError, match="no column 'fn'; the file has cn, mi"):
        read_pair_scores(path, QUERY, column="fn")


@pytest.mark.skipif(shutil.which("freecontact") is None, reason="freecontact is not installed")
@pytest.mark.parametrize("form", ["evfold", "pfrmat_rr"])
def test_what_freecontact_writes_is_read(form: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("ACDEFGHIKL"))
    rows = ["".join(row) for row in letters[rng.integers(0, 10, size=(60, 12))]]
    ran = subprocess.run(
        ["freecontact", "--parprof", "evfold", "--output-format", form, "--threads", "1", "--quiet", "1"],
        input="\n".join(rows) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    scores = read_pair_scores(write(tmp_path, ran.stdout), rows[0])
    assert len(listed(scores)) == len(ran.stdout.splitlines()) == 12 * 11 // 2
    words = [line.split() for line in ran.stdout.splitlines()]
    ends = (0, 2) if form == "evfold" else (0, 1)
    for row in words:
        i, j = (int(row[end]) - 1 for end in ends)
        assert scores.scores[i, j] == pytest.approx(float(row[-1]), rel=1e-6)


def test_evcouplings_ranks_by_cn_and_the_probability_can_be_asked_for(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "i,A_i,j,A_j,fn,cn,segment_i,segment_j,probability\n1,M,8,I,0,0.846606,A,A,0.99\n2,K,10,R,0,-0.1,A,A,0.0\n",
        "x_CouplingScores.csv",
    )
    scores = read_pair_scores(path, QUERY)
    assert listed(scores) == [(1, 8, pytest.approx(0.846606)), (2, 10, pytest.approx(-0.1))]
    assert (scores.method, scores.are_probabilities) == ("EVcouplings (cn)", False)
    claimed = read_pair_scores(path, QUERY, column="probability")
    assert (listed(claimed)[0][2], claimed.are_probabilities) == (pytest.approx(0.99), True)
    with pytest.raises(ScoreFileError, match="no column of scores 'score'; the file has cn, probability, fn"):
        read_pair_scores(path, QUERY, column="score")


def test_gremlin_and_our_own_tables_are_read(tmp_path: Path) -> None:
    gremlin = write(tmp_path, "i\tj\ti_id\tj_id\tr_sco\ts_sco\tprob\n1\t8\t1_M\t8_I\t0.2\t2.5\t0.9\n")
    assert listed(read_pair_scores(gremlin, QUERY)) == [(1, 8, 2.5)]
    quoted = write(tmp_path, 'i,j,"aa_i",aa_j,prob,chain_i\n1,8,"M",I,0.5,"A,B"\n', "y.csv")
    assert listed(read_pair_scores(quoted, QUERY)) == [(1, 8, 0.5)]
    ours = write(tmp_path, "i,j,aa_i,aa_j,prob,separation\n1,8,M,I,0.5,7\n", "x.csv")
    scores = read_pair_scores(ours, QUERY)
    assert (listed(scores), scores.method, scores.are_probabilities) == (
        [(1, 8, 0.5)],
        "msaformer (prob)",
        True,
    )


@pytest.mark.parametrize("length", [1, 2, 3, 5, 13, 40])
def test_a_matrix_of_ccmpred_is_read_whole(length: int, tmp_path: Path) -> None:
    matrix = np.random.default_rng(length).normal(size=(length, length))
    matrix = (matrix + matrix.T) / 2
    text = "".join("".join(f"{cell:.20e}\t" for cell in row) + "\n" for row in matrix)
    scores = read_pair_scores(write(tmp_path, "#>META> {}\n" + text, "x.mat"))
    off = ~np.eye(length, dtype=bool)
    np.testing.assert_allclose(scores.scores[off], matrix[off], rtol=1e-6)
    assert (scores.is_listed == off).all()
    assert not scores.are_probabilities


def trrosetta_bins(length: int) -> np.ndarray:
    dist = np.random.default_rng(0).dirichlet(np.ones(37), size=(length, length)).astype(np.float32)
    dist[..., 0] += 3
    dist = (dist + dist.transpose(1, 0, 2)) / 2
    return dist / dist.sum(-1, keepdims=True)


@pytest.mark.parametrize("column", ["dist", "dist-last"])
def test_bins_of_trrosetta_become_the_probability_of_less_than_8_angstrom(
    column: str, tmp_path: Path
) -> None:
    dist = trrosetta_bins(6)
    near = dist[..., 1:13].sum(-1)  # 2 to 8 Å
    stored = dist if column == "dist" else np.roll(dist, -1, axis=-1)
    np.savez_compressed(tmp_path / "x.npz", dist=stored, omega=np.zeros(2))
    scores = read_pair_scores(tmp_path / "x.npz", column=column)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(scores.scores[off], near[off], rtol=1e-5)
    assert scores.are_probabilities
    other = "dist-last" if column == "dist" else "dist"
    with pytest.raises(ScoreFileError, match=f"--column {column}"):
        read_pair_scores(tmp_path / "x.npz", column=other)


def test_our_prediction_is_read_and_is_held_to_the_query(tmp_path: Path) -> None:
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    prediction.save(tmp_path / "p.npz")
    scores = read_pair_scores(tmp_path / "p.npz", SEQUENCE)
    np.testing.assert_allclose(scores.scores, prediction.contact_probs, atol=1e-6)
    assert scores.sequence == SEQUENCE
    with pytest.raises(ScoreFileError, match=r"40 residues, the query 10"):
        read_pair_scores(tmp_path / "p.npz", QUERY)


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(RR_VARIANTS["CASP13"].encode()))
    assert len(listed(read_pair_scores(path))) == 3
    with pytest.raises(ScoreFileError, match="truncated"):
        read_pair_scores(write(tmp_path, path.read_bytes()[:-12]))


PLMC = "1 M 2 K 0 0.5\n"
EV = "i,A_i,j,A_j,cn\n"
BAD = {
    "number beyond L": (
        FIVE + "4 11 0 8 0.1\n",
        r":4: residue 11 is not in the query, whose residues are 1 to 10",
    ),
    "number 0": ("0 5 0 8 0.1\n", r":1: residue 0 is not in the query"),
    "huge number": ("1 999999999 0 8 0.1\n", r":1: residue 999999999 is not in the query"),
    "endless number": (FIVE + f"1 {'9' * 5000} 0 8 0.1\n", r":4: .* is no row of pairs"),
    "itself": (FIVE + "4 4 0 8 0.1\n", r":4: residue 4 is paired with itself"),
    "twice": (FIVE + "8 1 0 8 0.8\n", r":4: the pair 8 1 has the score 0.8 here and 0.9 in line 1; keep one"),
    "nan": (FIVE + "4 10 0 8 nan\n", r":4: the score is nan, a finite number is expected"),
    "inf": (PLMC + "1 M 3 V 0 inf\n", r":2: the score is inf"),
    "too large for float32": ("1 9 1e300\n", r":1: the score is 1e\+300"),
    "negative": (HEADER + "1 9 0 8 -0.5\n", r":7: the probability is -0.5, 0 to 1 is expected of CASP RR"),
    "above 1": (HEADER + "1 9 0 8 1.5\n", r":7: the probability is 1.5"),
    "chains of another protein": (
        HEADER.replace("MODEL", "REMARK chains A:4 B:7\nMODEL") + FIVE,
        r"the chains have 4 \+ 7 residues, the query 10",
    ),
    "cut short": (FIVE + "4 10 0\n", r":4: 3 columns, unlike the rows before; is the line cut short"),
    "cut in a number": (FIVE + "4\n", r":4: '4' is no row of pairs"),
    "columns of another mode": (
        HEADER.replace("MODEL", "RMODE 2\nMODEL") + FIVE,
        r":8: 5 columns, RMODE 2 has 13",
    ),
    "mixed distances": (
        FIVE + "4 10 0 12 0.5\n",
        r":4: the distances d1 d2 are 0 12, before they were 0 8; split the file",
    ),
    "no distance": (FIVE.replace("0 8", "0 x"), r":1: a distance is 'x', a number is expected"),
    "no mode": ("RMODE\n" + FIVE, r":1: RMODE is '', 1 or 2 is expected"),
    "mixed chains": ("A1 A9 0 8 0.5\n1 8 0 8 0.5\n", r":2: some residues name their chain and others do not"),
    "mode 3": (HEADER.replace("MODEL", "RMODE 3\nMODEL") + FIVE, r":5: RMODE is '3', 1 or 2 is expected"),
    "another category": ("PFRMAT TS\n" + FIVE, r":1: the format is 'TS', RR is expected"),
    "another sequence": (
        HEADER.replace(QUERY, "MKVLAAGICK"),
        r"residue 10 is K in the file's sequence, R in the query",
    ),
    "longer sequence": (HEADER.replace(QUERY, QUERY + "A"), r"sequence has 11 residues, the query 10"),
    "wrong letter": (
        PLMC + "1 M 3 W 0 0.1\n",
        r":2: residue 3 is W in the file, V in the query; give the sequence",
    ),
    "plmc cut short": (PLMC + "1 M 3\n", r":2: '1 M 3' is no row 'i A_i j A_j x score'"),
    "table cut short": (EV + "1,M,2,K\n", r":2: 4 columns, the first line names 5"),
    "table of text": (EV + "1,M,2,K,high\n", r":2: cn is 'high', a number is expected"),
    "table with a float index": (EV + "1.0,M,2,K,1\n", r":2: a residue is '1.0', its number is expected"),
    "table without a score": ("i,A_i,j,A_j\n1,M,2,K\n", r":1: there is no column of scores 'cn'"),
    "formula in a letter": (
        EV + "1,=cmd(),2,K,1\n",
        r":2: the residues are '=CMD\(\)' and 'K', letters are expected",
    ),
    "probability above 1": ("i,j,aa_i,aa_j,prob\n1,2,M,K,7\n", r":2: prob is 7, a probability from 0 to 1"),
    "rows of a matrix": ("0.5 1.5\n0.5 1.5\n0.5 1.5\n", r"3 rows of 2 numbers"),
    "row of a matrix cut short": ("0.5 1.5\n1.5\n", r":2: 1 numbers, the first row has 2"),
    "text in a matrix": ("0.5 1.5\n1.5 x\n", r":2: 'x' is no number"),
    "nan in a matrix": ("0.5 nan\nnan 0.5\n", r"pair 1 2 is nan"),
    "lopsided matrix": ("0.5 1.5\n2.5 0.5\n", r"1 2 is 1.5, that of 2 1 2.5; a matrix of pairs is symmetric"),
    "matrix of another protein": ("0.5 1.5\n1.5 0.5\n", r"scores of 2 residues, the query has 10"),
    "empty": ("", r"the file is empty"),
    "comments only": ("# nothing\n\n", r"the file is empty"),
    "a word": ("hello\n", r"lists no pair of residues"),
    "a page": ("<html>not found</html>\n", r":1: '<html>not found</html>' begins no format"),
    "another alphabet": ("１ ９ 0 8 0.5\n", r"1 rows of 5 numbers"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00", r":2: the byte 0x1a is no text"),
    "UTF-16": ("1 9 0 8 0.5\n".encode("utf-16"), r"UTF-16; save it as plain text"),
    "raw model of CCMpred": (b"\x85\xa6format\xa5ccm-1", r"CCMpred's raw model \(-b\)"),
    "broken zip": (b"PK\x03\x04nothing", r"not a \.npz file, or damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_in_one_line_with_its_place(case: str, tmp_path: Path) -> None:
    content, message = BAD[case]
    path = write(tmp_path, content)
    with pytest.raises(ScoreFileError, match=message) as caught:
        read_pair_scores(path, QUERY)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("where", ["missing.rr", "."])
def test_a_path_that_cannot_be_read_is_said(where: str, tmp_path: Path) -> None:
    with pytest.raises(ScoreFileError, match=r"check the path|this is a folder"):
        read_pair_scores(tmp_path / where, QUERY)


@pytest.mark.parametrize(
    ("dist", "message"),
    [
        (np.ones((3, 3, 10), np.float32), r"'dist' is float32 \(3, 3, 10\)"),
        (np.ones((3, 3, 37), np.float32), "do not sum to 1"),
        (np.full((3, 3, 37), np.nan, np.float32), "do not sum to 1"),
        (np.ones((3, 4, 37), np.float32), r"\(3, 4, 37\)"),
        (np.array([{}], dtype=object), "is damaged, or larger"),
    ],
)
def test_arrays_that_are_no_distances_are_refused_and_none_is_unpickled(
    dist: np.ndarray, message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "x.npz", dist=dist)
    with pytest.raises(ScoreFileError, match=message):
        read_pair_scores(tmp_path / "x.npz")


def test_an_archive_of_something_else_lists_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", weights=np.zeros(3), biases=np.zeros(1))
    with pytest.raises(ScoreFileError, match="holds biases, weights; a prediction of msaformer or"):
        read_pair_scores(tmp_path / "x.npz")


def test_a_small_file_that_expands_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msaformer.report.score_files.MAX_BYTES", 10_000)
    path = write(tmp_path, gzip.compress(b"1 9 0.5\n" * 2000), "x.rr.gz")
    with pytest.raises(ScoreFileError, match="holds more than 10,000 bytes"):
        read_pair_scores(path, QUERY)


def test_numbers_must_increase_one_a_residue(tmp_path: Path) -> None:
    for numbers in (range(9), (1, 1, *range(3, 11))):
        with pytest.raises(PredictionError, match="one a residue of the query, increasing"):
            read_pair_scores(write(tmp_path, FIVE), QUERY, numbers=numbers)


def test_broken_files_raise_nothing_but_the_one_error(tmp_path: Path) -> None:
    """Every text above, cut anywhere and with bytes changed, is read or refused in one line."""
    rng = np.random.default_rng(0)
    texts = [*RR_VARIANTS.values(), *(text for text, _ in BAD.values() if isinstance(text, str))]
    answers = 0
    for text, _ in itertools.product(texts, range(6)):
        data = bytearray(text.encode()[: rng.integers(0, len(text) + 1)])
        for at in rng.integers(0, len(data), size=2) if data else ():
            data[at] = rng.integers(0, 256)
        try:
            scores = read_pair_scores(write(tmp_path, bytes(data)), QUERY)
        except ScoreFileError as error:
            answers += len(str(error).splitlines())
        else:
            answers += 1
            assert scores.length == len(QUERY)
    assert answers == 6 * len(texts)
