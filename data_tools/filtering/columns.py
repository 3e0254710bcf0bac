"""Select columns so that no residue is lost: those of the other columns become insertions.

Dimension key: N sequences, row 0 is the query; L columns; K columns kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment, Insertions
from data_tools.alphabet import GAP, SYMBOLS
from data_tools.annotations import Annotations, ChainSegment
from data_tools.errors import AlignmentError
from data_tools.filtering.rows import Tokens, check_fraction

Columns = npt.NDArray[np.int64]

_LOWER_CASE: Final = np.frombuffer(SYMBOLS.lower().encode(), dtype=np.uint8)
_MAX_DELETIONS: Final = int(np.iinfo(np.uint16).max)


def columns_by_gaps(tokens: Tokens, maximum: float) -> Columns:
    """Columns in which at most the fraction `maximum` of the rows of `tokens` `[N, L]` has a gap, ascending."""
    check_fraction("maximum gap fraction", maximum)
    num_gaps = np.count_nonzero(tokens == GAP, axis=0)
    return np.flatnonzero(num_gaps <= maximum * len(tokens) + 1e-9).astype(np.int64)


def select_columns(alignment: Alignment, columns: npt.NDArray[np.integer[Any]]) -> Alignment:
    """Keep `columns` `[K]`, ascending numbers of columns; residues of the others become insertions.

    A residue left out is counted in `deletion_matrix` at the row's next kept column and, if the letters of the
    alignment's insertions are known, is a lower-case letter among them; after the last kept column it is trailing.
    This holds for the query too, so `Alignment.residue_index` of a kept column does not change. Annotations of
    columns and residues are cut, lengths of chains become the numbers of columns that they keep, and a chain that
    keeps none is left out. Raises AlignmentError for columns that are none, out of range or not ascending, or when
    more than 65,535 residues lie before a column.
    """
    kept = columns.astype(np.int64)
    _check_columns(kept, alignment.length)
    is_residue = alignment.tokens != GAP
    insertions = alignment.insertions
    return Alignment(
        names=alignment.names,
        tokens=alignment.tokens[:, kept],
        deletion_matrix=_deletions(alignment, is_residue, kept),
        insertions=None if insertions is None else _insertions(alignment, insertions, is_residue, kept),
        annotations=_annotations(alignment.annotations, kept),
        report=alignment.report,
    )


def _check_columns(columns: Columns, length: int) -> None:
    if columns.ndim != 1 or columns.size == 0:
        raise AlignmentError("no column would be left; allow more gaps, or select at least one column")
    if columns[0] < 0 or columns[-1] >= length or (np.diff(columns) <= 0).any():
        raise AlignmentError(f"columns must be ascending numbers from 0 to {length - 1}")


def _deletions(
    alignment: Alignment, is_residue: npt.NDArray[np.bool_], columns: Columns
) -> npt.NDArray[np.uint16]:
    """`[N, K]`: what was counted between two kept columns, and the residues of the columns between them."""
    inserted = np.cumsum(alignment.deletion_matrix, axis=1, dtype=np.int64)[:, columns]
    before = (np.cumsum(is_residue, axis=1, dtype=np.int64) - is_residue)[:, columns]
    left_out = before - np.cumsum(is_residue[:, columns], axis=1) + is_residue[:, columns]
    deletions = np.diff(inserted + left_out, axis=1, prepend=0)
    if deletions.max() > _MAX_DELETIONS:
        row, column = np.unravel_index(int(deletions.argmax()), deletions.shape)
        raise AlignmentError(
            f"sequence {alignment.names[row].split()[0] if alignment.names[row].split() else ''!r} would have "
            f"{int(deletions.max())} residues left out before column {columns[column] + 1}, at most {_MAX_DELETIONS} "
            "can be counted; keep more columns or drop the sequence"
        )
    return deletions.astype(np.uint16)


def _insertions(
    alignment: Alignment, insertions: Insertions, is_residue: npt.NDArray[np.bool_], columns: Columns
) -> Insertions:
    """Merge the residues left out, in lower case, into the letters, each at its place in its row."""
    is_left_out = is_residue.copy()
    is_left_out[:, columns] = False
    slots = np.empty(
        (alignment.depth, alignment.length + 1), dtype=np.int64
    )  # letters of a cell, its own at the end
    slots[:, :-1] = alignment.deletion_matrix
    slots[:, :-1] += is_left_out
    slots[:, -1] = insertions.trailing
    ends = np.cumsum(slots).reshape(slots.shape)
    places = ends[:, :-1][is_left_out] - 1
    letters = np.empty(int(ends[-1, -1]), dtype=np.uint8)
    is_old = np.ones(letters.size, dtype=bool)
    is_old[places] = False
    letters[is_old] = insertions.letters
    letters[places] = _LOWER_CASE[alignment.tokens[is_left_out]]
    after = slice(int(columns[-1]) + 1, None)
    trailing = slots[:, after].sum(axis=1)
    return Insertions(letters, trailing.astype(np.int32))


def _annotations(annotations: Annotations, columns: Columns) -> Annotations:
    def cut(text: str) -> str:
        return "".join(text[column] for column in columns)

    ends = np.cumsum([chain.length for chain in annotations.chains], dtype=np.int64)
    kept_before = np.searchsorted(columns, ends)
    lengths = np.diff(kept_before, prepend=0)
    return replace(
        annotations,
        columns={name: cut(text) for name, text in annotations.columns.items()},
        residues={
            name: {row: cut(text) for row, text in texts.items()}
            for name, texts in annotations.residues.items()
        },
        chains=tuple(
            ChainSegment(int(length), chain.cardinality)
            for chain, length in zip(annotations.chains, lengths, strict=True)
            if length
        ),
    )
