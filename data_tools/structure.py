"""Protein chains of a structure file: numbered by the full sequence (SEQRES), one contact atom per residue.

Residue i of a chain is the residue with `label_seq_id` i + 1: mmCIF states it, for PDB files gemmi derives it
from SEQRES and the geometry of the chain. Author numbers and insertion codes are kept, but index nothing.

Rules: the contact atom is Cβ, for Gly (and residues derived from it) Cα; another residue without Cβ counts as
unresolved. Of alternate locations the one with the highest occupancy, of equal ones the first in the file. Of
several monomers at one place (microheterogeneity) the first in SEQRES. Of several models (NMR) the first.
Modified residues have the letter of their parent (MSE: M). L_s residues in the chain's full sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gemmi
import numpy as np
import numpy.typing as npt

from data_tools.alphabet import AMINO_ACIDS, SUBSTITUTED
from data_tools.errors import ChainNotFoundError, StructureError
from data_tools.sequence_match import SequenceMatch, match_sequences
from data_tools.structure_file import read_structure_file

_PROTEIN: Final = (gemmi.PolymerType.PeptideL, gemmi.PolymerType.PeptideD)
_MAX_DISAGREEMENT: Final = (
    0.1  # of modelled residues that are not what SEQRES says, beyond microheterogeneity
)


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """One protein chain; made by `read_chains`."""

    name: str
    """`label_asym_id` in mmCIF, the author's chain letter in PDB files."""
    author_name: str
    """`auth_asym_id`, the letter that papers use."""
    sequence: str
    """Full sequence, length L_s, in the 20 amino acids and X (`data_tools.alphabet`)."""
    residue_numbers: tuple[str, ...]
    """`[L_s]`, the author's number and insertion code ("15", "15A"), "" where no atom is modelled."""
    residue_names: tuple[str, ...]
    """`[L_s]`, three-letter codes as in the file ("MSE")."""
    contact_atom: npt.NDArray[np.float32]
    """`[L_s, 3]` Å, Cβ, for Gly Cα; NaN where not resolved."""
    ca: npt.NDArray[np.float32]
    """`[L_s, 3]` Å, NaN where not resolved."""
    from_atoms: bool
    """True when the file states no full sequence: `sequence` is then that of the modelled residues only."""

    @property
    def is_modelled(self) -> npt.NDArray[np.bool_]:
        """`[L_s]`, True where the residue has at least one atom."""
        return np.array([number != "" for number in self.residue_numbers], dtype=bool)

    @property
    def num_resolved(self) -> int:
        """Residues whose contact atom has coordinates."""
        return int(np.isfinite(self.contact_atom).all(axis=-1).sum())


def read_chains(path: str | Path) -> tuple[Chain, ...]:
    """Read the protein chains of an mmCIF or PDB file (gzip too), in the order of the file.

    Raises StructureError when the file cannot be read, is damaged, or holds no protein.
    """
    structure = read_structure_file(path)
    is_pdb = structure.input_format == gemmi.CoorFormat.Pdb
    chains = []
    for author_chain in structure[0]:
        for subchain in author_chain.subchains():
            entity = structure.get_entity_of(subchain)
            if entity is None or entity.entity_type != gemmi.EntityType.Polymer:
                continue
            if entity.polymer_type not in _PROTEIN and subchain.check_polymer_type() not in _PROTEIN:
                continue
            name = author_chain.name if is_pdb else subchain.subchain_id()
            chains.append(_make_chain(subchain, entity, name, author_chain.name, path))
    if not chains:
        raise StructureError(f"{path}: the structure has no protein chain; give one that has")
    return tuple(chains)


def select_chain(chains: Sequence[Chain], query: str, chain: str | None, *, source: str | Path) -> Chain:
    """The chain called `chain`, or without a name the one that matches `query` best.

    A name is the author's first of all and only then a `label_asym_id`. The best has the most residues
    identical to the query; of equals the one with most residues resolved, then the first. `source` names the
    file in errors. Raises ChainNotFoundError, listing the chains present, when none has the name.
    """
    if chain is None:
        candidates = list(chains)
    else:
        candidates = [one for one in chains if one.author_name == chain]
        candidates = candidates or [one for one in chains if one.name == chain]
    if not candidates:
        raise ChainNotFoundError(
            f"{source}: there is no protein chain {chain!r}; the file has {describe_chains(chains)}"
        )
    matches: dict[str, SequenceMatch] = {}
    for one in candidates:
        if one.sequence not in matches:
            matches[one.sequence] = match_sequences(query, one.sequence)
    return max(candidates, key=lambda one: (matches[one.sequence].identical, one.num_resolved))


def describe_chains(chains: Sequence[Chain]) -> str:
    """List chains for a message: `A, B (label C)`."""
    return ", ".join(
        one.author_name if one.name == one.author_name else f"{one.author_name} (label {one.name})"
        for one in chains
    )


def _make_chain(
    subchain: gemmi.ResidueSpan, entity: gemmi.Entity, name: str, author_name: str, path: str | Path
) -> Chain:
    stated = [gemmi.Entity.first_mon(monomers) for monomers in entity.full_sequence]
    where = f"{path}: chain {author_name}"
    if stated:
        modelled = _place_by_label(subchain, stated, where)
        names = stated
        _check_agreement(modelled, entity.full_sequence, where)
    else:
        modelled = _place_in_order(subchain)
        names = [residue.name for residue in modelled if residue is not None]
    contact_atom = np.full((len(names), 3), np.nan, dtype=np.float32)
    ca = np.full((len(names), 3), np.nan, dtype=np.float32)
    for place, residue in enumerate(modelled):
        if residue is not None:
            ca[place] = _position(residue, "CA", where)
            is_glycine = _letter(residue.name) == "G"
            contact_atom[place] = ca[place] if is_glycine else _position(residue, "CB", where)
    return Chain(
        name=name,
        author_name=author_name,
        sequence="".join(_letter(residue_name) for residue_name in names),
        residue_numbers=tuple("" if residue is None else str(residue.seqid) for residue in modelled),
        residue_names=tuple(names),
        contact_atom=contact_atom,
        ca=ca,
        from_atoms=not stated,
    )


def _place_by_label(subchain: gemmi.ResidueSpan, stated: list[str], where: str) -> list[gemmi.Residue | None]:
    """The residue modelled at each place of SEQRES; of several monomers the one that SEQRES names first."""
    modelled: list[gemmi.Residue | None] = [None] * len(stated)
    for residue in subchain:
        number = residue.label_seq
        if number is None or not 1 <= number <= len(stated):
            raise StructureError(
                f"{where}: residue {residue.seqid} {residue.name} has the label_seq_id {number}, outside the "
                f"{len(stated)} residues of SEQRES; the file is inconsistent"
            )
        present = modelled[number - 1]
        if present is not None and present.seqid != residue.seqid:
            raise StructureError(
                f"{where}: residues {present.seqid} and {residue.seqid} have the same label_seq_id {number}; "
                f"the file is inconsistent"
            )
        if present is None or (residue.name == stated[number - 1] != present.name):
            modelled[number - 1] = residue
    return modelled


def _place_in_order(subchain: gemmi.ResidueSpan) -> list[gemmi.Residue | None]:
    """The modelled residues one after the other, of several monomers at one place the first."""
    modelled: list[gemmi.Residue | None] = []
    for residue in subchain:
        if not modelled or modelled[-1] is None or modelled[-1].seqid != residue.seqid:
            modelled.append(residue)
    return modelled


def _check_agreement(modelled: list[gemmi.Residue | None], full_sequence: list[str], where: str) -> None:
    """Raise StructureError when the modelled residues are not those of SEQRES, as after a shift by one."""
    pairs = [(one.name, names) for one, names in zip(modelled, full_sequence, strict=True) if one is not None]
    different = sum(name not in names.split(",") for name, names in pairs)
    if different > _MAX_DISAGREEMENT * len(pairs) + 1:
        raise StructureError(
            f"{where}: {different} of {len(pairs)} modelled residues are not those of SEQRES at their "
            f"label_seq_id; the file is inconsistent"
        )


def _position(residue: gemmi.Residue, atom_name: str, where: str) -> tuple[float, float, float]:
    """Coordinates of the named atom at its most occupied location, NaN when it is not modelled."""
    atoms = [atom for atom in residue if atom.name == atom_name]
    if not atoms:
        return (np.nan, np.nan, np.nan)
    position = max(atoms, key=lambda atom: atom.occ).pos  # the first of equals
    if not np.isfinite((position.x, position.y, position.z)).all():
        raise StructureError(
            f"{where}: atom {atom_name} of residue {residue.seqid} has no numeric coordinates"
        )
    return (position.x, position.y, position.z)


def _letter(residue_name: str) -> str:
    info = gemmi.find_tabulated_residue(residue_name)
    letter = info.one_letter_code.upper() if info.is_amino_acid() else "X"
    letter = SUBSTITUTED.get(letter, letter)
    return letter if letter in AMINO_ACIDS else "X"
