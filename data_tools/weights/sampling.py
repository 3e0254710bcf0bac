"""Sequences drawn by weight, so that each group of similar ones counts as one.

Dimension key: N sequences, L residues.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.weights.identity import sequence_weights

MAX_CELLS: Final = 4_000_000
"""N · L of the alignment that co-evolution is computed from: 13,000 sequences of 300 residues, 4,000 of 1,000. Bounds
what is made of it to about 3 GB and a minute a core for 1,000 residues."""
_SEED: Final = 0  # so that features can be made again


def sample_rows(
    weights: npt.NDArray[np.float32], depth: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw `depth` sequences without replacement, in proportion to their weights; row 0, the query, comes first."""
    if len(weights) <= depth:
        return np.arange(len(weights))
    others = weights[1:].astype(np.float64)
    keys = rng.exponential(size=len(others)) / others  # exponential races: weighted, without replacement
    drawn = np.argpartition(keys, depth - 1)[: depth - 1] if depth > 1 else np.empty(0, np.int64)
    return np.concatenate([[0], np.sort(drawn) + 1])


def representatives(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Tokens `[n, L]` and weights `[n]` of the sequences that co-evolution is computed from; all up to `MAX_CELLS`.

    Of more, a sample by weight, weighed anew as an alignment of its own: the weights `[N]` are spent in drawing it.
    """
    depth, length = tokens.shape
    most = max(1, MAX_CELLS // length)
    if depth <= most:
        return tokens, weights
    chosen = tokens[sample_rows(weights, most, np.random.default_rng(_SEED))]
    return chosen, sequence_weights(chosen)
