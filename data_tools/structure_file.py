"""A structure file, mmCIF or PDB, plain or gzip, to a gemmi structure; the format is known by content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import gemmi

from data_tools.compression import read_bytes
from data_tools.errors import StructureError

MAX_TEXT_BYTES: Final = 2**30  # 1 GiB: several times the largest entry of the PDB; a gzip bomb stops here
_PDB_RECORD: Final = re.compile(
    r"^(HEADER|TITLE |COMPND|EXPDTA|REMARK|CRYST1|SEQRES|MODEL |ATOM  |HETATM)", re.MULTILINE
)
_ATOM_RECORD: Final = re.compile(r"^(?:ATOM  |HETATM).*$", re.MULTILINE)
_RESIDUE_NUMBER: Final = re.compile(r" *-?\d+|[A-Za-z][0-9A-Za-z]{3}")  # or hybrid-36, beyond 9999


def read_structure_file(path: str | Path) -> gemmi.Structure:
    """Read a structure, with entities and label numbering set, as gemmi has them for mmCIF.

    Raises StructureError naming the file when it is missing, damaged, no text, neither mmCIF nor PDB, or
    holds no coordinates.
    """
    text = _read_text(path)
    first_line = next((line for line in text.splitlines() if line.strip() and line[0] != "#"), "")
    if first_line.lower().startswith("data_"):
        structure = _parse_mmcif(text, path)
    elif _PDB_RECORD.search(text):
        structure = _parse_pdb(text, path)
    else:
        raise StructureError(
            f"{path}: this is neither mmCIF (no data_ line) nor PDB (no ATOM record); give a structure file"
        )
    if len(structure) == 0 or structure[0].count_atom_sites() == 0:
        raise StructureError(f"{path}: the structure has no atoms; give a file with coordinates")
    structure.setup_entities()
    structure.assign_label_seq_id()
    return structure


def _parse_mmcif(text: str, path: str | Path) -> gemmi.Structure:
    try:
        document = gemmi.cif.read_string(text)
        blocks = [block for block in document if block.find_loop("_atom_site.id")]
        if not blocks:
            raise StructureError(
                f"{path}: the mmCIF file has no atoms (_atom_site); give one with coordinates"
            )
        return gemmi.make_structure_from_block(blocks[0])
    except (RuntimeError, ValueError, IndexError) as error:
        raise StructureError(f"{path}: damaged mmCIF: {_one_line(error)}; download it again") from error


def _parse_pdb(text: str, path: str | Path) -> gemmi.Structure:
    for record in _ATOM_RECORD.finditer(text):
        _check_atom_record(record, path)
    try:
        return gemmi.read_pdb_string(text)
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


def _read_text(path: str | Path) -> str:
    content = read_bytes(path, limit=MAX_TEXT_BYTES, unreadable=StructureError, damaged=StructureError)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StructureError(
            f"{path}:{line}: byte {content[error.start]:#04x} is no UTF-8 text; give mmCIF or PDB, plain or "
            f"gzip"
        ) from error
    if "\0" in text:
        raise StructureError(
            f"{path}: the file has NUL bytes, it is no text; give mmCIF or PDB as plain text"
        )
    return text.removeprefix("\ufeff")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
