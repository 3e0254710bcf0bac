"""What is read off the trunk: contacts, distances, masked MSA cells.

Dimension key: B batch, N sequences, L residues, K distance bins, c_m / c_z channels of the tracks; R of the N
sequences and I of the L residues lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from data_tools.alphabet import NUM_SYMBOLS
from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule

CONTACT_PRIOR: Final = 0.03  # about the share of contacts among the pairs of a crop with |i - j| ≥ 6
CONTACT_THRESHOLD: Final = 8.0  # Å between Cβ (Cα of Gly), CASP contact definition
BIN_EDGES: Final = np.arange(2.5, 20.01, 0.5, dtype=np.float32)  # Å, 36 edges: 37 bins; 8 Å is an edge
NUM_BINS: Final = len(BIN_EDGES) + 1


class PairHead(ExecutedModule):
    """Symmetric logits of each residue pair (AlphaFold 2, section 1.9.8: logits plus their transpose).

    `prior` is the probability that an untrained head of one logit gives to every pair.
    """

    def __init__(self, c_z: int, num_logits: int, *, prior: float | None = None) -> None:
        super().__init__()
        self.norm = LayerNorm(c_z)
        self.to_logits = nn.Linear(c_z, num_logits)
        nn.init.zeros_(self.to_logits.weight)
        nn.init.constant_(self.to_logits.bias, math.log(prior / (1 - prior)) / 2 if prior else 0.0)

    def forward(self, pair: Float[Tensor, "B I L c_z"]) -> Float[Tensor, "B I L K"]:
        """Return float32 logits, the same for ij and ji."""
        logits = self.to_logits(self.norm(pair)).float()
        return logits + self.execution.axial.transpose(logits)


class MaskedMSAHead(nn.Module):
    """Logits of the true symbol of each MSA cell (AlphaFold 2, section 1.9.9)."""

    def __init__(self, c_m: int) -> None:
        super().__init__()
        self.norm = LayerNorm(c_m)
        self.to_logits = nn.Linear(c_m, NUM_SYMBOLS)
        nn.init.zeros_(self.to_logits.weight)
        nn.init.zeros_(self.to_logits.bias)

    def forward(self, msa: Float[Tensor, "B R L c_m"]) -> Float[Tensor, "B R L 22"]:
        """Return float32 logits over the 22 symbols."""
        logits: Tensor = self.to_logits(self.norm(msa)).float()
        return logits
