"""Neff, the effective number of sequences, under definitions that have names: one function each.

| function | definition |
|---|---|
| `neff80`, `neff62`, `neff_identity` | Σ of the identity weights at 80 %, 62 %, θ (`sequence_weights`) |
| `neff_per_sqrt_length` | Neff / √L, such as Nf = `neff80` / √L (Ovchinnikov et al. 2017, Science 355:294; DeepMSA) |
| `column_neff` | `[L]`, Σ of the weights of the rows that have a residue in the column |
| `neff_henikoff` | exp of the mean entropy of the columns under Henikoff's weights |
| `hhsuite_column_neff`, `neff_hhsuite` | HH-suite's: so for each column, among the rows that cover it; their mean |

They measure different things: the first grow with the number of families' members without bound, the entropies lie
between 1 and 20, the number of amino acids. Other weights, same sum: `effective_sequences(weights_plmc(tokens))`.

Dimension key: N sequences, row 0 is the query; L columns.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP, NUM_AMINO_ACIDS, NUM_SYMBOLS
from data_tools.weights.bit_planes import check_tokens
from data_tools.weights.henikoff import check_symbols, henikoff_weights, symbol_counts, symbol_shares
from data_tools.weights.identity import Kernel, effective_sequences, sequence_weights

Tokens = npt.NDArray[np.uint8]

# of a sub-alignment's rows, in its outermost columns (HH-suite, MAXENDGAPFRAC)
HHSUITE_MAX_END_GAPS: Final = 0.1
# a narrower sub-alignment is weighed as the whole is (HH-suite, NCOLMIN)
HHSUITE_MIN_COLUMNS: Final = 10
# added to a row's residues in the global weights (HH-suite)
_HHSUITE_EXTRA_RESIDUES: Final = 30.0


def neff80(tokens: Tokens, *, kernel: Kernel = "auto") -> float:
    """Σ_i 1 / #{j : matches(i, j) >= 0.8 L}, i included, gaps matching as symbols; between 1 and N."""
    return neff_identity(tokens, 0.8, kernel=kernel)


def neff62(tokens: Tokens, *, kernel: Kernel = "auto") -> float:
    """As `neff80` at 62 %, the identity of the BLOSUM62 clusters; never more than `neff80`."""
    return neff_identity(tokens, 0.62, kernel=kernel)


def neff_identity(tokens: Tokens, identity: float, *, kernel: Kernel = "auto") -> float:
    """As `neff80` at any `identity` in (0, 1].

    >>> neff_identity(np.array([[0, 1], [0, 2], [5, 6]], dtype=np.uint8), 0.5)
    2.0
    """
    return effective_sequences(sequence_weights(tokens, identity=identity, kernel=kernel))


def neff_per_sqrt_length(neff: float, length: int) -> float:
    """Neff / √L, with which contact accuracy of different proteins is compared; name the Neff beside it.

    >>> neff_per_sqrt_length(30.0, 100)
    3.0
    """
    return neff / math.sqrt(length)


def column_neff(tokens: Tokens, weights: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """`[L]`, the sum of the `weights` `[N]` of the rows with a residue (X too) in each column.

    AlphaFold 2's per-residue Neff (Jumper et al. 2021, Fig. 5a) is this with `weights_alphafold`.

    >>> column_neff(np.array([[0, 1], [0, 21]], dtype=np.uint8), np.array([0.5, 1.0])).tolist()
    [1.5, 0.5]
    """
    check_tokens(tokens)
    return np.array([weights[column != GAP].sum(dtype=np.float64) for column in tokens.T])


def neff_henikoff(tokens: Tokens) -> float:
    """exp(mean over the columns of the entropy of the 20 amino acids), rows weighed by `henikoff_weights`.

    Between 1 and 20. Gaps and X are left out of a column's distribution; a column of nothing else has entropy 0.

    >>> round(neff_henikoff(np.array([[0, 1], [0, 2]], dtype=np.uint8)), 4)  # entropies 0 and log 2
    1.4142
    """
    return math.exp(_entropies(tokens, henikoff_weights(tokens)).mean())


def neff_hhsuite(tokens: Tokens) -> float:
    """The mean of `hhsuite_column_neff`: what hhmake 3 writes as NEFF when it is told to filter nothing.

    hhmake's defaults first filter to about a hundred diverse rows (`-id 90 -diff 100`), so its figure for a deep
    file is that of the filtered rows; give those.
    """
    return float(hhsuite_column_neff(tokens).mean())


def hhsuite_column_neff(tokens: Tokens) -> npt.NDArray[np.float64]:
    """`[L]`, HH-suite 3's diversity of the sub-alignment around each column, between 1 and 20.

    For column i: the rows with an amino acid there; the columns from the first to the last in which at most 10 % of
    those rows have an end gap (a gap outside a row's first and last residue); Henikoff's weights within them, amino
    acids only, or of the whole alignment if fewer than 10 columns are left; then 2 to the mean entropy, in bits, of
    those columns. 1 where nothing is left. Time ~ N x L².
    """
    check_symbols(tokens)
    length = tokens.shape[1]
    flat = tokens.astype(np.intp) + NUM_SYMBOLS * np.arange(length)  # cell of a [L, 22] table
    is_end_gap = _end_gaps(tokens)
    whole = _hhsuite_global_weights(tokens)
    neff = np.ones(length)
    last: tuple[npt.NDArray[np.intp], float] | None = None
    for column in range(length):
        rows = np.flatnonzero(tokens[:, column] < NUM_AMINO_ACIDS)
        if last is None or not np.array_equal(rows, last[0]):
            last = rows, _hhsuite_neff_of(flat[rows], is_end_gap[rows], whole[rows], length)
        neff[column] = last[1]
    return neff


def _hhsuite_neff_of(
    flat: npt.NDArray[np.intp], is_end_gap: npt.NDArray[np.bool_], whole: npt.NDArray[np.float64], length: int
) -> float:
    """Diversity of one sub-alignment, given as cells `[n, L]` of a `[L, 22]` table."""
    inner = np.flatnonzero(np.count_nonzero(is_end_gap, axis=0) <= HHSUITE_MAX_END_GAPS * len(flat))
    columns = slice(inner[0], inner[-1] + 1)
    table = (length, NUM_SYMBOLS)
    if columns.stop - columns.start < HHSUITE_MIN_COLUMNS:
        weights = whole
    else:
        counts = np.bincount(flat[:, columns].ravel(), minlength=length * NUM_SYMBOLS).reshape(table)
        weights = symbol_shares(counts).ravel()[flat[:, columns]].sum(axis=1)
    cells = flat[:, columns]
    of_cells = np.repeat(weights, cells.shape[1])
    mass = np.bincount(cells.ravel(), of_cells, minlength=length * NUM_SYMBOLS).astype(np.float64)
    return float(np.exp(_entropies_of(mass.reshape(table)[columns]).mean()))


def _hhsuite_global_weights(tokens: Tokens) -> npt.NDArray[np.float64]:
    """`[N]`, Henikoff's sum over the row's residues, which lifts a fragment to nearly the weight of a whole row."""
    share = symbol_shares(symbol_counts(tokens))
    total = np.zeros(len(tokens))
    for column, shares in zip(tokens.T, share, strict=True):
        total += shares[column]
    return total / (np.count_nonzero(tokens < NUM_AMINO_ACIDS, axis=1) + _HHSUITE_EXTRA_RESIDUES)


def _end_gaps(tokens: Tokens) -> npt.NDArray[np.bool_]:
    """`[N, L]`: is the cell a gap before the row's first residue or after its last?"""
    is_residue = tokens != GAP
    is_begun = np.logical_or.accumulate(is_residue, axis=1)
    is_unfinished = np.logical_or.accumulate(is_residue[:, ::-1], axis=1)[:, ::-1]
    return ~(is_begun & is_unfinished)


def _entropies(tokens: Tokens, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`[L]`, natural entropy of the weighted amino acids of each column."""
    mass = [np.bincount(column, weights, NUM_SYMBOLS) for column in tokens.T]
    return _entropies_of(np.array(mass, dtype=np.float64))


def _entropies_of(mass: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`[L]`, natural entropy of each row of `mass` `[L, 22]`, X and gap left out; 0 where nothing else is."""
    mass = mass[:, :NUM_AMINO_ACIDS]
    total = mass.sum(axis=1, keepdims=True)
    share = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
    logarithm = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logarithm).sum(axis=1)
