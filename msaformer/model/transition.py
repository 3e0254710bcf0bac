"""The two-layer perceptron that every track passes through, position by position."""

from __future__ import annotations

from typing import Final

from jaxtyping import Float
from torch import Tensor, nn

from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.pieces import work_dtype
from msaformer.model.functions.transition import TransitionOptions, transition

_KEPT_FROM_CHANNELS: Final = 128  # of AlphaFold 2's pair track: one table, where attention would keep four


class Transition(ExecutedModule):
    """Widen, ReLU, narrow (AlphaFold 2, Algorithms 9 and 15; their factor is 4); GELU is MSA Transformer's."""

    def __init__(self, channels: int, factor: int, *, gelu: bool = False) -> None:
        super().__init__()
        self.gelu = gelu
        self.norm = LayerNorm(channels)
        self.widen = nn.Linear(channels, channels * factor)
        self.narrow = nn.Linear(channels * factor, channels)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, x: Float[Tensor, "*axes c"]) -> Float[Tensor, "*axes c"]:
        """Return the update of the track."""
        keep = self.keeps_wide(self.widen.in_features, _KEPT_FROM_CHANNELS)
        options = TransitionOptions(self.gelu, work_dtype(x), self.execution.chunk_bytes, keep)
        return transition(x, self.norm, self.widen, self.narrow, options)
