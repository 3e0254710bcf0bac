"""CASP RR and the plain lists that look like its rows: `i j d1 d2 p`, `i j p` (mode 1), `i j p p1 … p10` (mode 2).

CASP's format pages: `i j d1 d2 p` to CASP13; from CASP14 on `RMODE 1` is `i j p` and `RMODE 2` adds the probabilities
of ten distance bins, of which the first three (below 4, 4–6, 6–8 Å) make p. PSICOV, DeepMetaPSICOV, DeepCov and
freecontact's `pfrmat_rr` write the five columns without a header. Residues are counted from 1, in a complex within
their chain, whose letter precedes them ("A15").

The lists without a header claim nothing of their scores: they count as probabilities of a contact when they have the
columns `0 8` and all lie in [0, 1]. With a header they must lie there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msaformer.errors import ScoreFileError
from msaformer.report.score_formats.pair_rows import PairRows, read_number

KEYWORDS: Final = ("PFRMAT", "TARGET", "AUTHOR", "REMARK", "METHOD", "RMODE", "MODEL", "END", "ENDMDL")
CHAINS_REMARK: Final = "chains"
"""`REMARK chains A:120 B:80`, as this package writes the lengths of the chains of a complex."""
CONTACT_BOUNDS: Final = ("0", "8")  # Å, d1 and d2 of a contact
_COLUMNS: Final = {3: 2, 1: 0, 11: 0}
"""Number of columns behind the two residues to the place of the score among them."""
_MODES: Final = {"1": 1, "2": 11}
_PAIR: Final = re.compile(r"([A-Za-z]{0,3})([0-9]{1,9})\s+([A-Za-z]{0,3})([0-9]{1,9})\s+(.+)")
_SEQUENCE: Final = re.compile(r"[A-Za-z-]+")
_CHAIN_LENGTH: Final = re.compile(r"([A-Za-z]{1,3}):([0-9]{1,6})")
_MAX_NAME: Final = 200


@dataclass(slots=True)
class _Model:
    """One model: its sequence and pairs; of a model that was not asked for only that there is one."""

    name: str
    is_wanted: bool
    rows: PairRows
    bounds: tuple[str, ...] = ()
    """d1 and d2 of the rows, as written; empty where they have none."""
    num_columns: int = 0
    """Behind the residues of each row; 0 before the first."""


@dataclass(slots=True)
class _Header:
    target: str = ""
    mode: str = ""
    is_stated: bool = False
    """There is a line PFRMAT or RMODE, so what follows are probabilities."""
    chain_lengths: tuple[int, ...] = ()


def is_pair(text: str) -> bool:
    """Whether a line is a row of pairs: two residues, and as many columns as some form has."""
    found = _PAIR.fullmatch(text)
    return found is not None and len(found[5].split()) in _COLUMNS


def read_casp_rr(path: Path, lines: Sequence[tuple[int, str]], model: str | None) -> PairRows:
    """Read the first model, or the one called `model`, of the numbered lines that are not blank.

    Raises ScoreFileError, with the line, for what is no row, sequence or header, for probabilities outside [0, 1], and
    when there is no such model (those present are listed).
    """
    header = _Header()
    chosen = _choose(path, _models(path, lines, header, model), model)
    rows = chosen.rows
    rows.method = "CASP RR" if header.is_stated else "list of pairs"
    rows.name, rows.chain_lengths = header.target, header.chain_lengths
    if chosen.bounds and _numbers(chosen.bounds) != _numbers(CONTACT_BOUNDS):
        rows.method += f", of distances {chosen.bounds[0]} to {chosen.bounds[1]} Å"
    else:
        rows.are_probabilities = header.is_stated or (bool(chosen.bounds) and rows.scores_are_probabilities())
    return rows


def _models(
    path: Path, lines: Sequence[tuple[int, str]], header: _Header, wanted: str | None
) -> list[_Model]:
    models: list[_Model] = []
    is_open = False
    for at, (line, text) in enumerate(lines):
        words = text.split(maxsplit=1)
        keyword = words[0] if words[0] in KEYWORDS else ""
        if keyword == "MODEL":
            name = "".join(words[1:])
            is_wanted = not models if wanted is None else name == wanted
            models.append(_Model(name, is_wanted, PairRows(path, "")))
            is_open = True
        elif keyword in ("END", "ENDMDL") and len(words) == 1 and not _is_sequence(models, lines, at):
            is_open = False
        elif keyword and (len(words) > 1 or keyword not in ("END", "ENDMDL")):
            _read_header(path, line, text.split(), header)
        else:
            if not is_open:
                models.append(_Model("", wanted is None and not models, PairRows(path, "")))
                is_open = True
            if models[-1].is_wanted:
                _read_body(models[-1], line, text, header)
    return models


def _is_sequence(models: list[_Model], lines: Sequence[tuple[int, str]], at: int) -> bool:
    """Whether the word END is the last line of a sequence: no pair came yet, and pairs or the real END follow."""
    if not models or models[-1].num_columns or not models[-1].is_wanted or at + 1 == len(lines):
        return False
    following = lines[at + 1][1]
    return is_pair(following) or (lines[at][1] == "END" == following)


def _read_header(path: Path, line: int, words: list[str], header: _Header) -> None:
    keyword, rest = words[0], words[1:]
    if keyword == "PFRMAT":
        if rest and rest != ["RR"]:
            raise ScoreFileError(f"{path}:{line}: the format is {' '.join(rest)[:40]!r}, RR is expected")
        header.is_stated = True
    elif keyword == "RMODE":
        header.mode, header.is_stated = "".join(rest), True
        if header.mode not in _MODES:
            raise ScoreFileError(f"{path}:{line}: RMODE is {header.mode[:40]!r}, 1 or 2 is expected")
    elif keyword == "TARGET":
        header.target = " ".join(rest)[:_MAX_NAME]
    elif keyword == "REMARK" and rest[:1] == [CHAINS_REMARK]:
        found = [_CHAIN_LENGTH.fullmatch(word) for word in rest[1:]]
        header.chain_lengths = tuple(int(match[2]) for match in found if match)


def _read_body(model: _Model, line: int, text: str, header: _Header) -> None:
    found = _PAIR.fullmatch(text)
    columns = found[5].split() if found else []
    if found is None and not model.num_columns and _SEQUENCE.fullmatch(text):
        model.rows.sequence = (model.rows.sequence or "") + text
    elif found is not None and len(columns) in _COLUMNS:
        _add(model, line, found, columns, header)
    else:
        raise ScoreFileError(
            f"{model.rows.path}:{line}: {text[:60]!r} is no row of pairs: two residues, then 'd1 d2 p', 'p', or p and "
            "ten bins are expected; is the line cut short?"
        )


def _add(model: _Model, line: int, pair: re.Match[str], columns: list[str], header: _Header) -> None:
    rows, where = model.rows, f"{model.rows.path}:{line}"
    count, bounds = len(columns), tuple(columns[:2]) if len(columns) == 3 else ()
    if header.mode and count != _MODES[header.mode]:
        raise ScoreFileError(
            f"{where}: {count + 2} columns, RMODE {header.mode} has {_MODES[header.mode] + 2}; is the line cut short?"
        )
    if not model.num_columns:
        model.num_columns, model.bounds = count, bounds
        _numbers(bounds, where)
    if count != model.num_columns:
        raise ScoreFileError(f"{where}: {count + 2} columns, unlike the rows before; is the line cut short?")
    if bounds != model.bounds and _numbers(bounds, where) != _numbers(model.bounds):
        raise ScoreFileError(
            f"{where}: the distances d1 d2 are {' '.join(bounds)}, before they were {' '.join(model.bounds)}; split "
            "the file"
        )
    score = read_number(columns[_COLUMNS[count]], "the probability", where)
    if header.is_stated and not 0 <= score <= 1:
        raise ScoreFileError(
            f"{where}: the probability is {score:g}, 0 to 1 is expected of CASP RR; a list of other scores has no "
            "line PFRMAT or RMODE"
        )
    first_chain, first, second_chain, second, _ = pair.groups()
    if bool(first_chain) != bool(second_chain) or (rows.scores and bool(rows.chains) != bool(first_chain)):
        raise ScoreFileError(f"{where}: some residues name their chain and others do not; name all or none")
    if first_chain:
        rows.chains.append((first_chain, second_chain))
    rows.add(line, (int(first), int(second)), score)


def _numbers(bounds: Sequence[str], where: str = "") -> list[float]:
    """d1 and d2 as numbers."""
    return [read_number(bound, "a distance", where) for bound in bounds]


def _choose(path: Path, models: list[_Model], name: str | None) -> _Model:
    if not models and name is None:
        return _Model("", True, PairRows(path, ""))
    for model in models:
        if model.is_wanted:
            return model
    present = ", ".join(model.name or "one without a name" for model in models[:20]) or "none"
    raise ScoreFileError(f"{path}: there is no model {name!r}; the file has {present}")
