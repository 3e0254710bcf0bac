"""From the MSA track to the pair track: which residues vary together over the sequences.

Dimension key: B batch, N sequences, L residues (i, j), c_m / c_z channels of the MSA / pair track, c channels of the
projections; I of the L residues lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule


class OuterProductMean(ExecutedModule):
    """Mean over the sequences of the outer product of two projections (AlphaFold 2, Algorithm 10).

    The mean runs over the sequences that are real at both residues and is taken in float32.
    """

    def __init__(self, c_m: int, c_z: int, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm(c_m)
        self.to_left_right = nn.Linear(c_m, 2 * channels)
        self.to_pair = nn.Linear(channels * channels, c_z)
        nn.init.zeros_(self.to_pair.weight)
        nn.init.zeros_(self.to_pair.bias)

    def forward(
        self, msa: Float[Tensor, "B N I c_m"], msa_mask: Bool[Tensor, "B N L"]
    ) -> Float[Tensor, "B I L c_z"]:
        """Return the update of the pair track; columns i are paired with all columns j."""
        axial = self.execution.axial
        real = msa_mask.to(msa.dtype)
        real_here = axial.take(real, axis=2)
        left, right = (self.to_left_right(self.norm(msa)) * real_here[..., None]).chunk(2, dim=-1)
        right = axial.gather(right, axis=2)
        with torch.autocast(msa.device.type, enabled=False):
            outer = torch.einsum("bnic,bnjd->bijcd", left.float(), right.float())
            count = torch.einsum("bni,bnj->bij", real_here.float(), real.float())
            mean = outer.flatten(-2) / count.clamp(min=1.0)[..., None]
        out: Tensor = self.to_pair(mean.to(msa.dtype))
        return out
