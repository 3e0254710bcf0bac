"""What carries a training step out: the interface, and the engine for one process.

The loop knows `Engine` alone. `TorchEngine` serves one process on CPU, CUDA or MPS. An engine for many processes
(DeepSpeed, imported in this module only) fits behind the same six methods.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor, nn

from msaformer.config import OptimizerConfig
from msaformer.data.batch import Batch
from msaformer.errors import CheckpointError
from msaformer.model.model import ModelOutput, MSAFormer

_MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's own names of its state


class Engine(Protocol):
    """One training process's share of the work."""

    model: MSAFormer
    device: torch.device

    def forward(self, batch: Batch) -> ModelOutput:
        """Run the model in the engine's precision; the batch may lie on the CPU."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of `loss`, already divided by the number of forward passes a step."""
        ...

    def step(self, learning_rate: float) -> float:
        """Clip, update, clear the gradients; return the norm before clipping (not finite: nothing is updated)."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizer state by name, for a checkpoint."""
        ...

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `state` gave. Raises CheckpointError when a tensor is missing or has another shape."""
        ...


class TorchEngine:
    """AdamW in one process; see `Engine`."""

    def __init__(
        self, model: MSAFormer, config: OptimizerConfig, device: torch.device, *, bfloat16: bool
    ) -> None:
        self.model = model.to(device)
        self.device = device
        self.bfloat16 = bfloat16
        self.clip_norm = config.clip_norm
        decayed = [p for p in model.parameters() if p.ndim > 1]
        plain = [p for p in model.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)

    def forward(self, batch: Batch) -> ModelOutput:
        with self._precision():
            output: ModelOutput = self.model(batch.to(self.device))
        return output

    def backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]

    def step(self, learning_rate: float) -> float:
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm))
        if norm < float("inf"):  # false for NaN as well
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def state(self) -> dict[str, Tensor]:
        tensors = {f"model.{name}": p.detach() for name, p in self.model.named_parameters()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = value.detach()
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(_fitting(tensors, f"model.{name}", parameter))
        for name, parameter in self.model.named_parameters():
            moments = {key: _fitting(tensors, f"optimizer.{key}.{name}", parameter) for key in _MOMENTS}
            self.optimizer.state[parameter] = {
                "step": _fitting(tensors, f"optimizer.step.{name}", torch.zeros(())).clone(),
                **{key: value.to(self.device, copy=True) for key, value in moments.items()},
            }

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16)


def _fitting(tensors: dict[str, Tensor], key: str, parameter: Tensor) -> Tensor:
    found = tensors.get(key)
    if found is None or found.shape != parameter.shape:
        seen = "is missing" if found is None else f"has shape {tuple(found.shape)}"
        raise CheckpointError(f"the checkpoint's tensor {key} {seen}, expected {tuple(parameter.shape)}")
    return found
