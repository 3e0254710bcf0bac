"""Exponential moving average of the weights: what is validated and released."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class WeightAverage:
    """ema ← decay · ema + (1 − decay) · weights after each step, in float32.

    Under ZeRO 3 each rank averages its shards. Early on the decay is at most (1 + step) / (10 + step), so that the
    random start is forgotten.
    """

    def __init__(self, parameters: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.tensors = {name: value.detach().float().clone() for name, value in parameters.items()}

    @torch.no_grad()
    def update(self, parameters: Mapping[str, Tensor], step: int) -> None:
        """Take in the weights after optimizer step `step` (from 0), cut as those it was made from."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in parameters.items():
            self.tensors[name].lerp_(value.detach().float(), 1.0 - decay)
