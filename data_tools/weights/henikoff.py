"""Position-based weights (Henikoff & Henikoff 1994, J Mol Biol 243:574): rare symbols of a column count for more.

Dimension key: N sequences, L columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP, NUM_AMINO_ACIDS, NUM_SYMBOLS
from data_tools.weights.bit_planes import check_tokens


def henikoff_weights(
    tokens: npt.NDArray[np.uint8], *, gaps_are_symbols: bool = False
) -> npt.NDArray[np.float64]:
    """Weigh the rows of `tokens` `[N, L]` by w_k = Σ_j 1 / (r_j s_jk), scaled to a sum of 1.

    r_j is the number of different symbols in column j, s_jk how many rows have the symbol of row k there. X is
    never counted; a gap is a 21st symbol if `gaps_are_symbols`, otherwise skipped, so that a fragment weighs
    less. A row without anything counted weighs 0; if no row has any, all weigh the same. The paper's alignments
    have no gaps.

    >>> tokens = np.array([[0, 1], [0, 2], [3, 2]], dtype=np.uint8)  # of the columns: A A C, and C D D
    >>> [round(float(weight), 4) for weight in henikoff_weights(tokens)]
    [0.375, 0.25, 0.375]
    """
    check_symbols(tokens)
    share = symbol_shares(symbol_counts(tokens), gaps_are_symbols=gaps_are_symbols)
    weights = np.zeros(len(tokens))
    for column, shares in zip(tokens.T, share, strict=True):
        weights += shares[column]
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(tokens), 1 / len(tokens))


def check_symbols(tokens: npt.NDArray[np.uint8]) -> None:
    """Raise ValueError unless `tokens` is a non-empty uint8 table `[N, L]` of an alignment's 22 symbols."""
    check_tokens(tokens)
    if int(tokens.max()) >= NUM_SYMBOLS:
        raise ValueError(f"token {int(tokens.max())} is outside the {NUM_SYMBOLS} symbols of an alignment")


def symbol_counts(tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """`[L, 22]`, rows of `tokens` `[N, L]` with each symbol in each column."""
    return np.array([np.bincount(column, minlength=NUM_SYMBOLS) for column in tokens.T])


def symbol_shares(
    counts: npt.NDArray[np.integer[Any]], *, gaps_are_symbols: bool = False
) -> npt.NDArray[np.float64]:
    """`[L, 22]`, what a row gains in each column by its symbol: 1 / (kinds x copies), from counts `[L, 22]`."""
    counted = [*range(NUM_AMINO_ACIDS), *([GAP] if gaps_are_symbols else [])]
    of_counted = counts[:, counted]
    kinds = np.count_nonzero(of_counted, axis=1)[:, None]
    share = np.zeros(counts.shape)
    share[:, counted] = np.divide(
        1.0, kinds * of_counted, out=np.zeros(of_counted.shape), where=of_counted > 0
    )
    return share
