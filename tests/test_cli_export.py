"""`msaformer export`, and `evaluate` of what it writes and of what other programs write."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_cases import Terminal, files_in
from report_cases import prediction_from

from data_tools.formats import read_alignment
from data_tools.labels import label_distances, pairwise_distances
from data_tools.structure import read_chains
from msaformer import example
from msaformer.cli import main

STRUCTURE = ["--structure", str(example.STRUCTURE)]
TRYPSIN = Path(__file__).parent / "data" / "3TGI.pdb.gz"
QUERY = read_alignment(example.ALIGNMENT).query


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up prediction of the bundled protein, right for the most part."""
    (chain,) = read_chains(example.STRUCTURE)
    distances = label_distances(QUERY, chain, source=example.STRUCTURE).distances
    path = tmp_path_factory.mktemp("predicted") / "dhfr.npz"
    prediction_from(distances, QUERY, name="dhfr").save(path)
    return path


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores of the same protein that mean nothing, as CCMpred writes them."""
    path = tmp_path_factory.mktemp("matrix") / "dhfr.mat"
    values = np.random.default_rng(0).normal(size=(len(QUERY), len(QUERY)))
    np.savetxt(path, values + values.T, delimiter="\t")
    return path


def test_every_format_is_written_into_a_folder(predicted: Path, tmp_path: Path, terminal: Terminal) -> None:
    formats = ["rr", "csv", "parquet", "pml", "pb", "tbl", "cst"]
    flags = [flag for name in formats for flag in ("--format", name)]
    out = tmp_path / "new" / "out"
    assert main(["export", str(predicted), *flags, *STRUCTURE, "-o", str(out)]) == 0
    assert terminal.read() == ("".join(f"{out}/dhfr.{name}\n" for name in formats), "")
    assert files_in(out) == {f"dhfr.{name}" for name in formats}
    table = pd.read_parquet(out / "dhfr.parquet")
    assert len(table) == 158 * 157 // 2
    assert table.is_contact.sum() > 300
    drawn = [line for line in (out / "dhfr.pb").read_text().splitlines() if line.startswith("#")]
    assert len(drawn) == 158
    likely = (table.prob >= 0.5) & (table.separation >= 6)
    restraints = [line for line in (out / "dhfr.tbl").read_text().splitlines() if line.startswith("assign")]
    assert len(restraints) == likely.sum()


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        (["--top", "25"], 25),
        (["--top", "1.5L"], 237),
        (["--top", "0.001L"], 1),
        (["--min-separation", "157"], 1),
        (["--top", "500000"], 12_403),
    ],
)
def test_the_options_choose_the_pairs(flags: list[str], count: int, predicted: Path, tmp_path: Path) -> None:
    path = tmp_path / "best.csv"
    assert main(["export", str(predicted), "--format", "csv", *flags, "-o", str(path)]) == 0
    table = pd.read_csv(path)
    assert len(table) == count
    assert (np.diff(table.prob) <= 0).all()


def test_the_least_probability_and_separation_hold_for_every_row(predicted: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.rr"
    flags = ["--min-prob", "0.25", "--min-separation", "12", "--format", "rr"]
    assert main(["export", str(predicted), *flags, "-o", str(path)]) == 0
    rows = [line.split() for line in path.read_text().splitlines() if line[0].isdigit()]
    assert rows
    assert all(int(j) - int(i) >= 12 and float(p) >= 0.25 for i, j, _, _, p in rows)


def test_scores_of_another_program_are_exported_too(matrix: Path, tmp_path: Path, terminal: Terminal) -> None:
    flags = ["--alignment", str(example.ALIGNMENT), "--format", "csv", "--format", "cst"]
    assert main(["export", str(matrix), *flags, "-o", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "dhfr.csv")
    assert list(table.columns) == ["i", "j", "aa_i", "aa_j", "score", "separation"]
    assert (tmp_path / "dhfr.cst").read_text().count("AtomPair") == 158
    terminal.read()
    assert main(["export", str(matrix), "--format", "rr", "-o", str(tmp_path)]) == 1
    terminal.shows_one_error("CASP RR needs a sequence")


def test_what_cannot_be_drawn_is_said_on_stderr(predicted: Path, tmp_path: Path, terminal: Terminal) -> None:
    """A structure without its last residues."""
    import gemmi

    structure = gemmi.read_structure(str(example.STRUCTURE))
    del structure[0]["A"][-30:]
    cut = tmp_path / "cut.pdb"
    structure.write_pdb(str(cut))
    path = tmp_path / "x.pml"
    arguments = ["export", str(predicted), "--format", "pml", "--structure", str(cut), "-o", str(path)]
    assert main(arguments) == 0
    out, err = terminal.read()
    assert out == f"{path}\n"
    assert err.startswith(f"{path}: ")
    assert "of 158 pairs left out, a residue is not in the structure" in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--format", "pml"], ["--format pml draws on a structure", "--structure"]),
        (["--format", "csv", "--chain", "A"], ["--chain says which chain of --structure"]),
        (["--format", "csv", "--top", "many"], ["'many' is no number of pairs", "1.5L"]),
        (["--format", "csv", "--top", "0"], ["'0' is no number of pairs"]),
        (["--format", "csv", "--min-separation", "0"], ["--min-separation"]),
        (["--format", "docx"], ["docx"]),
        (
            ["--format", "csv", "--sequence", str(example.ALIGNMENT), "--alignment", str(example.ALIGNMENT)],
            ["give one"],
        ),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    flags: list[str], words: list[str], predicted: Path, tmp_path: Path, terminal: Terminal
) -> None:
    assert main(["export", str(predicted), *flags, "-o", str(tmp_path / "out")]) == 2
    terminal.shows_one_error(*words)
    assert not list(tmp_path.iterdir())


def test_what_is_read_is_not_written_over(tmp_path: Path, predicted: Path, terminal: Terminal) -> None:
    path = tmp_path / "x.rr"
    assert main(["export", str(predicted), "--format", "rr", "-o", str(path)]) == 0
    before = path.read_bytes()
    terminal.read()
    assert main(["export", str(path), "--format", "rr", "--top", "3", "-o", str(tmp_path)]) == 2
    terminal.shows_one_error("is what is read")
    assert path.read_bytes() == before


def test_a_structure_without_any_of_the_pairs_leaves_no_file(
    predicted: Path, tmp_path: Path, terminal: Terminal
) -> None:
    arguments = ["export", str(predicted), "--format", "tbl", "--min-prob", "1.5", "-o", str(tmp_path)]
    assert main(arguments) == 1
    terminal.shows_one_error("none of 0 pairs can be a restraint")
    assert not list(tmp_path.iterdir())


def test_methods_are_compared_on_one_structure(
    predicted: Path, matrix: Path, tmp_path: Path, terminal: Terminal
) -> None:
    few = tmp_path / "few.rr"
    assert main(["export", str(predicted), "--format", "rr", "--top", "20", "-o", str(few)]) == 0
    terminal.read()
    files = [str(matrix), str(few), str(predicted)]  # the query comes of the last
    assert main(["evaluate", *files, *STRUCTURE, "--json"]) == 0
    tree = json.loads(terminal.read()[0])
    assert [file["method"] for file in tree["files"]] == [
        "score matrix (as CCMpred)",
        "CASP RR",
        "msaformer-tiny",
    ]
    assert [file["num_listed"] for file in tree["files"]] == [12_403, 20, 12_403]
    noise, best, whole = ({row["range"]: row for row in file["ranges"]} for file in tree["files"])
    assert noise["long"]["p_at_l"] < 0.1 < 0.5 < whole["long"]["p_at_l"]
    assert best["long"]["num_ranked"] <= 20 < whole["long"]["num_ranked"] == best["long"]["num_pairs"]
    assert best["long"]["recall_at_l"] < whole["long"]["recall_at_l"]
    assert tree["files"][0]["expected_calibration_error"] is None
    assert main(["evaluate", *files, *STRUCTURE]) == 0
    table = terminal.read()[0]
    assert f"{best['long']['p_at_l']:.3f}*" in table
    assert f"{whole['long']['p_at_l']:.3f} " in table
    assert table.splitlines()[-1].startswith("* of fewer pairs")
    assert main(["evaluate", *files, *STRUCTURE, "--csv"]) == 0
    rows = list(csv.DictReader(terminal.read()[0].splitlines()))
    assert len(rows) == 3 * 4
    assert float(rows[-2]["p_at_l"]) == whole["long"]["p_at_l"]
    assert (rows[0]["neff"], rows[-1]["neff"]) == ("", "871.25")


def test_a_list_of_pairs_takes_its_query_from_the_prediction_beside_it(
    predicted: Path, tmp_path: Path, terminal: Terminal
) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 20 0.5\n")
    assert main(["evaluate", str(path), str(predicted), *STRUCTURE, "--json"]) == 0
    assert [file["num_listed"] for file in json.loads(terminal.read()[0])["files"]] == [1, 12_403]


def test_a_number_of_pairs_is_kept_in_rr_though_they_are_improbable(predicted: Path, tmp_path: Path) -> None:
    counts = {}
    for name, flags in (("all", []), ("top", ["--top", "9000"])):
        path = tmp_path / f"{name}.rr"
        assert main(["export", str(predicted), "--format", "rr", *flags, "-o", str(path)]) == 0
        counts[name] = sum(line[0].isdigit() for line in path.read_text().splitlines())
    assert counts["all"] < counts["top"] == 9000


def test_a_complex_goes_out_and_comes_back_with_its_chains(tmp_path: Path, terminal: Terminal) -> None:
    chains = [chain for chain in read_chains(TRYPSIN) if chain.author_name in ("E", "I")]
    sequence = "".join(chain.sequence for chain in chains)
    atoms = np.concatenate([chain.contact_atom for chain in chains])
    prediction = prediction_from(
        pairwise_distances(atoms),
        sequence,
        name="complex",
        chain_lengths=tuple(len(one.sequence) for one in chains),
    )
    prediction.save(tmp_path / "complex.npz")
    structure = ["--structure", str(TRYPSIN)]
    formats = ["--format", "rr", "--format", "parquet", "--format", "pml"]
    source = str(tmp_path / "complex.npz")
    assert main(["export", source, *formats, *structure, "-o", str(tmp_path)]) == 0
    terminal.read()
    assert main(["evaluate", str(tmp_path / "complex.rr"), source, *structure, "--json"]) == 0
    rr, npz = json.loads(terminal.read()[0])["files"]
    assert [row["range"] for row in rr["ranges"]][-1] == "inter_chain"
    for ours, theirs in zip(npz["ranges"], rr["ranges"], strict=True):
        assert ours["p_at_l5"] == pytest.approx(theirs["p_at_l5"], abs=0.05)  # rounded scores tie otherwise
    table = pd.read_parquet(tmp_path / "complex.parquet")
    between = table[(table.chain_i == "E") & (table.chain_j == "I")]
    assert between.is_contact.sum() == npz["ranges"][-1]["num_contacts"] > 10
    assert set(table.res_j[table.chain_j == "I"].str[0]) == {"B"}
    assert "(chain I and resi" in (tmp_path / "complex.pml").read_text()
    assert main(["evaluate", str(tmp_path / "complex.rr"), *structure, "--json"]) == 0  # it knows its chains
    alone = json.loads(terminal.read()[0])
    assert (alone["chain"], alone["ranges"]) == ("E,I", rr["ranges"])


def test_one_score_file_needs_its_query(matrix: Path, terminal: Terminal, tmp_path: Path) -> None:
    assert main(["evaluate", str(matrix), *STRUCTURE]) == 2
    terminal.shows_one_error("the files do not state the query", "--sequence")
    query = tmp_path / "query.fasta"
    query.write_text(f">q\n{QUERY}\n")
    assert main(["evaluate", str(matrix), *STRUCTURE, "--sequence", str(query)]) == 0
    table = terminal.read()[0]
    assert "dhfr: L = 158, score matrix (as CCMpred), 12,403 pairs listed" in table
    assert "*" not in table


def test_numbers_of_a_score_file_can_start_anywhere(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "x.txt"
    path.write_text(f"5 {QUERY[0]} 20 {QUERY[15]} 0 0.5\n")
    query = ["--alignment", str(example.ALIGNMENT)]
    assert main(["evaluate", str(path), *STRUCTURE, *query]) == 1
    terminal.shows_one_error(f"{path}:1: residue 5 is M", "--first-residue 5")
    assert main(["evaluate", str(path), *STRUCTURE, *query, "--first-residue", "5", "--json"]) == 0
    assert json.loads(terminal.read()[0])["num_listed"] == 1
    assert main(["evaluate", str(path), *STRUCTURE, "--first-residue", "5"]) == 2
    terminal.shows_one_error("give --sequence or --alignment too")


def test_names_in_files_do_nothing_in_a_table(tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "x\x1b[31m.rr"
    path.write_text(f"PFRMAT RR\nTARGET =1+1\nMODEL 1\n{QUERY}\n1 20 0 8 0.5\nEND\n")
    for flags in ([], ["--csv"], ["--json"]):
        assert main(["evaluate", str(path), *STRUCTURE, *flags]) == 0
        out = terminal.read()[0]
        assert "\x1b" not in out
        assert ("'=1+1" in out) == (flags == ["--csv"])


def test_files_of_two_proteins_are_not_compared(predicted: Path, tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "other.rr"
    path.write_text("PFRMAT RR\nMODEL 1\nMKVLAAGICR\n1 8 0 8 0.5\nEND\n")
    assert main(["evaluate", str(predicted), str(path), *STRUCTURE]) == 1
    terminal.shows_one_error(str(path), "10 residues, the query 158")
    assert main(["evaluate", str(predicted), str(path), *STRUCTURE, "--column", "cn"]) == 2
    terminal.shows_one_error("--column and --model choose within one file")
