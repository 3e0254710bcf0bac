"""Logits of the orientations ω, θ, φ of residue pairs, binned as in trRosetta (Yang et al. 2020, PNAS 117:1496).

Steps of 15°, and one bin more, the last, for pairs that are too far apart to have an orientation worth a name.

Dimension key: B batch, L residues, c_z channels of the pair track; I of the L residues lie on this rank (all, unless
several share a sample).
"""

from __future__ import annotations

from typing import Final

from jaxtyping import Float
from torch import Tensor, nn

from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule

FAR_DISTANCE: Final = 20.0  # Å between Cβ: from here on a pair falls into the last bin (Yang et al. 2020)
NUM_DIHEDRAL_STEPS: Final = 24  # of 15° from -180° to 180°: ω and θ
NUM_PLANAR_STEPS: Final = 12  # of 15° from 0° to 180°: φ
NUM_DIHEDRAL_BINS: Final = NUM_DIHEDRAL_STEPS + 1
NUM_PLANAR_BINS: Final = NUM_PLANAR_STEPS + 1


class OrientationHead(ExecutedModule):
    """Three distributions for each residue pair; ω is the same seen from either residue, θ and φ are not."""

    def __init__(self, c_z: int) -> None:
        super().__init__()
        self.norm = LayerNorm(c_z)
        self.to_logits = nn.Linear(c_z, 2 * NUM_DIHEDRAL_BINS + NUM_PLANAR_BINS)
        nn.init.zeros_(self.to_logits.weight)
        nn.init.zeros_(self.to_logits.bias)

    def forward(
        self, pair: Float[Tensor, "B I L c_z"]
    ) -> tuple[Float[Tensor, "B I L 25"], Float[Tensor, "B I L 25"], Float[Tensor, "B I L 13"]]:
        """Return float32 logits of ω, θ and φ."""
        logits = self.to_logits(self.norm(pair)).float()
        omega, theta, phi = logits.split((NUM_DIHEDRAL_BINS, NUM_DIHEDRAL_BINS, NUM_PLANAR_BINS), dim=-1)
        return omega + self.execution.axial.transpose(omega), theta, phi
