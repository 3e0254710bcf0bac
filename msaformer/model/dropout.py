"""Dropout whose mask is shared along one axis, drawn from a seed and nothing else."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SharedDropout(nn.Module):
    """Dropout with one mask for all positions along `shared_axis` (AlphaFold 2, section 1.11.6).

    The mask is a function of `seed` and the shape alone, so that a recomputed forward pass draws the same one.
    `seed_dropout` gives each a new seed for each training step. Not active in evaluation mode.
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
        shape = list(x.shape)
        shape[self.shared_axis] = 1
        generator = torch.Generator(device=x.device).manual_seed(self.seed)
        kept = torch.rand(shape, generator=generator, device=x.device) >= self.rate
        return x * (kept.to(x.dtype) / (1.0 - self.rate))


def seed_dropout(module: nn.Module, seed: int) -> None:
    """Give every SharedDropout in `module` a seed of its own, a function of `seed` and its place."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, SharedDropout):
            part.seed = int(torch.randint(2**62, (), generator=generator))
