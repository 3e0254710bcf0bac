"""The atoms N, Cα, C and Cβ of residues, and where the Cβ of a residue without one would be.

Of alternate locations each atom takes its most occupied, of equals the first in the file; an atom with occupancy 0
counts as modelled, for its author gave it coordinates. L_s residues of a chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import gemmi
import numpy as np
import numpy.typing as npt

from data_tools.errors import StructureError

BACKBONE: Final = ("N", "CA", "C", "CB")
"""The order of the atoms in every `[..., 4, 3]` array."""
N, CA, C, CB = range(4)
_FAR: Final = 1e6  # Å; a PDB column holds no more than 9,999.999

# Cβ of an ideal L-residue from b = Cα − N, c = C − Cα and b × c, in Å: trRosetta (Yang et al. 2020, PNAS 117:1496),
# as published with ProteinMPNN (Dauparas et al. 2022, Science 378:49). |Cα–Cβ| is about 1.55 Å, depending on
# the angle N–Cα–C.
_ON_CROSS, _ON_B, _ON_C = -0.58273431, 0.56802827, -0.54067466


def backbone_atoms(residues: Sequence[gemmi.Residue | None], where: str) -> npt.NDArray[np.float32]:
    """Coordinates `[L_s, 4, 3]` Å of N, Cα, C, Cβ as modelled; NaN where the residue or the atom is not.

    `where` (file and chain) begins the errors: StructureError for coordinates that are no numbers, and for an
    atom that a residue has twice at one location, as when two chains share a letter.
    """
    positions = np.full((len(residues), len(BACKBONE), 3), np.nan, dtype=np.float32)
    for place, residue in enumerate(residues):
        if residue is not None:
            for name, atom in _most_occupied(residue, where).items():
                positions[place, BACKBONE.index(name)] = _coordinates(atom, residue, where)
    return positions


def virtual_cb(
    backbone: npt.NDArray[np.floating[Any]], is_mirrored: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float32]:
    """Ideal Cβ `[L_s, 3]` from N, Cα and C of `backbone` `[L_s, 3 or 4, 3]`; NaN where one of them is.

    `is_mirrored` `[L_s]` is True for D-amino acids, whose Cβ lies on the other side.
    """
    precise = backbone.astype(np.float64)
    b, c = precise[:, CA] - precise[:, N], precise[:, C] - precise[:, CA]
    cross = np.cross(b, c)
    if is_mirrored is not None:
        cross = np.where(is_mirrored[:, None], -cross, cross)
    position: npt.NDArray[np.float64] = precise[:, CA] + _ON_CROSS * cross + _ON_B * b + _ON_C * c
    return position.astype(np.float32)


@lru_cache(maxsize=4096)
def is_d_amino_acid(residue_name: str) -> bool:
    """Whether the monomer is tabulated as a D-amino acid (DAL, DVA)."""
    return bool(gemmi.find_tabulated_residue(residue_name).kind == gemmi.ResidueKind.AAD)


def _most_occupied(residue: gemmi.Residue, where: str) -> dict[str, gemmi.Atom]:
    best: dict[str, gemmi.Atom] = {}
    locations: dict[str, str] = {}
    for atom in residue:
        name = atom.name
        if name not in BACKBONE:
            continue
        if name not in best:
            best[name], locations[name] = atom, atom.altloc
            continue
        if atom.altloc in locations[name]:
            raise StructureError(
                f"{where}: residue {residue.seqid} {residue.name} has atom {name} twice at one location; do two "
                f"chains share the letter? give them their own"
            )
        locations[name] += atom.altloc
        if atom.occ > best[name].occ:
            best[name] = atom
    return best


def _coordinates(atom: gemmi.Atom, residue: gemmi.Residue, where: str) -> list[float]:
    position: list[float] = atom.pos.tolist()
    x, y, z = position
    if not (-_FAR < x < _FAR and -_FAR < y < _FAR and -_FAR < z < _FAR):  # NaN is in no range
        raise StructureError(
            f"{where}: atom {atom.name} of residue {residue.seqid} has no numeric coordinates within ±{_FAR:,.0f} Å"
        )
    return position
