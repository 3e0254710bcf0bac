"""Which pairs travel to the page as exact numbers: a byte a pair would blur a ranking.

L residues of the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from msaformer.chains import chain_of_residue
from msaformer.metrics import CONTACT_ANGSTROM, RANGES, top_pairs
from msaformer.pair_scores import PairScores
from msaformer.prediction import Prediction
from msaformer.report.truth import Truth

SEPARATIONS: Final = (6, 12, 24)
"""Smallest |i - j| the reader chooses with one click: all, medium and long, long range."""
PAIRS_PER_RESIDUE: Final = 3
"""Most contacts the reader can ask for, times L."""

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


def listed_pairs(
    prediction: Prediction, truth: Truth | None = None, compare: PairScores | None = None
) -> tuple[Indices, Indices]:
    """Pairs i < j (0-based) that the page is given exact numbers of, the most probable first.

    These are the best 3·L pairs of known distance of every range of separation that a click chooses, by either
    prediction, with the pairs of unknown distance ranked between them; and the true contacts, so that a missed one can
    be asked about. Pairs of different chains belong to every range that has no upper end.
    """
    shape = prediction.contact_probs.shape
    known = np.ones(shape, dtype=bool) if truth is None else ~np.isnan(truth.distances)
    chosen = np.zeros(shape, dtype=bool)
    rankings = [prediction.contact_probs]
    if compare is not None:
        rankings.append(np.where(compare.is_listed, compare.scores, -np.inf))
    for scores in rankings:
        first, second = top_pairs(scores, min_separation=1)
        judged = known[first, second] & (scores[first, second] > -np.inf)
        for inside in _windows(prediction, first, second):
            keep = inside & (np.cumsum(inside & judged) <= PAIRS_PER_RESIDUE * prediction.length)
            chosen[first[keep], second[keep]] = True
    if truth is not None:
        far = separations(prediction) >= min(SEPARATIONS)
        chosen |= far & (np.nan_to_num(truth.distances, nan=np.inf) < CONTACT_ANGSTROM)
    return top_pairs(prediction.contact_probs, min_separation=1, known=chosen)


def separations(prediction: Prediction) -> npt.NDArray[np.int64]:
    """`[L, L]`, |i - j|; of residues in different chains as far as the longest range begins, or farther."""
    places = np.arange(prediction.length)
    apart = np.abs(places[:, None] - places)
    chain = chain_of_residue(prediction.chain_lengths)
    return np.where(chain[:, None] == chain, apart, np.maximum(apart, max(SEPARATIONS)))


def _windows(prediction: Prediction, first: Indices, second: Indices) -> Iterator[Mask]:
    """Whether each pair lies in each range of separation that a click chooses."""
    apart = separations(prediction)[first, second]
    limits = {(low, None) for low in SEPARATIONS} | set(RANGES.values())
    for low, high in sorted(limits, key=str):
        yield (apart >= low) & (high is None or apart <= high)
    if len(prediction.chain_lengths) > 1:
        chain = chain_of_residue(prediction.chain_lengths)
        yield chain[first] != chain[second]
