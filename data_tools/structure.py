"""Protein chains of a structure file: numbered by the full sequence (SEQRES), one contact atom per residue.

Residue i of a chain is the residue with `label_seq_id` i + 1: mmCIF states it, for PDB files gemmi derives it
from SEQRES and the geometry of the chain. Author numbers and insertion codes are kept, but index nothing.

Rules: the contact atom is Cβ; what stands for it where there is none is the caller's choice (`GlyRule`). Of
alternate locations the one with the highest occupancy, of equal ones the first in the file. Of several monomers at
one place (microheterogeneity) the first in SEQRES. Of several models (NMR) the first, or the one that is named.
Modified residues have the letter of their parent (MSE: M), D-amino acids that of their mirror image. L_s residues
in the chain's full sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import gemmi
import numpy as np
import numpy.typing as npt

from data_tools.alphabet import AMINO_ACIDS, SUBSTITUTED
from data_tools.backbone import CA, CB, backbone_atoms, is_d_amino_acid, virtual_cb
from data_tools.errors import ChainNotFoundError, StructureError
from data_tools.sequence_match import SequenceMatch, match_sequences
from data_tools.structure_file import read_structure_file

GlyRule = Literal["ca", "virtual-cb"]
"""What stands for the Cβ that a residue does not have.

`ca`: Cα for Gly (and residues derived from it), as CASP defines contacts; another residue without Cβ is unresolved.
`virtual-cb`: for both the ideal Cβ of their N, Cα and C; unresolved where one of these is not modelled.
"""
CONTACT_RULES: Final[dict[GlyRule, str]] = {
    "ca": "Cβ, for Gly Cα; a residue without them is unresolved",
    "virtual-cb": "Cβ, for Gly and where Cβ is missing the ideal Cβ of N, Cα and C; without these unresolved",
}
"""Each rule in words, for outputs."""

_PROTEIN: Final = (gemmi.PolymerType.PeptideL, gemmi.PolymerType.PeptideD)
_MAX_DISAGREEMENT: Final = 0.1  # of modelled residues that are not what SEQRES says, variants apart
_MOST_LISTED: Final = 20
_PROTONATION_STATES: Final = {
    **dict.fromkeys(("HID", "HIE", "HIP", "HSD", "HSE", "HSP"), "H"),
    **dict.fromkeys(("CYX", "CYM"), "C"),
    "ASH": "D",
    "GLH": "E",
    "LYN": "K",
}
"""Names that the force fields AMBER and CHARMM give to residues; no monomers of the PDB's dictionary."""


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
    """`[L_s, 3]` Å, Cβ or what `gly` puts in its place; NaN where not resolved."""
    ca: npt.NDArray[np.float32]
    """`[L_s, 3]` Å, NaN where not resolved."""
    backbone: npt.NDArray[np.float32]
    """`[L_s, 4, 3]` Å, N, Cα, C, Cβ; Cβ is the ideal one for Gly, under `gly="virtual-cb"` wherever there is none;
    NaN where not resolved."""
    from_atoms: bool
    """True when the file states no full sequence: `sequence` is then that of the modelled residues only."""
    gly: GlyRule = "ca"
    """The rule that `contact_atom` follows."""
    model: int = 1
    """Number of the model, as in the file."""

    @property
    def is_modelled(self) -> npt.NDArray[np.bool_]:
        """`[L_s]`, True where the residue has at least one atom."""
        return np.array([number != "" for number in self.residue_numbers], dtype=bool)

    @property
    def num_resolved(self) -> int:
        """Residues whose contact atom has coordinates."""
        return int(np.isfinite(self.contact_atom).all(axis=-1).sum())


def read_chains(path: str | Path, *, model: int | None = None, gly: GlyRule = "ca") -> tuple[Chain, ...]:
    """Read the protein chains of an mmCIF (text or BinaryCIF) or PDB file, compressed too, in the order of the file.

    `model` is the number of a model as in the file, without it the first is read; `gly` says what the contact atom
    of a residue without Cβ is. Raises StructureError when the file cannot be read, is damaged, has no such model
    (those present are listed), or holds no protein.
    """
    structure = read_structure_file(path)
    is_pdb = structure.input_format == gemmi.CoorFormat.Pdb
    chosen = _select_model(structure, model, path)
    chains = []
    for author_chain in chosen:
        for subchain in author_chain.subchains():
            entity = structure.get_entity_of(subchain)
            if entity is None or entity.entity_type != gemmi.EntityType.Polymer:
                continue
            if entity.polymer_type not in _PROTEIN and subchain.check_polymer_type() not in _PROTEIN:
                continue
            name = author_chain.name if is_pdb else subchain.subchain_id()
            where = f"{path}: chain {author_chain.name}"
            residues = _full_chain(subchain, entity, where)
            chains.append(
                _make_chain(
                    residues, where, name=name, author_name=author_chain.name, gly=gly, model=chosen.num
                )
            )
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


def _select_model(structure: gemmi.Structure, number: int | None, path: str | Path) -> gemmi.Model:
    """The model with this number, without one the first; StructureError, listing those present, if none has it."""
    if number is None:
        return structure[0]
    for model in structure:
        if model.num == number:
            return model
    numbers = [model.num for model in structure]
    listed = ", ".join(map(str, numbers[:_MOST_LISTED])) + (", …" if len(numbers) > _MOST_LISTED else "")
    raise StructureError(f"{path}: there is no model {number}; the file has {listed} (of {len(numbers)})")


@dataclass(frozen=True, slots=True)
class _Places:
    """The places of a chain's full sequence."""

    names: list[str]
    """Monomers."""
    modelled: list[gemmi.Residue | None]
    from_atoms: bool


def _full_chain(subchain: gemmi.ResidueSpan, entity: gemmi.Entity, where: str) -> _Places:
    stated = [gemmi.Entity.first_mon(monomers) for monomers in entity.full_sequence]
    if not stated:
        modelled = _place_in_order(subchain, where)
        return _Places([residue.name for residue in modelled if residue is not None], modelled, True)
    modelled = _place_by_label(subchain, stated, where)
    _check_agreement(modelled, entity.full_sequence, where)
    return _Places(stated, modelled, False)


def _make_chain(
    places: _Places, where: str, *, name: str, author_name: str, gly: GlyRule, model: int
) -> Chain:
    backbone = backbone_atoms(places.modelled, where)
    present = ["" if residue is None else residue.name for residue in places.modelled]
    is_glycine = np.array([_letter(monomer) == "G" for monomer in present], dtype=bool)[:, None]
    virtual = virtual_cb(backbone, np.array([is_d_amino_acid(monomer) for monomer in present], dtype=bool))
    takes_virtual = is_glycine | (np.isnan(backbone[:, CB]) & (gly == "virtual-cb"))
    backbone[:, CB] = np.where(takes_virtual, virtual, backbone[:, CB])
    ca = backbone[:, CA].copy()
    return Chain(
        name=name,
        author_name=author_name,
        sequence="".join(_letter(monomer) for monomer in places.names),
        residue_numbers=tuple("" if one is None else str(one.seqid) for one in places.modelled),
        residue_names=tuple(places.names),
        contact_atom=np.where(is_glycine & (gly == "ca"), ca, backbone[:, CB]),
        ca=ca,
        from_atoms=places.from_atoms,
        gly=gly,
        model=model,
        backbone=backbone,
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


def _place_in_order(subchain: gemmi.ResidueSpan, where: str) -> list[gemmi.Residue | None]:
    """The modelled residues one after the other, of several monomers at one place the first."""
    modelled: list[gemmi.Residue] = []
    for residue in subchain:
        if not modelled or modelled[-1].seqid != residue.seqid:
            modelled.append(residue)
        elif modelled[-1].name == residue.name:
            raise StructureError(
                f"{where}: residue {residue.seqid} {residue.name} comes in two parts, of segments "
                f"{modelled[-1].segment!r} and {residue.segment!r}; give its atoms one segment"
            )
    return list(modelled)


def _check_agreement(modelled: list[gemmi.Residue | None], full_sequence: list[str], where: str) -> None:
    """Raise StructureError when the modelled residues are not those of SEQRES, as after a shift by one."""
    pairs = [(one.name, names) for one, names in zip(modelled, full_sequence, strict=True) if one is not None]
    different = sum(name not in names.split(",") for name, names in pairs)
    if different > _MAX_DISAGREEMENT * len(pairs) + 1:
        raise StructureError(
            f"{where}: {different} of {len(pairs)} modelled residues are not those of SEQRES at their "
            f"label_seq_id; the file is inconsistent"
        )


@lru_cache(maxsize=4096)
def _letter(residue_name: str) -> str:
    if residue_name in _PROTONATION_STATES:
        return _PROTONATION_STATES[residue_name]
    info = gemmi.find_tabulated_residue(residue_name)
    letter = info.one_letter_code.upper() if info.is_amino_acid() else "X"
    letter = SUBSTITUTED.get(letter, letter)
    return letter if letter in AMINO_ACIDS else "X"
