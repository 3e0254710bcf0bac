"""The bytes of a text file before they are cut into records: marks stripped, line ends made one, NUL refused."""

from __future__ import annotations

from typing import Final

from data_tools.errors import AlignmentFormatError
from data_tools.formats.notes import NoteTaker

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


def normalize(data: bytes, source: str, notes: NoteTaker) -> bytes:
    """Strip byte order mark and trailing NULs, turn CR and CRLF into LF.

    Raises AlignmentFormatError for UTF-16 and for NUL inside the file, in repair mode too: which part of a
    database of many alignments is meant cannot be guessed.
    """
    if data.startswith(_UTF16_MARKS):
        raise AlignmentFormatError(f"{source}: the file is UTF-16; save it as plain text (ASCII or UTF-8)")
    if data.startswith(_UTF8_MARK):
        data = data.removeprefix(_UTF8_MARK)
        notes.note(1, "", "skipped", "a byte order mark")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\x00" in data:
        data = _strip_nul(data, source, notes)
    return data


def decode(text: bytes) -> str:
    """Decode UTF-8, or Latin-1 where that fails, so that no byte is lost."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _strip_nul(data: bytes, source: str, notes: NoteTaker) -> bytes:
    stripped = data.rstrip(b"\x00\n \t")
    at = stripped.find(b"\x00")
    if at >= 0:
        line = stripped.count(b"\n", 0, at) + 1
        raise AlignmentFormatError(
            f"{source}:{line}: a NUL byte inside the file; if it is a database of "
            "many alignments, take it apart first (`ffindex_unpack` or `mmseqs unpackdb`)"
        )
    first = data.index(b"\x00", len(stripped))
    notes.note(data.count(b"\n", 0, first) + 1, "", "skipped", "NUL bytes at the end")
    return data[:first]
