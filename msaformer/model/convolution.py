"""Gated convolution of the pair track: what lies around a pair, such as the ladder of a β-sheet, in one step.

Attention and triangles see all pairs of a residue and none of their order; a convolution sees the order alone, for a
fraction of the time.

Dimension key: B batch, L residues (i, j), c_z channels of the pair track; I of the L first residues of the pairs lie on
this rank (all, unless several share a sample).
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule

_SQUARE: Final = 3  # cells a side
_AXIAL: Final = 9


class GatedConvolution(ExecutedModule):
    """`out(gelu(conv(norm(pair))) · sigmoid(gate(norm(pair))))`, the edges being padded with zeros.

    `square`: one dilated 3×3 convolution, as in the residual networks for contacts (Yang et al. 2020, trRosetta;
    Adhikari 2020, DEEPCON). `axial`: one along j and one along i, each channel for itself. Ranks that share a sample
    exchange their rows for a moment.
    """

    def __init__(self, c_z: int, kind: Literal["square", "axial"], dilation: int) -> None:
        super().__init__()
        self.norm = LayerNorm(c_z)
        if kind == "square":
            self.convolutions = nn.ModuleList(
                [nn.Conv2d(c_z, c_z, _SQUARE, padding=dilation, dilation=dilation)]
            )
        else:
            reach = dilation * (_AXIAL // 2)
            self.convolutions = nn.ModuleList(
                nn.Conv2d(c_z, c_z, size, padding=padding, dilation=dilation, groups=c_z)
                for size, padding in (((1, _AXIAL), (0, reach)), ((_AXIAL, 1), (reach, 0)))
            )
        self.to_gate = nn.Linear(c_z, c_z)
        self.to_out = nn.Linear(c_z, c_z)
        nn.init.zeros_(self.to_gate.weight)
        nn.init.ones_(self.to_gate.bias)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(
        self, pair: Float[Tensor, "B I L c_z"], pair_mask: Bool[Tensor, "B L L"]
    ) -> Float[Tensor, "B I L c_z"]:
        """Return the update of the pair track."""
        axial = self.execution.axial
        normed = self.norm(pair)
        if torch.is_autocast_enabled(pair.device.type):
            normed = normed.to(torch.get_autocast_dtype(pair.device.type))
        gate = torch.sigmoid(self.to_gate(normed))
        cells = normed.masked_fill(~axial.take(pair_mask, axis=1)[..., None], 0.0)
        cells = axial.gather(cells, axis=1).permute(0, 3, 1, 2)  # channels last in memory
        for convolution in self.convolutions:
            cells = convolution(cells)
        around = axial.take(cells.permute(0, 2, 3, 1), axis=1)
        out: Tensor = self.to_out(nn.functional.gelu(around) * gate)
        return out
