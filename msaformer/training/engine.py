"""What carries a training step out: the interface, and the engine for one process.

The loop knows `Engine` alone. `TorchEngine` serves one process on CPU, CUDA or MPS; `DeepSpeedEngine`
(`training/deepspeed_engine.py`) serves several, and one that wants its state off the device.

A checkpoint's tensors have the same names whoever wrote them: each parameter under its own, AdamW's moments under
`optimizer.exp_avg.NAME` and `optimizer.exp_avg_sq.NAME`, its step count under `optimizer.step`, all whole and in
float32. So a run goes on with another engine, ZeRO stage or number of ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msaformer.config import OptimizerConfig
from msaformer.data.batch import Batch
from msaformer.errors import CheckpointError
from msaformer.model.model import MSAFormer
from msaformer.training.losses import Losses, Objective

MOMENTS: Final = ("exp_avg", "exp_avg_sq")
"""AdamW's own names of its state."""
STEP: Final = "optimizer.step"


class TrainedModel(nn.Module):
    """The network and the objective, whose parameters, if it has any, are trained with it."""

    def __init__(self, network: MSAFormer, objective: Objective) -> None:
        super().__init__()
        self.model = network
        self.objective = objective

    def forward(self, batch: Batch, denominators: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
        """The fields of `Losses` (see `Objective`), as the tuple that DeepSpeed's hooks understand."""
        losses = self.objective(self.model(batch), batch, denominators, share)
        return losses.total, losses.tasks, losses.examples


class Engine(Protocol):
    """One training process's share of the work."""

    network: MSAFormer
    """Its parameters may be shards outside of `forward`."""
    device: torch.device
    name: str
    """For the line that says how the run is executed."""

    def forward(self, batch: Batch, denominators: Float[Tensor, " T"], share: float) -> Losses:
        """Partial losses of a batch, which may lie on the CPU (`Objective`)."""
        ...

    def backward(self, losses: Losses) -> None:
        """Add the gradient of the partial losses; the sum over ranks and calls is the step's."""
        ...

    def step(self, learning_rate: float) -> float:
        """Clip, update, clear the gradients; return the norm before clipping, the same on all ranks."""
        ...

    def parameters(self) -> dict[str, Tensor]:
        """Each parameter of the network by name, or this rank's shard of it; changed in place by `step`."""
        ...

    def whole(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Assemble tensors that are cut as `parameters` are; all ranks must call it, and get copies on the CPU."""
        ...

    def cut(self, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inverse of `whole`: this rank's part of each tensor, on the device."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Weights and optimizer state for a checkpoint, on the CPU; all ranks must call it, rank 0 gets them."""
        ...

    def load_moments(self, tensors: Mapping[str, Tensor]) -> None:
        """Put the optimizer state of a checkpoint back, before the first step.

        Raises CheckpointError when a tensor is missing or has another shape.
        """
        ...

    def close(self) -> None:
        """Drop all that holds a process group."""
        ...


class TorchEngine:
    """AdamW in one process; see `Engine`."""

    name = "torch"

    def __init__(self, trained: TrainedModel, config: OptimizerConfig, device: torch.device) -> None:
        self.trained = trained.to(device)
        self.network = trained.model
        self.device = device
        self.clip_norm = config.clip_norm
        self.optimizer = make_optimizer(trained, config)

    def forward(self, batch: Batch, denominators: Float[Tensor, " T"], share: float) -> Losses:
        return Losses(*self.trained(batch.to(self.device), denominators, share))

    def backward(self, losses: Losses) -> None:
        losses.total.backward()  # type: ignore[no-untyped-call]

    def step(self, learning_rate: float) -> float:
        norm = float(nn.utils.clip_grad_norm_(self.trained.parameters(), self.clip_norm))
        if norm < float("inf"):  # false for NaN as well
            set_learning_rate(self.optimizer, learning_rate)
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def parameters(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.network.named_parameters()}

    def whole(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: part.detach().cpu().clone() for name, part in parts.items()}

    def cut(self, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.device, copy=True) for name, value in whole.items()}

    def state(self) -> dict[str, Tensor]:
        tensors = {name: p.detach().cpu() for name, p in self.trained.named_parameters()}
        for name, parameter in self.trained.named_parameters():
            state = self.optimizer.state[parameter]
            tensors |= {f"optimizer.{key}.{name}": state[key].detach().cpu() for key in MOMENTS}
            tensors[STEP] = state["step"].detach().cpu().clone()
        return tensors

    def load_moments(self, tensors: Mapping[str, Tensor]) -> None:
        steps = fitting(tensors, STEP, torch.Size())
        for name, parameter in self.trained.named_parameters():
            moments = {key: fitting(tensors, f"optimizer.{key}.{name}", parameter.shape) for key in MOMENTS}
            self.optimizer.state[parameter] = {
                "step": steps.clone(),
                **{key: value.to(self.device, copy=True) for key, value in moments.items()},
            }

    def close(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)


def make_optimizer(trained: TrainedModel, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices, and neither biases, norms nor the weights of tasks."""
    parameters = list(trained.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def load_parameters(trained: TrainedModel, tensors: Mapping[str, Tensor]) -> None:
    """Copy the weights of a checkpoint; before an engine is made, as ZeRO cuts the weights it finds then.

    Raises CheckpointError when a tensor is missing or has another shape.
    """
    with torch.no_grad():
        for name, parameter in trained.named_parameters():
            parameter.copy_(fitting(tensors, name, parameter.shape))


def fitting(tensors: Mapping[str, Tensor], key: str, shape: torch.Size) -> Tensor:
    """The checkpoint's tensor `key`. Raises CheckpointError when it is missing or has not this shape."""
    found = tensors.get(key)
    if found is None or found.shape != shape:
        seen = "is missing" if found is None else f"has shape {tuple(found.shape)}"
        raise CheckpointError(f"the checkpoint's tensor {key} {seen}, expected {tuple(shape)}")
    return found
