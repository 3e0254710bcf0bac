"""A structure file, mmCIF (text or binary) or PDB, to a gemmi structure; format and compression are known by content.

A PDB chain without a letter is called `_`, or as its segment where there are several.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import gemmi

from data_tools.binary_cif import is_binary_cif, read_binary_cif
from data_tools.compression import read_bytes
from data_tools.errors import StructureError

MAX_TEXT_BYTES: Final = 2**30  # 1 GiB: several times the largest entry of the PDB; a gzip bomb stops here
_PDB_RECORD: Final = re.compile(
    r"^(HEADER|TITLE |COMPND|EXPDTA|REMARK|CRYST1|SEQRES|MODEL |ATOM  |HETATM)", re.MULTILINE
)
_CATEGORIES: Final = ("_entity", "_entity_poly", "_entity_poly_seq", "_struct_asym", "_atom_site")
"""What the chains of an mmCIF file are made of."""
NAMELESS: Final = "_"
_FIRST_LINE: Final = re.compile(r"^[^#\s].*$", re.MULTILINE)  # that is no comment
_ATOM_RECORD: Final = re.compile(r"^(?:ATOM  |HETATM).*$", re.MULTILINE)
_RESIDUE_NUMBER: Final = re.compile(r" *-?\d+|[A-Za-z][0-9A-Za-z]{3}")  # or hybrid-36, beyond 9999
_ELEMENT: Final = re.compile(r"[ A-Za-z]{0,2}(?:[ \d][ +-]?|[+-]\d)?\s*")
"""What columns 77–80 hold: element and charge. Until 1996 it was a serial number, at which gemmi stops."""


def read_structure_file(path: str | Path) -> gemmi.Structure:
    """Read a structure, with entities and label numbering set, as gemmi has them for mmCIF.

    Raises StructureError naming the file when it is missing, damaged, no text, neither mmCIF nor PDB, or
    holds no coordinates.
    """
    content = read_bytes(path, limit=MAX_TEXT_BYTES, unreadable=StructureError, damaged=StructureError)
    structure = _parse_binary_cif(content, path) if is_binary_cif(content) else _parse_text(content, path)
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise StructureError(f"{path}: the structure has no atoms; give a file with coordinates")
    _name_nameless_chains(structure)
    structure.setup_entities()
    structure.assign_label_seq_id()
    return structure


def _parse_text(content: bytes, path: str | Path) -> gemmi.Structure:
    text = _decode_text(content, path)
    first_line = _FIRST_LINE.search(text)
    if first_line and first_line[0].lower().startswith("data_"):
        return _parse_mmcif(text, path)
    if _PDB_RECORD.search(text):
        return _parse_pdb(text, path)
    raise StructureError(
        f"{path}: this is neither mmCIF (no data_ line) nor PDB (no ATOM record); give a structure file"
    )


def _parse_mmcif(text: str, path: str | Path) -> gemmi.Structure:
    try:
        return _first_with_atoms(gemmi.cif.read_string(text), path)
    except (RuntimeError, ValueError, IndexError) as error:
        raise StructureError(f"{path}: damaged mmCIF: {_one_line(error)}; download it again") from error


def _parse_binary_cif(content: bytes, path: str | Path) -> gemmi.Structure:
    document = gemmi.cif.Document()
    try:
        for number, categories in enumerate(read_binary_cif(content, _CATEGORIES)):
            block = document.add_new_block(f"block{number}")
            for name, columns in categories.items():
                block.set_mmcif_category(f"{name}.", columns)
        return _first_with_atoms(document, path)
    except (RuntimeError, ValueError, IndexError) as error:
        raise StructureError(f"{path}: damaged BinaryCIF: {_one_line(error)}; download it again") from error


def _first_with_atoms(document: gemmi.cif.Document, path: str | Path) -> gemmi.Structure:
    for block in document:
        if block.find_values("_atom_site.id"):
            return gemmi.make_structure_from_block(block)
    raise StructureError(f"{path}: the mmCIF file has no atoms (_atom_site); give one with coordinates")


def _parse_pdb(text: str, path: str | Path) -> gemmi.Structure:
    has_serials = False
    for record in _ATOM_RECORD.finditer(text):
        _check_atom_record(record, path)
        has_serials = has_serials or not _ELEMENT.fullmatch(record[0][76:80])
    try:
        return gemmi.read_pdb_string(text, max_line_length=76 if has_serials else 0)
    except (RuntimeError, ValueError, IndexError) as error:
        raise StructureError(f"{path}: damaged PDB file: {_one_line(error)}; download it again") from error


def _check_atom_record(record: re.Match[str], path: str | Path) -> None:
    """Raise StructureError for a coordinate or residue number that is no number: gemmi reads it as 0."""
    line = record[0]
    try:
        for start in (30, 38, 46):
            float(line[start : start + 8])
        if not _RESIDUE_NUMBER.fullmatch(line[22:26]):
            raise ValueError(f"residue number {line[22:26]!r}")
    except ValueError as error:
        number = record.string.count("\n", 0, record.start()) + 1
        raise StructureError(
            f"{path}:{number}: damaged {line[:6].strip()} record ({error}); download the file again"
        ) from error


def _name_nameless_chains(structure: gemmi.Structure) -> None:
    """Name chains that have a blank for a name, as in many computed models: gemmi finds no entity of such a chain.

    Where they are of several segments, as simulations write them, each segment is a chain of its name.
    """
    for model in structure:
        if all(chain.name.strip() for chain in model):
            continue
        chains = [chain.clone() for chain in model]
        segments = {one.segment for chain in chains if not chain.name.strip() for one in chain}
        for name in {chain.name for chain in chains}:
            model.remove_chain(name)
        for chain in chains:
            for part in (
                [chain] if chain.name.strip() else _split_nameless(chain, by_segment=len(segments) > 1)
            ):
                model.add_chain(part)


def _split_nameless(chain: gemmi.Chain, *, by_segment: bool) -> list[gemmi.Chain]:
    if not by_segment:
        chain.name = NAMELESS
        return [chain]
    parts: list[gemmi.Chain] = []
    for residue in chain:
        name = residue.segment.strip() or NAMELESS
        if not parts or parts[-1].name != name:
            parts.append(gemmi.Chain(name))
        parts[-1].add_residue(residue)
    return parts


def _decode_text(content: bytes, path: str | Path) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StructureError(
            f"{path}:{line}: byte {content[error.start]:#04x} is no UTF-8 text; give mmCIF or PDB, plain or "
            f"compressed"
        ) from error
    if "\0" in text:
        raise StructureError(
            f"{path}: the file has NUL bytes, it is no text; give mmCIF or PDB as plain text"
        )
    return text.removeprefix("\ufeff")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
