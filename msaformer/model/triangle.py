"""Triangle updates of the pair track: edge ij learns from the two other edges of every triangle ijk.

Dimension key: B batch, L residues (i, j, k), H heads, c_z channels of the pair track, c hidden channels.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.attention import GatedAttention, LayerNorm


class TriangleMultiplication(nn.Module):
    """Sum over k of products of two edges (AlphaFold 2, Algorithms 11 "outgoing" and 12 "incoming").

    Outgoing: edges ik and jk update ij; incoming: edges ki and kj.
    """

    def __init__(self, c_z: int, channels: int, *, outgoing: bool) -> None:
        super().__init__()
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
        self, pair: Float[Tensor, "B L L c_z"], pair_mask: Bool[Tensor, "B L L"]
    ) -> Float[Tensor, "B L L c_z"]:
        """Return the update of the pair track."""
        normed = self.norm_in(pair)
        edges = torch.sigmoid(self.to_edge_gates(normed)) * self.to_edges(normed)
        edges = edges.masked_fill(~pair_mask[..., None], 0.0)
        left, right = edges.permute(0, 3, 1, 2).chunk(2, dim=1)
        if not self.outgoing:
            left, right = left.transpose(-1, -2), right.transpose(-1, -2)
        triangles = torch.matmul(left, right.transpose(-1, -2))
        update = self.to_out(self.norm_out(triangles.permute(0, 2, 3, 1)))
        out: Tensor = torch.sigmoid(self.to_gate(normed)) * update
        return out


class TriangleAttention(nn.Module):
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
        self, pair: Float[Tensor, "B L L c_z"], pair_mask: Bool[Tensor, "B L L"]
    ) -> Float[Tensor, "B L L c_z"]:
        """Return the update of the pair track."""
        if not self.starting:
            pair, pair_mask = pair.transpose(1, 2), pair_mask.transpose(1, 2)
        normed = self.norm(pair)
        bias = self.to_bias(normed).permute(0, 3, 1, 2)
        out: Tensor = self.attention(normed, pair_mask, bias)
        return out if self.starting else out.transpose(1, 2)
