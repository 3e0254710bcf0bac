"""Compare many pairs of sequences at once: tokens as bit planes, mismatches as population counts.

A token has 5 bits, so a row is 5 bit planes and 64 columns of a plane are one word; the mismatches of two rows
are the population count of the OR of 5 XORs. A sixth plane may say where the row has a residue.

Dimension key: N sequences, L columns, words = ceil(L / 64).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP

NUM_BITS: Final = 5  # 23 tokens fit in 32
TILE_ROWS: Final = 16  # 16 x 4,096 words are 512 KiB: two such buffers stay in the second-level cache, and
TILE_COLUMNS: Final = 4096  # the calls are few; 32 x 1,024 was measured a third slower
_WORD_BITS: Final = 64

Planes = npt.NDArray[np.uint64]


def check_tokens(tokens: npt.NDArray[np.uint8]) -> None:
    """Raise ValueError unless `tokens` is a non-empty uint8 table `[N, L]` of tokens below 32."""
    if tokens.ndim != 2 or tokens.dtype != np.uint8 or tokens.size == 0:
        raise ValueError(f"tokens must be a non-empty uint8 [N, L], not {tokens.dtype} {tokens.shape}")
    if int(tokens.max()) >= 1 << NUM_BITS:
        raise ValueError(f"token {int(tokens.max())} does not fit in {NUM_BITS} bits")


def check_identity(identity: float) -> None:
    """Raise ValueError unless `identity` is a fraction in (0, 1]."""
    if not 0.0 < identity <= 1.0:
        raise ValueError(f"identity must be a fraction in (0, 1], not {identity}")


def matches_needed(identity: float, num_columns: int) -> int:
    """Least matches in `num_columns` columns that are at least `identity`, so that rounding moves no pair.

    >>> matches_needed(0.55, 100), 0.55 * 100 > 55
    (55, True)
    """
    return math.ceil(identity * num_columns - 1e-9)


def needed_table(identity: float, length: int) -> npt.NDArray[np.int64]:
    """`[L + 1]`, `matches_needed` in 0 to L columns; at least 1, as nothing in common is no identity."""
    return np.array([max(1, matches_needed(identity, columns)) for columns in range(length + 1)])


def bit_planes(tokens: npt.NDArray[np.uint8], *, with_residues: bool = False) -> Planes:
    """Pack `tokens` `[N, L]` into `[words, 5, N]`; padding bits are zero in all rows: no mismatch.

    `with_residues` adds a sixth plane: has the row a residue in the column?
    """
    depth, length = tokens.shape
    words = -(-length // _WORD_BITS)
    planes = np.empty((words, NUM_BITS + with_residues, depth), dtype=np.uint64)
    for plane in range(planes.shape[1]):
        bits = (tokens >> plane) & 1 if plane < NUM_BITS else tokens != GAP
        packed = np.zeros((depth, words * 8), dtype=np.uint8)
        packed[:, : -(-length // 8)] = np.packbits(bits, axis=1)
        planes[:, plane, :] = packed.view(np.uint64).T
    return planes


def half_tiles(depth: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of tiles that hold each pair of `depth` sequences once.

    The first tile of a stripe is square, on the diagonal, and holds its pairs in both orders.
    """
    for top in range(0, depth, TILE_ROWS):
        rows = slice(top, min(top + TILE_ROWS, depth))
        yield rows, rows
        for left in range(rows.stop, depth, TILE_COLUMNS):
            yield rows, slice(left, min(left + TILE_COLUMNS, depth))


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Working memory for comparing the sequences of one tile; making it anew for each costs a third more."""

    differ: npt.NDArray[np.uint64]
    """`[pairs]`, one bit a column: do the two sequences differ there?"""
    differ_in_bit: npt.NDArray[np.uint64]
    """`[pairs]`, the same for one bit of the token."""
    in_word: npt.NDArray[np.uint8]
    """`[pairs]`, columns counted in one word of 64."""
    mismatches: npt.NDArray[Any]
    """`[pairs]`, mismatches in all columns, of the narrowest type that holds L."""
    shared: npt.NDArray[Any]
    """`[pairs]`, columns in which both have a residue."""

    @classmethod
    def for_pairs(cls, num_pairs: int, length: int) -> Comparison:
        """Room for `num_pairs` pairs of rows of `length` columns."""
        total = np.min_scalar_type(length)
        dtypes = (np.dtype(np.uint64), np.dtype(np.uint64), np.dtype(np.uint8), total, total)
        return cls(*(np.empty(num_pairs, dtype=dtype) for dtype in dtypes))

    def count_mismatches(self, of_rows: Planes, of_columns: Planes) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Count the differing columns of each pair, `[n, m]`, from planes `[words, 5, n]` and `[words, 5, m]`.

        The answer is valid until the next call.
        """
        shape = (of_rows.shape[2], of_columns.shape[2])
        buffers = (self.differ, self.differ_in_bit, self.in_word, self.mismatches)
        differ, differ_in_bit, in_word, total = (_reshaped(buffer, shape) for buffer in buffers)
        total.fill(0)
        for rows, columns in zip(of_rows[..., None], of_columns[:, :, None], strict=True):
            _differing(rows, columns, differ, differ_in_bit)
            np.bitwise_count(differ, out=in_word)
            np.add(total, in_word, out=total)
        return total

    def count_shared(
        self, of_rows: Planes, of_columns: Planes
    ) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.unsignedinteger[Any]]]:
        """Count the columns in which both have a residue, and those of them that differ, each `[n, m]`.

        From planes `[words, 6, ...]` with residues; the answers are valid until the next call.
        """
        shape = (of_rows.shape[2], of_columns.shape[2])
        buffers = (self.differ, self.differ_in_bit, self.in_word, self.shared, self.mismatches)
        differ, scratch, in_word, shared, mismatches = (_reshaped(buffer, shape) for buffer in buffers)
        shared.fill(0)
        mismatches.fill(0)
        for rows, columns in zip(of_rows[..., None], of_columns[:, :, None], strict=True):
            _differing(rows, columns, differ, scratch)
            np.bitwise_and(rows[NUM_BITS], columns[NUM_BITS], out=scratch)
            np.bitwise_count(scratch, out=in_word)
            np.add(shared, in_word, out=shared)
            np.bitwise_and(differ, scratch, out=differ)
            np.bitwise_count(differ, out=in_word)
            np.add(mismatches, in_word, out=mismatches)
        return shared, mismatches


def _reshaped(buffer: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[Any]:
    return buffer[: shape[0] * shape[1]].reshape(shape)


def _differing(rows: Planes, columns: Planes, differ: Planes, differ_in_bit: Planes) -> None:
    """Write into `differ` `[n, m]` the bits in which one word of each pair differs."""
    np.bitwise_xor(rows[0], columns[0], out=differ)
    for bit in range(1, NUM_BITS):
        np.bitwise_xor(rows[bit], columns[bit], out=differ_in_bit)
        np.bitwise_or(differ, differ_in_bit, out=differ)
