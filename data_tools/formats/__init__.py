"""Reading and writing alignment files: `read_alignment`, `parse_alignment`, `write_alignment`.

| name      | files                                                | read by        |
|-----------|------------------------------------------------------|----------------|
| a3m       | A3M of HH-suite, ColabFold and others                | `fasta.py`     |
| a2m       | A3M padded with `.`                                  | `fasta.py`     |
| fasta     | aligned FASTA                                        | `fasta.py`     |
| stockholm | Pfam's and HMMER's, in one block or many             | `stockholm.py` |
| clustal   | Clustal, also as MUSCLE, MAFFT and others write it   | `clustal.py`   |
| psicov    | PSICOV's and CCMpred's .aln: one row a line, no name | `psicov.py`    |

All are written by `writers.py`; what a format cannot hold, `losses.py` says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, cast

from data_tools.alignment import Alignment
from data_tools.compression import read_bytes
from data_tools.errors import AlignmentError, AlignmentFormatError
from data_tools.formats.clustal import parse_clustal
from data_tools.formats.detection import FORMATS, detect_format
from data_tools.formats.fasta import FastaFormat, parse_a3m
from data_tools.formats.losses import find_losses
from data_tools.formats.notes import NoteTaker
from data_tools.formats.psicov import parse_psicov
from data_tools.formats.stockholm import MatchColumns, parse_stockholm
from data_tools.formats.writing import format_of_path, write_alignment

__all__ = [
    "FORMATS",
    "MatchColumns",
    "OnError",
    "detect_format",
    "find_losses",
    "format_of_path",
    "parse_alignment",
    "read_alignment",
    "write_alignment",
]

OnError = Literal["raise", "repair"]
MAX_FILE_BYTES: Final = 4 * 2**30  # 4 GiB decompressed: 10 x the largest alignments in use; a bomb stops here


def read_alignment(
    path: str | Path,
    *,
    format: str | None = None,
    on_error: OnError = "raise",
    match_columns: MatchColumns = "query",
) -> Alignment:
    """Read an alignment file, plain or compressed (gzip, bzip2, xz, Zstandard); `-` is standard input.

    The arguments are those of `parse_alignment`. Raises AlignmentError when the file cannot be opened,
    AlignmentFormatError, with file and line, when it breaks its format.
    """
    data = read_bytes(path, limit=MAX_FILE_BYTES, unreadable=AlignmentError, damaged=AlignmentFormatError)
    return parse_alignment(data, str(path), format=format, on_error=on_error, match_columns=match_columns)


def parse_alignment(
    data: bytes,
    source: str,
    *,
    format: str | None = None,
    on_error: OnError = "raise",
    match_columns: MatchColumns = "query",
) -> Alignment:
    """Parse the bytes of an alignment file; `source` names it in errors.

    `format` is one of `FORMATS`; None: found by content. With `on_error="repair"` rows that are broken are dropped or
    mended, the query never, and `Alignment.report` tells all of it. Columns are the query's residues; with
    `match_columns="rf"`, for Stockholm, only those that `#=GC RF` marks. Raises AlignmentFormatError for a file that
    breaks its format, AlignmentError for an argument that cannot be.

    >>> alignment = parse_alignment(b">query\\nMKV\\n>hit\\nM-aaV\\n", "doc.a3m")
    >>> alignment.query, alignment.deletion_matrix.tolist()
    ('MKV', [[0, 0, 0], [0, 0, 2]])
    """
    check_arguments(format, on_error, match_columns)
    name = detect_format(data, source) if format is None else format
    if match_columns == "rf" and name != "stockholm":
        raise AlignmentError(
            f"{source}: match columns from RF exist in Stockholm only, the file is {name}; take those of the query"
        )
    notes = NoteTaker(source, name, repair=on_error == "repair")
    if name == "stockholm":
        return parse_stockholm(data, source, notes, match_columns=match_columns)
    if name == "clustal":
        return parse_clustal(data, source, notes)
    if name == "psicov":
        return parse_psicov(data, source, notes)
    return parse_a3m(data, source, notes, format=cast("FastaFormat | None", format))


def check_arguments(format: str | None, on_error: str, match_columns: str) -> None:
    """Raise AlignmentError for a name that is none of the choices."""
    for argument, value, choices in (
        ("format", format, FORMATS),
        ("on_error", on_error, ("raise", "repair")),
        ("match_columns", match_columns, ("query", "rf")),
    ):
        if value is not None and value not in choices:
            raise AlignmentError(f"{argument} must be one of {', '.join(choices)}, not {value!r}")
