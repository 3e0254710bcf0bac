"""Weighted frequencies of one and of two columns of an alignment, and their covariance.

N sequences, L columns, q = 21 states: the 20 amino acids, and one for gap and X together (`to_states`). Frequencies
are shares of the total weight. A pseudocount of share λ mixes them with a uniform distribution (Morcos et al. 2011,
doi 10.1073/pnas.1111471108, equation 4): f_i(a) becomes λ/q + (1 − λ) f_i(a); f_ij(a, b), for i ≠ j, becomes
λ/q² + (1 − λ) f_ij(a, b); and f_ii(a, b) = δ_ab f_i(a). `pseudocount_share` turns a number of sequences into λ.

**Kernels.** `numpy` multiplies the one-hot table `[N, 21 L]` with itself (84 N L bytes); `numba`, an optional compiled
histogram, visits each pair of columns (N L bytes). They agree to 2.5e-6. `auto` takes numba when it is installed and
the work is worth loading it. Results are `[L, 21, L, 21]` float32, 1,764 L² bytes: 40 MB at L = 150, 1.8 GB at 1,000.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import AMINO_ACIDS, NUM_AMINO_ACIDS, NUM_SYMBOLS
from data_tools.weights import Kernel

NUM_STATES: Final = 21  # 20 amino acids + gap; X counts as gap, as it says nothing about the residue
_WORTH_COMPILING: Final = 5e7  # N L² from which loading numba (about 0.5 s) costs less than it saves

Tokens = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float32]
CountPairs = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float64], FloatArray], None]


def to_states(tokens: Tokens, amino_acid_order: str = AMINO_ACIDS) -> npt.NDArray[np.uint8]:
    """Number the states 0–20 in `amino_acid_order`, gap and X being 20; same shape.

    >>> to_states(np.array([0, 1, 20, 21], dtype=np.uint8), "CADEFGHIKLMNPQRSTVWY").tolist()
    [1, 0, 20, 20]
    """
    table = np.full(NUM_SYMBOLS, NUM_AMINO_ACIDS, np.uint8)
    table[:NUM_AMINO_ACIDS] = [amino_acid_order.index(letter) for letter in AMINO_ACIDS]
    return table[tokens]


def one_hot_states(states: npt.NDArray[np.uint8]) -> FloatArray:
    """`[N, L, 21]` of states `[N, L]`."""
    one_hot = np.zeros((*states.shape, NUM_STATES), np.float32)
    np.put_along_axis(one_hot, states[:, :, None].astype(np.intp), 1.0, axis=2)
    return one_hot


def pseudocount_share(weights: Weights, count: float) -> float:
    """λ of a pseudocount of `count` sequences spread evenly over the states: count / (Neff + count).

    >>> pseudocount_share(np.ones(3, np.float32), 1.0)
    0.25
    """
    if not count >= 0:
        raise ValueError(f"a pseudocount must be at least 0 sequences, not {count}")
    return float(count / (weights.sum(dtype=np.float64) + count))


def single_frequencies(tokens: Tokens, weights: Weights, *, pseudocount: float = 0.0) -> FloatArray:
    """f_i(a) `[L, 21]` of `tokens` `[N, L]` with `weights` `[N]`; each row sums to 1.

    `pseudocount` is the share λ in [0, 1]; ValueError outside.
    """
    _check_share(pseudocount)
    length = tokens.shape[1]
    cells = np.arange(length, dtype=np.intp) * NUM_STATES + to_states(tokens)
    shares = np.broadcast_to(_probabilities(weights)[:, None], tokens.shape)
    counts = np.bincount(cells.ravel(), weights=shares.ravel(), minlength=length * NUM_STATES)
    mixed = (1 - pseudocount) * counts + pseudocount / NUM_STATES
    return mixed.reshape(length, NUM_STATES).astype(np.float32)


def pair_frequencies(
    tokens: Tokens, weights: Weights, *, pseudocount: float = 0.0, kernel: Kernel = "auto"
) -> FloatArray:
    """f_ij(a, b) `[L, 21, L, 21]` of `tokens` `[N, L]` with `weights` `[N]`; each block sums to 1.

    `pseudocount` is the share λ in [0, 1]. Raises ValueError for another, and when `kernel` is "numba" and it is not
    installed.
    """
    _check_share(pseudocount)
    states, probabilities = to_states(tokens), _probabilities(weights)
    length = tokens.shape[1]
    if _takes_numba(kernel, tokens.size * length):
        pairs = np.zeros((length, NUM_STATES, length, NUM_STATES), np.float32)
        _compiled_count_pairs()(np.ascontiguousarray(states.T), probabilities, pairs)
    else:
        table = one_hot_states(states).reshape(len(states), length * NUM_STATES)
        table *= np.sqrt(probabilities)[:, None].astype(np.float32)
        pairs = (table.T @ table).reshape(length, NUM_STATES, length, NUM_STATES)
    if pseudocount:
        pairs *= np.float32(1 - pseudocount)
        pairs += np.float32(pseudocount / NUM_STATES**2)
    columns = np.arange(length)
    pairs[columns, :, columns, :] = single_frequencies(tokens, weights, pseudocount=pseudocount)[
        :, :, None
    ] * np.eye(NUM_STATES, dtype=np.float32)
    return pairs


def covariance(
    tokens: Tokens, weights: Weights, *, pseudocount: float = 0.0, kernel: Kernel = "auto"
) -> FloatArray:
    """f_ij(a, b) − f_i(a) f_j(b) `[L, 21, L, 21]`, positive semidefinite as a table `[21 L, 21 L]`.

    Arguments and errors as for `pair_frequencies`; peak memory twice the result.
    """
    pairs = pair_frequencies(tokens, weights, pseudocount=pseudocount, kernel=kernel)
    single = single_frequencies(tokens, weights, pseudocount=pseudocount)
    pairs -= single[:, :, None, None] * single
    return pairs


def _probabilities(weights: Weights) -> npt.NDArray[np.float64]:
    return weights / weights.sum(dtype=np.float64)


def _check_share(pseudocount: float) -> None:
    if not 0 <= pseudocount <= 1:
        raise ValueError(f"pseudocount must be a share between 0 and 1, not {pseudocount}")


def _takes_numba(kernel: Kernel, work: int) -> bool:
    if kernel not in ("auto", "numpy", "numba"):
        raise ValueError(f"kernel must be 'auto', 'numpy' or 'numba', not {kernel!r}")
    is_installed = importlib.util.find_spec("numba") is not None
    if kernel == "numba" and not is_installed:
        raise ValueError("kernel 'numba' needs numba: pip install 'msaformer[fast]', or take 'auto'")
    return kernel == "numba" or (kernel == "auto" and is_installed and work >= _WORTH_COMPILING)


@functools.cache
def _compiled_count_pairs() -> CountPairs:
    import numba

    compiled: CountPairs = numba.njit(cache=True)(_count_pairs)
    return compiled


def _count_pairs(states: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float64], pairs: Any) -> None:
    """Fill `pairs` `[L, 21, L, 21]` outside its diagonal blocks from `states` `[L, N]`; compiled by numba."""
    length, depth = states.shape
    counts = np.zeros((NUM_STATES, NUM_STATES))  # float64, of one pair of columns: stays in the cache
    for i in range(length):
        for j in range(i + 1, length):
            counts[:] = 0.0
            for n in range(depth):
                counts[states[i, n], states[j, n]] += probabilities[n]
            for a in range(NUM_STATES):
                for b in range(NUM_STATES):
                    pairs[i, a, j, b] = counts[a, b]
                    pairs[j, b, i, a] = counts[a, b]
