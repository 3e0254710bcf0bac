"""Column attention: across the sequences at one residue position.

Dimension key: B batch, N sequences, L residues, c_m channels of the MSA track; J of the L residues lie on this
rank (all, unless several share a sample).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from msaformer.model.attention import GatedAttention, LayerNorm
from msaformer.model.execution import ExecutedModule


class ColumnAttention(ExecutedModule):
    """Self-attention across the sequences at each residue position (AlphaFold 2, Algorithm 8)."""

    def __init__(self, c_m: int, num_heads: int, head_channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm(c_m)
        self.attention = GatedAttention(c_m, num_heads, head_channels)

    def forward(
        self, msa: Float[Tensor, "B N J c_m"], msa_mask: Bool[Tensor, "B N L"]
    ) -> Float[Tensor, "B N J c_m"]:
        """Return the update of the MSA track."""
        columns, mask = msa.transpose(1, 2), self.execution.axial.take(msa_mask, axis=2).transpose(1, 2)
        out: Tensor = self.attention(columns, mask, norm=self.norm)
        return out.transpose(1, 2)
