"""Writes tiny mmCIF and PDB texts for the structure tests; every residue sits at its own place."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    y: float = 0.0
    z: float = 0.0

    @property
    def author_number(self) -> int:
        if self.number is not None:
            return self.number
        assert self.label is not None
        return self.label


def residue(
    label: int, name: str, *, x: float | None = None, atoms: str = "CA CB", **fields: object
) -> list[Atom]:
    """Cα at (x, 0, 0) and Cβ at (x + 0.5, 0, 0), with x = 3.8 × label unless given; Gly without Cβ.

    N lies at (x − 0.5, 1, 0) and C at (x, 1, 1), any other atom at (x, 0, 0).
    """
    start = 3.8 * label if x is None else x
    shift = {"CB": (0.5, 0, 0), "N": (-0.5, 1, 0), "C": (0, 1, 1)}
    names = [atom for atom in atoms.split() if not (name == "GLY" and atom == "CB")]
    places = {atom: shift.get(atom, (0, 0, 0)) for atom in names}
    return [
        Atom(label, name, atom, start + dx, y=y, z=z, **fields)  # type: ignore[arg-type]
        for atom, (dx, y, z) in places.items()
    ]


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
            f"{atom.label or '.'} {atom.code or '?'} {atom.x:.3f} {atom.y:.3f} {atom.z:.3f} {atom.occupancy:.2f} 10.0 "
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
                f"{atom.x:8.3f}{atom.y:8.3f}{atom.z:8.3f}{atom.occupancy:6.2f}{10:6.2f}           C"
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


def binary_cif(text: str, *, is_compressed: bool = True) -> bytes:
    """mmCIF text as BinaryCIF, its numbers as numbers; compressed with the encodings that biotite finds best."""
    from biotite.structure.io import pdbx

    file = pdbx.BinaryCIFFile()
    for name, block in pdbx.CIFFile.read(io.StringIO(text)).items():
        categories = {
            category: pdbx.BinaryCIFCategory(
                {column: _typed_column(values) for column, values in columns.items()}
            )
            for category, columns in block.items()
        }
        file[name] = pdbx.BinaryCIFBlock(categories)
    stream = io.BytesIO()
    (pdbx.compress(file) if is_compressed else file).write(stream)
    return stream.getvalue()


def _typed_column(column: Any) -> Any:
    from biotite.structure.io import pdbx

    mask = None if column.mask is None else column.mask.array
    for number in (int, float):
        try:
            return pdbx.BinaryCIFColumn(column.as_array(number), mask)
        except ValueError:
            continue
    return pdbx.BinaryCIFColumn(column.as_array(str, ""), mask)


def _awkward() -> tuple[list[Atom], list[str]]:
    """Eight modelled residues of ten, with everything at once; and SEQRES."""
    whole = "N CA C CB"
    seqres = ["MSE", "LYS", "GLY", "SER", "VAL", "TRP", "DAL", "UNK", "ASN", "HIS"]
    atoms = [
        *residue(1, "MSE", number=-2, atoms=whole),  # 2 and 4 are not modelled
        *residue(3, "GLY", number=15, atoms=whole),
        *residue(5, "VAL", number=15, code="A", atoms="N CA C", altloc="A", occupancy=0.4),
        *residue(5, "VAL", number=15, code="A", x=77, atoms="N CA C CB", altloc="B", occupancy=0.6),
        *residue(6, "TRP", number=15, code="B", atoms=whole, altloc="A", occupancy=0.5),
        *residue(6, "TRP", number=15, code="B", x=88, atoms=whole, altloc="B", occupancy=0.5),
        *residue(7, "DAL", number=16, atoms=whole, occupancy=0.0),
        *residue(8, "UNK", number=17, atoms="CA"),
        *residue(9, "ASN", number=18, atoms="OD1 ND2"),  # no backbone at all
        *residue(10, "HIS", number=1010, atoms=whole),
    ]
    return atoms, seqres


def awkward_mmcif() -> str:
    """mmCIF with insertion codes, alternate places, a negative number, gaps, D- and unknown residues."""
    atoms, seqres = _awkward()
    return mmcif(atoms, {"A": seqres})


def awkward_pdb() -> str:
    """The same as a PDB file."""
    atoms, seqres = _awkward()
    return pdb(atoms, {"A": seqres})
