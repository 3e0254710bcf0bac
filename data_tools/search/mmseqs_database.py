"""`MMseqsDatabase`: a sequence database of MMseqs2, checked before mmseqs sees it.

PREFIX, PREFIX.index, PREFIX.dbtype        the sequences; long ones may be split into PREFIX.0, PREFIX.1, …
PREFIX_h, PREFIX_h.index, PREFIX_h.dbtype  their headers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.errors import DatabaseError
from data_tools.search.database_files import (
    build_folder,
    check_file,
    fingerprint,
    move_into_place,
    refuse_existing,
)
from data_tools.search.ffindex import IndexSummary, check_index
from data_tools.search.process import run
from data_tools.search.sequence_database import write_sequences
from data_tools.search.tool import find_tool

SUFFIXES: Final = (
    *("_h", "_h.index", "_h.dbtype", ".lookup", ".source"),
    *("", ".index", ".dbtype"),
)
"""Files that `mmseqs createdb` writes; mmseqs takes a database for finished when the last is there."""
_NEEDED: Final = ("", ".index", ".dbtype", "_h", "_h.index", "_h.dbtype")
_TYPES: Final = {0: "amino acids", 1: "nucleotides", 2: "profiles"}  # MMseqs2's Parameters::DBTYPE_*
_SEARCHABLE: Final = (0, 2)
_REMEDY: Final = "copy it or build the database again (`msaformer database build --kind mmseqs`)"


@dataclass(frozen=True, slots=True)
class MMseqsDatabase:
    """A database whose files are there and as long as their indices say."""

    prefix: Path
    """Path that mmseqs is given."""
    num_entries: int
    """Number of sequences."""
    kind: str
    """What the entries are: amino acids or profiles."""
    size_bytes: int
    """Of all files."""
    fingerprint: str
    """SHA-256 over the sizes and times of the files and the content of the indices; the path does not count."""

    @classmethod
    def open(cls, prefix: str | Path) -> MMseqsDatabase:
        """Check the files of the database at `prefix`.

        Raises DatabaseError naming the file, what is wrong with it and what to do.
        """
        path = Path(prefix)
        _check_prefix(path)
        sequences, headers = _data_files(path), _data_files(Path(f"{path}_h"))
        small = [Path(f"{path}{suffix}") for suffix in _NEEDED if suffix not in ("", "_h")]
        sizes = {file: check_file(file, _REMEDY) for file in [*sequences, *headers, *small]}
        for file in (Path(f"{path}.dbtype"), Path(f"{path}_h.dbtype")):
            if sizes[file] != 4:
                raise DatabaseError(f"{file}: {sizes[file]} bytes instead of 4; {_REMEDY}")
        kind = _read_type(Path(f"{path}.dbtype"))
        entries = _check_part(path, sequences)
        named = _check_part(Path(f"{path}_h"), headers)
        if named.num_entries != entries.num_entries:
            raise DatabaseError(
                f"{path}_h.index: {named.num_entries:,} headers for {entries.num_entries:,} sequences; {_REMEDY}"
            )
        indices = [Path(f"{path}.index"), Path(f"{path}_h.index")]
        return cls(
            prefix=path,
            num_entries=entries.num_entries,
            kind=kind,
            size_bytes=sum(sizes.values()),
            fingerprint=fingerprint(sorted(sizes), hashed=indices),
        )

    @staticmethod
    def build(
        inputs: Mapping[str, str | Path],
        prefix: str | Path,
        *,
        overwrite: bool = False,
        timeout_s: float | None = None,
    ) -> tuple[MMseqsDatabase, dict[str, str]]:
        """Build a database of the sequences, without gaps, of FASTA and alignment files.

        Returns the database and, by the input's key, what was wrong with each input left out. Raises DatabaseError
        when the database exists (unless `overwrite`) or no input is good, and the errors of `process.run`.
        """
        target = Path(prefix)
        refuse_existing(target, SUFFIXES, overwrite=overwrite)
        mmseqs = find_tool("mmseqs")
        with build_folder(target) as folder:
            fasta = folder / "sequences.fasta"
            failures = write_sequences(inputs, fasta, folder)
            built = folder / target.name
            run([mmseqs.path, "createdb", fasta, built, "--dbtype", "1", "-v", "2"], timeout_s=timeout_s)
            MMseqsDatabase.open(built)
            move_into_place(folder, target, SUFFIXES)
        return MMseqsDatabase.open(target), failures

    def check_entries(self) -> None:
        """Nothing beyond `open`: mmseqs keeps no two copies of an entry that could disagree."""


def _check_prefix(prefix: Path) -> None:
    if Path(f"{prefix}.dbtype").exists():
        return
    if prefix.is_dir():
        names = sorted(file.stem for file in prefix.glob("*.dbtype") if not file.stem.endswith("_h"))
        found = (
            f": {', '.join(str(prefix / name) for name in names[:5])}" if names else " (none was found in it)"
        )
        raise DatabaseError(f"{prefix} is a folder; give the prefix of the database's files in it{found}")
    if prefix.is_file():
        with prefix.open("rb") as file:
            head = file.read(1)
        if head == b">" or prefix.suffix == ".gz":
            raise DatabaseError(
                f"{prefix} is a FASTA file, no database of mmseqs; build one (`msaformer database build --kind mmseqs`)"
            )
    raise DatabaseError(f"{prefix}.dbtype: there is no such file; {_REMEDY}")


def _read_type(file: Path) -> str:
    """What the entries are; raises DatabaseError for what cannot be searched with a protein."""
    content = file.read_bytes()
    number = int.from_bytes(content[:2], "little")  # the upper half holds flags
    if number not in _TYPES:
        raise DatabaseError(f"{file}: {content[:8]!r} is no type of sequences; {_REMEDY}")
    if number not in _SEARCHABLE:
        raise DatabaseError(
            f"{file}: a database of {_TYPES[number]}; proteins are searched in amino acids or profiles"
        )
    return _TYPES[number]


def _data_files(prefix: Path) -> list[Path]:
    """The data file, or the parts that it is split into."""
    parts: list[Path] = []
    while Path(f"{prefix}.{len(parts)}").exists():
        parts.append(Path(f"{prefix}.{len(parts)}"))
    return [prefix] if prefix.exists() or not parts else parts


def _check_part(prefix: Path, files: list[Path]) -> IndexSummary:
    """Check an index against the size of its data, all parts together."""
    return check_index(Path(f"{prefix}.index"), *files, order="any")
