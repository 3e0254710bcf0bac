"""`Alignment`, the record that every reader makes and every feature starts from.

N sequences, row 0 is the query; L columns, the residues of the query.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP, NUM_SYMBOLS, decode
from data_tools.annotations import Annotations
from data_tools.errors import AlignmentError
from data_tools.plain_text import plain_text
from data_tools.read_report import ReadReport


@dataclass(frozen=True, slots=True, eq=False)
class Insertions:
    """The residues that have no column, kept so that an alignment can be written as it was read."""

    letters: npt.NDArray[np.uint8]
    """`[sum of deletion_matrix and trailing]`, lower-case ASCII, row after row from left to right."""
    trailing: npt.NDArray[np.int32]
    """`[N]`, residues after the last column, which no cell of `deletion_matrix` counts."""

    def take_rows(self, rows: npt.NDArray[np.integer], deletion_matrix: npt.NDArray[np.uint16]) -> Insertions:
        """Keep the letters of `rows` `[n]`; `deletion_matrix` `[N, L]` is that of all rows."""
        counts = deletion_matrix.sum(axis=1, dtype=np.int64) + self.trailing
        ends = np.cumsum(counts)
        parts = [self.letters[ends[row] - counts[row] : ends[row]] for row in rows]
        return Insertions(np.concatenate(parts), self.trailing[rows])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
    insertions: Insertions | None = None
    """Letters of those residues and of those after the last column; None when they are not known."""
    annotations: Annotations = field(default_factory=Annotations)
    """What the file says beside the sequences."""
    report: ReadReport = field(default_factory=ReadReport)
    """What the reader left out or changed."""

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
        if self.insertions is not None:
            self._check_insertions(self.insertions)
        gaps = np.flatnonzero(self.tokens[0] == GAP)
        if gaps.size:
            raise AlignmentError(
                f"the query has a gap in column {gaps[0] + 1}: columns must be the query's residues"
            )
        for array in (self.tokens, self.deletion_matrix):
            array.setflags(write=False)

    def _check_insertions(self, insertions: Insertions) -> None:
        if insertions.trailing.shape != (self.depth,):
            raise AlignmentError(f"trailing must be [{self.depth}], not {list(insertions.trailing.shape)}")
        total = int(self.deletion_matrix.sum(dtype=np.int64)) + int(insertions.trailing.sum(dtype=np.int64))
        if insertions.letters.shape != (total,):
            raise AlignmentError(
                f"{insertions.letters.size} letters of insertions, {total} are counted in the deletion matrix "
                "and at the ends"
            )
        for array in (insertions.letters, insertions.trailing):
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

    @property
    def residue_index(self) -> npt.NDArray[np.int32]:
        """`[L]`, 0-based position of each column in the query with the query's own insertions counted.

        A column that was left out stays in the query as an insertion, so the numbering of the others stays.
        """
        inserted = np.cumsum(self.deletion_matrix[0], dtype=np.int32)
        return np.arange(self.length, dtype=np.int32) + inserted

    def __repr__(self) -> str:
        """Short, however many names there are."""
        return f"Alignment({plain_text(self.names[0], 60)!r}, N={self.depth}, L={self.length})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from data_tools.alignment_html import alignment_html

        return alignment_html(self)

    def take_rows(self, rows: npt.NDArray[np.integer]) -> Alignment:
        """Keep the sequences at `rows` `[n]`, in that order; the first must be row 0, the query."""
        if len(rows) == 0 or rows[0] != 0:
            raise AlignmentError("the first row taken must be row 0, the query")
        insertions = (
            None if self.insertions is None else self.insertions.take_rows(rows, self.deletion_matrix)
        )
        new_row = {int(row): number for number, row in enumerate(rows)}
        residues = {
            name: {new_row[row]: text for row, text in texts.items() if row in new_row}
            for name, texts in self.annotations.residues.items()
        }
        return Alignment(
            names=tuple(self.names[int(row)] for row in rows),
            tokens=self.tokens[rows],
            deletion_matrix=self.deletion_matrix[rows],
            insertions=insertions,
            annotations=replace(self.annotations, residues=residues),
            report=self.report,
        )


def alignment_sha256(tokens: npt.NDArray[np.uint8], deletion_matrix: npt.NDArray[np.uint16]) -> str:
    """Identity of an alignment's content, tokens and deletions `[N, L]`; the names do not count."""
    digest = hashlib.sha256(repr(tokens.shape).encode())
    digest.update(tokens.tobytes())
    digest.update(deletion_matrix.astype("<u2").tobytes())
    return digest.hexdigest()
