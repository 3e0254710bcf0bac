"""`SequenceDatabase`: a FASTA file of unaligned sequences, which jackhmmer and hmmsearch read as it is.

>id description
MKVLAAG…
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from data_tools.atomic import atomic_path
from data_tools.compression import read_bytes
from data_tools.errors import AlignmentFormatError, DatabaseError, DataToolsError
from data_tools.formats import read_alignment, write_alignment
from data_tools.search.database_files import (
    all_failed,
    build_folder,
    check_file,
    ends_sha256,
    refuse_existing,
)

MAX_INPUT_BYTES: Final = 4 * 2**30  # of one input, decompressed; a larger FASTA file is a database as it is
_LINE_LETTERS: Final = 60  # of a sequence, as UniProt writes them
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz"}
_GAPS: Final = re.compile(rb"[-.\s]")
_OTHER_THAN_LETTERS: Final = re.compile(rb"[^A-Za-z]")


@dataclass(frozen=True, slots=True)
class SequenceDatabase:
    """A FASTA file that is there, is not empty and begins as one does; its sequences are not read."""

    path: Path
    """The file."""
    size_bytes: int
    """Of the file."""
    fingerprint: str
    """SHA-256 over size, time, and the first and last MiB."""

    @property
    def prefix(self) -> Path:
        """The path, under the name that the other databases have for it."""
        return self.path

    @classmethod
    def open(cls, path: str | Path) -> SequenceDatabase:
        """Check the file; raises DatabaseError saying what is wrong and what to do.

        A compressed file is refused: jackhmmer reads the sequences once a round and cannot rewind it.
        """
        file = Path(path)
        if file.is_dir():
            raise DatabaseError(f"{file} is a folder; give a FASTA file{_fasta_files_in(file)}")
        size = check_file(file, "give a FASTA file of sequences")
        with file.open("rb") as opened:
            head = opened.read(4096)
        for magic, compression in _COMPRESSED.items():
            if head.startswith(magic):
                raise DatabaseError(
                    f"{file}: compressed with {compression}; jackhmmer cannot read it several times: unpack it"
                )
        if not head.lstrip().startswith(b">"):
            raise DatabaseError(
                f"{file}: begins with {head[:20]!r}; a FASTA file of sequences begins with '>' and a name"
            )
        status = file.stat()
        digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}\n".encode() + ends_sha256(file))
        return cls(path=file, size_bytes=size, fingerprint=digest.hexdigest())

    @staticmethod
    def build(
        inputs: Mapping[str, str | Path], path: str | Path, *, overwrite: bool = False
    ) -> tuple[SequenceDatabase, dict[str, str]]:
        """Write the sequences of FASTA and alignment files, without gaps, as one FASTA file.

        Returns the database and, by the input's key, what was wrong with each input left out. Raises DatabaseError
        when the file exists (unless `overwrite`), no input is good or the folder cannot be written.
        """
        target = Path(path)
        refuse_existing(target, ("",), overwrite=overwrite)
        with build_folder(target) as folder, atomic_path(target) as temporary:
            failures = write_sequences(inputs, temporary, folder)
        return SequenceDatabase.open(target), failures

    def check_entries(self) -> None:
        """Read the whole file; raises DatabaseError with the line of a record that has none or other symbols."""
        number = 0
        with self.path.open("rb") as file:
            for line, _, sequence in _records(file):
                number += 1
                _check_sequence(sequence, f"{self.path}:{line}")

    def count(self) -> int:
        """Number of sequences; reads the whole file."""
        with self.path.open("rb") as file:
            return sum(line.startswith(b">") for line in file)


def write_sequences(inputs: Mapping[str, str | Path], target: Path, scratch: Path) -> dict[str, str]:
    """Write the sequences of all inputs to `target`, one with the same id and letters once; the failures by key."""
    failures: dict[str, str] = {}
    seen: set[bytes] = set()
    with target.open("wb") as output:
        for key, path in inputs.items():
            try:
                records = list(read_sequences(path, scratch))
            except (DataToolsError, OSError) as error:
                failures[key] = str(error)
                continue
            for header, sequence in records:
                mark = hashlib.sha256(header.partition(b" ")[0] + b"\n" + sequence).digest()
                if mark not in seen:
                    seen.add(mark)
                    _write_record(output, header, sequence)
    if not seen:
        raise (
            all_failed(failures) if failures else DatabaseError(f"{target}: no input to build a database of")
        )
    return failures


def read_sequences(path: str | Path, scratch: Path) -> Iterator[tuple[bytes, bytes]]:
    """Header and letters, upper case and without gaps, of each sequence of a FASTA or alignment file.

    `scratch` is a folder for the A3M of an alignment in another format. Raises the errors of reading an alignment.
    """
    data = read_bytes(path, limit=MAX_INPUT_BYTES, unreadable=DatabaseError, damaged=AlignmentFormatError)
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text.startswith(b">"):
        whole = scratch / "whole.a3m"
        write_alignment(read_alignment(path), whole)
        text = whole.read_bytes()
    lines = text.replace(b"\r\n", b"\n").split(b"\n")
    for line, header, sequence in _records(line + b"\n" for line in lines):
        if header.startswith((b"ss_", b"sa_", b"aa_")):  # annotation rows of HH-suite
            continue
        letters = _GAPS.sub(b"", sequence).removesuffix(b"*").upper()
        _check_sequence(letters, f"{path}:{line}")
        yield header.strip() or b"unnamed_%d" % line, letters


def _records(lines: Iterator[bytes] | BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    """Line number, header and sequence of each record."""
    first, header, parts = 0, b"", list[bytes]()
    for number, line in enumerate(lines, start=1):
        if line.startswith(b">"):
            if first:
                yield first, header, b"".join(parts)
            first, header, parts = number, line[1:].rstrip(), []
        elif first:
            parts.append(line.strip())
    if first:
        yield first, header, b"".join(parts)


def _check_sequence(sequence: bytes, where: str) -> None:
    if not sequence:
        raise DatabaseError(f"{where}: the record has no residues; remove it")
    other = _OTHER_THAN_LETTERS.search(sequence.removesuffix(b"*"))
    if other:
        raise DatabaseError(
            f"{where}: {other.group().decode('latin-1')!r} in the sequence at residue {other.start() + 1}; "
            "sequences of a database hold letters only"
        )


def _write_record(output: BinaryIO, header: bytes, sequence: bytes) -> None:
    output.write(b">" + header + b"\n")
    for start in range(0, len(sequence), _LINE_LETTERS):
        output.write(sequence[start : start + _LINE_LETTERS] + b"\n")


def _fasta_files_in(folder: Path) -> str:
    names = sorted(file.name for file in folder.iterdir() if file.suffix in (".fa", ".fasta", ".faa", ".fas"))
    return f" in it: {', '.join(names[:5])}" if names else ""
