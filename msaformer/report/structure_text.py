"""One chain of a structure as minimal PDB text for the viewer, its residues numbered by place in the sequence.

The page needs coordinates that cannot surprise it: one model, one chain called A, no alternative places, no water,
no hydrogen, and residue numbers without insertion codes. So residue `k` of the text is `chain.sequence[k - 1]`, and
what the author called it is looked up in `chain.residue_numbers`. Ligands of the chain follow as chain L.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gemmi

from data_tools.errors import StructureError
from data_tools.structure import Chain
from data_tools.structure_file import read_structure_file

MAX_RESIDUES: Final = 9999  # what the four columns of a PDB residue number hold
MAX_ATOMS: Final = 99_999


def chain_pdb_text(path: str | Path, chain: Chain) -> str:
    """Read the structure file at `path` again and write `chain` of its first model as PDB text.

    Raises StructureError when the file cannot be read, or the chain is too long for the PDB format.
    """
    structure = read_structure_file(path)
    structure.remove_hydrogens()
    if len(chain.sequence) > MAX_RESIDUES:
        raise StructureError(
            f"{path}: a chain of {len(chain.sequence)} residues does not fit into the viewer"
        )
    place = {number: index + 1 for index, number in enumerate(chain.residue_numbers) if number}
    placed: set[int] = set()
    polymer: list[str] = []
    ligands: list[str] = []
    for part in structure[0]:
        if part.name != chain.author_name:
            continue
        for residue in part:
            number = place.get(str(residue.seqid))
            is_polymer = residue.entity_type == gemmi.EntityType.Polymer
            if is_polymer and number is not None and number not in placed:  # of several monomers the first
                placed.add(number)
                polymer += _atom_lines(residue, "A", number, len(polymer))
            elif not is_polymer and len(residue) > 1:  # one atom: water, an ion
                ligands += _atom_lines(
                    residue, "L", len(ligands) % MAX_RESIDUES + 1, len(polymer) + len(ligands)
                )
    return "\n".join([*polymer, "TER", *ligands, "END", ""])


def _atom_lines(residue: gemmi.Residue, chain: str, number: int, serial: int) -> list[str]:
    record = "ATOM  " if chain == "A" else "HETATM"
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
