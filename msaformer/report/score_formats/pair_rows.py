"""`PairRows`: pairs as a file lists them, and the one way in which they find their places in a query.

R rows of the file, L residues of the query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.sequence_match import is_mismatch
from msaformer.chains import chain_letter
from msaformer.errors import ScoreFileError
from msaformer.pair_scores import PairScores

MAX_LENGTH: Final = 20_000  # residues: a table of scores and one of what is listed then take 2 GB
_MAX_SCORE: Final = float(np.finfo(np.float32).max)
_RESIDUE_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
_NO_RESIDUE: Final = "X-.?"  # letters that say nothing of the residue: unknown, plmc without a focus sequence


@dataclass(frozen=True, slots=True)
class Query:
    """What the pairs of a file are residues of; `sequence` None where only the file can say it."""

    sequence: str | None = None
    chain_lengths: tuple[int, ...] = ()
    """Residues of each chain of a complex, in the order of the sequence; empty for one chain."""
    numbers: tuple[int, ...] = ()
    """`[L]`, increasing, what the file calls each residue; empty: 1 to L (in each chain, where the file names
    chains)."""

    def __post_init__(self) -> None:
        if self.numbers and (
            self.sequence is None
            or len(self.numbers) != len(self.sequence)
            or (np.diff(np.array(self.numbers, dtype=np.int64)) <= 0).any()
        ):
            raise ScoreFileError(
                f"{len(self.numbers)} residue numbers: one a residue of the query, increasing"
            )


@dataclass(slots=True, eq=False)
class PairRows:
    """The rows of one file, in its own numbering; filled by a reader, then placed."""

    path: Path
    method: str
    """What made the scores, in words to show."""
    name: str = ""
    sequence: str | None = None
    """As the file states it."""
    chain_lengths: tuple[int, ...] = ()
    """As the file states them."""
    are_probabilities: bool = False
    lines: list[int] = field(default_factory=list)
    residues: list[tuple[int, int]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    letters: list[tuple[str, str]] = field(default_factory=list)
    """Empty where the format has none."""
    chains: list[tuple[str, str]] = field(default_factory=list)
    """Empty where the file names none."""

    def add(self, line: int, pair: tuple[int, int], score: float) -> None:
        """Take one row; raises ScoreFileError for a score that is not finite, as float32."""
        if not abs(score) <= _MAX_SCORE:
            raise ScoreFileError(
                f"{self.path}:{line}: the score is {score}, a finite number is expected; remove the pair "
                "if it was not predicted"
            )
        self.lines.append(line)
        self.residues.append(pair)
        self.scores.append(score)

    def scores_are_probabilities(self) -> bool:
        """Whether all scores lie in [0, 1]."""
        return all(0 <= score <= 1 for score in self.scores)


def read_number(text: str, what: str, where: str) -> float:
    """A number of a file; ScoreFileError says what was seen and expected."""
    try:
        return float(text)
    except ValueError:
        raise ScoreFileError(f"{where}: {what} is {text[:40]!r}, a number is expected") from None


def read_residue(text: str, where: str) -> int:
    """A residue number of a file; ScoreFileError says what was seen."""
    if not _RESIDUE_NUMBER.fullmatch(text):
        raise ScoreFileError(
            f"{where}: a residue is {text[:40]!r}, its number is expected; is the line cut short?"
        )
    return int(text)


def place(rows: PairRows, query: Query) -> PairScores:
    """Put the pairs of a file into the numbering of the query, every one checked.

    Raises ScoreFileError, with the line, when the length is not known, the file's sequence or letters are not the
    query's, a residue lies outside the query, is paired with itself, or a pair has two different scores.
    """
    sequence = known_sequence(rows.path, rows.sequence, query)
    length = len(sequence)
    index = _places(rows, sequence, query)
    first, second = index[:, 0], index[:, 1]
    _check_pairs(rows, first, second)
    scores = np.zeros((length, length), dtype=np.float32)
    is_listed = np.zeros((length, length), dtype=bool)
    values = np.array(rows.scores, dtype=np.float32)
    scores[first, second] = scores[second, first] = values
    is_listed[first, second] = is_listed[second, first] = True
    differs = np.flatnonzero(scores[first, second] != values)
    if differs.size:
        _raise_twice(rows, first, second, int(differs[0]))
    return PairScores(
        name=rows.name or rows.path.stem,
        method=rows.method,
        scores=scores,
        is_listed=is_listed,
        are_probabilities=rows.are_probabilities,
        sequence=sequence,
        chain_lengths=_chains(rows, length, query),
    )


def _chains(rows: PairRows, length: int, query: Query) -> tuple[int, ...]:
    """Residues of each chain, empty for one; ScoreFileError when they do not make the query."""
    lengths = query.chain_lengths or rows.chain_lengths
    if lengths and sum(lengths) != length:
        raise ScoreFileError(
            f"{rows.path}: the chains have {' + '.join(map(str, lengths))} residues, the query {length}; give the "
            "query that the scores were made for"
        )
    return lengths if len(lengths) > 1 else ()


def known_sequence(path: Path, stated: str | None, query: Query) -> str:
    """The sequence that file and query agree on; ScoreFileError when they do not, or neither states one."""
    sequence = query.sequence if query.sequence is not None else stated
    if sequence is None:
        raise ScoreFileError(
            f"{path}: the file does not state the sequence, so its length is unknown; give the query "
            "(--sequence or --alignment)"
        )
    if not 1 <= len(sequence) <= MAX_LENGTH:
        raise ScoreFileError(
            f"{path}: the sequence has {len(sequence):,} residues, 1 to {MAX_LENGTH:,} can be read"
        )
    if stated is not None:
        _check_sequence(path, stated, sequence)
    return sequence


def _check_sequence(path: Path, stated: str, sequence: str) -> None:
    if len(stated) != len(sequence):
        raise ScoreFileError(
            f"{path}: the file's sequence has {len(stated)} residues, the query {len(sequence)}; "
            "give the sequence that the scores were made for"
        )
    for place_, (one, other) in enumerate(zip(stated.upper(), sequence.upper(), strict=True), start=1):
        if is_mismatch(one, other):
            raise ScoreFileError(
                f"{path}: residue {place_} is {one} in the file's sequence, {other} in the query; "
                "give the sequence that the scores were made for"
            )


def _places(rows: PairRows, sequence: str, query: Query) -> npt.NDArray[np.intp]:
    """`[R, 2]`, the 0-based place of both residues of each row."""
    numbers = np.array(rows.residues, dtype=np.int64).reshape(-1, 2)
    if rows.chains:
        index = numbers - 1 + _chain_offsets(rows, len(sequence), query)
    elif calls := query.numbers or _spelled_numbers(rows, sequence):
        called = np.array(calls, dtype=np.int64)
        found = np.searchsorted(called, numbers).clip(max=len(called) - 1)
        index = np.where(called[found] == numbers, found, -1)
    else:
        index = numbers - 1
    outside = np.argwhere((index < 0) | (index >= len(sequence)))
    if outside.size:
        row, end = (int(one) for one in outside[0])
        called_first, called_last = _ends(query, len(sequence))
        raise ScoreFileError(
            f"{rows.path}:{rows.lines[row]}: residue {rows.residues[row][end]} is not in the query, whose residues "
            f"are {called_first} to {called_last}; {_remedy(rows, sequence)}"
        )
    _check_letters(rows, sequence, index)
    return index.astype(np.intp)


def _spelled_numbers(rows: PairRows, sequence: str) -> tuple[int, ...]:
    """The numbers of the file, when their letters in order spell the whole query, else none.

    So plmc's need no first residue: it counts columns of the alignment, and skips those without a residue of its focus.
    """
    letter_of: dict[int, str] = {}
    for pair, letters in zip(rows.residues, rows.letters, strict=False):
        for number, letter in zip(pair, letters, strict=True):
            if letter in _NO_RESIDUE or letter_of.setdefault(number, letter) != letter:
                return ()
    numbers = tuple(sorted(letter_of))
    is_whole = len(numbers) == len(sequence) and not any(
        is_mismatch(letter_of[number], letter)
        for number, letter in zip(numbers, sequence.upper(), strict=True)
    )
    return numbers if is_whole else ()


def _ends(query: Query, length: int) -> tuple[int, int]:
    return (query.numbers[0], query.numbers[-1]) if query.numbers else (1, length)


def _chain_offsets(rows: PairRows, length: int, query: Query) -> npt.NDArray[np.int64]:
    """`[R, 2]`, what precedes the chain of each residue; residues are counted within their chain."""
    names = sorted({name for pair in rows.chains for name in pair})
    lengths = query.chain_lengths or rows.chain_lengths or ((length,) if len(names) == 1 else ())
    if sum(lengths) != length:
        raise ScoreFileError(
            f"{rows.path}: the file names the chains {', '.join(names)}, but their lengths are not known or do not "
            f"make the query's {length} residues; give them with the query (a prediction of the complex)"
        )
    letters = names if len(lengths) == 1 else [chain_letter(number) for number in range(len(lengths))]
    starts = dict(zip(letters, np.cumsum([0, *lengths[:-1]]).tolist(), strict=False))
    ends = dict(zip(letters, lengths, strict=False))
    offsets = np.zeros((len(rows.chains), 2), dtype=np.int64)
    for row, pair in enumerate(rows.chains):
        for end, name in enumerate(pair):
            if not 1 <= rows.residues[row][end] <= ends.get(name, 0):
                raise ScoreFileError(
                    f"{rows.path}:{rows.lines[row]}: there is no residue {name}{rows.residues[row][end]}; the chains "
                    f"are {', '.join(f'{letter} of {count}' for letter, count in ends.items())} residues"
                )
            offsets[row, end] = starts[name]
    return offsets


def _check_letters(rows: PairRows, sequence: str, index: npt.NDArray[np.int64]) -> None:
    """Every letter of the file is the query's at its place; the message names a shift that would make it so."""
    for row, letters in enumerate(rows.letters):
        for end, letter in enumerate(letters):
            expected = sequence[index[row, end]].upper()
            if letter not in _NO_RESIDUE and is_mismatch(letter, expected):
                raise ScoreFileError(
                    f"{rows.path}:{rows.lines[row]}: residue {rows.residues[row][end]} is {letter} in the file, "
                    f"{expected} in the query; {_remedy(rows, sequence)}"
                )


def _remedy(rows: PairRows, sequence: str) -> str:
    """The number of the first residue under which all letters fit, if there are letters and such a number."""
    if not rows.letters:
        return "give the sequence that the scores were made for, or the number of its first residue (--first-residue)"
    seen = {
        (number, letter)
        for pair, letters in zip(rows.residues, rows.letters, strict=True)
        for number, letter in zip(pair, letters, strict=True)
        if letter not in _NO_RESIDUE
    }
    lowest, highest = min(number for number, _ in seen), max(number for number, _ in seen)
    for start in range(highest - len(sequence) + 1, lowest + 1):
        if not any(is_mismatch(letter, sequence[number - start].upper()) for number, letter in seen):
            return (
                f"all letters fit if the first residue is number {start}: say so with --first-residue {start}"
            )
    return "give the sequence that the scores were made for"


def _check_pairs(rows: PairRows, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> None:
    same = np.flatnonzero(first == second)
    if same.size:
        row = int(same[0])
        raise ScoreFileError(
            f"{rows.path}:{rows.lines[row]}: residue {rows.residues[row][0]} is paired with itself; a pair has two "
            "residues; remove the line"
        )


def _raise_twice(rows: PairRows, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp], row: int) -> None:
    ends = {int(first[row]), int(second[row])}
    pairs: Sequence[tuple[int, int]] = list(zip(first.tolist(), second.tolist(), strict=True))
    other = next(
        one for one in range(len(pairs)) if set(pairs[one]) == ends and rows.scores[one] != rows.scores[row]
    )
    before, after = sorted((row, other))
    i, j = rows.residues[after]
    raise ScoreFileError(
        f"{rows.path}:{rows.lines[after]}: the pair {i} {j} has the score {rows.scores[after]:g} here and "
        f"{rows.scores[before]:g} in line {rows.lines[before]}; keep one of them"
    )
