"""Co-evolution maps `[L, L]`: mean-field DCA, mutual information, and trRosetta's shrunk inverse covariance.

N sequences, L residues, q = 21 states (20 amino acids and one for gap and X together). Mean-field DCA follows Morcos
et al. 2011 (doi 10.1073/pnas.1111471108): pseudocount λ = 0.5, couplings −C⁻¹; scores follow Ekeberg et al. 2013
(doi 10.1103/PhysRevE.87.012707): zero-sum gauge, Frobenius norm (`Norm` names the conventions), APC (Dunn et al.
2008, doi 10.1093/bioinformatics/btm604).

**Low rank.** With the gap as the state left out, C is exactly D + UᵀU: D has the same 20×20 block
(λ/q)(I − 11ᵀ/q) at every position (inverse (q/λ)(I + 11ᵀ)) and U holds N + 1 rows, one a sequence and one for the
pseudocount. An alignment with fewer than 20 L sequences is therefore inverted at size N + 1 (Woodbury), not 20 L.
The shrunk covariance is XᵀX + εI with N rows in X, and is inverted at size N in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import AMINO_ACIDS, NUM_AMINO_ACIDS
from data_tools.pair_statistics import NUM_STATES, one_hot_states, to_states

PSEUDOCOUNT: Final = 0.5  # λ of Morcos et al. 2011, as a share of the whole
SHRINKAGE_PENALTY: Final = 4.5  # trRosetta, Yang et al. 2020 (doi 10.1073/pnas.1914677117), methods

Norm = Literal["amino_acids", "all_states", "centred"]
"""How a block of couplings becomes one score:

- `amino_acids`: zero-sum gauge of the 21 states, Frobenius norm over the 20 amino acids, so that shared gaps do not
  score. Ekeberg et al. 2014 (doi 10.1016/j.jcp.2014.07.024); the shipped weights were trained on it.
- `all_states`: the same gauge, norm over all 21. Ekeberg et al. 2013, equation 26; EVcouplings' mean field.
- `centred`: the 20×20 block less its own row and column means, norm over the 20. pydca 1.23, equal to rounding.

Pearson correlation with `centred` over all pairs of 16 alignments of Jones et al. 2012 (at most 2,000 rows each):
`amino_acids` 0.997 to 0.9999, `all_states` 0.73 to 0.91.
"""
_DIVISORS: Final[dict[str, float]] = {
    "amino_acids": NUM_STATES,
    # s = (1 − 1/√21) / 20 gives (I − s 11ᵀ)² = I − 11ᵀ/21: the norm of 20 numbers is that of the 21 in their gauge
    "all_states": NUM_AMINO_ACIDS / (1 - NUM_STATES**-0.5),
    "centred": NUM_AMINO_ACIDS,
}
"""Each of a position's 20 states loses their sum divided by this."""

_BLOCK_RESIDUES: Final = 16  # residues a block of rows of the [20 L, 20 L] table, bounds the memory
_INVERTED_WHOLE: Final = 384  # rows of a matrix that LAPACK inverts at once; measured best of 96 to 768

FloatMap = npt.NDArray[np.float32]
DoubleMap = npt.NDArray[np.float64]
Tokens = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ShrunkInverse:
    """What trRosetta's `fast_dca` makes of an alignment (`shrunk_inverse_covariance`)."""

    couplings: FloatMap
    """`[L, L, 441]`, the block (i, j) of (C + εI)⁻¹, row after row: the state at i, then the state at j."""
    contacts: FloatMap
    """`[L, L]`, APC-corrected norms of the blocks over the 20 amino acids; symmetric, zero on the diagonal."""


def mean_field_dca(
    tokens: Tokens, weights: Weights, *, pseudocount: float = PSEUDOCOUNT, norm: Norm = "amino_acids"
) -> FloatMap:
    """APC-corrected mean-field DCA scores `[L, L]`, symmetric, zero on the diagonal; all zero when N = 1.

    `tokens` `[N, L]`, `weights` `[N]` > 0. Costs O(400 L² · min(N, 20 L)) operations. Peak memory: about
    16 (20 L)² + 200 N L bytes from 20 L sequences on, O(20 L · N) below. Raises ValueError unless
    0 < pseudocount < 1 and `norm` is one of `Norm`.
    """
    if not 0 < pseudocount < 1:
        raise ValueError(f"pseudocount must lie between 0 and 1, not {pseudocount}")
    if norm not in _DIVISORS:
        raise ValueError(f"norm must be one of {', '.join(_DIVISORS)}, not {norm!r}")
    depth, length = tokens.shape
    if depth == 1 or length == 1:
        return np.zeros((length, length), np.float32)
    factor = _covariance_factor(tokens, weights, pseudocount)
    if depth + 1 < NUM_AMINO_ACIDS * length:
        couplings = _couplings_factor(factor, length, pseudocount)
        norms = _block_norms(couplings, length, _DIVISORS[norm])
    else:
        norms = _dense_norms(factor, length, pseudocount, _DIVISORS[norm])
    return average_product_correction(norms)


def mutual_information_apc(tokens: Tokens, weights: Weights) -> FloatMap:
    """APC-corrected mutual information `[L, L]` in nats over 21 states, symmetric, zero diagonal; all zero when N = 1.

    `tokens` `[N, L]`, `weights` `[N]` > 0; frequencies carry no pseudocount.
    """
    depth, length = tokens.shape
    if depth == 1 or length == 1:
        return np.zeros((length, length), np.float32)
    one_hot = one_hot_states(to_states(tokens))
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


def average_product_correction(
    scores: npt.NDArray[np.floating], *, diagonal_counts: bool = False
) -> FloatMap:
    """Subtract rowmean · columnmean / mean, each over the pairs i ≠ j, from symmetric `scores` `[L, L]`.

    The diagonal of the result is zero; a map that is zero throughout stays so. Source: Dunn et al. 2008. With
    `diagonal_counts` the means run over all L² cells, zeros on the diagonal included, as in trRosetta.
    """
    off = np.array(scores, dtype=np.float64)
    np.fill_diagonal(off, 0.0)
    others = off.shape[0] if diagonal_counts else max(off.shape[0] - 1, 1)
    means = off.sum(axis=1) / others
    mean = means.mean()
    if mean == 0:
        return np.zeros(off.shape, np.float32)
    corrected = off - np.outer(means, means) / mean
    np.fill_diagonal(corrected, 0.0)
    return corrected.astype(np.float32)


def shrunk_inverse_covariance(
    tokens: Tokens,
    weights: Weights,
    *,
    penalty: float = SHRINKAGE_PENALTY,
    amino_acid_order: str = AMINO_ACIDS,
) -> ShrunkInverse:
    """Invert the covariance of the 21 one-hot states with ε = penalty / √Σw added to its diagonal, as trRosetta.

    `tokens` `[N, L]`, `weights` `[N]` > 0; the states are `amino_acid_order`, then one for gap and X. With
    n = Σw − √(mean w) and μ = Σ w x / n, C = Σ w (x − μ)(x − μ)ᵀ / n. The contacts are Frobenius norms over the
    amino acids, less rowsum · columnsum / sum (a factor (L − 1) / L below `average_product_correction`). All zero when
    N = 1 or L = 1. Peak memory: about 12 (21 L)² bytes below 21 L sequences, 32 (21 L)² above, and 200 N L.
    Source: Yang et al. 2020 (doi 10.1073/pnas.1914677117). Raises ValueError unless penalty > 0 and n > 0.
    """
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, not {penalty}")
    depth, length = tokens.shape
    if depth == 1 or length == 1:
        zeros = np.zeros((length, length), np.float32)
        return ShrunkInverse(np.zeros((length, length, NUM_STATES**2), np.float32), zeros)
    total = float(weights.sum(dtype=np.float64))
    ridge = penalty / total**0.5
    factor = one_hot_states(to_states(tokens, amino_acid_order)).reshape(depth, length * NUM_STATES)
    points = total - float(weights.mean(dtype=np.float64)) ** 0.5
    if points <= 0:
        raise ValueError(
            f"weights sum to {total:g}, too little for {depth} sequences: each must be about 1 / N to 1"
        )
    factor -= (weights @ factor) / np.float32(points)
    factor *= np.sqrt(weights / np.float32(points))[:, None]
    inverse = _ridge_inverse(factor, ridge).reshape(length, NUM_STATES, length, NUM_STATES)
    norms = np.sqrt(np.einsum("iajb,iajb->ij", inverse[:, :-1, :, :-1], inverse[:, :-1, :, :-1]))
    couplings = np.ascontiguousarray(inverse.transpose(0, 2, 1, 3)).reshape(length, length, NUM_STATES**2)
    return ShrunkInverse(couplings, average_product_correction(norms, diagonal_counts=True))


def _probabilities(weights: Weights) -> npt.NDArray[np.float32]:
    return (weights / weights.sum(dtype=np.float64)).astype(np.float32)


def _x_log_x(frequencies: FloatMap) -> FloatMap:
    logs = np.log(np.maximum(frequencies, np.float32(1e-30)))  # 0 · log 0 = 0
    return np.multiply(frequencies, logs, out=logs)


def _covariance_factor(tokens: Tokens, weights: Weights, pseudocount: float) -> FloatMap:
    """U `[N + 1, 20 L]` with C = D + UᵀU."""
    depth, length = tokens.shape
    one_hot = one_hot_states(to_states(tokens))
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
    """Y `[R, 20 L]` with couplings e_ij = Y_iᵀ Y_j for i ≠ j (Woodbury)."""
    scaled = _apply_inverse_diagonal(factor, length, pseudocount)
    core = (scaled @ factor.T).astype(np.float64)
    core[np.diag_indices_from(core)] += 1.0
    lower = np.linalg.cholesky((core + core.T) / 2)
    return np.linalg.solve(lower, np.eye(lower.shape[0])).astype(np.float32) @ scaled


def _block_norms(couplings: FloatMap, length: int, divisor: float) -> FloatMap:
    """Frobenius norms `[L, L]` of the 20×20 blocks Y_iᵀ Y_j, in the gauge of `divisor` (`_DIVISORS`)."""
    q = NUM_AMINO_ACIDS
    states = couplings.reshape(-1, length, q)
    states -= states.sum(axis=2, keepdims=True) / divisor
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


def _dense_norms(factor: FloatMap, length: int, pseudocount: float, divisor: float) -> FloatMap:
    """Frobenius norms `[L, L]` of the couplings by inverting C `[20 L, 20 L]` itself, in float64."""
    q = NUM_AMINO_ACIDS
    covariance = (factor.T @ factor).astype(np.float64)
    block = (np.eye(q) - 1 / NUM_STATES) * (pseudocount / NUM_STATES)
    for i in range(length):
        covariance[i * q : (i + 1) * q, i * q : (i + 1) * q] += block
    inverse = inverse_of_positive(covariance)
    gauge = np.eye(q) - 1 / divisor
    norms = np.zeros((length, length), np.float32)
    for start in range(0, length, _BLOCK_RESIDUES):
        stop = min(start + _BLOCK_RESIDUES, length)
        rows = inverse[start * q : stop * q, start * q :].reshape(-1, q) @ gauge
        blocks = gauge @ rows.reshape(stop - start, q, -1)
        np.square(blocks, out=blocks)
        norms[start:stop, start:] = np.sqrt(blocks.sum(axis=1).reshape(stop - start, -1, q).sum(axis=2))
    norms = np.triu(norms, 1)
    return norms + norms.T


def _ridge_inverse(factor: FloatMap, ridge: float) -> FloatMap:
    """(XᵀX + εI)⁻¹ `[M, M]` of X `[N, M]`: at size M, or as (I − Xᵀ(XXᵀ + εI)⁻¹X) / ε at size N (Woodbury)."""
    depth, size = factor.shape
    is_low_rank = depth < size
    core = (factor @ factor.T if is_low_rank else factor.T @ factor).astype(np.float64)
    core[np.diag_indices_from(core)] += ridge
    small = inverse_of_positive(core).astype(np.float32)
    if not is_low_rank:
        return small
    inverse = factor.T @ (small @ factor)
    inverse *= np.float32(-1 / ridge)
    inverse[np.diag_indices_from(inverse)] += np.float32(1 / ridge)
    return inverse


def inverse_of_positive(matrix: DoubleMap) -> DoubleMap:
    """Invert a symmetric positive definite matrix by halves: half the work of LAPACK's general inverse.

    With S = A₂₂ − A₁₂ᵀ A₁₁⁻¹ A₁₂ and Q = A₁₁⁻¹ A₁₂ the inverse is [[A₁₁⁻¹ + Q S⁻¹ Qᵀ, −Q S⁻¹], [·, S⁻¹]]: all of it
    matrix products but the inverses of the smallest blocks.
    """
    size = len(matrix)
    if size <= _INVERTED_WHOLE:
        return np.linalg.inv(matrix).astype(np.float64, copy=False)
    half = size // 2
    corner, side = matrix[:half, :half], matrix[:half, half:]
    first = inverse_of_positive(corner)
    product = first @ side
    last = inverse_of_positive(matrix[half:, half:] - side.T @ product)
    inverse = np.empty_like(matrix)
    inverse[half:, half:] = last
    np.matmul(product, last, out=inverse[:half, half:])
    np.matmul(inverse[:half, half:], product.T, out=inverse[:half, :half])
    inverse[:half, :half] += first
    inverse[:half, half:] *= -1
    inverse[half:, :half] = inverse[:half, half:].T
    return inverse
