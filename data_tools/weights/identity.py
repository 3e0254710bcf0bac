"""Identity weights of the sequences of an alignment, and Neff, the effective number of sequences.

Definition, to be named wherever a figure is shown: w_i = 1 / #{j : identity(i, j) >= θ}, i itself included,
and Neff = Σ w_i. Identity is the fraction of the L match columns with the same symbol: gaps and X are
compared as symbols like any other, the denominator is L, insertions do not count. The comparison is one of
integers, matches >= ceil(θ L - 1e-9), so that rounding cannot move a pair across the threshold.

Method: bit planes (`data_tools.weights.bit_planes`), half of the pairs, never N x N in memory. Two kernels give
the same counts: numpy in tiles that stay in the cache, and a compiled loop (numba, an optional extra), about six
times as fast, whose loading takes a fixed time.

Dimension key: N sequences, L columns, words = ceil(L / 64).
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from data_tools.weights.bit_planes import (
    TILE_COLUMNS,
    TILE_ROWS,
    Comparison,
    Planes,
    bit_planes,
    check_identity,
    check_tokens,
    half_tiles,
    matches_needed,
)

DEFAULT_IDENTITY: Final = 0.8  # as in mean-field DCA (Morcos et al. 2011) and most contact predictors since

Kernel = Literal["auto", "numpy", "numba"]
_COMPILED: Final = "data_tools.weights.compiled"
# N x N x words from which numba pays, for example 12,000 x 200: there numpy takes the half second (measured) in which
# numba is imported and its cached code loaded, once a process
_COMPILED_PAYS_FROM: Final = 6e8


def sequence_weights(
    tokens: npt.NDArray[np.uint8], *, identity: float = DEFAULT_IDENTITY, kernel: Kernel = "auto"
) -> npt.NDArray[np.float32]:
    """Weigh each row of `tokens` `[N, L]` by 1 / number of rows at least `identity` alike, itself included.

    Returns `[N]`, each in (0, 1]. Exact and the same for every `kernel`: "numpy", "numba" (must be installed), or
    "auto", which takes numba where it is installed and pays. The order of the rows does not matter. Raises
    ValueError when `identity` is outside (0, 1] or `tokens` is not a non-empty uint8 table of tokens below 32.

    >>> tokens = np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 9], [8, 8, 8, 8, 8]], dtype=np.uint8)
    >>> sequence_weights(tokens).tolist()
    [0.5, 0.5, 1.0]
    """
    return (1.0 / count_alike(tokens, identity, kernel)).astype(np.float32)


def count_alike(
    tokens: npt.NDArray[np.uint8], identity: float, kernel: Kernel = "auto"
) -> npt.NDArray[np.int64]:
    """`[N]`, how many rows are at least `identity` alike to each, itself included (see `sequence_weights`)."""
    check_identity(identity)
    check_tokens(tokens)
    depth, length = tokens.shape
    max_mismatches = length - matches_needed(identity, length)
    planes = bit_planes(tokens)
    if not _takes_compiled(kernel, depth * depth * len(planes)):
        return _count_alike(planes, max_mismatches, length)
    from data_tools.weights.compiled import count_alike as count_alike_compiled

    return count_alike_compiled(planes, max_mismatches)


def effective_sequences(weights: npt.NDArray[np.floating[Any]]) -> float:
    """Neff, the sum of the weights `[N]`, accumulated in float64."""
    return float(weights.sum(dtype=np.float64))


def _takes_compiled(kernel: Kernel, work: int) -> bool:
    if kernel not in ("auto", "numpy", "numba"):
        raise ValueError(f"kernel must be 'auto', 'numpy' or 'numba', not {kernel!r}")
    if kernel == "numpy":
        return False
    is_installed = importlib.util.find_spec("numba") is not None
    if kernel == "numba":
        if not is_installed:
            raise ValueError("kernel 'numba' needs numba: pip install 'msaformer[fast]', or take 'auto'")
        return True
    return is_installed and (work >= _COMPILED_PAYS_FROM or _COMPILED in sys.modules)


def _count_alike(planes: Planes, max_mismatches: int, length: int) -> npt.NDArray[np.int64]:
    depth = planes.shape[2]
    comparison = Comparison.for_pairs(min(TILE_ROWS * TILE_COLUMNS, depth * depth), length)
    num_alike = np.zeros(depth, dtype=np.int64)
    for rows, columns in half_tiles(depth):
        alike = comparison.count_mismatches(planes[..., rows], planes[..., columns]) <= max_mismatches
        num_alike[rows] += np.count_nonzero(alike, axis=1)
        if rows != columns:
            num_alike[columns] += alike.view(np.uint8).sum(axis=0, dtype=np.uint8)  # at most TILE_ROWS
    return num_alike
