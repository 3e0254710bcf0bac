"""Triangle updates of the pair track: edge ij learns from the two other edges of every triangle ijk.

Dimension key: B batch, L residues (i, j, k), H heads, c_z channels of the pair track, c hidden channels; I of the L
first residues of the pairs lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.attention import GatedAttention, LayerNorm
from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.normed_linear import normed_linear
from msaformer.model.functions.triangle import gated_edges, gated_update


class TriangleMultiplication(ExecutedModule):
    """Sum over k of products of two edges (AlphaFold 2, Algorithms 11 "outgoing" and 12 "incoming").

    Outgoing: edges ik and jk update ij; incoming: edges ki and kj. The product over k needs all edges of one channel:
    ranks that share a sample exchange their rows for a share of the channels, and back.
    """

    def __init__(self, c_z: int, channels: int, *, outgoing: bool) -> None:
        super().__init__()
        self.channels = channels
        self.outgoing = outgoing
        self.norm_in = LayerNorm(c_z)
        self.to_edges = nn.Linear(c_z, 2 * channels)
        self.to_edge_gates = nn.Linear(c_z, 2 * channels)
        self.norm_out = LayerNorm(channels)
        self.to_out = nn.Linear(channels, c_z)
        self.to_gate = nn.Linear(c_z, c_z)
        for gate in (self.to_edge_gates, self.to_gate):
            nn.init.zeros_(gate.weight)
            nn.init.ones_(gate.bias)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(
        self, pair: Float[Tensor, "B I L c_z"], pair_mask: Bool[Tensor, "B L L"]
    ) -> Float[Tensor, "B I L c_z"]:
        """Return the update of the pair track."""
        axial, chunk_bytes = self.execution.axial, self.execution.chunk_bytes
        mask = axial.take(pair_mask, axis=1)
        left, right = self._to_channels(
            gated_edges(pair, mask, self.norm_in, self.to_edges, self.to_edge_gates, chunk_bytes)
        )
        if not self.outgoing:
            left, right = left.transpose(-1, -2), right.transpose(-1, -2)
        triangles = self._to_rows(torch.matmul(left, right.transpose(-1, -2)))
        del left, right  # half of all memory, where no backward pass needs them
        norms = (self.norm_out, self.norm_in)
        return gated_update(triangles, pair, norms, self.to_out, self.to_gate, chunk_bytes)

    def _to_channels(self, edges: Float[Tensor, "B two_c I L"]) -> Float[Tensor, "2 B c_here L L"]:
        """Both edges' whole tables of this rank's channels; zeros fill up a number that the ranks cannot share."""
        axial = self.execution.axial
        both = edges.unflatten(1, (2, self.channels)).transpose(0, 1)  # type: ignore[no-untyped-call]
        missing = -self.channels % axial.size
        if missing:
            both = nn.functional.pad(both, (0, 0, 0, 0, 0, missing))
        return axial.swap(both, whole=2, sharded=3)

    def _to_rows(self, triangles: Float[Tensor, "B c_here L L"]) -> Float[Tensor, "B c I L"]:
        """This rank's rows of all channels."""
        return self.execution.axial.swap(triangles, whole=2, sharded=1)[:, : self.channels]


class TriangleAttention(ExecutedModule):
    """Attention among the edges of one node (AlphaFold 2, Algorithms 13 "starting" and 14 "ending" node).

    Starting: edge ij attends to the edges ik, biased by jk. Ending: edge ij attends to the edges kj, biased by ki.
    """

    def __init__(self, c_z: int, num_heads: int, head_channels: int, *, starting: bool) -> None:
        super().__init__()
        self.starting = starting
        self.norm = LayerNorm(c_z)
        self.to_bias = nn.Linear(c_z, num_heads, bias=False)
        self.attention = GatedAttention(c_z, num_heads, head_channels)

    def forward(
        self, pair: Float[Tensor, "B I L c_z"], pair_mask: Bool[Tensor, "B L L"]
    ) -> Float[Tensor, "B I L c_z"]:
        """Return the update of the pair track."""
        axial = self.execution.axial
        if not self.starting:
            pair, pair_mask = axial.transpose(pair), pair_mask.transpose(1, 2)
        bias = normed_linear(pair, self.norm, self.to_bias, self.execution.chunk_bytes).permute(0, 3, 1, 2)
        out: Tensor = self.attention(pair, axial.take(pair_mask, axis=1), bias, norm=self.norm)
        return out if self.starting else axial.transpose(out)
