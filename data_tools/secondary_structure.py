"""Helices and strands of a protein, from the hydrogen bonds of its backbone.

Kabsch & Sander 1983, Biopolymers 22:2577 ("DSSP"), section "Pattern recognition", in three states: α-, 3₁₀- and
π-helices are H, residues in β-bridges and ladders (with their bulges) E. Neither the oxygen nor the hydrogen of a
peptide group is asked for: both are placed in the plane of its other atoms, so that the atoms of `Chain.backbone` are
enough. Of 831,474 residues in 3,754 chains of the PDB, 98.8 % get the state that DSSP gave them within their whole
entries; with the real oxygens it is 0.3 % more. L_s residues, of one chain or of several, one after the other.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.backbone import CA, C, N

HELIX, STRAND, NEITHER, UNRESOLVED = "H", "E", "-", " "

_COUPLING: Final = (
    0.42 * 0.20 * 332
)  # kcal/mol · Å: partial charges of C=O and N–H in e, and the factor of the unit
_BOND_KCAL: Final = -0.5  # a hydrogen bond has less energy
_MAX_CA_ANGSTROM: Final = 9.0  # no two residues farther apart are bonded (DSSP's own short cut)
_MIN_ANGSTROM: Final = 0.5  # nearer atoms are an error of the model; DSSP takes this distance for them
_CARBONYL_ANGSTROM: Final = 1.231  # C=O of a peptide group (Engh & Huber 1991, Acta Cryst. A47:392)
_AMIDE_ANGSTROM: Final = 1.0  # N–H, as in DSSP
_MAX_PEPTIDE_ANGSTROM: Final = 2.5  # C–N of bonded residues; farther apart the chain is broken (DSSP)
_THREE_TEN, _ALPHA, _PI = 3, 4, 5  # residues a turn spans
_BULGE: Final = [(a, b) for a in range(1, 6) for b in range(1, 6) if min(a, b) <= 2]
"""Steps along two strands from one bridge to the next of a ladder: at most one residue is left out on one strand, and
four on the other."""
_BLOCK: Final = 128  # donors at a time

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def secondary_structure(backbone: npt.NDArray[np.floating[Any]], sequence: str) -> str:
    """`[L_s]` letters: H helix, E strand, - neither, a space where N, Cα or C is not resolved.

    `backbone` `[L_s, 3 or more, 3]` Å holds N, Cα, C first, NaN where not resolved; `sequence` `[L_s]` says which
    residues are proline, whose nitrogen gives no bond.
    """
    atoms = backbone[:, : C + 1].astype(np.float64)
    is_resolved = np.isfinite(atoms).all(axis=(1, 2))
    atoms[~is_resolved] = np.nan  # what is there of such a residue holds nothing together
    is_joined = _peptide_bonds(atoms)
    bonds = hydrogen_bonds(atoms, is_joined, np.array([letter == "P" for letter in sequence], dtype=bool))
    stretch = np.concatenate([[0], np.cumsum(~is_joined)])  # equal where no break lies between
    is_helix = _helix(bonds, stretch, _ALPHA, np.ones(len(atoms), dtype=bool))
    is_strand = strand_residues(bonds, stretch) & ~is_helix
    is_helix |= _helix(bonds, stretch, _THREE_TEN, ~(is_helix | is_strand))
    is_helix |= _helix(bonds, stretch, _PI, ~is_strand)  # may take the place of an α-helix, as in DSSP 4
    letters = np.where(is_helix, HELIX, np.where(is_strand, STRAND, NEITHER))
    return "".join(np.where(is_resolved, letters, UNRESOLVED).tolist())


def hydrogen_bonds(atoms: Floats, is_joined: Bools, is_proline: Bools) -> Bools:
    """`[L_s, L_s]`, whether C=O of i takes a hydrogen bond from N–H of j.

    `atoms` `[L_s, 3, 3]` are N, Cα, C; `is_joined` `[L_s - 1]` says whether i is bonded to i + 1.
    """
    length = len(atoms)
    oxygen, hydrogen = _peptide_atoms(atoms, is_joined)
    hydrogen[is_proline] = np.nan
    bonds = np.zeros((length, length), dtype=bool)
    places = np.arange(length)
    for start in range(0, length, _BLOCK):
        some = slice(start, start + _BLOCK)
        near = _distances(atoms[some, CA], atoms[:, CA]) < _MAX_CA_ANGSTROM  # False where one is NaN
        step = places[None, :] - places[some, None]
        first, second = np.nonzero(near & (step != 0) & (step != 1))
        first += start
        energy = _COUPLING * (
            _inverse(oxygen[first], atoms[second, N])
            + _inverse(atoms[first, C], hydrogen[second])
            - _inverse(oxygen[first], hydrogen[second])
            - _inverse(atoms[first, C], atoms[second, N])
        )
        is_bond = energy < _BOND_KCAL
        bonds[first[is_bond], second[is_bond]] = True
    return bonds


def strand_residues(bonds: Bools, stretch: npt.NDArray[np.int_]) -> Bools:
    """`[L_s]`, residues of bridges, and those between two bridges of one ladder.

    `bonds` are those of `hydrogen_bonds`; two residues of equal `stretch` `[L_s]` have no break of the chain between.
    """
    is_strand = np.zeros(len(bonds), dtype=bool)
    for direction, pairs in zip((1, -1), _bridges(bonds, stretch), strict=True):
        found = set(pairs)
        for i, j in pairs:
            is_strand[i] = True
            for a, b in _BULGE:
                other = j + direction * b
                if (i + a, other) in found and stretch[i] == stretch[i + a] and stretch[j] == stretch[other]:
                    is_strand[i : i + a] = True  # the other strand's by (j, i)
    return is_strand


def _peptide_bonds(atoms: Floats) -> Bools:
    """`[L_s - 1]`, whether residue i is bonded to i + 1."""
    joined: Bools = np.linalg.norm(atoms[1:, N] - atoms[:-1, C], axis=-1) < _MAX_PEPTIDE_ANGSTROM
    return joined


def _peptide_atoms(atoms: Floats, is_joined: Bools) -> tuple[Floats, Floats]:
    """O of each residue and H of each nitrogen, `[L_s, 3]` each, NaN where the chain ends or is broken."""
    oxygen, hydrogen = np.full((2, len(atoms), 3), np.nan)
    carbon, nitrogen = atoms[:-1, C], atoms[1:, N]
    outward = -(_unit(atoms[:-1, CA] - carbon) + _unit(nitrogen - carbon))  # halves the angle between them
    outward = np.where(is_joined[:, None], _unit(outward), np.nan)
    oxygen[:-1] = carbon + _CARBONYL_ANGSTROM * outward
    hydrogen[1:] = nitrogen - _AMIDE_ANGSTROM * outward  # opposite to C=O, as in DSSP
    return oxygen, hydrogen


def _helix(bonds: Bools, stretch: npt.NDArray[np.int_], span: int, is_free: Bools) -> Bools:
    """`[L_s]`, residues of helices made of two turns of `span` residues in a row, all of them `is_free`."""
    length = len(bonds)
    is_helix = np.zeros(length, dtype=bool)
    is_turn = np.zeros(length, dtype=bool)
    starts = np.arange(max(0, length - span))
    is_turn[starts] = bonds[starts, starts + span] & (stretch[starts] == stretch[starts + span])
    for start in np.flatnonzero(is_turn[:-1] & is_turn[1:]) + 1:
        turn = slice(start, start + span)
        if is_free[turn].all():
            is_helix[turn] = True
    return is_helix


def _bridges(bonds: Bools, stretch: npt.NDArray[np.int_]) -> tuple[list[tuple[int, int]], ...]:
    """Parallel and antiparallel bridges (i, j), each in both orders (Kabsch & Sander, "Definition of bridge")."""
    length = len(bonds)
    is_inner = np.zeros(length, dtype=bool)
    is_inner[1:-1] = stretch[2:] == stretch[:-2]
    place = np.arange(length)
    is_pair = is_inner[:, None] & is_inner & (np.abs(place[:, None] - place) >= 3)
    # Shifted tables wrap around, at residues that `is_pair` leaves out: [i, j] of `before` is bond (i - 1, j).
    before, after = np.roll(bonds, 1, axis=0), np.roll(bonds, -1, axis=1)
    around = np.roll(before, -1, axis=1)
    parallel = before & after.T  # i - 1 to j, and j to i + 1
    antiparallel = (bonds & bonds.T) | (
        around & around.T
    )  # i to j and j to i; i - 1 to j + 1 and j - 1 to i + 1
    return _pairs((parallel | parallel.T) & is_pair), _pairs(antiparallel & is_pair)


def _pairs(table: Bools) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in np.argwhere(table)]


def _distances(some: Floats, all_: Floats) -> Floats:
    return np.asarray(np.linalg.norm(some[:, None] - all_[None], axis=-1))


def _inverse(first: Floats, second: Floats) -> Floats:
    inverse: Floats = 1.0 / np.maximum(np.linalg.norm(first - second, axis=-1), _MIN_ANGSTROM)
    return inverse


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Floats = np.divide(vectors, length, out=np.full_like(vectors, np.nan), where=length > 0)
    return unit
