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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msaformer.errors import ScoreFileError
from msaformer.report.score_formats.pair_rows import PairRows, read_number, read_residue

KEYWORDS: Final = ("PFRMAT", "TARGET", "AUTHOR", "REMARK", "METHOD", "RMODE", "MODEL", "END", "ENDMDL")
CHAINS_REMARK: Final = "chains"
"""`REMARK chains A:120 B:80`, as this package writes the lengths of the chains of a complex."""
COLUMNS: Final = {5: 4, 3: 2, 13: 2}
"""Number of columns of a row to the place of its score."""
CONTACT_BOUNDS: Final = (0.0, 8.0)  # Å, d1 and d2 of a contact
_RESIDUE: Final = re.compile(r"([A-Za-z]?)([0-9]+)")
_SEQUENCE: Final = re.compile(r"[A-Za-z-]+")
_CHAIN_LENGTH: Final = re.compile(r"([A-Za-z]):([0-9]{1,6})")
_MAX_NAME: Final = 200
_MODES: Final = {"1": (3,), "2": (13,)}


@dataclass(slots=True)
class _Model:
    """The lines of one model: its pairs, and its sequence."""

    name: str
    line: int
    sequence: str = ""
    rows: list[tuple[int, list[str]]] = field(default_factory=list)


@dataclass(slots=True)
class _Header:
    target: str = ""
    mode: str = ""
    is_stated: bool = False
    """There is a line PFRMAT or RMODE, so what follows are probabilities."""
    chain_lengths: tuple[int, ...] = ()


def is_pair(words: Sequence[str]) -> bool:
    """Whether the words of a line are a row of pairs: two residues, and as many columns as some form has."""
    return len(words) in COLUMNS and all(_RESIDUE.fullmatch(word) for word in words[:2])


def read_casp_rr(path: Path, lines: Sequence[tuple[int, str]], model: str | None) -> PairRows:
    """Read the first model, or the one called `model`, of the numbered lines that are not blank.

    Raises ScoreFileError, with the line, for what is no row, sequence or header, for probabilities outside [0, 1], and
    when there is no such model (those present are listed).
    """
    header = _Header()
    chosen = _choose(path, _models(path, lines, header), model)
    rows = PairRows(
        path,
        "CASP RR" if header.is_stated else "list of pairs",
        name=header.target,
        sequence=chosen.sequence or None,
        chain_lengths=header.chain_lengths,
    )
    bounds: set[tuple[float, float]] = set()
    for line, words in chosen.rows:
        _add(rows, line, words, header, bounds)
    if len(bounds) > 1:
        raise ScoreFileError(
            f"{path}: the distances d1 d2 differ from row to row ({len(bounds)} kinds); split the file"
        )
    if bounds and bounds != {CONTACT_BOUNDS}:
        low, high = bounds.pop()
        rows.method += f", of distances {low:g} to {high:g} Å"
    else:
        rows.are_probabilities = header.is_stated or (bool(bounds) and rows.scores_are_probabilities())
    return rows


def _models(path: Path, lines: Sequence[tuple[int, str]], header: _Header) -> list[_Model]:
    models: list[_Model] = []
    is_open = False
    for at, (line, text) in enumerate(lines):
        words = text.split()
        keyword = words[0] if words[0] in KEYWORDS else ""
        if keyword == "MODEL" and len(words) <= 2:
            models.append(_Model("".join(words[1:]), line))
            is_open = True
        elif keyword in ("END", "ENDMDL") and len(words) == 1 and not _is_sequence(models, lines, at):
            is_open = False
        elif keyword and len(words) != 1:
            _read_header(path, line, words, header)
        elif keyword in KEYWORDS[:6]:  # a header that says nothing
            header.is_stated |= keyword in ("PFRMAT", "RMODE")
        else:
            if not is_open:
                models.append(_Model("", line))
                is_open = True
            _read_body(path, line, words, models[-1])
    return models


def _is_sequence(models: list[_Model], lines: Sequence[tuple[int, str]], at: int) -> bool:
    """Whether the word END is the last line of a sequence: no pair came yet, and pairs or the real END follow."""
    if not models or models[-1].rows or at + 1 == len(lines):
        return False
    following = lines[at + 1][1].split()
    return is_pair(following) or (lines[at][1].strip() == "END" == following[0])


def _read_header(path: Path, line: int, words: list[str], header: _Header) -> None:
    keyword, rest = words[0], words[1:]
    if keyword == "PFRMAT":
        if rest != ["RR"]:
            raise ScoreFileError(f"{path}:{line}: the format is {' '.join(rest)[:40]!r}, RR is expected")
        header.is_stated = True
    elif keyword == "RMODE":
        if rest[0] not in _MODES:
            raise ScoreFileError(f"{path}:{line}: RMODE is {rest[0][:40]!r}, 1 or 2 is expected")
        header.mode, header.is_stated = rest[0], True
    elif keyword == "TARGET":
        header.target = " ".join(rest)[:_MAX_NAME]
    elif keyword == "REMARK" and rest[0] == CHAINS_REMARK:
        found = [_CHAIN_LENGTH.fullmatch(word) for word in rest[1:]]
        header.chain_lengths = tuple(int(match[2]) for match in found if match)


def _read_body(path: Path, line: int, words: list[str], model: _Model) -> None:
    if len(words) == 1 and _SEQUENCE.fullmatch(words[0]) and not model.rows:
        model.sequence += words[0]
    elif is_pair(words):
        model.rows.append((line, words))
    else:
        raise ScoreFileError(
            f"{path}:{line}: {' '.join(words)[:60]!r} is no row of pairs: two residues, then 'd1 d2 p', 'p', or p and "
            "ten bins are expected; is the line cut short?"
        )


def _choose(path: Path, models: list[_Model], name: str | None) -> _Model:
    if name is None:
        return models[0] if models else _Model("", 0)
    for model in models:
        if model.name == name:
            return model
    present = ", ".join(model.name or "one without a name" for model in models[:20]) or "none"
    raise ScoreFileError(f"{path}: there is no model {name!r}; the file has {present}")


def _add(
    rows: PairRows, line: int, words: list[str], header: _Header, bounds: set[tuple[float, float]]
) -> None:
    where = f"{rows.path}:{line}"
    if header.mode and len(words) not in _MODES[header.mode]:
        raise ScoreFileError(
            f"{where}: {len(words)} columns, RMODE {header.mode} has {_MODES[header.mode][0]}; is the line cut short?"
        )
    if rows.scores and (bool(bounds) != (len(words) == 5)):
        raise ScoreFileError(f"{where}: {len(words)} columns, unlike the rows before; is the line cut short?")
    if len(words) == 5:
        bounds.add((read_number(words[2], "d1", where), read_number(words[3], "d2", where)))
    score = read_number(words[COLUMNS[len(words)]], "the probability", where)
    if header.is_stated and not 0 <= score <= 1:
        raise ScoreFileError(
            f"{where}: the probability is {score:g}, 0 to 1 is expected of CASP RR; a list of other scores has no "
            "line PFRMAT or RMODE"
        )
    ends = [_RESIDUE.fullmatch(word) for word in words[:2]]
    (first_chain, first), (second_chain, second) = ((end[1], end[2]) for end in ends if end)
    if bool(first_chain) != bool(second_chain) or (rows.scores and bool(rows.chains) != bool(first_chain)):
        raise ScoreFileError(f"{where}: some residues name their chain and others do not; name all or none")
    if first_chain:
        rows.chains.append((first_chain, second_chain))
    rows.add(line, (read_residue(first, where), read_residue(second, where)), score)
