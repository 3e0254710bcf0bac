"""The search databases: one record a kind, each with `open` (all files checked) and `build`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from data_tools.search.hh_database import HHDatabase
from data_tools.search.mmseqs_database import MMseqsDatabase
from data_tools.search.sequence_database import SequenceDatabase

__all__ = [
    "DATABASES",
    "Database",
    "HHDatabase",
    "MMseqsDatabase",
    "SequenceDatabase",
    "kind_of",
    "open_database",
]

Database = HHDatabase | MMseqsDatabase | SequenceDatabase
DATABASES: Final[dict[str, type[HHDatabase] | type[MMseqsDatabase] | type[SequenceDatabase]]] = {
    "hhblits": HHDatabase,
    "mmseqs": MMseqsDatabase,
    "fasta": SequenceDatabase,
}
"""By the name that the command line has for a kind: the program that searches it, or the format."""


def kind_of(prefix: str | Path) -> str:
    """Tell the kind of a database by its files; what is not there, or is a folder, counts as hhblits's."""
    path = Path(prefix)
    if Path(f"{path}.dbtype").exists():
        return "mmseqs"
    is_hh = any(Path(f"{path}_{part}.ffdata").exists() for part in ("a3m", "cs219", "hhm"))
    return (
        "fasta" if path.is_file() and not is_hh and path.suffix not in (".ffdata", ".ffindex") else "hhblits"
    )


def open_database(prefix: str | Path, kind: str | None = None) -> Database:
    """Open a database of a named kind, or of the kind that its files have; raises DatabaseError."""
    return DATABASES[kind or kind_of(prefix)].open(prefix)
