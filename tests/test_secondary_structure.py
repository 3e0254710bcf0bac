"""Helices and strands: of ideal peptides, by the obvious loop, in the file's records, and beside biotite's P-SEA."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from biotite.structure import annotate_sse
from biotite.structure.io.pdb import PDBFile

from data_tools.secondary_structure import hydrogen_bonds, secondary_structure, strand_residues
from data_tools.structure import Chain, read_chains
from data_tools.structure_file import read_structure_file
from msaformer import example

DATA = Path(__file__).parent / "data"
Floats = npt.NDArray[np.float64]


def place(a: Floats, b: Floats, c: Floats, length: float, angle: float, torsion: float) -> Floats:
    """The atom bonded to c: at `length` Å, with the angle b-c-d and the torsion a-b-c-d in degrees."""
    angle, torsion = math.radians(angle), math.radians(torsion)
    axis = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, axis)
    normal /= np.linalg.norm(normal)
    around = np.array(
        [-math.cos(angle), math.sin(angle) * math.cos(torsion), math.sin(angle) * math.sin(torsion)]
    )
    return c + length * (around[0] * axis + around[1] * np.cross(normal, axis) + around[2] * normal)


def peptide(phi: float, psi: float, length: int) -> Floats:
    """N, Cα, C `[length, 3, 3]` of an ideal chain (Engh & Huber 1991), every peptide bond trans."""
    atoms = [np.zeros(3), np.array([1.458, 0, 0]), np.array([2.0, 1.42, 0])]
    while len(atoms) < 3 * length:
        bond, angle, torsion = [(1.329, 116.2, psi), (1.458, 121.7, 180.0), (1.525, 111.2, phi)][
            len(atoms) % 3
        ]
        atoms.append(place(*atoms[-3:], bond, angle, torsion))
    return np.array(atoms).reshape(length, 3, 3)


def dhfr() -> Chain:
    return read_chains(example.STRUCTURE)[0]


@pytest.mark.parametrize(
    ("angles", "ends"),
    [((-57.0, -47.0), 1), ((-49.0, -26.0), 1), ((-57.0, -70.0), 1)],  # α, 3₁₀ and π: Schulz & Schirmer 1979
)
def test_an_ideal_helix_is_one_but_for_its_ends(angles: tuple[float, float], ends: int) -> None:
    found = secondary_structure(peptide(*angles, length=15), "A" * 15)
    assert found == "-" * ends + "H" * (15 - 2 * ends) + "-" * ends


def test_a_single_strand_is_none() -> None:
    assert secondary_structure(peptide(-139.0, 135.0, length=15), "A" * 15) == "-" * 15


def test_a_proline_gives_no_bond_and_ends_a_helix() -> None:
    """Turns begin at 0 to 4 and at 8 to 11, not at 5 to 7, whose bonds would come from residues 9 to 11."""
    helix = peptide(-57.0, -47.0, length=16)
    assert secondary_structure(helix, "A" * 16) == "-" + "H" * 14 + "-"
    assert secondary_structure(helix, "AAAAAAAAAPPPAAAA") == "-HHHHHHH-HHHHHH-"


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_the_smallest_chains_have_no_structure(length: int) -> None:
    assert secondary_structure(peptide(-57.0, -47.0, length=3)[:length], "AAA"[:length]) == "-" * length


def test_what_is_not_resolved_is_a_space_and_breaks_the_chain() -> None:
    helix = peptide(-57.0, -47.0, length=15)
    helix[7, 1] = np.nan  # its Cα
    found = secondary_structure(helix, "A" * 15)
    assert found[7] == " "
    assert set(found[:7] + found[8:]) <= {"H", "-"}
    assert found == "-HHHHH- -HHHHH-"


def loop_bonds(atoms: Floats, sequence: str) -> set[tuple[int, int]]:
    """(i, j) where C=O of i takes N-H of j: the definition, atom by atom."""
    oxygen: dict[int, Floats] = {}
    hydrogen: dict[int, Floats] = {}
    for k in range(len(atoms) - 1):
        (_, ca, c), n = atoms[k], atoms[k + 1][0]
        if np.linalg.norm(c - n) < 2.5:
            out = (c - ca) / np.linalg.norm(c - ca) + (c - n) / np.linalg.norm(c - n)
            out /= np.linalg.norm(out)
            oxygen[k] = c + 1.231 * out
            if sequence[k + 1] != "P":
                hydrogen[k + 1] = n - out
    found = set()
    for i, o in oxygen.items():
        for j, h in hydrogen.items():
            c, n = atoms[i][2], atoms[j][0]
            if j in (i, i + 1) or np.linalg.norm(atoms[i][1] - atoms[j][1]) > 9:
                continue
            near = [1 / np.linalg.norm(x - y) for x, y in ((o, n), (c, h), (o, h), (c, n))]
            if 27.888 * (near[0] + near[1] - near[2] - near[3]) < -0.5:
                found.add((i, j))
    return found


def loop_strands(bonds: set[tuple[int, int]], length: int) -> set[int]:
    """Residues of bridges and of bulges between two (Kabsch & Sander), in a chain without breaks."""
    parallel, anti = set(), set()
    for i in range(1, length - 1):
        for j in range(1, length - 1):
            if abs(i - j) > 2 and ({(i - 1, j), (j, i + 1)} <= bonds or {(j - 1, i), (i, j + 1)} <= bonds):
                parallel.add((i, j))
            if abs(i - j) > 2 and ({(i, j), (j, i)} <= bonds or {(i - 1, j + 1), (j - 1, i + 1)} <= bonds):
                anti.add((i, j))
    found = {i for i, _ in parallel | anti}
    for bridges, direction in ((parallel, 1), (anti, -1)):
        for i, j in bridges:
            for x, y in bridges:
                left_out = sorted((x - i - 1, direction * (y - j) - 1))
                if left_out[0] in (0, 1) and 0 <= left_out[1] <= 4:
                    found |= set(range(i, x)) | set(range(min(j, y), max(j, y)))
    return found


@pytest.mark.parametrize("path", [example.STRUCTURE, DATA / "3TGI.pdb.gz"], ids=["DHFR", "trypsin"])
def test_bonds_and_strands_are_those_of_the_plain_loop(path: Path) -> None:
    chain = read_chains(path)[0]
    atoms = chain.backbone[:, :3].astype(np.float64)
    is_joined = np.linalg.norm(atoms[1:, 0] - atoms[:-1, 2], axis=-1) < 2.5
    assert is_joined.all()
    bonds = loop_bonds(atoms, chain.sequence)
    is_proline = np.array([letter == "P" for letter in chain.sequence])
    assert set(zip(*np.nonzero(hydrogen_bonds(atoms, is_joined, is_proline)), strict=True)) == bonds
    found = secondary_structure(chain.backbone, chain.sequence)
    strands = loop_strands(bonds, len(atoms))
    assert len(strands) > 40
    assert {k for k, letter in enumerate(found) if letter == "E"} == {k for k in strands if found[k] != "H"}


def ladder_of(*bridges: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Bonds of 30 residues that make these antiparallel bridges."""
    bonds = np.zeros((30, 30), dtype=bool)
    for i, j in bridges:
        bonds[i, j] = bonds[j, i] = True
    return bonds


@pytest.mark.parametrize(
    ("step", "is_bulge"), [((1, 5), True), ((2, 5), True), ((5, 2), True), ((3, 3), False), ((1, 6), False)]
)
def test_a_bulge_leaves_out_one_residue_here_and_four_there_at_most(
    step: tuple[int, int], is_bulge: bool
) -> None:
    i, j = 3 + step[0], 25 - step[1]
    found = strand_residues(ladder_of((3, 25), (i, j)), np.zeros(30, dtype=int))
    between = {*range(3, i), *range(j, 25)} if is_bulge else set()
    assert set(np.flatnonzero(found).tolist()) == between | {3, 25, i, j}


def test_a_broken_chain_has_no_bulge_at_the_break() -> None:
    found = strand_residues(ladder_of((3, 25), (8, 23)), (np.arange(30) > 5).astype(int))
    assert np.flatnonzero(found).tolist() == [3, 8, 23, 25]


def test_it_agrees_with_the_records_of_the_structure_s_authors() -> None:
    chain, structure = dhfr(), read_structure_file(example.STRUCTURE)
    place = {number: k for k, number in enumerate(chain.residue_numbers)}
    stated = ["-"] * len(place)
    strands = [("E", strand) for sheet in structure.sheets for strand in sheet.strands]
    for letter, element in [*(("H", helix) for helix in structure.helices), *strands]:
        first, last = place[str(element.start.res_id.seqid)], place[str(element.end.res_id.seqid)]
        stated[first : last + 1] = letter * (last + 1 - first)
    found = secondary_structure(chain.backbone, chain.sequence)
    same = [one == other for one, other in zip(found, stated, strict=True)]
    assert np.mean(same) > 0.9
    wrong = {(one, other) for one, other in zip(found, stated, strict=True) if one != other}
    assert not wrong & {("H", "E"), ("E", "H")}


@pytest.mark.parametrize("path", [example.STRUCTURE, DATA / "3TGI.pdb.gz"], ids=["DHFR", "trypsin"])
def test_it_agrees_with_biotite_s_p_sea(path: Path) -> None:
    """P-SEA looks at Cα alone, so it differs at the ends of elements and finds no short ones."""
    with gzip.open(path, "rt") as file:
        atoms = PDBFile.read(file).get_structure(model=1)
    same = total = 0
    for chain in read_chains(path):
        theirs = annotate_sse(atoms[(atoms.chain_id == chain.author_name) & ~atoms.hetero])
        ours = secondary_structure(chain.backbone, chain.sequence)
        modelled = [
            letter for letter, is_modelled in zip(ours, chain.is_modelled, strict=True) if is_modelled
        ]
        assert len(theirs) == len(modelled)
        pairs = [
            (one, {"a": "H", "b": "E", "c": "-"}[other]) for one, other in zip(modelled, theirs, strict=True)
        ]
        same, total = same + sum(one == other for one, other in pairs), total + len(pairs)
    assert same / total > 0.7  # 0.73 and 0.71


def test_strands_of_two_chains_make_a_sheet() -> None:
    """DHFR cut in a loop, its parts in the other order: what is paired across the cut stays so."""
    chain, cut = dhfr(), 119
    whole = secondary_structure(chain.backbone, chain.sequence)
    assert whole[cut - 1 : cut + 2] == "---"
    parts = np.concatenate([chain.backbone[cut:], chain.backbone[:cut]])
    found = secondary_structure(parts, chain.sequence[cut:] + chain.sequence[:cut])
    assert found[-cut:] + found[:-cut] == whole
    alone = secondary_structure(chain.backbone[:cut], chain.sequence[:cut])
    assert alone.count("E") < whole[:cut].count("E")
