"""Contacts on a structure: PyMOL runs the script that is written, and its lines end on the atoms that are meant."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import gemmi
import numpy as np
import pytest
from report_cases import SEQUENCE, chain_like_distances, chain_like_positions, make_truth, prediction_from

from data_tools.labels import label_distances
from data_tools.structure import Chain, read_chains
from msaformer import example
from msaformer.errors import PredictionError
from msaformer.report.contact_list import ContactList, Selection, contact_list
from msaformer.report.structure_scripts import save_chimerax, save_pymol
from msaformer.report.truth import Truth, truth_of

TRYPSIN = Path(__file__).parent / "data" / "3TGI.pdb.gz"
PYMOL_FOLDERS = (
    "/usr/bin:/bin"  # Debian's PyMOL is of Debian's Python, which another one on the path would hide
)
COUNT = 200

LOOK = """
import json
from pymol import cmd
found = {}
for name in cmd.get_names("objects"):
    if cmd.get_type(name) == "object:measurement":
        points = cmd.get_session(name)["names"][0][5][2][0][1]
        found[name] = [points[at : at + 6] for at in range(0, len(points), 6)]
with open("found.jsonl", "a") as file:
    file.write(json.dumps(found) + "\\n")
"""


def predicted(chain: Chain, path: Path) -> tuple[ContactList, Truth]:
    """The best pairs of a made-up prediction of a whole chain."""
    truth = truth_of(label_distances(chain.sequence, chain, source=path))
    prediction = prediction_from(truth.distances, chain.sequence)
    return contact_list(prediction, truth, Selection(top=COUNT, min_separation=6)), truth


def with_awkward_chains(folder: Path) -> Path:
    """DHFR as a chain called `+` behind a copy of it called `*` that lies elsewhere, numbered from -4."""
    structure = gemmi.read_structure(str(example.STRUCTURE))
    (chain,) = (one for one in structure[0] if one.name == "A")
    copy = chain.clone()
    for one, name, shift in ((chain, "+", 0.0), (copy, "*", 50.0)):
        one.name = name
        for residue in one:
            residue.seqid.num -= 5
            for atom in residue:
                atom.pos.x += shift
    structure[0].add_chain(copy, pos=0)
    path = folder / "awkward.pdb"
    structure.write_pdb(str(path))
    return path


def without_chains(folder: Path, *segments: str) -> Path:
    """Copies of DHFR, as of molecular dynamics: segments are named and no chain; all but the last lie elsewhere."""
    lines = gzip.decompress(example.STRUCTURE.read_bytes()).decode().splitlines()
    atoms = [
        f"{line[:21]} {line[22:30]}{float(line[30:38]) + 50 * (segment != segments[-1]):8.3f}{line[38:72]}{segment:<4}"
        f"{line[76:]}"
        for segment in segments
        for line in lines
        if line.startswith("ATOM")
    ]
    path = folder / f"{'_'.join(segments)}.pdb"
    path.write_text("\n".join([*atoms, "END", ""]))
    return path


@pytest.mark.skipif(not Path("/usr/bin/pymol").exists(), reason="Debian's PyMOL is not installed")
def test_pymol_draws_every_pair_between_the_atoms_that_are_meant(tmp_path: Path) -> None:
    shutil.copy(example.STRUCTURE, tmp_path / "dhfr.pdb.gz")
    (tmp_path / "trypsin.pdb").write_bytes(gzip.decompress(TRYPSIN.read_bytes()))
    awkward = with_awkward_chains(tmp_path)
    cases = [
        (without_chains(tmp_path, ""), "_"),
        (without_chains(tmp_path, "PROA", "PROB"), "PROB"),
        (tmp_path / "dhfr.pdb.gz", "A"),
        (tmp_path / "trypsin.pdb", "E"),
        (awkward, "+"),
    ]
    (tmp_path / "look.py").write_text(LOOK)
    script, expected = [], []
    for k, (path, name) in enumerate(cases):
        chain = next(one for one in read_chains(path) if one.author_name == name)
        contacts, truth = predicted(chain, path)
        if path.name == "trypsin.pdb":  # the numbering of chymotrypsin, in which trypsin has insertions
            assert contacts.table.auth_i.str.contains("[A-Z]").any()
        left_out = save_pymol(contacts, truth, tmp_path / f"{k}.pml")
        script += [f"load {path.name}", f"@{k}.pml", "run look.py", "delete all"]
        expected.append((contacts, truth, left_out))
    (tmp_path / "all.pml").write_text("\n".join(script) + "\n")
    ran = subprocess.run(
        ["/usr/bin/pymol", "-cq", "all.pml"],
        cwd=tmp_path,
        env={"PATH": PYMOL_FOLDERS, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Error" not in ran.stdout + ran.stderr
    found = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert len(found) == len(cases)
    for lines, (contacts, truth, left_out) in zip(found, expected, strict=True):
        check_lines(lines, contacts, truth, left_out)


def check_lines(
    lines: dict[str, list[list[float]]], contacts: ContactList, truth: Truth, left_out: int
) -> None:
    assert sum(map(len, lines.values())) + left_out == COUNT
    for name, is_contact in (("contacts_true", True), ("contacts_false", False)):
        table = contacts.table[(contacts.table.is_contact == is_contact).fillna(False)]
        assert len(lines.get(name, [])) == len(table) > 0
        ends = np.array(lines[name]).reshape(-1, 2, 3)
        np.testing.assert_allclose(ends[:, 0], truth.contact_atoms[table.i - 1], atol=1e-3)
        np.testing.assert_allclose(ends[:, 1], truth.contact_atoms[table.j - 1], atol=1e-3)


def listed(**changes: object) -> tuple[ContactList, Truth]:
    """Forty residues, the first not in the structure, the tenth without its contact atom."""
    truth = make_truth(chain_like_positions(40), outside=(0,), lost=(9,), **changes)
    numbers = tuple("110" if k == 9 else number for k, number in enumerate(truth.residue_numbers))
    truth = make_truth(
        chain_like_positions(40), outside=(0,), lost=(9,), **(changes | {"residue_numbers": numbers})
    )
    return contact_list(prediction_from(chain_like_distances(40), SEQUENCE), truth), truth


@pytest.mark.parametrize("save", [save_pymol, save_chimerax])
def test_pairs_without_a_place_are_counted_and_unknown_ones_are_drawn_apart(save, tmp_path: Path) -> None:
    contacts, truth = listed()
    assert save(contacts, truth, tmp_path / "x") == 39
    text = (tmp_path / "x").read_text()
    assert "39 left out: a residue is not in the structure" in text
    judged = contacts.table.is_contact
    true, false = int((judged == True).sum()), int((judged == False).sum())  # noqa: E712
    assert (
        f"{true} true (closer than 8 A, blue), {false} false (vermilion), 38 of unknown distance (grey)"
        in text
    )
    colours = {"0072B2": true, "D55E00": false, "999999": 38}
    if save is save_chimerax:
        lines = [line for line in text.splitlines() if line.startswith("#")]
        assert {colour: sum(line.endswith(f" #{colour}") for line in lines) for colour in colours} == colours
        assert lines[0].count("#1/A:") == 2
    else:
        counts = [text.count(f"distance contacts_{name},") for name in ("true", "false", "unjudged")]
        assert counts == list(colours.values())


def test_chimerax_names_glycine_by_ca_and_keeps_insertion_codes(tmp_path: Path) -> None:
    positions = chain_like_positions(40)
    truth = make_truth(positions, residue_numbers=tuple(f"{k}A" if k == 5 else str(k - 3) for k in range(40)))
    contacts = contact_list(prediction_from(chain_like_distances(40), SEQUENCE), truth, Selection())
    save_chimerax(contacts, truth, tmp_path / "x.pb", model=2)
    text = (tmp_path / "x.pb").read_text()
    assert SEQUENCE[5] == "G"
    assert "#2/A:5A@CA " in text
    assert "#2/A:-3@CB " in text
    assert "@CA" not in re.sub(r":(5A|22)@CA", "", text)  # the other glycine is residue 26, numbered 22
    assert text.splitlines()[4:7] == ["; halfbond = false", "; radius = 0.15", "; dashes = 0"]


def test_the_structures_own_residue_says_which_atom_a_mutated_place_has(tmp_path: Path) -> None:
    truth = make_truth(chain_like_positions(40), contact_atom_names=("CA",) * 40)
    contacts = contact_list(prediction_from(chain_like_distances(40), SEQUENCE), truth, Selection(top=3))
    save_chimerax(contacts, truth, tmp_path / "x.pb")
    assert "CB" not in (tmp_path / "x.pb").read_text()


def test_a_chain_that_chimerax_cannot_name_counts_as_absent(tmp_path: Path) -> None:
    contacts, truth = listed(chain="A B")
    with pytest.raises(PredictionError, match="both residues of none of the 780 pairs"):
        save_chimerax(contacts, truth, tmp_path / "x.pb")
    assert not list(tmp_path.iterdir())
    save_pymol(contacts, truth, tmp_path / "x.pml")
    assert r"(chain A\ B or " in (tmp_path / "x.pml").read_text()


def test_no_name_breaks_out_of_a_comment_or_a_selection(tmp_path: Path) -> None:
    positions = chain_like_positions(40)
    truth = make_truth(positions, chain='A" or all\nquit')
    prediction = prediction_from(chain_like_distances(40), SEQUENCE, name="x", model={"name": "a\nquit"})
    contacts = contact_list(prediction, truth, Selection(top=5))
    with pytest.raises(PredictionError, match="nothing to draw"):
        save_pymol(contacts, truth, tmp_path / "x.pml")
