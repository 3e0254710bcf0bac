"""A square table of numbers, one row a line: CCMpred's matrix (`write_matrix`), CCMpredPy's, or any other's.

Row and column k are residue k. The diagonal means nothing. CCMpred's scores are corrected norms, no probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from msaformer.errors import ScoreFileError
from msaformer.pair_scores import PairScores
from msaformer.report.score_formats.pair_rows import MAX_LENGTH, Query, known_sequence

SYMMETRY_TOLERANCE: Final = 1e-4  # of the largest score; single precision is good to 1e-6 of it


def is_row_of_numbers(words: Sequence[str]) -> bool:
    """Whether all words are numbers."""
    try:
        [float(word) for word in words]
    except ValueError:
        return False
    return bool(words)


def read_matrix(path: Path, lines: Sequence[tuple[int, str]], query: Query) -> PairScores:
    """Read the numbered lines that are not blank.

    Raises ScoreFileError, with the line, for a row of another length than there are rows, what is no finite number, a
    table that is not symmetric, and a query of another length.
    """
    width = len(lines[0][1].split())
    if width > MAX_LENGTH:
        raise ScoreFileError(
            f"{path}: a row of {width:,} numbers, at most {MAX_LENGTH:,} residues can be read"
        )
    if len(lines) != width:
        raise ScoreFileError(
            f"{path}: {len(lines)} rows of {width} numbers, a matrix has as many rows as columns; is the file cut "
            "short, or is it CCMpred's raw model (-r) rather than its matrix?"
        )
    scores = np.empty((width, width), dtype=np.float64)
    for row, (line, text) in enumerate(lines):
        scores[row] = _numbers(f"{path}:{line}", text, width)
    np.fill_diagonal(scores, 0)
    return scores_of_matrix(path, scores, "score matrix (as CCMpred)", query)


def scores_of_matrix(
    path: Path, scores: npt.NDArray[np.float64], method: str, query: Query, *, are_probabilities: bool = False
) -> PairScores:
    """The record of a full table `[L, L]`; its two triangles are averaged when they agree but for rounding.

    Raises ScoreFileError when they do not, a cell off the diagonal is not finite, or the query has another length.
    """
    length = len(scores)
    bad = np.argwhere(~(np.abs(scores) <= np.finfo(np.float32).max))
    if bad.size:
        i, j = bad[0]
        raise ScoreFileError(
            f"{path}: the score of the pair {i + 1} {j + 1} is {scores[i, j]}, a finite number is expected"
        )
    gap = np.abs(scores - scores.T)
    if gap.max() > SYMMETRY_TOLERANCE * np.abs(scores).max():
        i, j = np.unravel_index(int(gap.argmax()), gap.shape)
        raise ScoreFileError(
            f"{path}: the score of {i + 1} {j + 1} is {scores[i, j]:g}, that of {j + 1} {i + 1} {scores[j, i]:g}; a "
            "matrix of pairs is symmetric"
        )
    sequence = None
    if query.sequence is not None:
        sequence = known_sequence(path, None, query)
        if len(sequence) != length:
            raise ScoreFileError(
                f"{path}: scores of {length} residues, the query has {len(sequence)}; give the sequence that they "
                "were made for"
            )
    return PairScores(
        name=path.stem,
        method=method,
        scores=((scores + scores.T) / 2).astype(np.float32),
        is_listed=~np.eye(length, dtype=bool),
        are_probabilities=are_probabilities,
        sequence=sequence,
        chain_lengths=query.chain_lengths,
    )


def _numbers(where: str, text: str, width: int) -> npt.NDArray[np.float64]:
    words = text.split()
    if len(words) != width:
        raise ScoreFileError(
            f"{where}: {len(words)} numbers, the first row has {width}; is the line cut short?"
        )
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        wrong = next(word for word in words if not is_row_of_numbers([word]))
        raise ScoreFileError(f"{where}: {wrong[:40]!r} is no number") from None
