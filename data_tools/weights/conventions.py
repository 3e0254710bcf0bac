"""Identity weights as other programs define them: who is alike to whom differs, w_i = 1 / #{alike to i} does not.

All count "at least" (>=), the row itself included, in integers (`matches_needed`), and need no N x N memory.
Sources: EVcouplings, `evcouplings/align/alignment.py` (0.2.1) and `couplings/weights.py` of later versions;
plmc, `src/weights.c` and `src/plm.c`; AlphaFold 2, Jumper et al. 2021, legend of Fig. 5a.

Dimension key: N sequences, L columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP, UNKNOWN
from data_tools.weights.bit_planes import (
    TILE_COLUMNS,
    TILE_ROWS,
    Comparison,
    bit_planes,
    check_identity,
    check_tokens,
    half_tiles,
    needed_table,
)
from data_tools.weights.identity import DEFAULT_IDENTITY, Kernel, sequence_weights

Tokens = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.integer[Any]]

PLMC_THETA: Final = 0.2  # plmc's default "neighborhood divergence"


def weights_evcouplings(
    tokens: Tokens, *, identity: float = DEFAULT_IDENTITY, kernel: Kernel = "auto"
) -> npt.NDArray[np.float32]:
    """Weights `[N]` of EVcouplings up to 0.2.1: matches >= identity x L, where X is read as a gap and gaps match.

    As `sequence_weights`, but for X; the two agree when no sequence has one. Later versions of EVcouplings:
    `weights_without_gaps`.

    >>> weights_evcouplings(np.array([[0, 20, 20, 20, 20], [0, 21, 21, 21, 21]], dtype=np.uint8)).tolist()
    [0.5, 0.5]
    """
    check_tokens(tokens)
    folded = np.where(tokens == UNKNOWN, np.uint8(GAP), tokens)
    return sequence_weights(folded, identity=identity, kernel=kernel)


def weights_plmc(
    tokens: Tokens, *, theta: float = PLMC_THETA, kernel: Kernel = "auto"
) -> npt.NDArray[np.float32]:
    """Weights `[N]` of plmc: matches >= (1 - theta) x L, where gaps match; `theta` is the allowed divergence.

    plmc sets aside each sequence with a letter outside its alphabet, so a row with X weighs 0 here and is
    nobody's neighbour. Raises ValueError when `theta` is outside [0, 1).

    >>> weights_plmc(np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 9], [0, 1, 2, 3, 20]], dtype=np.uint8)).tolist()
    [0.5, 0.5, 0.0]
    """
    if not 0.0 <= theta < 1.0:
        raise ValueError(f"theta must be a fraction in [0, 1), not {theta}")
    check_tokens(tokens)
    is_valid = (tokens != UNKNOWN).all(axis=1)
    weights = np.zeros(len(tokens), dtype=np.float32)
    if is_valid.any():
        weights[is_valid] = sequence_weights(tokens[is_valid], identity=1.0 - theta, kernel=kernel)
    return weights


def weights_without_gaps(tokens: Tokens, *, identity: float = DEFAULT_IDENTITY) -> npt.NDArray[np.float32]:
    """Weights `[N]` of EVcouplings after 0.2.1 and of EVE: gaps never match and the row's own residues are L.

    Row j counts for row i when residue matches >= identity x (residues of i), so a fragment may count for a whole
    sequence's neighbour but not the other way round. X is read as a gap. A row without residues weighs 0.

    >>> weights_without_gaps(np.array([[0, 1, 2, 3], [0, 1, 21, 21]], dtype=np.uint8)).tolist()
    [1.0, 0.5]
    """

    def alike(matches: Counts, shared: Counts, rows: Counts, columns: Counts) -> tuple[Any, Any]:
        return matches >= needed[rows], matches >= needed[columns]

    needed = needed_table(identity, tokens.shape[-1])
    return _weights_of_residues(np.where(tokens == UNKNOWN, np.uint8(GAP), tokens), identity, alike)


def weights_alphafold(tokens: Tokens, *, identity: float = DEFAULT_IDENTITY) -> npt.NDArray[np.float32]:
    """Weights `[N]` behind AlphaFold 2's per-residue Neff: identity over the columns with a residue in either.

    Residue matches >= identity x (columns in which one of the two, or both, have a residue); X is a residue that
    matches X. A row without residues weighs 0.

    >>> weights_alphafold(np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 21], [0, 21, 21, 21, 21]], dtype=np.uint8)).tolist()
    [0.5, 0.5, 1.0]
    """

    def alike(matches: Counts, shared: Counts, rows: Counts, columns: Counts) -> tuple[Any, Any]:
        both_ways = matches >= needed[rows + columns - shared]
        return both_ways, both_ways

    needed = needed_table(identity, tokens.shape[-1])
    return _weights_of_residues(tokens, identity, alike)


def _weights_of_residues(
    tokens: Tokens, identity: float, alike: Callable[[Counts, Counts, Counts, Counts], tuple[Any, Any]]
) -> npt.NDArray[np.float32]:
    """1 / number alike by residue matches; 0 for a row without residues.

    `alike(matches [n, m], shared columns [n, m], residues [n, 1], residues [1, m])` says whether the column's
    row counts for the row's, and the row's for the column's.
    """
    check_identity(identity)
    check_tokens(tokens)
    depth, length = tokens.shape
    num_residues = np.count_nonzero(tokens != GAP, axis=1)
    planes = bit_planes(tokens, with_residues=True)
    comparison = Comparison.for_pairs(min(TILE_ROWS * TILE_COLUMNS, depth * depth), length)
    num_alike = np.zeros(depth, dtype=np.int64)
    for rows, columns in half_tiles(depth):
        shared, mismatches = comparison.count_shared(planes[..., rows], planes[..., columns])
        residues = num_residues[rows, None], num_residues[None, columns]
        for_rows, for_columns = alike(shared - mismatches, shared, *residues)
        num_alike[rows] += np.count_nonzero(for_rows, axis=1)
        if rows != columns:
            num_alike[columns] += np.count_nonzero(for_columns, axis=0)
    weights = np.zeros(depth, dtype=np.float32)
    np.divide(1.0, num_alike, out=weights, where=num_alike > 0, casting="same_kind")
    return weights
