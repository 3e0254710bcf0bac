"""Read the list of hits that hhsearch, hhalign and hhblits write (`.hhr`).

Grammar: `Key value` lines to the first empty line; a table of hits; then for each hit `No n`, `>description`, a line of
`Key=value` fields, and blocks of alignment, in which `Q` lines belong to the query and `T` lines to the template. In a
block the query's row is the first `Q` line with numbers and the template's row the last `T` line with numbers; the
others are consensus and predictions. What each block says of positions must agree with its letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

from data_tools.compression import read_bytes
from data_tools.errors import OutputInvalidError

MAX_FILE_BYTES: Final = 4 * 2**30

_ROW: Final = re.compile(r"([QT]) (.*?)\s+(\d+) ([A-Za-z.-]+) +(\d+) \((\d+)\)\s*$")
_TABLE_ROW: Final = re.compile(r"\s*\d+ ")
_TABLE_NUMBERS: Final = 34  # column of a table row after which numbers stand; number and name come before
_TABLE_RANGES: Final = re.compile(r"(\d+)-(\d+)\s+(\d+)-(\d+)\s*\((\d+)\)\s*$")
_FIELD: Final = re.compile(r"(\S+?)=(\S+)")


@dataclass(frozen=True, slots=True)
class AlignedRow:
    """One side of a hit."""

    first: int
    """Position of its first residue, from 1."""
    last: int
    """Position of its last residue."""
    length: int
    """Columns of the whole HMM."""
    sequence: str
    """The aligned part; `-` opposite the other side's residues. Empty for some hits of one column, which the programs
    list but do not show."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One alignment of the query's HMM to a template's."""

    description: str
    """The template's header; its first word is its id."""
    probability: float
    """That the two are homologous, percent."""
    evalue: float
    """Expected number of false hits with this score."""
    pvalue: float
    """The same for one pair; NaN where the list does not hold it."""
    score: float
    """Raw score, without secondary structure."""
    num_aligned: int
    """Pairs of aligned columns."""
    identity: float
    """Percent of those pairs that are identical."""
    query: AlignedRow
    """The query's side."""
    template: AlignedRow
    """The template's side."""

    @property
    def id(self) -> str:
        """First word of the description."""
        return (self.description.split() or [""])[0]


@dataclass(frozen=True, slots=True)
class HitList:
    """What a `.hhr` file holds."""

    query: str
    """Name of the query as the program read it."""
    num_columns: int
    """Columns of the query's HMM."""
    neff: float
    """HH-suite's Neff of the query: an entropy over filtered rows, no sum of weights."""
    num_searched: int
    """HMMs that were searched."""
    hits: tuple[Hit, ...]
    """In the order of the file, best first."""


def read_hhr(path: str | Path) -> HitList:
    """Read a `.hhr` file; raises OutputInvalidError, with file and line, when it is cut or damaged."""
    data = read_bytes(path, limit=MAX_FILE_BYTES, unreadable=OutputInvalidError, damaged=OutputInvalidError)
    return parse_hhr(data.decode("utf-8", "backslashreplace"), str(path))


def parse_hhr(text: str, source: str) -> HitList:
    """Read the text of a `.hhr` file; see `read_hhr`."""
    lines = text.split("\n")
    head = dict(_key_and_value(line) for line in lines[: _first_empty(lines)])
    starts = [number for number, line in enumerate(lines) if re.fullmatch(r"No \d+\s*", line)]
    table = [line for line in lines[: starts[0] if starts else None] if _TABLE_ROW.match(line)]
    if len(table) != len(starts):
        raise OutputInvalidError(
            f"{source}: the list names {len(table)} hits, {len(starts)} alignments follow: is the file cut?"
        )
    hits = tuple(
        _read_hit(lines[start:end], table_row, head.get("Match_columns", ""), f"{source}:{start + 1}")
        for (start, end), table_row in zip(pairwise([*starts, len(lines)]), table, strict=True)
    )
    try:
        return HitList(
            query=head["Query"],
            num_columns=int(head["Match_columns"]),
            neff=float(head["Neff"]),
            num_searched=int(head["Searched_HMMs"]),
            hits=hits,
        )
    except (KeyError, ValueError) as error:
        raise OutputInvalidError(f"{source}:1: the head of a .hhr file is damaged: {error}") from error


def _read_hit(lines: Sequence[str], table_row: str, query_length: str, where: str) -> Hit:
    """Read the lines of one hit, from `No n` on."""
    if len(lines) < 4 or not lines[1].startswith(">"):
        raise OutputInvalidError(f"{where}: this hit is cut: no description follows")
    fields = dict(_FIELD.findall(lines[2]))
    sides = _sides(lines[3:])
    try:
        num_aligned = int(fields["Aligned_cols"])
        if num_aligned == 1 and not sides["Q"] and not sides["T"]:
            query, template = _not_shown(table_row, int(query_length))
        else:
            query, template = _joined(sides["Q"]), _joined(sides["T"])
        hit = Hit(
            description=lines[1][1:].strip(),
            probability=float(fields["Probab"]),
            evalue=float(fields["E-value"]),
            pvalue=_pvalue(table_row),
            score=float(fields["Score"]),
            num_aligned=num_aligned,
            identity=float(fields["Identities"].removesuffix("%")),
            query=query,
            template=template,
        )
    except (KeyError, ValueError) as error:
        raise OutputInvalidError(f"{where}: this hit is damaged or cut: {error}") from error
    _check_pairs(hit, where)
    return hit


def _sides(lines: Sequence[str]) -> dict[str, list[re.Match[str]]]:
    """The query's (`Q`) and the template's (`T`) row of each block."""
    sides: dict[str, list[re.Match[str]]] = {"Q": [], "T": []}
    for filled, block in groupby(lines, key=lambda line: bool(line.strip())):
        rows = [match for line in block if filled and (match := _ROW.match(line))]
        for side, choice in (("Q", 0), ("T", -1)):
            of_side = [match for match in rows if match[1] == side]
            if of_side:
                sides[side].append(of_side[choice])
    return sides


def _not_shown(table_row: str, query_length: int) -> tuple[AlignedRow, AlignedRow]:
    """Both sides of a hit that is in the table only."""
    ranges = _TABLE_RANGES.search(table_row)
    if ranges is None:
        raise ValueError("an alignment is missing")
    query_first, query_last, first, last, length = (int(number) for number in ranges.groups())
    return AlignedRow(query_first, query_last, query_length, ""), AlignedRow(first, last, length, "")


def _check_pairs(hit: Hit, where: str) -> None:
    query, template = hit.query.sequence, hit.template.sequence
    if not query and not template:
        return
    if len(query) != len(template):
        raise OutputInvalidError(
            f"{where}: {len(query)} columns of the query stand against {len(template)} of the template: "
            "is the file cut?"
        )
    pairs = sum(q not in "-." and t not in "-." for q, t in zip(query, template, strict=True))
    if pairs != hit.num_aligned:
        raise OutputInvalidError(
            f"{where}: {pairs} pairs are aligned, {hit.num_aligned} are said to be: is the file cut?"
        )


def _joined(blocks: Sequence[re.Match[str]]) -> AlignedRow:
    """One side of all blocks; raises ValueError when positions and letters disagree."""
    if not blocks:
        raise ValueError("an alignment is missing")
    if len({block[2] for block in blocks}) > 1:
        raise ValueError(f"rows of {blocks[0][2]!r} are missing")
    row = AlignedRow(
        first=int(blocks[0][3]),
        last=int(blocks[-1][5]),
        length=int(blocks[0][6]),
        sequence="".join(block[4] for block in blocks),
    )
    residues = sum(letter not in "-." for letter in row.sequence)
    if residues != row.last - row.first + 1 or row.last > row.length:
        raise ValueError(f"{residues} residues are said to be {row.first}-{row.last} of {row.length}")
    return row


def _key_and_value(line: str) -> tuple[str, str]:
    key, _, value = line.partition(" ")
    return key, value.strip()


def _first_empty(lines: Sequence[str]) -> int:
    return next((number for number, line in enumerate(lines) if not line.strip()), len(lines))


def _pvalue(table_row: str) -> float:
    numbers = table_row[_TABLE_NUMBERS:].split()
    return float(numbers[2]) if len(numbers) >= 8 else float("nan")
