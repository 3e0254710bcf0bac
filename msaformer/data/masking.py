"""Masked-MSA corruption (BERT, as in AlphaFold 2, Supplement 1.2.7).

Dimension key: N sequences, L residues.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import MASK, NUM_SYMBOLS
from msaformer.data.batch import NOT_SCORED

_MASKED, _RANDOM = 0.8, 0.1  # shares of the chosen cells; the rest keeps its symbol
_PROBABILITIES: Final = (_MASKED, _RANDOM, 1 - _MASKED - _RANDOM)


def mask_cells(
    tokens: npt.NDArray[np.uint8], ratio: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Choose a share `ratio` of the cells of `tokens` `[N, L]`; return the corrupted tokens and the targets.

    Of the chosen, 80 % become the mask token, 10 % a random symbol, 10 % stay. Targets hold the true token at
    chosen cells and NOT_SCORED elsewhere.
    """
    chosen = rng.random(tokens.shape) < ratio
    targets = np.where(chosen, tokens.astype(np.int64), NOT_SCORED)
    fate = rng.choice(3, size=tokens.shape, p=_PROBABILITIES)
    noise = rng.integers(NUM_SYMBOLS, size=tokens.shape, dtype=np.uint8)
    corrupted = np.where(chosen & (fate == 0), np.uint8(MASK), tokens)
    corrupted = np.where(chosen & (fate == 1), noise, corrupted)
    return corrupted, targets
