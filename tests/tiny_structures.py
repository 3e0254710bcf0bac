"""Writes tiny mmCIF and PDB texts for the structure tests; every residue sits at its own place."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Atom:
    """One atom record; `label` is the place in SEQRES, 1-based, `number` and `code` are the author's."""

    label: int | None
    residue: str
    name: str
    x: float
    number: int | None = None
    code: str = ""
    chain: str = "A"
    author_chain: str = ""
    altloc: str = ""
    occupancy: float = 1.0
    model: int = 1

    @property
    def author_number(self) -> int:
        if self.number is not None:
            return self.number
        assert self.label is not None
        return self.label


def residue(
    label: int, name: str, *, x: float | None = None, atoms: str = "CA CB", **fields: object
) -> list[Atom]:
    """Cα at (x, 0, 0) and Cβ at (x + 0.5, 0, 0), with x = 3.8 × label unless given; Gly without Cβ."""
    start = 3.8 * label if x is None else x
    names = [atom for atom in atoms.split() if not (name == "GLY" and atom == "CB")]
    return [Atom(label, name, atom, start + 0.5 * (atom == "CB"), **fields) for atom in names]  # type: ignore[arg-type]


def mmcif(atoms: Sequence[Atom], seqres: dict[str, Sequence[str]] | None = None) -> str:
    """mmCIF text; `seqres` gives for each label chain its monomers, "SER,THR" for microheterogeneity."""
    lines = ["data_TINY", "#"]
    if seqres is not None:
        lines += ["loop_", "_entity.id", "_entity.type"]
        lines += [f"{number} polymer" for number, _ in enumerate(seqres, 1)]
        lines += ["#", "loop_", "_entity_poly.entity_id", "_entity_poly.type"]
        lines += [f"{number} 'polypeptide(L)'" for number, _ in enumerate(seqres, 1)]
        lines += ["#", "loop_", "_struct_asym.id", "_struct_asym.entity_id"]
        lines += [f"{chain} {number}" for number, chain in enumerate(seqres, 1)]
        lines += ["#", "loop_"]
        lines += [f"_entity_poly_seq.{key}" for key in ("entity_id", "num", "mon_id", "hetero")]
        for entity, monomers in enumerate(seqres.values(), 1):
            for place, names in enumerate(monomers, 1):
                several = "y" if "," in names else "n"
                lines += [f"{entity} {place} {name} {several}" for name in names.split(",")]
    keys = (
        "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id "
        "label_seq_id pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id "
        "auth_comp_id auth_asym_id pdbx_PDB_model_num"
    )
    lines += ["#", "loop_", *(f"_atom_site.{key}" for key in keys.split())]
    for serial, atom in enumerate(atoms, 1):
        entity = "?" if seqres is None else str(list(seqres).index(atom.chain) + 1)
        lines.append(
            f"ATOM {serial} C {atom.name} {atom.altloc or '.'} {atom.residue} {atom.chain} {entity} "
            f"{atom.label or '.'} {atom.code or '?'} {atom.x:.3f} 0.000 0.000 {atom.occupancy:.2f} 10.0 "
            f"{atom.author_number} {atom.residue} {atom.author_chain or atom.chain} {atom.model}"
        )
    return "\n".join([*lines, "#", ""])


def pdb(atoms: Sequence[Atom], seqres: dict[str, Sequence[str]] | None = None) -> str:
    """PDB text; several models become MODEL records."""
    lines = ["HEADER    TINY"]
    for chain, monomers in (seqres or {}).items():
        for row, start in enumerate(range(0, len(monomers), 13), 1):
            names = " ".join(monomers[start : start + 13])
            lines.append(f"SEQRES{row:4d} {chain}{len(monomers):5d}  {names}")
    models = sorted({atom.model for atom in atoms})
    serial = 0
    for model in models:
        if len(models) > 1:
            lines.append(f"MODEL     {model:4d}")
        for atom in (one for one in atoms if one.model == model):
            serial += 1
            lines.append(
                f"ATOM  {serial:5d}  {atom.name:<3}{atom.altloc or ' '}{atom.residue:>3} "
                f"{atom.author_chain or atom.chain}{atom.author_number:4d}{atom.code or ' '}   "
                f"{atom.x:8.3f}{0:8.3f}{0:8.3f}{atom.occupancy:6.2f}{10:6.2f}           C"
            )
        lines.append("TER")
        if len(models) > 1:
            lines.append("ENDMDL")
    return "\n".join([*lines, "END", ""])


def save(folder: Path, text: str | bytes, name: str = "tiny.txt") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def gzipped(text: str) -> bytes:
    """The text as a gzip file."""
    return gzip.compress(text.encode(), mtime=0)
