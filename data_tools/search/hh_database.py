"""`HHDatabase`: a database for hhblits and hhsearch, checked before any program sees it.

    PREFIX_a3m.ffdata, PREFIX_a3m.ffindex       the alignments
    PREFIX_cs219.ffdata, PREFIX_cs219.ffindex   their profiles in 219 letters, which the prefilter reads
    PREFIX_hhm.ffdata, PREFIX_hhm.ffindex       their HMMs; optional, they save time

The keys of all three are the same. HH-suite does not check: without `_a3m` and with an empty `_cs219` hhblits
crashes, with a half-copied `_a3m` it hangs, and one damaged entry ends every search that meets it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.errors import DatabaseError
from data_tools.search.database_files import check_file, fingerprint
from data_tools.search.ffindex import FFReader, IndexSummary, check_index

SUFFIXES: Final = (
    *("_hhm.ffdata", "_hhm.ffindex", "_a3m.ffdata", "_a3m.ffindex"),
    *("_cs219.ffdata", "_cs219.ffindex"),
)
"""All files of a database; the last is moved into place last."""
_REMEDY: Final = "copy the missing file or rebuild the database (`msaformer database build`)"
_OLD_FILES: Final = ("_a3m_db", "_hhm_db", ".cs219")  # HH-suite 2


@dataclass(frozen=True, slots=True)
class HHDatabase:
    """A database whose files are there, belong together and are as long as their indices say."""

    prefix: Path
    """Path that the program is given: its files begin with it."""
    num_entries: int
    """Number of alignments."""
    has_hhm: bool
    """Whether HMMs are there; without them the program makes them as it goes."""
    size_bytes: int
    """Of all files."""
    fingerprint: str
    """SHA-256 over the sizes and times of the files and the content of the indices; the path does not count."""

    @classmethod
    def open(cls, prefix: str | Path) -> HHDatabase:
        """Check the files of the database at `prefix`; entries are not read (see `check_entries`).

        Raises DatabaseError naming the file, what is wrong with it and what to do.
        """
        path = Path(prefix)
        _check_prefix(path)
        files = [Path(f"{path}{suffix}") for suffix in SUFFIXES]
        has_hhm = any(file.exists() for file in files[:2])
        if not has_hhm:
            files = files[2:]
        sizes = [check_file(file, _REMEDY) for file in files]
        parts = {index: check_index(index, data) for data, index in zip(files[::2], files[1::2], strict=True)}
        _check_same_keys(parts)
        return cls(
            prefix=path,
            num_entries=parts[files[1]].num_entries,
            has_hhm=has_hhm,
            size_bytes=sum(sizes),
            fingerprint=fingerprint(files, hashed=files[1::2]),
        )

    @staticmethod
    def build(
        alignments: Mapping[str, str | Path],
        prefix: str | Path,
        *,
        hhm: bool = False,
        num_threads: int = 1,
        overwrite: bool = False,
        timeout_s: float | None = None,
    ) -> tuple[HHDatabase, dict[str, str]]:
        """Build a database of alignment files of any format, by key; see `data_tools.search.hh_build`.

        Returns the database and what was wrong with each input that is not in it, by key.
        """
        from data_tools.search.hh_build import build_hh_database

        return build_hh_database(
            alignments, prefix, hhm=hhm, num_threads=num_threads, overwrite=overwrite, timeout_s=timeout_s
        )

    def check_entries(self) -> None:
        """Read every entry: alignments with rows of one length, as many letters in `_cs219`, HMMs that are whole.

        Raises DatabaseError naming the file and the entry.
        """
        with _reader(self.prefix, "a3m") as a3m, _reader(self.prefix, "cs219") as cs219:
            for number, key in enumerate(a3m.keys()):
                columns = check_a3m_entry(a3m.at(number), f"{self.prefix}_a3m.ffdata: entry {key!r}")
                letters = len(cs219.at(number))
                if letters != columns:
                    raise DatabaseError(
                        f"{self.prefix}_cs219.ffdata: entry {key!r} has {letters} letters, the alignment {columns} "
                        "columns; rebuild the database"
                    )
        if self.has_hhm:
            with _reader(self.prefix, "hhm") as hhm:
                for number, key in enumerate(hhm.keys()):
                    check_hhm_entry(hhm.at(number), f"{self.prefix}_hhm.ffdata: entry {key!r}")


def check_a3m_entry(content: bytes, where: str) -> int:
    """Number of columns of an alignment as HH-suite wants it; raises DatabaseError for any other."""
    records = content.split(b"\n>") if not content.startswith(b">") else (b"\n" + content).split(b"\n>")
    rows = [record.partition(b"\n")[2] for record in records[1:]]
    names = [record.partition(b"\n")[0] for record in records[1:]]
    sequences = [
        row for name, row in zip(names, rows, strict=True) if not name.startswith((b"ss_", b"sa_", b"aa_"))
    ]
    if not sequences:
        raise DatabaseError(f"{where} holds no sequence; rebuild the database without it")
    columns = {len(re.sub(rb"[^A-Z-]", b"", row)) for row in sequences}
    if len(columns) > 1 or columns == {0}:
        raise DatabaseError(
            f"{where} has rows of {min(columns)} to {max(columns)} columns; mend or leave out that alignment and "
            "rebuild the database"
        )
    return columns.pop()


def check_hhm_entry(content: bytes, where: str) -> None:
    """Raise DatabaseError for an HMM that is empty or cut: every search that meets it would fail."""
    if not content.startswith(b"HHsearch") or not content.endswith(b"//\n"):
        state = "is empty" if not content else "is cut: it does not end in '//'"
        raise DatabaseError(
            f"{where} {state}; rebuild the database (or remove its two _hhm files: they are optional)"
        )


def prefixes_in(folder: Path) -> list[str]:
    """Names of the databases whose files lie in a folder."""
    ends = ("_a3m.ffdata", "_cs219.ffdata", "_hhm.ffdata")
    if not folder.is_dir():
        return []
    names = (file.name for file in folder.iterdir())
    return sorted({name.removesuffix(end) for name in names for end in ends if name.endswith(end)})


def _check_prefix(prefix: Path) -> None:
    """Raise DatabaseError when no file begins with `prefix`, saying what was meant."""
    if any(Path(f"{prefix}{suffix}").exists() for suffix in SUFFIXES):
        return
    for suffix in SUFFIXES:
        if prefix.name.endswith(suffix) and prefix.exists():
            meant = str(prefix).removesuffix(suffix)
            raise DatabaseError(
                f"{prefix} is one file of a database; give what all its files begin with: {meant}"
            )
    if prefix.is_dir():
        raise DatabaseError(
            f"{prefix} is a folder; give the prefix of the database's files in it"
            f"{_found(prefix, prefixes_in(prefix))}"
        )
    for suffix in _OLD_FILES:
        if Path(f"{prefix}{suffix}").exists():
            raise DatabaseError(
                f"{prefix}{suffix} is of HH-suite 2; get the database in the format of HH-suite 3"
            )
    if Path(f"{prefix}_ca3m.ffdata").exists():
        raise DatabaseError(
            f"{prefix}_ca3m.ffdata is compressed, hhblits crashes on it; unpack it to {prefix}_a3m first"
        )
    if not prefix.parent.is_dir():
        raise DatabaseError(
            f"{prefix.parent}: there is no such folder; give the prefix of a database's files"
        )
    raise DatabaseError(
        f"{prefix}_cs219.ffdata: there is no such file, nor any other that begins with {prefix.name!r}"
        f"{_found(prefix.parent, prefixes_in(prefix.parent))}"
    )


def _found(folder: Path, names: list[str]) -> str:
    if not names:
        return f" (no database was found in {folder})"
    shown = ", ".join(str(folder / name) for name in names[:5])
    return f": {shown}{', …' if len(names) > 5 else ''}"


def _check_same_keys(parts: Mapping[Path, IndexSummary]) -> None:
    (first, expected), *others = parts.items()
    for index, summary in others:
        if summary.num_entries != expected.num_entries:
            raise DatabaseError(
                f"{index}: {summary.num_entries:,} entries, but {first} has {expected.num_entries:,}; they are not of "
                "one database or one is cut: copy both again or rebuild it"
            )
        if summary.keys_sha256 != expected.keys_sha256:
            raise DatabaseError(
                f"{index}: its keys are not those of {first}; they are not of one database: copy both or rebuild it"
            )


def _reader(prefix: Path, part: str) -> FFReader:
    return FFReader(Path(f"{prefix}_{part}.ffdata"), Path(f"{prefix}_{part}.ffindex"))
