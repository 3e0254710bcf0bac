"""Identity weights of the sequences of an alignment, and Neff, the effective number of sequences.

Definition, to be named wherever a figure is shown: w_i = 1 / #{j : identity(i, j) >= θ}, i itself included,
and Neff = Σ w_i. Identity is the fraction of the L match columns with the same symbol: gaps and X are
compared as symbols like any other, the denominator is L, insertions do not count. The comparison is one of
integers, matches >= ceil(θ L - 1e-9), so that rounding cannot move a pair across the threshold.

Method: a token has 5 bits, so a row is 5 bit planes and 64 columns of a plane are one word; the mismatches of
two rows are the population count of the OR of 5 XORs. Half of the pairs are visited, in tiles that stay in
the cache.

Dimension key: N sequences, L columns, words = ceil(L / 64).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

DEFAULT_IDENTITY: Final = 0.8  # as in mean-field DCA (Morcos et al. 2011) and most contact predictors since
_NUM_BITS: Final = 5  # 23 tokens fit in 32
_WORD_BITS: Final = 64
_TILE_ROWS: Final = 16  # 16 x 4,096 words are 512 KiB: two such buffers stay in the second-level cache, and
_TILE_COLUMNS: Final = 4096  # the calls are few; 32 x 1,024 was measured a third slower


def sequence_weights(
    tokens: npt.NDArray[np.uint8], *, identity: float = DEFAULT_IDENTITY
) -> npt.NDArray[np.float32]:
    """Weigh each row of `tokens` `[N, L]` by 1 / number of rows at least `identity` alike, itself included.

    Returns `[N]`, each in (0, 1]. Exact; the order of the rows does not matter. Raises ValueError when
    `identity` is outside (0, 1] or `tokens` is not a non-empty uint8 table of tokens below 32.

    >>> tokens = np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 9], [8, 8, 8, 8, 8]], dtype=np.uint8)
    >>> sequence_weights(tokens).tolist()
    [0.5, 0.5, 1.0]
    """
    if not 0.0 < identity <= 1.0:
        raise ValueError(f"identity must be a fraction in (0, 1], not {identity}")
    if tokens.ndim != 2 or tokens.dtype != np.uint8 or tokens.size == 0:
        raise ValueError(f"tokens must be a non-empty uint8 [N, L], not {tokens.dtype} {tokens.shape}")
    if int(tokens.max()) >= 1 << _NUM_BITS:
        raise ValueError(f"token {int(tokens.max())} does not fit in {_NUM_BITS} bits")
    depth, length = tokens.shape
    max_mismatches = length - math.ceil(identity * length - 1e-9)
    planes = _bit_planes(tokens)
    comparison = _Comparison.for_tiles(min(_TILE_ROWS * _TILE_COLUMNS, depth * depth), length)
    num_alike = np.zeros(depth, dtype=np.int64)
    for top in range(0, depth, _TILE_ROWS):
        rows = slice(top, min(top + _TILE_ROWS, depth))
        within = comparison.count_mismatches(planes, rows, rows) <= max_mismatches
        num_alike[rows] += np.count_nonzero(within, axis=1)
        for left in range(rows.stop, depth, _TILE_COLUMNS):
            columns = slice(left, min(left + _TILE_COLUMNS, depth))
            alike = comparison.count_mismatches(planes, rows, columns) <= max_mismatches
            num_alike[rows] += np.count_nonzero(alike, axis=1)
            num_alike[columns] += alike.view(np.uint8).sum(axis=0, dtype=np.uint8)  # at most _TILE_ROWS
    return (1.0 / num_alike).astype(np.float32)


def effective_sequences(weights: npt.NDArray[np.floating[Any]]) -> float:
    """Neff, the sum of the weights `[N]`, accumulated in float64."""
    return float(weights.sum(dtype=np.float64))


def _bit_planes(tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Pack `tokens` `[N, L]` into `[words, 5, N]`; padding bits are zero in all rows: no mismatch."""
    depth, length = tokens.shape
    words = -(-length // _WORD_BITS)
    planes = np.empty((words, _NUM_BITS, depth), dtype=np.uint64)
    for bit in range(_NUM_BITS):
        packed = np.zeros((depth, words * 8), dtype=np.uint8)
        packed[:, : -(-length // 8)] = np.packbits((tokens >> bit) & 1, axis=1)
        planes[:, bit, :] = packed.view(np.uint64).T
    return planes


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """Working memory for comparing the sequences of one tile; making it anew for each costs a third more."""

    differ: npt.NDArray[np.uint64]
    """`[pairs]`, one bit a column: do the two sequences differ there?"""
    differ_in_bit: npt.NDArray[np.uint64]
    """`[pairs]`, the same for one bit of the token."""
    in_word: npt.NDArray[np.uint8]
    """`[pairs]`, mismatches in 64 columns."""
    total: npt.NDArray[Any]
    """`[pairs]`, mismatches in all columns, of the narrowest type that holds L."""

    @classmethod
    def for_tiles(cls, num_pairs: int, length: int) -> _Comparison:
        dtypes = (np.dtype(np.uint64), np.dtype(np.uint64), np.dtype(np.uint8), np.min_scalar_type(length))
        return cls(*(np.empty(num_pairs, dtype=dtype) for dtype in dtypes))

    def count_mismatches(
        self, planes: npt.NDArray[np.uint64], rows: slice, columns: slice
    ) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Count the differing columns of each pair, `[rows, columns]`; valid until the next call."""
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        buffers = (self.differ, self.differ_in_bit, self.in_word, self.total)
        differ, differ_in_bit, in_word, total = (
            buffer[: shape[0] * shape[1]].reshape(shape) for buffer in buffers
        )
        total.fill(0)
        for word in planes:
            of_rows, of_columns = word[:, rows, None], word[:, None, columns]
            np.bitwise_xor(of_rows[0], of_columns[0], out=differ)
            for bit in range(1, _NUM_BITS):
                np.bitwise_xor(of_rows[bit], of_columns[bit], out=differ_in_bit)
                np.bitwise_or(differ, differ_in_bit, out=differ)
            np.bitwise_count(differ, out=in_word)
            np.add(total, in_word, out=total)
        return total
