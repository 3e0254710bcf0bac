"""The structure as the report's viewer is given it."""

import dataclasses

import pytest
from tiny_structures import pdb, residue

from data_tools.errors import StructureError
from data_tools.labels import label_distances
from data_tools.structure import read_chains
from msaformer.report.structure_text import structure_text
from msaformer.report.truth import truth_of


def viewer_text(path, chain):
    """Of a query that is the chain itself."""
    return structure_text(path, truth_of(label_distances(chain.sequence, chain, source=path))).text


def test_the_viewer_s_structure_is_numbered_by_place_in_the_sequence(tmp_path):
    atoms = [
        *residue(9, "TRP", number=15, chain="B"),
        *residue(1, "ALA", number=15),
        *residue(2, "LYS", number=15, code="A"),
        *residue(3, "GLY", number=16),
        *residue(4, "TRP", number=40),
    ]
    path = tmp_path / "tiny.pdb"
    path.write_text(pdb(atoms))
    chain = next(one for one in read_chains(path) if one.name == "A")
    lines = [line for line in viewer_text(path, chain).splitlines() if line.startswith("ATOM")]
    places = {(line[17:20], line[21], int(line[22:27])) for line in lines}
    assert places == {("ALA", "A", 1), ("LYS", "A", 2), ("GLY", "A", 3), ("TRP", "A", 4)}
    assert chain.residue_numbers == ("15", "15A", "16", "40")
    assert {float(line[30:38]) for line in lines if line[12:16] == " CA "} == {3.8, 7.6, 11.4, 15.2}


def test_the_viewer_s_atoms_are_the_most_occupied(tmp_path):
    atoms = [
        *residue(1, "LYS", x=1.0, altloc="A", occupancy=0.3),
        *residue(1, "LYS", x=7.0, altloc="B", occupancy=0.7),
    ]
    path = tmp_path / "tiny.pdb"
    path.write_text(pdb(atoms))
    chain = read_chains(path)[0]
    lines = [line for line in viewer_text(path, chain).splitlines() if line.startswith("ATOM")]
    assert [(line[12:16].strip(), float(line[30:38])) for line in lines] == [("CA", 7.0), ("CB", 7.5)]
    assert chain.contact_atom[0, 0] == 7.5


def test_a_chain_too_long_for_the_viewer_s_format_is_refused(tmp_path):
    path = tmp_path / "tiny.pdb"
    path.write_text(pdb(residue(1, "ALA")))
    truth = truth_of(label_distances("A", read_chains(path)[0], source=path))
    (known,) = truth.labels
    long = dataclasses.replace(known, chain=dataclasses.replace(known.chain, sequence="A" * 10_000))
    with pytest.raises(StructureError, match="10000 residues"):
        structure_text(path, dataclasses.replace(truth, labels=(long,)))
