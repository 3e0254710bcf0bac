"""`msaformer label`: the report, the arrays it writes, and one line for whatever is wrong."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from cli_cases import Terminal, files_in
from tiny_structures import Atom, mmcif, residue, save

from data_tools.formats import read_alignment
from data_tools.labels import label_distances
from data_tools.orientations import orientations
from data_tools.structure import read_chains
from msaformer import example
from msaformer.cli import main
from msaformer.cli.label import command

EXAMPLE = ["label", str(example.ALIGNMENT), str(example.STRUCTURE)]
SEQRES = ["MET", "LYS", "GLY", "SER", "VAL", "TRP", "ALA", "HIS"]
QUERY = "MKGSVWAH"


def tiny(folder: Path, *, lost: tuple[int, ...] = (4, 5), models: tuple[int, ...] = (1,)) -> list[str]:
    """A query of three more residues than SEQRES, as bare FASTA, and a structure that lacks some."""
    atoms: list[Atom] = [
        atom
        for model in models
        for place, name in enumerate(SEQRES, 1)
        for atom in residue(place, name, atoms="N CA C CB", author_chain="X", model=model)
        if place not in lost
    ]
    structure = save(folder, mmcif(atoms, {"A": SEQRES}), "tiny.cif")
    query = save(folder, f">q\n{QUERY}EEE\n", "query.fasta")
    return ["label", str(query), str(structure)]


def test_the_report_says_what_agrees_and_what_is_missing(tmp_path: Path, terminal: Terminal) -> None:
    assert main(tiny(tmp_path)) == 0
    out, err = terminal.read()
    assert err == ""
    lines = {line[:12].strip(): line[13:] for line in out.splitlines()}
    assert lines["structure"].endswith("tiny.cif, chain X (label A), model 1")
    assert lines["mapped"] == "8 of the query's 11 residues (72.7%) to the chain's 8 (in SEQRES)"
    assert lines["identity"] == "100.0%, 0 mismatches"
    assert lines["unresolved"] == "5 residues; not in the chain 9-11; not modelled 4-5"
    assert lines["atoms"].startswith("Cβ, for Gly Cα")
    # of 1, 2, 3, 6, 7, 8 no two are more than 7 apart: 6 = 1–7, 2–8 and 7 = 1–8
    assert lines["contacts"].startswith("short 0 of 3 pairs, medium 0 of 0 pairs")
    assert files_in(tmp_path) == {"tiny.cif", "query.fasta"}


def test_mismatches_are_named_with_the_number_of_the_author(terminal: Terminal) -> None:
    assert main(EXAMPLE) == 0
    out = terminal.read()[0]
    assert "98.7%, 2 mismatches: N23P (author 23), S148A (author 148)" in out
    assert main([*EXAMPLE, "--json"]) == 0
    tree = json.loads(terminal.read()[0])
    assert (tree["chain"], tree["query_length"], tree["aligned"], tree["output"]) == ("A", 158, 158, None)
    assert [one["position"] for one in tree["mismatches"]] == [23, 148]
    assert [row["range"] for row in tree["contacts"]] == ["short", "medium", "long", "medium_long"]
    assert all(f"{row['range']} {row['num_contacts']:,} of" in out for row in tree["contacts"][:3])


def test_what_is_written_is_what_python_computes(tmp_path: Path, terminal: Terminal) -> None:
    out = tmp_path / "dhfr.npz"
    assert main([*EXAMPLE, "-o", str(out), "--orientations"]) == 0
    assert f"written      {out}: query, distances" in terminal.read()[0]
    with np.load(out, allow_pickle=False) as file:
        arrays = dict(file)
    query = read_alignment(example.ALIGNMENT).query
    (chain,) = read_chains(example.STRUCTURE)
    labels = label_distances(query, chain, source="example")
    assert str(arrays["query"]) == query
    angles = orientations(labels.backbone)
    expected = {
        "distances": labels.distances,
        "ca_distances": labels.ca_distances,
        "backbone": labels.backbone,
        "chain_index": labels.chain_index,
        **{name: getattr(angles, name) for name in ("omega", "theta", "phi")},
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name], values, err_msg=name)
    assert arrays["residue_numbers"].tolist() == list(labels.residue_numbers)
    assert json.loads(str(arrays["report"]))["aligned"] == 158
    assert arrays.keys() == expected.keys() | {"query", "residue_numbers", "report"}


def test_the_help_names_every_array(tmp_path: Path) -> None:
    out = tmp_path / "dhfr.npz"
    assert main([*EXAMPLE, "-o", str(out), "--orientations"]) == 0
    with np.load(out, allow_pickle=False) as file:
        names = set(file)
    documented = re.findall(r"^  ((?:[a-z_]+ )+) *\S", command.epilog or "", flags=re.MULTILINE)
    assert set(" ".join(documented).split()) >= names


def test_without_orientations_there_are_none(tmp_path: Path) -> None:
    out = tmp_path / "dhfr.npz"
    assert main([*EXAMPLE, "-o", str(out)]) == 0
    with np.load(out, allow_pickle=False) as file:
        assert not {"omega", "theta", "phi"} & set(file)


def test_the_contact_atom_of_gly_is_a_choice_that_is_stated(tmp_path: Path, terminal: Terminal) -> None:
    distances = {}
    for rule in ("ca", "virtual-cb"):
        out = tmp_path / f"{rule}.npz"
        assert main([*tiny(tmp_path), "--gly", rule, "-o", str(out)]) == 0
        with np.load(out) as file:
            distances[rule] = file["distances"]
            stated = json.loads(str(file["report"]))["contact_rule"]
        assert stated in terminal.read()[0]
    assert distances["ca"][2, 5] != distances["virtual-cb"][2, 5]
    assert distances["ca"][1, 5] == distances["virtual-cb"][1, 5]


def test_a_dry_run_writes_nothing(tmp_path: Path, terminal: Terminal) -> None:
    arguments = tiny(tmp_path)
    before = files_in(tmp_path)
    assert main([*arguments, "-o", str(tmp_path / "x.npz"), "--dry-run"]) == 0
    assert "would write  " in terminal.read()[0]
    assert main([*arguments, "-o", str(tmp_path / "x.npz"), "--dry-run", "--json"]) == 0
    tree = json.loads(terminal.read()[0])
    assert (tree["output"], tree["dry_run"]) == (str(tmp_path / "x.npz"), True)
    assert files_in(tmp_path) == before


def test_a_file_is_replaced_only_when_asked(tmp_path: Path, terminal: Terminal) -> None:
    arguments = tiny(tmp_path)
    out = save(tmp_path, "precious", "x.npz")
    assert main([*arguments, "-o", str(out)]) == 2
    terminal.shows_one_error("x.npz", "--overwrite")
    assert out.read_text() == "precious"
    assert main([*arguments, "-o", str(out), "--overwrite"]) == 0
    assert out.read_bytes()[:2] == b"PK"


def test_a_model_and_a_chain_are_chosen_by_name(tmp_path: Path, terminal: Terminal) -> None:
    arguments = tiny(tmp_path, models=(3, 4))
    for choice in (["--chain", "X"], ["--chain", "A"], ["--model", "4"]):
        assert main([*arguments, *choice, "--json"]) == 0
        assert json.loads(terminal.read()[0])["model"] == (4 if "--model" in choice else 3)
    assert main([*arguments, "--model", "1"]) == 1
    terminal.shows_one_error("tiny.cif", "no model 1", "3, 4")
    assert main([*arguments, "--chain", "Q"]) == 1
    terminal.shows_one_error("tiny.cif", "'Q'", "X (label A)")


def test_another_protein_is_refused_unless_the_threshold_allows_it(
    tmp_path: Path, terminal: Terminal
) -> None:
    query, structure = tiny(tmp_path)[1:]
    Path(query).write_text(">q\nMKGSVYYH\n")
    assert main(["label", query, structure]) == 1
    terminal.shows_one_error("tiny.cif", "chain X is not the query", "75.0%", "(the file has X (label A))")
    assert main(["label", query, structure, "--min-identity", "0.7"]) == 0
    assert "W6Y" not in (out := terminal.read()[0])
    assert "Y6W (author 6), Y7A (author 7)" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no structure", "neither mmCIF"),
        (b"\x1f\x8bgarbage", "gzip"),
        (b"\x81\xaadataBlocks", "damaged BinaryCIF"),
        (b"HETATM    1  O   HOH A 301      99.000   0.000   0.000  1.00 10.00           O", "no protein"),
        (b"ATOM      1  CA  ALA A   1      99.000   0.0x0   0.000  1.00 10.00           C", "damaged ATOM"),
    ],
)
def test_a_bad_structure_is_one_line(
    tmp_path: Path, terminal: Terminal, content: bytes, message: str
) -> None:
    query, structure = tiny(tmp_path)[1:]
    Path(structure).write_bytes(content)
    assert main(["label", query, structure, "-o", str(tmp_path / "x.npz")]) == 1
    terminal.shows_one_error("tiny.cif", message)
    assert not (tmp_path / "x.npz").exists()


def test_missing_files_and_senseless_options_are_one_line(tmp_path: Path, terminal: Terminal) -> None:
    query, structure = tiny(tmp_path)[1:]
    assert main(["label", str(tmp_path / "none.a3m"), structure]) == 1
    terminal.shows_one_error("none.a3m", "no such file")
    assert main(["label", query, str(tmp_path / "none.cif")]) == 1
    terminal.shows_one_error("none.cif", "no such file")
    for options, words in (
        (["--orientations"], ["--orientations", "-o"]),
        (["-o", str(tmp_path / "x.csv")], ["x.csv", ".npz"]),
        (["--gly", "cb"], ["--gly"]),
        (["--min-identity", "90"], ["90"]),
    ):
        assert main(["label", query, structure, *options]) == 2
        terminal.shows_one_error(*words)


def test_hostile_names_cannot_write_to_the_terminal(tmp_path: Path, terminal: Terminal) -> None:
    atoms = [atom for place, name in enumerate(SEQRES, 1) for atom in residue(place, name)]
    structure = save(tmp_path, mmcif(atoms, {"A": SEQRES}), "x\x07\x9b.cif")
    query = save(tmp_path, f">q\n{QUERY}\n", "q.fasta")
    assert main(["label", str(query), str(structure)]) == 0
    out, err = terminal.read()
    assert not {"\x07", "\x9b"} & set(out + err)


def test_long_lists_are_cut_in_the_text_and_whole_in_json(tmp_path: Path, terminal: Terminal) -> None:
    names = ["ALA", "SER"] * 20
    atoms = [atom for place, name in enumerate(names, 1) for atom in residue(place, name) if name == "ALA"]
    structure = save(tmp_path, mmcif(atoms, {"A": names}), "x.cif")
    query = save(tmp_path, f">q\n{'AS' * 20}\n", "q.fasta")
    assert main(["label", str(query), str(structure)]) == 0
    out = terminal.read()[0]
    assert "not modelled 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, …\n" in out
    assert main(["label", str(query), str(structure), "--json"]) == 0
    assert json.loads(terminal.read()[0])["not_modelled"] == list(range(2, 41, 2))


def test_a_file_without_seqres_is_said_to_have_none(tmp_path: Path, terminal: Terminal) -> None:
    atoms = [atom for place, name in enumerate(SEQRES, 1) for atom in residue(place, name)]
    structure = save(tmp_path, mmcif(atoms), "x.cif")
    query = save(tmp_path, f">q\n{QUERY}\n", "q.fasta")
    assert main(["label", str(query), str(structure)]) == 0
    assert "to the chain's 8 (modelled, no SEQRES)" in terminal.read()[0]


def test_the_example_of_the_help_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = [line for line in (command.epilog or "").splitlines() if line.startswith("  msaformer label")]
    arguments = shlex.split(line.replace("$D", str(example.ALIGNMENT.parent)))
    assert main(arguments[1:]) == 0
    assert "written      dhfr.labels.npz" in terminal.read()[0]
    assert (tmp_path / "dhfr.labels.npz").exists()


def test_every_option_has_its_help() -> None:
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
