"""From the MSA track to the pair track: which residues vary together over the sequences.

Dimension key: B batch, N sequences, L residues (i, j), c_m / c_z channels of the MSA / pair track, c channels of the
projections; R of the N sequences and I of the L residues lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.normed_linear import normed_linear
from msaformer.model.functions.outer_product import projected_outer_product
from msaformer.model.functions.pieces import wide


class OuterProductMean(ExecutedModule):
    """Mean over the sequences of the outer product of two projections (AlphaFold 2, Algorithm 10).

    The mean runs over the sequences that are real at both residues and is taken in float32. Ranks that share a sample
    exchange the projections, which are narrower than the track: they keep its rows alone, as the next block does.
    """

    def __init__(self, c_m: int, c_z: int, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm(c_m)
        self.to_left_right = nn.Linear(c_m, 2 * channels)
        self.to_pair = nn.Linear(channels * channels, c_z)
        nn.init.zeros_(self.to_pair.weight)
        nn.init.zeros_(self.to_pair.bias)

    def forward(
        self, msa: Float[Tensor, "B R L c_m"], msa_mask: Bool[Tensor, "B N L"]
    ) -> Float[Tensor, "B I L c_z"]:
        """Return the update of the pair track; columns i are paired with all columns j."""
        axial, chunk_bytes = self.execution.axial, self.execution.chunk_bytes
        rows_mask, columns_mask = axial.take(msa_mask, axis=1), axial.take(msa_mask, axis=2)
        both = normed_linear(msa, self.norm, self.to_left_right, chunk_bytes, rows_mask)
        left, right = (half.contiguous() for half in both.chunk(2, dim=-1))  # each is kept, without the other
        left = axial.swap(left, whole=2, sharded=1)  # rows to columns
        with torch.autocast(msa.device.type, enabled=False):  # bfloat16 would round the counts
            kind = wide(msa.dtype)
            count = torch.einsum("bni,bnj->bij", columns_mask.to(kind), msa_mask.to(kind))
        share = 1 / count.clamp_(min=1.0)
        return projected_outer_product(left, right, share, self.to_pair, chunk_bytes, axial)
