"""Shallow alignments to train on, made of deep ones: what 1, 10 or 30 sequences tell, and what their Neff is.

A crop that draws few sequences of a deep alignment still has the profile, the co-evolution and the Neff of all of
them. Here the alignment itself is thinned first, and everything is made anew of the sequences that are left, as it
is for a user whose search found no more. Takes some 30 ms for 100 residues and 250 ms for 400, most of it the maps.

Dimension key: N sequences, L residues.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from data_tools.features import MSAFeatures, features_of_rows
from msaformer.data.cropping import draw_depth

MAX_THINNED: Final = 64  # sequences; an alignment of more than a hundred is not called shallow


def thinned(features: MSAFeatures, share: float, rng: np.random.Generator) -> MSAFeatures:
    """In a `share` of the calls, the features of a part of the alignment; else `features` themselves.

    The part has 1 to min(64, N / 2) sequences, log-uniform, query included. The others are drawn evenly, not by weight:
    a search in a smaller database finds fewer sequences of the same mixture. One sequence alone cannot be thinned, and
    for a share of 0 nothing is drawn from `rng`.
    """
    most = min(MAX_THINNED, features.depth // 2)
    if share == 0 or most == 0 or rng.random() >= share:
        return features
    depth = draw_depth(most, 1, 0.0, rng)
    others = rng.choice(features.depth - 1, size=depth - 1, replace=False) + 1
    return features_of_rows(features, np.concatenate([[0], np.sort(others)]))
