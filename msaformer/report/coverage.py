"""How an alignment covers its query, as numbers to draw: rows sorted by identity, and counts per column.

N sequences, L residues of the query, R ≤ N rows drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP

MAX_ROWS: Final = 600  # about the height of the picture in pixels


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Which residues of the query are covered, by sequences how close to it."""

    identity: npt.NDArray[np.float32]
    """`[R]`, in [0, 1], falling: identical residues / L, a gap counting as different."""
    covered: npt.NDArray[np.bool_]
    """`[R, L]`, True where the sequence has a residue."""
    counts: npt.NDArray[np.int64]
    """`[L]`, sequences of the whole alignment that have a residue in the column."""
    depth: int
    """N, the sequences of the whole alignment; the R rows are evenly spaced in their order of identity."""


def alignment_coverage(alignment: Alignment, *, max_rows: int = MAX_ROWS) -> Coverage:
    """Sort the sequences by identity to the query and keep at most `max_rows`, evenly spaced; row 0 is the query."""
    tokens = alignment.tokens
    identity = (tokens == tokens[0]).mean(axis=1, dtype=np.float64).astype(np.float32)
    order = np.argsort(-identity, kind="stable")
    if len(order) > max_rows:
        order = order[np.linspace(0, len(order) - 1, max_rows).round().astype(np.intp)]
    return Coverage(
        identity=identity[order],
        covered=tokens[order] != GAP,
        counts=(tokens != GAP).sum(axis=0),
        depth=alignment.depth,
    )
