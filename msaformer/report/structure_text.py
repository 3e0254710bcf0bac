"""The chains of a structure that a query was mapped onto as minimal PDB text for the viewer (`structure_text`).

The page needs coordinates that cannot surprise it: one model, one letter a chain, no alternative places, no water, no
hydrogen, and residue numbers without insertion codes. So the chain of the query's first chain is A, that of its second
B, …, whatever the file calls them (`msaformer.chains.chain_letter`); residue `k` of a chain is `chain.sequence[k - 1]`;
and what the author called it stands in `chain.residue_numbers`. Ligands of these chains follow as a chain of their own.

L residues of the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gemmi
import numpy as np
import numpy.typing as npt

from data_tools.errors import StructureError
from data_tools.structure import Chain
from data_tools.structure_file import read_structure_file
from msaformer.chains import LETTERS, chain_letter
from msaformer.report.truth import Truth

MAX_RESIDUES: Final = 9999  # what the four columns of a PDB residue number hold
MAX_ATOMS: Final = 99_999
LIGANDS: Final = "L"
LIGANDS_OF_MANY: Final = "_"
"""The ligands' chain where the query has a chain L of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class StructureText:
    """PDB text, and where in it the residues of the query are."""

    text: str
    chains: tuple[str, ...]
    """`[L]`, letter of the chain in the text, "" where the structure has no place for the residue."""
    numbers: npt.NDArray[np.int32]
    """`[L]`, number of the residue in that chain of the text, 0 where there is no place."""
    ligand_chain: str
    """Letter of the chain of ligands, whether there are any or not."""


def structure_text(path: str | Path, truth: Truth) -> StructureText:
    """Read the structure file at `path` again and write the chains that `truth` was read from.

    Raises StructureError when the file cannot be read, when `truth` was not read from a structure, or when the chains
    do not fit into the PDB format: too many, or one too long.
    """
    if not truth.labels:
        raise StructureError(
            f"{path}: no chain of it was mapped onto the query; read the truth with `read_truth`"
        )
    letters: dict[
        int, str
    ] = {}  # by the identity of the chain; of parts of one chain the first gives the letter
    used: list[tuple[str, Chain]] = []
    for place, known in enumerate(truth.labels):
        if known is not None and id(known.chain) not in letters:
            letters[id(known.chain)] = _letter(place, path)
            used.append((letters[id(known.chain)], known.chain))
    ligand_chain = LIGANDS_OF_MANY if LIGANDS in letters.values() else LIGANDS
    chains: list[str] = []
    for known, length in zip(truth.labels, truth.chain_lengths, strict=True):
        places = [-1] * length if known is None else known.chain_index.tolist()
        chains += ["" if known is None or place < 0 else letters[id(known.chain)] for place in places]
    return StructureText(
        _pdb_text(path, used, ligand_chain), tuple(chains), truth.seqres_numbers, ligand_chain
    )


def _letter(place: int, path: str | Path) -> str:
    if place >= len(LETTERS):
        raise StructureError(
            f"{path}: the viewer shows {len(LETTERS)} chains at most, not chain {place + 1} of the query; leave the "
            "structure out, or predict fewer chains"
        )
    return chain_letter(place)


def _pdb_text(path: str | Path, used: Sequence[tuple[str, Chain]], ligand_chain: str) -> str:
    structure = read_structure_file(path)
    structure.remove_hydrogens()
    polymer: list[str] = []
    for letter, chain in used:
        if len(chain.sequence) > MAX_RESIDUES:
            raise StructureError(
                f"{path}: chain {chain.author_name} of {len(chain.sequence)} residues does not fit into the viewer, "
                f"which numbers {MAX_RESIDUES} at most; leave the structure out"
            )
        for number, residue in _residues(structure[0], chain):
            polymer += _atom_lines(residue, letter, number, len(polymer))
        polymer.append("TER")
    names = {chain.author_name for _, chain in used}
    ligands: list[str] = []
    for part in structure[0]:
        for residue in part if part.name in names else ():
            if (
                residue.entity_type != gemmi.EntityType.Polymer and len(residue) > 1
            ):  # one atom: water, an ion
                number = len(ligands) % MAX_RESIDUES + 1
                ligands += _atom_lines(residue, ligand_chain, number, len(polymer) + len(ligands), "HETATM")
    return "\n".join([*polymer, *ligands, "END", ""])


def _residues(model: gemmi.Model, chain: Chain) -> list[tuple[int, gemmi.Residue]]:
    """Number and residue of each place that is modelled; of several monomers the one that `chain` names."""
    place = {number: index for index, number in enumerate(chain.residue_numbers) if number}
    found: dict[int, gemmi.Residue] = {}
    for part in model:
        if part.name != chain.author_name:
            continue
        for residue in part:
            index = place.get(str(residue.seqid))
            if residue.entity_type != gemmi.EntityType.Polymer or index is None:
                continue
            if index not in found or residue.name == chain.residue_names[index] != found[index].name:
                found[index] = residue
    return [(index + 1, residue) for index, residue in found.items()]


def _atom_lines(
    residue: gemmi.Residue, chain: str, number: int, serial: int, record: str = "ATOM  "
) -> list[str]:
    name = "".join(letter for letter in residue.name if letter.isalnum() and letter.isascii())[:3]
    lines = []
    for offset, atom in enumerate(_most_occupied(residue)):
        x, y, z = atom.pos.tolist()
        if min(x, y, z) <= -999 or max(x, y, z) >= 9999:
            continue  # does not fit its columns; such an atom is a placeholder
        lines.append(
            f"{record}{(serial + offset) % MAX_ATOMS + 1:5d} {atom.padded_name():<4.4} {name:>3} {chain}{number:4d}"
            f"    {x:8.3f}{y:8.3f}{z:8.3f}{1:6.2f}{0:6.2f}          {atom.element.name.upper():>2.2}"
        )
    return lines


def _most_occupied(residue: gemmi.Residue) -> list[gemmi.Atom]:
    """Each atom once, at its most occupied place, of equals the first: as `read_chains` chooses contact atoms."""
    best: dict[str, gemmi.Atom] = {}
    for atom in residue:
        if atom.name not in best or atom.occ > best[atom.name].occ:
            best[atom.name] = atom
    return list(best.values())
