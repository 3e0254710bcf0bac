"""What trRosetta feeds its network of an alignment: 42 numbers a residue, 442 a pair, 526 a pair in all.

Source: Yang et al. 2020 (doi 10.1073/pnas.1914677117), methods, and the published program (`network/utils.py`). The
20 amino acids are in the order of `residue_order.BY_CODE`; gap and X are one state, the last.

Deviation: its weights count pairs above 80 % identity, ours at or above it, X and gap being two symbols
(`data_tools.weights`); give `weights` to use others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import NUM_AMINO_ACIDS
from data_tools.coevolution import shrunk_inverse_covariance
from data_tools.network_features.residue_order import BY_CODE, BY_CODE_TO_OURS
from data_tools.pair_statistics import NUM_STATES, single_frequencies, to_states
from data_tools.weights import sequence_weights

FREQUENCY_FLOOR: Final = 1e-9  # added to every frequency, so that its logarithm exists (published program)
NUM_CHANNELS: Final = 526  # 2 · 42 + 441 + 1

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrRosettaFeatures:
    """The arrays of one alignment; contiguous float32, so `torch.from_numpy` copies nothing."""

    residues: Floats
    """`[L, 42]`, no unit: one-hot of the query over 20 amino acids (X: all zero), weighted frequencies of the 21
    states, and their entropy in nats (`f1d`)."""
    pairs: Floats
    """`[L, L, 442]`, no unit: 441 entries of the inverse of the shrunk covariance, the state at i varying slowest, and
    the APC-corrected norm of the block over the 20 amino acids; all zero when N = 1 (`f2d_dca`)."""

    def network_input(self) -> Floats:
        """`[L, L, 526]`: residue i, residue j, pair; 2,104 L² bytes (`f2d`)."""
        length = len(self.residues)
        tiled = np.empty((length, length, NUM_CHANNELS), np.float32)
        tiled[:, :, :42] = self.residues[:, None, :]
        tiled[:, :, 42:84] = self.residues[None, :, :]
        tiled[:, :, 84:] = self.pairs
        return tiled


def trrosetta_features(
    alignment: Alignment, *, weights: npt.NDArray[np.float32] | None = None
) -> TrRosettaFeatures:
    """Compute the features of one alignment; `weights` `[N]`, by default those at 80 % identity; deterministic."""
    tokens = alignment.tokens
    if weights is None:
        weights = sequence_weights(tokens)
    order = [*BY_CODE_TO_OURS[:NUM_AMINO_ACIDS], NUM_STATES - 1]
    frequencies = single_frequencies(tokens, weights)[:, order] + np.float32(FREQUENCY_FLOOR)
    states = to_states(tokens[0], BY_CODE)
    inverse = shrunk_inverse_covariance(tokens, weights, amino_acid_order=BY_CODE)
    residues = np.empty((alignment.length, 42), np.float32)
    residues[:, :20] = states[:, None] == np.arange(NUM_AMINO_ACIDS)
    residues[:, 20:41] = frequencies
    residues[:, 41] = -(frequencies * np.log(frequencies)).sum(axis=1)
    pairs = np.concatenate([inverse.couplings, inverse.contacts[:, :, None]], axis=2)
    return TrRosettaFeatures(residues, pairs)
