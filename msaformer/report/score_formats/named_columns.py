"""Tables whose first line names the columns: EVcouplings (CSV), GREMLIN (tabs), this package's own CSV.

EVcouplings (`evcouplings/couplings/pairs.py`): `i, A_i, j, A_j, fn, cn, …, probability`; ranked by `cn` unless
`probability` is asked for, which is 1 for many pairs at once. GREMLIN: `i j i_id j_id r_sco s_sco prob`, ranked by
`s_sco`. Ours (`msaformer.report.exports`): `i, j, aa_i, aa_j, prob` or `score`, …. All count from 1, EVcouplings from
the start of its query's region.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msaformer.errors import ScoreFileError
from msaformer.report.score_formats.pair_rows import PairRows, read_number, read_residue


@dataclass(frozen=True, slots=True)
class _Table:
    """How one program calls its columns."""

    program: str
    letters: tuple[str, str]
    """Columns that hold the residues' letters, alone or behind a number and `_`."""
    scores: tuple[str, ...]
    """Columns to rank by, the default first."""
    own_scores: tuple[str, ...]
    """Those of them that tell the program, where there are no letters."""


_TABLES: Final = (
    _Table("EVcouplings", ("A_i", "A_j"), ("cn", "probability", "fn"), ("cn",)),
    _Table("GREMLIN", ("i_id", "j_id"), ("s_sco", "prob", "r_sco"), ("s_sco",)),
    _Table("msaformer", ("aa_i", "aa_j"), ("prob", "score"), ("prob", "score")),
)
_PROBABILITIES: Final = ("prob", "probability")
_MAX_FIELD: Final = 1000  # letters; a longer one is no number


def is_header(text: str) -> bool:
    """Whether a line names the columns of such a table."""
    return _table_of(_fields(text, _delimiter(text))) is not None


def read_table(path: Path, lines: Sequence[tuple[int, str]], column: str | None) -> PairRows:
    """Read the numbered lines that are not blank, the first of which names the columns; `column` is one of them.

    Raises ScoreFileError, with the line, for a row of another length, what is no number, or a column that is absent.
    """
    delimiter = _delimiter(lines[0][1])
    names = _fields(lines[0][1], delimiter)
    table = _table_of(names)
    assert table is not None
    present = [name for name in table.scores if name in names]
    chosen = column if column is not None else next(iter(present), None)
    if chosen not in present:
        raise ScoreFileError(
            f"{path}:{lines[0][0]}: there is no column of scores {chosen or table.scores[0]!r}; the file has "
            f"{', '.join(present) or 'none that is known'}"
        )
    rows = PairRows(path, f"{table.program} ({chosen})", are_probabilities=chosen in _PROBABILITIES)
    at_score, at_i, at_j = names.index(chosen), names.index("i"), names.index("j")
    at_letters = [names.index(name) for name in table.letters if name in names]
    for line, values in _values(path, lines[1:], delimiter, len(names)):
        where = f"{path}:{line}"
        score = read_number(values[at_score], chosen, where)
        if rows.are_probabilities and not 0 <= score <= 1:
            raise ScoreFileError(f"{where}: {chosen} is {score:g}, a probability from 0 to 1 is expected")
        pair = read_residue(values[at_i], where), read_residue(values[at_j], where)
        if len(at_letters) == 2:
            first, second = (values[at].rpartition("_")[2].upper() for at in at_letters)
            if len(first) != 1 or len(second) != 1:
                raise ScoreFileError(
                    f"{where}: the residues are {first!r} and {second!r}, letters are expected"
                )
            rows.letters.append((first, second))
        rows.add(line, pair, score)
    return rows


def _table_of(names: Sequence[str]) -> _Table | None:
    if "i" not in names or "j" not in names:
        return None
    by_letters = [table for table in _TABLES if table.letters[0] in names]
    by_score = [table for table in _TABLES if any(name in names for name in table.own_scores)]
    return next(iter(by_letters + by_score), None)


def _delimiter(text: str) -> str:
    return next((mark for mark in (",", "\t", ";") if mark in text), " ")


def _fields(text: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return text.split()
    if '"' not in text:
        return [value.strip() for value in text.split(delimiter)]
    return [value.strip() for value in next(csv.reader([text], delimiter=delimiter), [])]


def _values(
    path: Path, lines: Sequence[tuple[int, str]], delimiter: str, width: int
) -> Iterator[tuple[int, list[str]]]:
    for line, text in lines:
        values = _fields(text[: _MAX_FIELD * width], delimiter)
        if len(values) != width:
            raise ScoreFileError(
                f"{path}:{line}: {len(values)} columns, the first line names {width}; is the line cut short?"
            )
        yield line, values
