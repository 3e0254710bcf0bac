"""Couplings in six columns, `i A_i j A_j x y`: plmc, and freecontact (as EVfold-mfDCA writes them).

plmc (`OutputCouplingScores`): the fifth column is always 0, the sixth the corrected norm. Without a focus sequence the
letters are `-` and i and j count the columns of the alignment; with one they count on from the start of its region
("DYR_ECOLI/5-165": from 5), columns without a residue of it left out.
freecontact (man page, "evfold"): the fifth column is the mutual information, the sixth the corrected norm; i and j
count from `querystart`, 1 unless the alignment says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msaformer.errors import ScoreFileError
from msaformer.report.score_formats.pair_rows import PairRows, read_number, read_residue

SCORES: Final = {"cn": (5, "corrected norm"), "mi": (4, "mutual information")}
"""Name to column and meaning; the corrected norm is what both programs rank by."""
_RESIDUE_NUMBER: Final = re.compile(r"-?[0-9]+")
_LETTER: Final = re.compile(r"[A-Za-z.?-]")


def is_coupling(words: Sequence[str]) -> bool:
    """Whether the words of a line are such a row."""
    return len(words) == 6 and all(
        _RESIDUE_NUMBER.fullmatch(words[at]) and _LETTER.fullmatch(words[at + 1]) for at in (0, 2)
    )


def read_couplings(path: Path, lines: Sequence[tuple[int, str]], column: str | None) -> PairRows:
    """Read the numbered lines that are not blank; `column` is `cn` or, of freecontact, `mi`.

    Raises ScoreFileError, with the line, for a row of another shape or a column that there is not.
    """
    rows = PairRows(path, "")
    split = [(line, text.split()) for line, text in lines]
    has_information = any(len(words) == 6 and words[4] != "0" for _, words in split)
    present = [name for name in SCORES if name == "cn" or has_information]
    chosen = "cn" if column is None else column
    if chosen not in present:
        raise ScoreFileError(f"{path}: there is no column {chosen!r}; the file has {', '.join(present)}")
    place, meaning = SCORES[chosen]
    rows.method = f"{'freecontact' if has_information else 'plmc'} ({meaning})"
    for line, words in split:
        where = f"{path}:{line}"
        if not is_coupling(words):
            raise ScoreFileError(
                f"{where}: {' '.join(words)[:60]!r} is no row 'i A_i j A_j x score' of plmc or freecontact; is the "
                "line cut short?"
            )
        rows.letters.append((words[1].upper(), words[3].upper()))
        pair = read_residue(words[0], where), read_residue(words[2], where)
        rows.add(line, pair, read_number(words[place], meaning, where))
    return rows
