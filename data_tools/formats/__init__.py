"""Reading and writing alignment files: `read_alignment`, `parse_alignment`, `write_alignment`."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

from data_tools.alignment import Alignment
from data_tools.atomic import atomic_path
from data_tools.compression import read_bytes
from data_tools.errors import AlignmentError, AlignmentFormatError
from data_tools.formats.fasta import format_a3m, parse_alignment

__all__ = ["parse_alignment", "read_alignment", "write_alignment"]

MAX_FILE_BYTES: Final = 4 * 2**30  # 4 GiB decompressed: 10 x the largest alignments in use; a bomb stops here


def read_alignment(path: str | Path) -> Alignment:
    """Read an A3M or aligned FASTA file, plain or gzip (see `data_tools.formats.fasta` for what is accepted).

    Raises AlignmentError when the file cannot be opened, AlignmentFormatError, with file and line, when it
    breaks its format.
    """
    data = read_bytes(path, limit=MAX_FILE_BYTES, unreadable=AlignmentError, damaged=AlignmentFormatError)
    return parse_alignment(data, str(path))


def write_alignment(alignment: Alignment, path: str | Path) -> None:
    """Write an alignment as A3M, gzip when `path` ends in `.gz`; the file is there whole or not at all.

    The residues of insertions are not kept, so each is written as a lower-case `x`: reading the file again
    gives the same names, tokens and deletion matrix. Raises AlignmentError for a name that A3M cannot hold,
    OSError when the folder is missing or not writable.
    """
    text = format_a3m(alignment)
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(text, mtime=0) if str(path).endswith(".gz") else text)
