"""Dropout whose mask is shared along one axis, drawn from a seed and nothing else."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msaformer.model.execution import ExecutedModule

_SHARDED_AXIS = 1  # sequences of the MSA track, first residue of the pair track


class SharedDropout(ExecutedModule):
    """Dropout with one mask for all positions along `shared_axis` (AlphaFold 2, section 1.11.6).

    The mask is a function of `seed` and the shape alone, so that a recomputed forward pass draws the same one.
    `seed_dropout` gives each a new seed for each training step. Ranks that share a sample draw the mask of the whole
    table, the same on each, and apply their part. Not active in evaluation mode.
    """

    def __init__(self, rate: float, shared_axis: int) -> None:
        super().__init__()
        self.rate = rate
        self.shared_axis = shared_axis
        self.seed = 0

    def forward(self, x: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        """Zero a share `rate` of the channels and scale the others by 1 / (1 − rate)."""
        if not self.training or self.rate == 0.0:
            return x
        axial = self.execution.axial
        shape = list(x.shape)
        shape[_SHARDED_AXIS] *= axial.size
        shape[self.shared_axis] = 1
        generator = torch.Generator(device=x.device).manual_seed(self.seed)
        kept = torch.rand(shape, generator=generator, device=x.device) >= self.rate
        if self.shared_axis != _SHARDED_AXIS:
            kept = axial.take(kept, _SHARDED_AXIS)
        return x * (kept.to(x.dtype) / (1.0 - self.rate))


def seed_dropout(module: nn.Module, seed: int) -> None:
    """Give every SharedDropout in `module` a seed of its own, a function of `seed` and its place."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, SharedDropout):
            part.seed = int(torch.randint(2**62, (), generator=generator))
