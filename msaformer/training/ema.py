"""Exponential moving average of the weights: what is validated and released."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """ema ← decay · ema + (1 − decay) · weights after each step, in float32.

    Early on the decay is at most (1 + step) / (10 + step), so that the random start is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: p.detach().float().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after optimizer step `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            self.tensors[name].lerp_(parameter.detach().float(), 1.0 - decay)

    @contextmanager
    def applied_to(self, model: nn.Module) -> Iterator[None]:
        """Put the average into the model for the length of a `with` block, then the weights back."""
        own = {name: p.detach().clone() for name, p in model.named_parameters()}
        _copy(self.tensors, model)
        try:
            yield
        finally:
            _copy(own, model)


@torch.no_grad()
def _copy(tensors: dict[str, Tensor], model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[name])
