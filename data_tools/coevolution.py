"""Co-evolution maps `[L, L]`: mean-field DCA and mutual information, both with the average product correction.

N sequences, L residues, q = 21 states (20 amino acids and one for gap and X together). Mean-field DCA follows Morcos
et al. 2011 (doi 10.1073/pnas.1111471108): pseudocount λ = 0.5, couplings −C⁻¹; scores follow Ekeberg et al. 2013
(doi 10.1103/PhysRevE.87.012707): zero-sum gauge, Frobenius norm over the 20 amino-acid states (the gap is left out),
APC (Dunn et al. 2008, doi 10.1093/bioinformatics/btm604).

**Low rank.** With the gap as the state left out, C is exactly D + UᵀU: D has the same 20×20 block
(λ/q)(I − 11ᵀ/q) at every position (inverse (q/λ)(I + 11ᵀ)) and U holds N + 1 rows, one a sequence and one for the
pseudocount. An alignment with fewer than 20 L sequences is therefore inverted at size N + 1 (Woodbury), not 20 L.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP, NUM_AMINO_ACIDS, UNKNOWN

NUM_STATES: Final = 21  # 20 amino acids + gap; X counts as gap, as it says nothing about the residue
PSEUDOCOUNT: Final = 0.5  # λ of Morcos et al. 2011, as a share of the whole

_BLOCK_RESIDUES: Final = 16  # residues a block of rows of the [20 L, 20 L] table, bounds the memory

FloatMap = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]


def mean_field_dca(tokens: Tokens, weights: Weights, *, pseudocount: float = PSEUDOCOUNT) -> FloatMap:
    """APC-corrected mean-field DCA scores `[L, L]`, symmetric, zero on the diagonal; all zero when N = 1.

    `tokens` `[N, L]`, `weights` `[N]` > 0. Costs O(400 L² · min(N, 20 L)) operations and O(20 L · min(N, 20 L))
    memory. Raises ValueError unless 0 < pseudocount < 1.
    """
    if not 0 < pseudocount < 1:
        raise ValueError(f"pseudocount must lie between 0 and 1, not {pseudocount}")
    depth, length = tokens.shape
    if depth == 1 or length == 1:
        return np.zeros((length, length), np.float32)
    factor = _covariance_factor(tokens, weights, pseudocount)
    if depth + 1 < NUM_AMINO_ACIDS * length:
        couplings = _couplings_factor(factor, length, pseudocount)
        norms = _block_norms(couplings, length)
    else:
        norms = _dense_norms(factor, length, pseudocount)
    return average_product_correction(norms)


def mutual_information_apc(tokens: Tokens, weights: Weights) -> FloatMap:
    """APC-corrected mutual information `[L, L]` in nats over 21 states, symmetric, zero diagonal; all zero when N = 1.

    `tokens` `[N, L]`, `weights` `[N]` > 0; frequencies carry no pseudocount.
    """
    depth, length = tokens.shape
    if depth == 1 or length == 1:
        return np.zeros((length, length), np.float32)
    states = _states(tokens)
    one_hot = np.zeros((depth, length, NUM_STATES), np.float32)
    np.put_along_axis(one_hot, states[:, :, None], 1.0, axis=2)
    one_hot *= np.sqrt(_probabilities(weights))[:, None, None]
    table = one_hot.reshape(depth, length * NUM_STATES)
    single = np.einsum("nx,nx->x", table, table).reshape(length, NUM_STATES)
    entropy = -_x_log_x(single).sum(axis=1)
    joint = np.zeros((length, length), np.float32)
    for start in range(0, length, _BLOCK_RESIDUES):
        stop = min(start + _BLOCK_RESIDUES, length)
        pairs = table[:, start * NUM_STATES : stop * NUM_STATES].T @ table[:, start * NUM_STATES :]
        pairs = pairs.reshape(stop - start, NUM_STATES, length - start, NUM_STATES)
        joint[start:stop, start:] = -_x_log_x(pairs).sum(axis=(1, 3))
    joint = np.triu(joint, 1)
    information = entropy[:, None] + entropy[None, :] - (joint + joint.T)
    return average_product_correction(information)


def average_product_correction(scores: npt.NDArray[np.floating]) -> FloatMap:
    """Subtract rowmean · columnmean / mean, each over the pairs i ≠ j, from symmetric `scores` `[L, L]`.

    The diagonal of the result is zero; a map that is zero throughout stays so. Source: Dunn et al. 2008.
    """
    off = np.array(scores, dtype=np.float64)
    np.fill_diagonal(off, 0.0)
    others = max(off.shape[0] - 1, 1)
    means = off.sum(axis=1) / others
    mean = means.mean()
    if mean == 0:
        return np.zeros(off.shape, np.float32)
    corrected = off - np.outer(means, means) / mean
    np.fill_diagonal(corrected, 0.0)
    return corrected.astype(np.float32)


def _states(tokens: Tokens) -> npt.NDArray[np.int64]:
    states = tokens.astype(np.int64)
    states[(tokens == GAP) | (tokens == UNKNOWN)] = NUM_AMINO_ACIDS
    return states


def _probabilities(weights: Weights) -> npt.NDArray[np.float32]:
    return (weights / weights.sum(dtype=np.float64)).astype(np.float32)


def _x_log_x(frequencies: FloatMap) -> FloatMap:
    logs = np.log(np.maximum(frequencies, np.float32(1e-30)))  # 0 · log 0 = 0
    return np.multiply(frequencies, logs, out=logs)


def _covariance_factor(tokens: Tokens, weights: Weights, pseudocount: float) -> FloatMap:
    """U `[N + 1, 20 L]` with C = D + UᵀU."""
    depth, length = tokens.shape
    states = _states(tokens)
    one_hot = np.zeros((depth, length, NUM_STATES), np.float32)
    np.put_along_axis(one_hot, states[:, :, None], 1.0, axis=2)
    indicators = one_hot[:, :, :NUM_AMINO_ACIDS].reshape(depth, length * NUM_AMINO_ACIDS)
    probabilities = _probabilities(weights)
    frequencies = probabilities @ indicators
    factor = np.empty((depth + 1, indicators.shape[1]), np.float32)
    np.multiply(indicators - frequencies, np.sqrt(probabilities)[:, None], out=factor[:depth])
    factor[depth] = np.float32(np.sqrt(pseudocount)) * (frequencies - np.float32(1 / NUM_STATES))
    factor *= np.float32(np.sqrt(1 - pseudocount))
    return factor


def _apply_inverse_diagonal(factor: FloatMap, length: int, pseudocount: float) -> FloatMap:
    """U D⁻¹ `[R, 20 L]`: D⁻¹ adds to each state the sum over the position's 20 states, times q/λ."""
    blocks = factor.reshape(-1, length, NUM_AMINO_ACIDS)
    scaled = (blocks + blocks.sum(axis=2, keepdims=True)) * np.float32(NUM_STATES / pseudocount)
    return scaled.reshape(factor.shape)


def _couplings_factor(factor: FloatMap, length: int, pseudocount: float) -> FloatMap:
    """Y `[R, 20 L]`, in the zero-sum gauge, with couplings e_ij = Y_iᵀ Y_j for i ≠ j (Woodbury)."""
    scaled = _apply_inverse_diagonal(factor, length, pseudocount)
    core = (scaled @ factor.T).astype(np.float64)
    core[np.diag_indices_from(core)] += 1.0
    lower = np.linalg.cholesky((core + core.T) / 2)
    couplings = np.linalg.solve(lower, np.eye(lower.shape[0])).astype(np.float32) @ scaled
    blocks = couplings.reshape(-1, length, NUM_AMINO_ACIDS)
    blocks -= blocks.sum(axis=2, keepdims=True) / NUM_STATES
    return couplings


def _block_norms(couplings: FloatMap, length: int) -> FloatMap:
    """Frobenius norms `[L, L]` of the 20×20 blocks Y_iᵀ Y_j."""
    q = NUM_AMINO_ACIDS
    norms = np.zeros((length, length), np.float32)
    for start in range(0, length, _BLOCK_RESIDUES):
        stop = min(start + _BLOCK_RESIDUES, length)
        blocks = couplings[:, start * q : stop * q].T @ couplings[:, start * q :]
        np.square(blocks, out=blocks)
        norms[start:stop, start:] = np.sqrt(
            blocks.reshape(stop - start, q, length - start, q).sum(axis=(1, 3))
        )
    norms = np.triu(norms, 1)
    return norms + norms.T


def _dense_norms(factor: FloatMap, length: int, pseudocount: float) -> FloatMap:
    """Frobenius norms `[L, L]` of the couplings by inverting C `[20 L, 20 L]` itself."""
    q = NUM_AMINO_ACIDS
    covariance = (factor.T @ factor).astype(np.float64)
    block = (np.eye(q) - 1 / NUM_STATES) * (pseudocount / NUM_STATES)
    for i in range(length):
        covariance[i * q : (i + 1) * q, i * q : (i + 1) * q] += block
    inverse = np.linalg.inv(covariance).reshape(length, q, length, q)
    inverse -= inverse.sum(axis=1, keepdims=True) / NUM_STATES
    inverse -= inverse.sum(axis=3, keepdims=True) / NUM_STATES
    return np.sqrt(np.square(inverse, out=inverse).sum(axis=(1, 3))).astype(np.float32)
