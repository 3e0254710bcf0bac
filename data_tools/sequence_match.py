"""Which residue of one sequence is which of another, for near-identical proteins: alignment with free ends.

L residues of the query, L_s of the other sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from Bio.Align import PairwiseAligner

# The same protein with a few mutations, insertions and missing ends: opening a gap costs more than any
# mutation, a long gap little more than a short one, and an end that only one of the two has nothing.
_MATCH: Final = 2.0
_MISMATCH: Final = -1.0
_OPEN_GAP: Final = -5.0
_EXTEND_GAP: Final = -0.2
_UNKNOWN: Final = "X"


@dataclass(frozen=True, slots=True, eq=False)
class SequenceMatch:
    """The result of `match_sequences`."""

    index: npt.NDArray[np.int32]
    """`[L]`, for each residue of the query its 0-based place in the other sequence, -1 where it has none."""
    aligned: int
    """Residues of the query that have a place in the other sequence."""
    compared: int
    """Aligned residues that are known (not X) in both."""
    identical: int
    """Compared residues that are the same in both."""

    @property
    def identity(self) -> float:
        """Fraction of the compared residues that are identical; 0 when none can be compared."""
        return self.identical / self.compared if self.compared else 0.0

    @property
    def mismatches(self) -> int:
        """Compared residues that differ."""
        return self.compared - self.identical


def match_sequences(query: str, sequence: str) -> SequenceMatch:
    """Align two sequences of one-letter codes; the end gaps of both are free, X fits anything.

    Of equally good alignments the one with its gaps furthest to the end is taken: an inserted residue is then
    the last of a run, which is how insertion codes are given ("23", "23A").

    >>> match_sequences("MKVL", "GSMKPVL").index.tolist()
    [2, 3, 5, 6]
    """
    index = np.full(len(query), -1, dtype=np.int32)
    if query and query in sequence:
        index[:] = sequence.index(query) + np.arange(len(query))
    elif sequence and sequence in query:
        start = query.index(sequence)
        index[start : start + len(sequence)] = np.arange(len(sequence))
    elif query and sequence:
        best = _aligner().align(query[::-1], sequence[::-1])[0]
        for (query_start, query_stop), (start, stop) in zip(*best.aligned, strict=True):
            positions = len(sequence) - 1 - np.arange(start, stop)
            index[len(query) - 1 - np.arange(query_start, query_stop)] = positions
    return compare(query, sequence, index)


def compare(query: str, sequence: str, index: npt.NDArray[np.int32]) -> SequenceMatch:
    """Count how well `sequence` agrees with `query` under a mapping `index` `[L]`, as in `SequenceMatch`."""
    places = np.flatnonzero(index >= 0)
    pairs = [(query[place], sequence[index[place]]) for place in places]
    known = [pair for pair in pairs if _UNKNOWN not in pair]
    return SequenceMatch(index, len(pairs), len(known), sum(one == other for one, other in known))


def is_mismatch(one: str, other: str) -> bool:
    """Whether two residues differ; X fits anything."""
    return one != other and _UNKNOWN not in (one, other)


@cache
def _aligner() -> Any:
    make: Any = PairwiseAligner  # untyped
    aligner = make(mode="global", match_score=_MATCH, mismatch_score=_MISMATCH)
    aligner.open_gap_score = _OPEN_GAP
    aligner.extend_gap_score = _EXTEND_GAP
    aligner.end_gap_score = 0.0
    aligner.wildcard = _UNKNOWN
    return aligner
