"""Couplings in six columns, `i A_i j A_j x y`: plmc, and freecontact (as EVfold-mfDCA writes them).

plmc (`OutputCouplingScores`): the fifth column is always 0, the sixth the corrected norm. Without a focus sequence the
letters are `-` and i and j count the columns of the alignment; with one they count on from the start of its region
("DYR_ECOLI/5-165": from 5), columns without a residue of it counted but not listed, so numbers skip. Where the letters
of a file spell the whole query, its numbers are taken in their order, whatever they are.
freecontact (man page, "evfold"): the fifth column is the mutual information, the sixth the corrected norm; i and j
count from `querystart`, 1 unless the alignment says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msaformer.errors import ScoreFileError
from msaformer.report.score_formats.pair_rows import PairRows, read_number

SCORES: Final = {"cn": (6, "corrected norm"), "mi": (5, "mutual information")}
"""Name to column and meaning; the corrected norm is what both programs rank by."""
_ROW: Final = re.compile(r"(-?[0-9]{1,9})\s+([A-Za-z.?-])\s+(-?[0-9]{1,9})\s+([A-Za-z.?-])\s+(\S+)\s+(\S+)")


def is_coupling(text: str) -> bool:
    """Whether a line is such a row."""
    return _ROW.fullmatch(text) is not None


def read_couplings(path: Path, lines: Sequence[tuple[int, str]], column: str | None) -> PairRows:
    """Read the numbered lines that are not blank; `column` is `cn` or, of freecontact, `mi`.

    Raises ScoreFileError, with the line, for a row of another shape or a column that there is not.
    """
    rows = PairRows(path, "")
    found = [(line, text, _ROW.fullmatch(text)) for line, text in lines]
    has_information = any(row[5] != "0" for _, _, row in found if row)
    present = [name for name in SCORES if name == "cn" or has_information]
    chosen = "cn" if column is None else column
    if chosen not in present:
        raise ScoreFileError(f"{path}: there is no column {chosen!r}; the file has {', '.join(present)}")
    group, meaning = SCORES[chosen]
    rows.method = f"{'freecontact' if has_information else 'plmc'} ({meaning})"
    for line, text, row in found:
        where = f"{path}:{line}"
        if row is None:
            raise ScoreFileError(
                f"{where}: {text[:60]!r} is no row 'i A_i j A_j x score' of plmc or freecontact; is the line cut short?"
            )
        rows.letters.append((row[2].upper(), row[4].upper()))
        rows.add(line, (int(row[1]), int(row[3])), read_number(row[group], meaning, where))
    return rows
