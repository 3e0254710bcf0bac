"""Gated convolution of the pair track: what lies around a pair, such as the ladder of a β-sheet, in one step.

Attention and triangles see all pairs of a residue and none of their order; a convolution sees the order alone, for a
fraction of the time.

Dimension key: B batch, L residues (i, j), c_z channels of the pair track; I of the L first residues of the pairs lie on
this rank (all, unless several share a sample).
"""

from __future__ import annotations

from typing import Final

from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.gated_convolution import (
    ConvolutionLayers,
    ConvolutionOptions,
    gated_convolution,
)
from msaformer.model.functions.pieces import work_dtype

_KERNEL: Final = 3  # cells a side


class GatedConvolution(ExecutedModule):
    """A dense layer of the normalised pair track, a dilated 3×3 convolution of each channel, GELU, and a sigmoid gate.

    Dilated convolutions as in the residual networks for contacts (Adhikari 2020, DEEPCON, doi
    10.1093/bioinformatics/btz593; Yang et al. 2020, trRosetta, doi 10.1073/pnas.1914677117), but of each channel by
    itself (Howard et al. 2017, MobileNets, arXiv 1704.04861), so that twice as many take the same time. The gate is
    that of AlphaFold 2's updates. The edges of the map are padded with zeros. Ranks that share a sample exchange their
    rows for a moment.
    """

    def __init__(self, c_z: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = LayerNorm(c_z)
        self.mix = nn.Linear(c_z, c_z)
        self.convolution = nn.Conv2d(c_z, c_z, _KERNEL, groups=c_z)
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
        layers = ConvolutionLayers(self.norm, self.mix, self.convolution, self.to_gate, self.to_out)
        options = ConvolutionOptions(
            self.norm.eps, work_dtype(pair), self.execution.chunk_bytes, self.dilation, axial
        )
        return gated_convolution(pair, axial.take(pair_mask, axis=1), layers, options)
