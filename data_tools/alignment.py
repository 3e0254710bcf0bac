"""`Alignment`, the record that every reader makes and every feature starts from.

N sequences, row 0 is the query; L columns, the residues of the query.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP, NUM_SYMBOLS, decode
from data_tools.errors import AlignmentError


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A multiple sequence alignment whose columns are the residues of its first sequence.

    Raises AlignmentError at birth when shapes disagree, the table is empty, a token is outside the 22 symbols, or
    the query has a gap.
    """

    names: tuple[str, ...]
    """Header of each sequence, without `>` and line end; the first word is its id."""
    tokens: npt.NDArray[np.uint8]
    """`[N, L]`, see `data_tools.alphabet`."""
    deletion_matrix: npt.NDArray[np.uint16]
    """`[N, L]`, number of the sequence's residues left out just before column l (lower-case letters in A3M)."""

    def __post_init__(self) -> None:
        if self.tokens.ndim != 2 or self.tokens.dtype != np.uint8:
            raise AlignmentError(f"tokens must be uint8 [N, L], not {self.tokens.dtype} {self.tokens.shape}")
        if self.deletion_matrix.shape != self.tokens.shape or self.deletion_matrix.dtype != np.uint16:
            raise AlignmentError(
                f"deletion_matrix must be uint16 {self.tokens.shape}, not "
                f"{self.deletion_matrix.dtype} {self.deletion_matrix.shape}"
            )
        if len(self.names) != self.depth:
            raise AlignmentError(f"{len(self.names)} names for {self.depth} sequences")
        if self.tokens.size == 0:
            raise AlignmentError(
                f"an alignment needs at least one sequence and one column, not {self.tokens.shape}"
            )
        if int(self.tokens.max()) >= NUM_SYMBOLS:
            raise AlignmentError(
                f"token {int(self.tokens.max())} is outside the {NUM_SYMBOLS} symbols of an alignment"
            )
        gaps = np.flatnonzero(self.tokens[0] == GAP)
        if gaps.size:
            raise AlignmentError(
                f"the query has a gap in column {gaps[0] + 1}: columns must be the query's residues"
            )
        for array in (self.tokens, self.deletion_matrix):
            array.setflags(write=False)

    @property
    def depth(self) -> int:
        """N, the number of sequences."""
        return int(self.tokens.shape[0])

    @property
    def length(self) -> int:
        """L, the number of columns and of residues in the query."""
        return int(self.tokens.shape[1])

    @property
    def query(self) -> str:
        """The query's residues."""
        return decode(self.tokens[0])

    def take_rows(self, rows: npt.NDArray[np.integer]) -> Alignment:
        """Keep the sequences at `rows` `[n]`, in that order; the first must be row 0, the query."""
        if len(rows) == 0 or rows[0] != 0:
            raise AlignmentError("the first row taken must be row 0, the query")
        names = tuple(self.names[int(row)] for row in rows)
        return Alignment(names, self.tokens[rows], self.deletion_matrix[rows])


def alignment_sha256(tokens: npt.NDArray[np.uint8], deletion_matrix: npt.NDArray[np.uint16]) -> str:
    """Identity of an alignment's content, tokens and deletions `[N, L]`; the names do not count."""
    digest = hashlib.sha256(repr(tokens.shape).encode())
    digest.update(tokens.tobytes())
    digest.update(deletion_matrix.astype("<u2").tobytes())
    return digest.hexdigest()
