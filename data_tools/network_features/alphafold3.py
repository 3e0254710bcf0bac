"""What AlphaFold 3 feeds its trunk of a whole alignment, before it takes rows of it: profile and mean deletions.

Source: Abramson et al. 2024 (doi 10.1038/s41586-024-07487-w), supplement 2.8, table 5 (`profile`, `deletion_mean`:
"computed on the main MSA, before MSA processing"). Every sequence counts the same: no weights, the query included.
The features of single rows, `has_deletion` and `deletion_value`, are those of AlphaFold 2.

**Alphabet.** The paper counts 32 restypes: 20 amino acids and unknown, 4 RNA bases and unknown, 4 DNA bases and
unknown, gap. The published program has 31: 20 amino acids, unknown (UNK), gap, A G C U, DA DG DC DT, and one unknown
base N. Both order the amino acids as `residue_order.BY_CODE`. `profile` holds our 22 symbols, `as_restypes` the 31.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import NUM_SYMBOLS
from data_tools.network_features.residue_order import BY_CODE_TO_OURS

NUM_RESTYPES: Final = 31  # of the published program; proteins use the first 22

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AlphaFold3Features:
    """The arrays of one alignment; contiguous float32, so `torch.from_numpy` copies nothing."""

    profile: Floats
    """`[L, 22]`, share of the sequences with each symbol of `data_tools.alphabet`; rows sum to 1 (`profile`)."""
    deletion_mean: Floats
    """`[L]`, mean number of residues left out just before the column, over all sequences (`deletion_mean`)."""

    def as_restypes(self) -> Floats:
        """The profile `[L, 31]` in the order of the published program; the nine nucleic columns are zero."""
        restypes = np.zeros((len(self.profile), NUM_RESTYPES), np.float32)
        restypes[:, :NUM_SYMBOLS] = self.profile[:, BY_CODE_TO_OURS]
        return restypes


def alphafold3_features(alignment: Alignment) -> AlphaFold3Features:
    """Compute the features of one alignment; deterministic."""
    depth, length = alignment.tokens.shape
    cells = np.arange(length, dtype=np.intp) * NUM_SYMBOLS + alignment.tokens
    counts = np.bincount(cells.ravel(), minlength=length * NUM_SYMBOLS).reshape(length, NUM_SYMBOLS)
    return AlphaFold3Features(
        profile=(counts / depth).astype(np.float32),
        deletion_mean=alignment.deletion_matrix.mean(axis=0, dtype=np.float64).astype(np.float32),
    )
