"""Row attention: along the residues within one sequence, biased by the pair track.

Dimension key: B batch, N sequences, L residues, H heads, c_m / c_z channels of the MSA / pair track; R of the N
sequences and I of the L residues lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.attention import GatedAttention, LayerNorm
from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.normed_linear import normed_linear


class RowAttentionWithPairBias(ExecutedModule):
    """Self-attention along the residues of each sequence (AlphaFold 2, Algorithm 7).

    `tied=True` shares one map among all sequences, as in MSA Transformer.
    """

    def __init__(self, c_m: int, c_z: int, num_heads: int, head_channels: int, *, tied: bool = False) -> None:
        super().__init__()
        self.norm_msa = LayerNorm(c_m)
        self.norm_pair = LayerNorm(c_z)
        self.to_bias = nn.Linear(c_z, num_heads, bias=False)
        self.attention = GatedAttention(c_m, num_heads, head_channels, tied=tied)

    def forward(
        self,
        msa: Float[Tensor, "B R L c_m"],
        pair: Float[Tensor, "B I L c_z"],
        msa_mask: Bool[Tensor, "B N L"],
    ) -> Float[Tensor, "B R L c_m"]:
        """Return the update of the MSA track."""
        bias = normed_linear(pair, self.norm_pair, self.to_bias, self.execution.chunk_bytes)
        mask, bias = self.execution.axial.take(msa_mask, axis=1), bias.permute(0, 3, 1, 2)
        self.execution.observer.see(self, msa, mask, bias)
        out: Tensor = self.attention(msa, mask, bias, norm=self.norm_msa)
        return out
