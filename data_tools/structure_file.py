"""A structure file, mmCIF or PDB, plain or gzip, to a gemmi structure; the format is known by content."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import IO, Final

import gemmi

from data_tools.errors import StructureError

MAX_TEXT_BYTES: Final = 2**30  # 1 GiB: several times the largest entry of the PDB; a gzip bomb stops here

_CHUNK_BYTES: Final = 16 * 2**20
_GZIP_MAGIC: Final = b"\x1f\x8b"
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
    content = _read_bytes(path)
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


def _read_bytes(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            if stream.peek(2)[:2] != _GZIP_MAGIC:
                return _read_bounded(stream, path)
            with gzip.open(stream) as decompressed:
                return _read_bounded(decompressed, path)
    except FileNotFoundError:
        raise StructureError(f"{path}: there is no such file; check the path") from None
    except IsADirectoryError:
        raise StructureError(f"{path}: this is a folder; name a structure file in it") from None
    except EOFError as error:
        raise StructureError(f"{path}: the gzip file is truncated; download it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise StructureError(f"{path}: the gzip file is damaged ({error}); download it again") from error
    except OSError as error:
        raise StructureError(f"{path}: the file cannot be read: {error.strerror or error}") from error


def _read_bounded(stream: IO[bytes] | gzip.GzipFile, path: str | Path) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_TEXT_BYTES:
            raise StructureError(
                f"{path}: more than {MAX_TEXT_BYTES:,} bytes, too large for a structure file"
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
