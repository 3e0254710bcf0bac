"""Writing an alignment to a file: `write_alignment`; format and compression by the suffixes of the path."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from data_tools.alignment import Alignment
from data_tools.atomic import atomic_path
from data_tools.compression import COMPRESSION_SUFFIXES, open_to_write
from data_tools.errors import AlignmentError
from data_tools.formats.detection import FORMATS
from data_tools.formats.writers import text_of

DEFAULT_FORMAT: Final = "a3m"
SUFFIXES: Final = {
    "a3m": (".a3m",),
    "a2m": (".a2m",),
    "fasta": (".fasta", ".fas", ".fa", ".faa", ".afa"),
    "stockholm": (".sto", ".stk", ".stockholm"),
    "clustal": (".clustal", ".clw"),
    "psicov": (".psicov", ".aln"),  # `.aln` is Clustal's too: name the format where that is meant
}


def write_alignment(alignment: Alignment, path: str | Path, *, format: str | None = None) -> None:
    """Write an alignment; the file is there whole or not at all, and the same alignment gives the same bytes.

    `format` is one of `FORMATS`; None: by the suffix of `path` (`format_of_path`), A3M for one that is not known.
    Compressed when the path ends in `.gz`, `.bz2`, `.xz` or `.zst`. What a format cannot hold is left out:
    `find_losses` says what that is. Raises AlignmentError for a name or annotation that would not be read back,
    equal ids where the format would join them, and an unknown format; OSError when the folder is missing or not
    writable.
    """
    chosen = format_of_path(path) if format is None else format
    if chosen not in FORMATS:
        raise AlignmentError(f"format must be one of {', '.join(FORMATS)}, not {format!r}")
    with (
        atomic_path(path) as temporary,
        open_to_write(temporary, Path(path).suffix) as stream,
    ):
        for piece in text_of(alignment, chosen):
            stream.write(piece)


def format_of_path(path: str | Path) -> str:
    """Name the format by the suffix of a file; `a3m` where it says nothing.

    >>> format_of_path("globins.sto.gz"), format_of_path("globins.txt")
    ('stockholm', 'a3m')
    """
    file = Path(str(path).lower())
    if file.suffix in COMPRESSION_SUFFIXES:
        file = file.with_suffix("")
    return next((name for name, suffixes in SUFFIXES.items() if file.suffix in suffixes), DEFAULT_FORMAT)
