"""Choose a given number of rows: the first, a random sample, or the most diverse.

Dimension key: N sequences, row 0 is the query; L columns; n rows to choose.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from data_tools.filtering.rows import Rows, Tokens
from data_tools.weights.bit_planes import Comparison, bit_planes, check_tokens

Criterion = Literal["mean", "minimum"]


def first_rows(num_rows: int, depth: int) -> Rows:
    """The first `depth` of `num_rows` rows, or all."""
    _check_depth(depth)
    return np.arange(min(num_rows, depth), dtype=np.int64)


def random_rows(
    num_rows: int,
    depth: int,
    generator: np.random.Generator,
    *,
    weights: npt.NDArray[np.floating[Any]] | None = None,
) -> Rows:
    """The query and `depth` - 1 of the other rows, drawn without replacement, or all rows.

    Each is as likely as another, or drawn in proportion to `weights` `[N]` (row 0's is not looked at). The same
    generator state gives the same rows.
    """
    _check_depth(depth)
    if depth >= num_rows:
        return np.arange(num_rows, dtype=np.int64)
    chances = None
    if weights is not None:
        chances = weights[1:].astype(np.float64)
        if np.count_nonzero(chances) < depth - 1:
            raise ValueError(
                f"{depth - 1} rows are to be drawn, but only {np.count_nonzero(chances)} have a weight above 0"
            )
        chances /= chances.sum()
    drawn = generator.choice(num_rows - 1, size=depth - 1, replace=False, p=chances)
    return np.concatenate([[0], np.sort(drawn) + 1]).astype(np.int64)


def diverse_rows(tokens: Tokens, depth: int, *, criterion: Criterion = "mean") -> Rows:
    """Choose `depth` rows greedily, each the farthest from those chosen before, beginning with the query.

    Far is the mean Hamming distance to the chosen rows, as MSA Transformer's inputs are made (Rao et al. 2021,
    "diversity maximizing"), or the distance to the nearest of them ("minimum"): gaps are symbols, and of equally far
    rows the first is taken. Returns the rows in ascending order. Time ~ depth x N x L / 64, memory a few words a
    row.
    """
    _check_depth(depth)
    check_tokens(tokens)
    if criterion not in ("mean", "minimum"):
        raise ValueError(f"criterion must be 'mean' or 'minimum', not {criterion!r}")
    num_rows, length = tokens.shape
    if depth >= num_rows:
        return np.arange(num_rows, dtype=np.int64)
    planes = bit_planes(tokens)
    comparison = Comparison.for_pairs(num_rows, length)
    chosen = [0]
    distance = _distances(
        comparison, planes, 0
    )  # the sum over the chosen, which ranks as the mean does, or the least
    while len(chosen) < depth:
        distance[chosen[-1]] = -1
        newest = int(distance.argmax())
        chosen.append(newest)
        to_newest = _distances(comparison, planes, newest)
        is_free = distance >= 0
        nearer = np.minimum(distance, to_newest) if criterion == "minimum" else distance + to_newest
        distance[is_free] = nearer[is_free]
    return np.sort(np.array(chosen, dtype=np.int64))


def _distances(comparison: Comparison, planes: npt.NDArray[np.uint64], row: int) -> npt.NDArray[np.int64]:
    return comparison.count_mismatches(planes[..., row : row + 1], planes)[0].astype(np.int64)


def _check_depth(depth: int) -> None:
    if depth < 1:
        raise ValueError(f"depth must be at least 1, the query, not {depth}")
