"""The two-layer perceptron that every track passes through, position by position."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msaformer.model.attention import LayerNorm


class Transition(nn.Module):
    """Widen, ReLU, narrow (AlphaFold 2, Algorithms 9 and 15; their factor is 4)."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.norm = LayerNorm(channels)
        self.widen = nn.Linear(channels, channels * factor)
        self.narrow = nn.Linear(channels * factor, channels)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, x: Float[Tensor, "*axes c"]) -> Float[Tensor, "*axes c"]:
        """Return the update of the track."""
        out: Tensor = self.narrow(torch.relu(self.widen(self.norm(x))))
        return out
