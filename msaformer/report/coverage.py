"""How an alignment covers its query, as numbers to draw: rows sorted by identity, and counts per column.

N sequences, L residues of the query, R ≤ N rows drawn, F residues told of a column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import AMINO_ACIDS, GAP, NUM_AMINO_ACIDS

MAX_ROWS: Final = 600  # about the height of the picture in pixels
# Lower ends. 30 % is where homology can be told from identity alone, 20 % the end of the twilight zone (Rost 1999,
# Protein Eng. 12:85); 90 % and 70 % are usual cut-offs of redundancy, as of UniRef90.
IDENTITY_BANDS: Final = (0.9, 0.7, 0.5, 0.3, 0.2, 0.0)
FREQUENT: Final = 3  # residues named for a column

Weights = npt.NDArray[np.floating[Any]]
Tokens = npt.NDArray[np.uint8]


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


@dataclass(frozen=True, slots=True)
class IdentityBand:
    """Sequences whose identity to the query lies in [`least`, the next band's `least`)."""

    least: float
    """Lower end, in [0, 1]; the first band holds 1 too."""
    sequences: int
    """How many; the query is one of the first band."""
    weight: float
    """Sum of their weights: their part of Neff."""


def alignment_coverage(alignment: Alignment, *, max_rows: int = MAX_ROWS) -> Coverage:
    """Sort the sequences by identity to the query and keep at most `max_rows`, evenly spaced; row 0 is the query."""
    tokens = alignment.tokens
    identity = identity_to_query(tokens)
    order = np.argsort(-identity, kind="stable")
    if len(order) > max_rows:
        order = order[np.linspace(0, len(order) - 1, max_rows).round().astype(np.intp)]
    return Coverage(
        identity=identity[order],
        covered=tokens[order] != GAP,
        counts=(tokens != GAP).sum(axis=0),
        depth=alignment.depth,
    )


def identity_to_query(tokens: Tokens) -> npt.NDArray[np.float32]:
    """`[N]`, residues of each row of `tokens` `[N, L]` that are the query's (row 0), / L; a gap is different."""
    return (tokens == tokens[0]).mean(axis=1, dtype=np.float64).astype(np.float32)


def identity_bands(identity: npt.NDArray[np.float32], weights: Weights) -> tuple[IdentityBand, ...]:
    """Count the sequences, `identity` and `weights` `[N]`, in each of `IDENTITY_BANDS`, the closest first.

    >>> identity = np.array([1, 0.9, 0.3, 0.1], dtype=np.float32)
    >>> bands = identity_bands(identity, np.array([0.5, 0.5, 1, 1], dtype=np.float32))
    >>> [(band.least, band.sequences, band.weight) for band in bands if band.sequences]
    [(0.9, 2, 1.0), (0.3, 1, 1.0), (0.0, 1, 1.0)]
    """
    least = np.array(IDENTITY_BANDS, dtype=np.float32)  # as `identity`, so that 0.9 is 0.9
    place = (identity[:, None] < least[None, :]).sum(axis=1)
    counts = np.bincount(place, minlength=len(least))
    sums = np.bincount(place, weights=weights, minlength=len(least))
    return tuple(
        IdentityBand(float(low), int(count), float(weight))
        for low, count, weight in zip(IDENTITY_BANDS, counts, sums, strict=True)
    )


def frequent_residues(
    tokens: Tokens, weights: Weights, *, kinds: int = FREQUENT
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Name the `kinds` amino acids of most weight in each column of `tokens` `[N, L]`, the first first.

    Returns tokens and shares, both `[L, kinds]`; a share is that of the column's 20 amino acids, gap and X left out,
    and 0 where fewer kinds occur. Equal shares keep the order of the alphabet.

    >>> tokens = np.array([[0], [1], [1], [21]], dtype=np.uint8)
    >>> names, shares = frequent_residues(tokens, np.array([0.5, 0.5, 1, 1]), kinds=2)
    >>> names.tolist(), shares.tolist()
    ([[1, 0]], [[0.75, 0.25]])
    """
    mass = np.array([np.bincount(column, weights, minlength=GAP + 1) for column in tokens.T])
    mass = mass[:, :NUM_AMINO_ACIDS]
    order = np.argsort(-mass, axis=1, kind="stable")[:, :kinds]
    total = mass.sum(axis=1, keepdims=True)
    share = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
    assert len(AMINO_ACIDS) == NUM_AMINO_ACIDS  # so a token is a place in the alphabet
    return order.astype(np.uint8), np.take_along_axis(share, order, axis=1)
