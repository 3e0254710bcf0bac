"""Which residues of an example the network is given, how many sequences, and maps on one scale.

Dimension key: L residues, k co-evolution maps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_MIN_MAP_SEPARATION: Final = 4  # |i - j| of the pairs a map is measured on; nearer ones are chain neighbours
_MIN_SPREAD: Final = 1e-6  # of a map; below lies the rounding of float32, as in an alignment of copies
_MAX_Z: Final = 30.0  # standard deviations; bounds what a degenerate alignment can feed in


def crop_residues(
    length: int, crop_length: int, two_segment_share: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Choose residues, ascending: one stretch, or two stretches of half the length with a gap between them.

    Two stretches let a short crop hold pairs of any separation. A protein no longer than the crop is taken whole.
    """
    if length <= crop_length:
        return np.arange(length)
    if rng.random() >= two_segment_share:
        start = int(rng.integers(length - crop_length + 1))
        return np.arange(start, start + crop_length)
    half = crop_length // 2
    spare = length - 2 * half
    first, second = np.sort(rng.integers(spare + 1, size=2))
    return np.concatenate([np.arange(first, first + half), np.arange(second + half, second + 2 * half)])


def draw_depth(max_depth: int, min_depth: int, full_share: float, rng: np.random.Generator) -> int:
    """`max_depth` in a share of the draws, else log-uniform between `min_depth` and `max_depth`."""
    if rng.random() < full_share:
        return max_depth
    return round(float(np.exp(rng.uniform(np.log(min_depth), np.log(max_depth)))))


def standardize_maps(coevolution: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Express maps `[L, L, k]` in standard deviations of their pairs with |i - j| ≥ 4, clipped to ±30.

    A map without spread (N = 1, identical sequences, tiny L) becomes zero.
    """
    length = coevolution.shape[0]
    far = np.triu(np.ones((length, length), bool), _MIN_MAP_SEPARATION)
    if not far.any():
        return np.zeros_like(coevolution)
    values = coevolution[far].astype(np.float64)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    scaled = (coevolution - mean) / np.where(spread > _MIN_SPREAD, spread, np.inf)
    diagonal = np.arange(length)
    scaled[diagonal, diagonal] = 0.0
    return np.clip(scaled, -_MAX_Z, _MAX_Z).astype(np.float32)
