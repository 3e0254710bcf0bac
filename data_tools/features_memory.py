"""How many bytes the features of an alignment take while they are made, known before any is made.

The terms are the tables that the functions hold at their largest moment, read off their code and checked against what
numpy allocates (`tests/test_features_memory.py`); 84 is 21 states in float32, 80 the 20 amino acids.

N sequences, L residues.
"""

from __future__ import annotations

from typing import Final

from data_tools.pair_statistics import NUM_STATES
from data_tools.weights.sampling import MAX_CELLS

_FLOAT, _DOUBLE, _HALF = 4, 8, 2
_ONE_HOT: Final = _FLOAT * NUM_STATES
_FACTORS: Final = 4  # one-hot states, their amino acids, what is centred of these, and the result
_DOUBLE_TABLES: Final = 4  # of a matrix that is decomposed or inverted, with what that takes
_COUPLING_FACTORS: Final = 3  # the factor, its chosen columns, and their product with the inverse


def features_bytes(depth: int, length: int, *, coevolution: bool = True, couplings: bool = False) -> int:
    """Most bytes at a time of `featurize`, and of `standardized_couplings` after it, their results included."""
    standing = 3 * depth * length + _FLOAT * depth  # tokens, deletions and weights
    if not coevolution or depth == 1 or length == 1:
        return standing
    rows = min(depth, max(1, MAX_CELLS // length))
    standing += (rows < depth) * rows * length
    factors = _FACTORS * _ONE_HOT * rows * length
    side = min(rows + 1, NUM_STATES * length)
    largest = max(factors, factors // 2 + _DOUBLE_TABLES * _DOUBLE * side**2)
    if couplings:
        largest = max(largest, _couplings_bytes(rows, length))
    return standing + 4 * _FLOAT * length**2 + largest


def _couplings_bytes(rows: int, length: int) -> int:
    """The table in float32 with what it is made of, then with the result in half precision."""
    cells = NUM_STATES**2 * length**2
    factors = _COUPLING_FACTORS * _ONE_HOT * rows * length
    if rows < NUM_STATES * length:
        made = _FLOAT * cells + factors + _DOUBLE * rows**2
    else:  # the factor alone, and the inverse
        made = factors // _COUPLING_FACTORS + _DOUBLE_TABLES * _DOUBLE * cells
    return max(made, (_FLOAT + _HALF) * cells)
