"""A query that outside programs take as it is (`Query`, `read_query`).

Programs drop what they do not know from a query and go on: hhblits takes digits, `*` and `?` out with a warning, and
the alignment is then one of another sequence. A query here has upper-case letters only. It is written to the file under
a fixed id, because headers are not safe either (`ss_pred` is taken for an annotation, an empty one gets a made-up
name); the real header is put back into the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.compression import read_bytes
from data_tools.errors import InvalidQueryError

FILE_ID: Final = "msaformer_query"
MAX_RESIDUES: Final = 100_000  # the longest known protein has 45,000; programs have lower limits of their own
MAX_FILE_BYTES: Final = 16 * 2**20
MAX_HEADER: Final = 100_000
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_NO_LETTER: Final = re.compile(r"[^A-Z]")


@dataclass(frozen=True, slots=True)
class Query:
    """One sequence to search with; raises InvalidQueryError at birth when a program would change it."""

    name: str
    """The header as it shall stand in the result; its first word is the id."""
    sequence: str
    """Residues, A to Z (B J O U X Z are kept)."""
    changes: tuple[str, ...] = ()
    """What was changed on reading, in words: letters made upper-case, a final `*` taken off."""

    def __post_init__(self) -> None:
        if not self.name.strip() or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", self.name):
            raise InvalidQueryError(
                f"a query's name must be one line of printable text, not {self.name[:80]!r}"
            )
        if len(self.name) > MAX_HEADER:
            raise InvalidQueryError(f"query {self.name[:40]!r}…: a header of {len(self.name):,} characters")
        if not self.sequence:
            raise InvalidQueryError(f"query {self.name!r} has no residues")
        wrong = _NO_LETTER.search(self.sequence)
        if wrong is not None:
            raise InvalidQueryError(
                f"query {self.name!r}: symbol {wrong[0]!r} at position {wrong.start() + 1} is no residue; "
                "search programs would drop it silently: take it out"
            )
        if len(self.sequence) > MAX_RESIDUES:
            raise InvalidQueryError(
                f"query {self.name!r} has {len(self.sequence):,} residues, more than {MAX_RESIDUES:,}: "
                "cut it into domains"
            )

    @property
    def id(self) -> str:
        """First word of the name."""
        return self.name.split()[0]

    def check_length(self, program: str, *, longest: int) -> None:
        """Raise InvalidQueryError when `program` would cut the query short."""
        if len(self.sequence) > longest:
            raise InvalidQueryError(
                f"query {self.name!r} has {len(self.sequence):,} residues, of which {program} would keep "
                f"{longest:,} with these settings: cut it into domains, or raise the limit"
            )

    def write(self, path: Path) -> None:
        """Write a FASTA file that every program takes, under the fixed id `FILE_ID`."""
        path.write_text(f">{FILE_ID}\n{self.sequence}\n", encoding="ascii")


def read_query(path: str | Path) -> Query:
    """Read a FASTA file of one record, plain or compressed.

    Raises InvalidQueryError, with file and line, when it cannot be read, or holds anything but one sequence.
    """
    data = read_bytes(path, limit=MAX_FILE_BYTES, unreadable=InvalidQueryError, damaged=InvalidQueryError)
    return parse_query(data, str(path))


def parse_query(data: bytes | str, source: str = "query") -> Query:
    """Read a query from the content of a FASTA file; see `read_query`.

    >>> parse_query(">P1 a kinase\\nMKv*\\n")
    Query(name='P1 a kinase', sequence='MKV', changes=('1 lower-case letter made upper-case', 'final * taken off'))
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    lines = [line.strip() for line in _LINE_END.split(text.removeprefix("\ufeff").rstrip("\0 \t\r\n"))]
    start = next((number for number, line in enumerate(lines) if line), None)
    if start is None:
        raise InvalidQueryError(f"{source}: the file is empty; a query is a FASTA file with one sequence")
    if not lines[start].startswith(">"):
        raise InvalidQueryError(
            f"{source}:{start + 1}: expected a FASTA header '>name', found {lines[start][:40]!r}"
        )
    second = next((n for n, line in enumerate(lines) if n > start and line.startswith(">")), None)
    if second is not None:
        raise InvalidQueryError(
            f"{source}:{second + 1}: a second sequence, {lines[second][1:41]!r}; a query is one: split the file"
        )
    name = lines[start][1:].strip()
    if not name:
        raise InvalidQueryError(f"{source}:{start + 1}: the header is empty; give the query a name")
    sequence, changes = _clean("".join("".join(line.split()) for line in lines[start + 1 :]))
    try:
        return Query(name, sequence, changes)
    except InvalidQueryError as error:
        raise InvalidQueryError(f"{source}: {error}") from error


def _clean(sequence: str) -> tuple[str, tuple[str, ...]]:
    changes = []
    lower = sum("a" <= letter <= "z" for letter in sequence)
    if lower:
        changes.append(f"{lower} lower-case letter{'s' if lower > 1 else ''} made upper-case")
        sequence = "".join(letter.upper() if "a" <= letter <= "z" else letter for letter in sequence)
    if sequence.endswith("*"):
        changes.append("final * taken off")
        sequence = sequence[:-1]
    return sequence, tuple(changes)
