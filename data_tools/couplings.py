"""Partial correlations of all pairs of residues, amino acid by amino acid: what a network reads couplings from.

N sequences, L residues, l of them chosen, q = 21 states (20 amino acids, one for gap and X together).

Θ is the inverse of the covariance of the one-hot states with ε = 4.5 / √Neff added to its diagonal, as in trRosetta
(Yang et al. 2020, doi 10.1073/pnas.1914677117). Its entries grow with Neff and are largest where a state is rare; the
partial correlation −Θ_xy / √(Θ_xx Θ_yy) of two states lies between −1 and 1 for every alignment and every frequency.
Unlike trRosetta's (`data_tools.coevolution.shrunk_inverse_covariance`), the covariance is about the mean itself, and so
zero for copies of one sequence.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.coevolution import SHRINKAGE_PENALTY, inverse_of_positive
from data_tools.pair_statistics import NUM_STATES, one_hot_states, to_states
from data_tools.weights import representatives

NUM_COUPLINGS: Final = NUM_STATES**2

_MIN_SEPARATION: Final = (
    4  # |i − j| of the pairs that the scale is measured on; nearer ones are chain neighbours
)
_MIN_SPREAD: Final = 1e-6  # below lies the rounding of float32, as in an alignment of copies
_MAX_Z: Final = 30.0  # standard deviations


def standardized_couplings(
    tokens: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.float32],
    residues: npt.NDArray[np.int64] | None = None,
    *,
    penalty: float = SHRINKAGE_PENALTY,
) -> npt.NDArray[np.float16]:
    """Partial correlations `[l, l, 441]` among the `residues` `[l]`, all by default, given all L residues.

    In standard deviations of the entries of pairs with |i − j| ≥ 4, clipped to ±30; the state at i varies slowest,
    (j, i) is (i, j) with the states exchanged, and pairs (i, i) are zero. All zero when N = 1. `tokens` `[N, L]`,
    `weights` `[N]` > 0; of more than 4·10⁶ cells, a sample (`data_tools.weights.representatives`). Costs
    O(N² L + N l²) operations below 21 L sequences, O(L³) above; `features_memory` counts the bytes. Raises ValueError
    unless penalty > 0.
    """
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, not {penalty}")
    depth, length = tokens.shape
    chosen = np.arange(length) if residues is None else residues
    size = len(chosen)
    if depth == 1 or size == 1:
        return np.zeros((size, size, NUM_COUPLINGS), np.float16)
    table = _partial_correlations(*representatives(tokens, weights), chosen, penalty)
    blocks = table.reshape(size, NUM_STATES, size, NUM_STATES)
    blocks[np.arange(size), :, np.arange(size), :] = 0.0
    blocks *= np.float32(_inverse_spread(blocks, chosen))
    np.clip(blocks, -_MAX_Z, _MAX_Z, out=blocks)
    couplings = np.empty((size, size, NUM_STATES, NUM_STATES), np.float16)
    couplings[...] = blocks.transpose(0, 2, 1, 3)
    return couplings.reshape(size, size, NUM_COUPLINGS)


def _partial_correlations(
    tokens: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.float32],
    residues: npt.NDArray[np.int64],
    penalty: float,
) -> npt.NDArray[np.float32]:
    """`[21 l, 21 l]`, −1 on the diagonal."""
    factor, ridge = _centred_factor(tokens, weights), penalty / float(weights.sum(dtype=np.float64)) ** 0.5
    depth, size = factor.shape
    states = (residues[:, None] * NUM_STATES + np.arange(NUM_STATES)).ravel()
    if depth < size:  # Woodbury: Θ ε = I − Xᵀ (X Xᵀ + ε I)⁻¹ X
        core = (factor @ factor.T).astype(np.float64)
        core[np.diag_indices_from(core)] += ridge
        part = np.ascontiguousarray(factor[:, states])
        inverse = part.T @ (inverse_of_positive(core).astype(np.float32) @ part)
        inverse *= np.float32(-1)
        inverse[np.diag_indices_from(inverse)] += np.float32(1)
    else:
        core = (factor.T @ factor).astype(np.float64)
        core[np.diag_indices_from(core)] += ridge
        inverse = inverse_of_positive(core).astype(np.float32)[np.ix_(states, states)]
    scale = 1 / np.sqrt(np.diagonal(inverse).copy())
    inverse *= -scale[:, None]
    inverse *= scale
    return inverse


def _centred_factor(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """X `[N, 21 L]` with XᵀX the covariance of the states."""
    depth, length = tokens.shape
    shares = (weights / weights.sum(dtype=np.float64)).astype(np.float32)
    factor = one_hot_states(to_states(tokens)).reshape(depth, length * NUM_STATES)
    factor -= shares @ factor
    factor *= np.sqrt(shares)[:, None]
    return factor


def _inverse_spread(blocks: npt.NDArray[np.float32], residues: npt.NDArray[np.int64]) -> float:
    """One over the standard deviation of the entries of distant pairs; 0 when they have none."""
    squares = np.einsum("iajb,iajb->ij", blocks, blocks, optimize=False)
    far = np.abs(residues[:, None] - residues) >= _MIN_SEPARATION
    if not far.any():
        return 0.0
    spread = float(np.sqrt(squares[far].mean(dtype=np.float64) / NUM_COUPLINGS))
    return 1 / spread if spread > _MIN_SPREAD else 0.0
