"""The engine for several processes: DeepSpeed's ZeRO partitions behind the interface of `training/engine.py`.

ZeRO stage 1 shares the optimizer state among all ranks, stage 2 the gradients as well, stage 3 the parameters as well.
All ranks count as data-parallel for DeepSpeed, those that share a sample (axial sharding) included: the losses are
partial sums, so that the mean over ranks and passes that DeepSpeed takes, times their number, is the step's gradient.

Precision is the network's own autocast over float32 weights: DeepSpeed's `bf16` section steps once on zero gradients at
stage 0, and its autocast reduces gradients in bfloat16.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from msaformer.config import Config
from msaformer.data.batch import Batch
from msaformer.errors import ConfigError
from msaformer.model.execution import Checkpoint
from msaformer.parallel.ranks import Ranks
from msaformer.training.deepspeed_config import deepspeed_config
from msaformer.training.engine import (
    MOMENTS,
    STEP,
    TrainedModel,
    fitting,
    make_optimizer,
    set_learning_rate,
)
from msaformer.training.losses import Losses


class DeepSpeedEngine:
    """AdamW under ZeRO; see `Engine`. Made on every rank, with the same weights on each."""

    def __init__(self, trained: TrainedModel, config: Config, ranks: Ranks, device: torch.device) -> None:
        deepspeed = _import_deepspeed()
        self.network = trained.model
        self.trained = trained.to(device)
        self.device = device
        self.ranks = ranks
        self.stage = config.parallel.zero_stage
        self.name = f"deepspeed {deepspeed.__version__}, ZeRO {self.stage}"
        settings = deepspeed_config(config, ranks, sum(p.numel() for p in trained.parameters()))
        self.passes = settings["gradient_accumulation_steps"]
        self.passes_done = 0
        self.scale = float(ranks.world_size * self.passes)
        self.engine, self.optimizer, _, _ = deepspeed.initialize(
            model=trained,
            optimizer=make_optimizer(trained, config.optimizer),
            config=settings,
            dist_init_required=False,
        )
        self.access = deepspeed.utils

    def forward(self, batch: Batch, denominators: Float[Tensor, " T"], share: float) -> Losses:
        return Losses(*self.engine(batch.to(self.device), denominators, share))

    def backward(self, losses: Losses) -> None:
        self.engine.backward(losses.total * self.scale)
        self.passes_done += 1
        if self.passes_done < self.passes:
            self.engine.step()  # counts the pass; DeepSpeed updates at the last one alone

    def step(self, learning_rate: float) -> float:
        set_learning_rate(self.optimizer, learning_rate)
        norm = self._plain_norm() if self.stage == 0 else None
        self.engine.step()
        self.passes_done = 0
        return float(self.engine.get_global_grad_norm()) if norm is None else norm

    def parameters(self) -> dict[str, Tensor]:
        named = self.network.named_parameters()
        return {name: cast(Any, p).ds_tensor if self.stage == 3 else p.detach() for name, p in named}

    def whole(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parameters = dict(self.network.named_parameters())
        return {name: self._whole(part, parameters[name]) for name, part in parts.items()}

    def cut(self, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parameters = dict(self.network.named_parameters())
        return {
            name: self._cut(value.to(self.device, copy=True), parameters[name])
            for name, value in whole.items()
        }

    def state(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        self._link_moments()
        for name, parameter in self.trained.named_parameters():
            whole = {
                name: self._full(parameter),
                **{f"optimizer.{key}.{name}": self._full(parameter, key) for key in MOMENTS},
            }
            if self.ranks.is_first:
                tensors |= {key: value.detach().float().cpu() for key, value in whole.items()}
        tensors[STEP] = next(iter(self._moments().values()))["step"].detach().cpu().float().reshape(())
        return tensors

    def load_moments(self, tensors: Mapping[str, Tensor]) -> None:
        steps = fitting(tensors, STEP, torch.Size())
        for partition in self._partitions():
            self._moments()[partition] = {
                "step": steps.clone(),
                **{key: torch.zeros_like(partition) for key in MOMENTS},
            }
        self._link_moments()
        for name, parameter in self.trained.named_parameters():
            for key in MOMENTS:
                self._set_moment(
                    parameter, key, fitting(tensors, f"optimizer.{key}.{name}", _shape(parameter))
                )

    def close(self) -> None:
        self.engine.destroy()
        self.engine = self.optimizer = None

    def _whole(self, part: Tensor, parameter: nn.Parameter) -> Tensor:
        if self.stage < 3:
            return part.detach().cpu().clone()
        own = part.detach().to(self.device).contiguous()
        shards = [torch.empty_like(own) for _ in range(self.ranks.world_size)]
        dist.all_gather(shards, own)
        return torch.cat(shards)[: cast(Any, parameter).ds_numel].reshape(_shape(parameter)).cpu()

    def _cut(self, value: Tensor, parameter: nn.Parameter) -> Tensor:
        """This rank's shard of a whole tensor; the last shards are padded with zeros."""
        if self.stage < 3:
            return value
        share = cast(Any, parameter).ds_tensor.numel()
        padded = value.new_zeros(share * self.ranks.world_size)
        padded[: value.numel()] = value.flatten()
        return padded[share * self.ranks.rank : share * (self.ranks.rank + 1)].clone()

    def _full(self, parameter: nn.Parameter, moment: str | None = None) -> Tensor:
        """A parameter or one of its moments, gathered from all ranks."""
        if self.stage == 0:
            return parameter if moment is None else self._moments()[parameter][moment]
        if moment is None:
            whole: Tensor = self.access.safe_get_full_fp32_param(parameter)
        else:
            whole = self.access.safe_get_full_optimizer_state(parameter, moment)
        return whole.reshape(_shape(parameter))

    def _set_moment(self, parameter: nn.Parameter, key: str, value: Tensor) -> None:
        value = value.to(self.device)
        if self.stage == 0:
            self._moments()[parameter][key].copy_(value)
        elif self.stage < 3:
            self.access.safe_set_full_optimizer_state(parameter, value, key)
        else:
            self.access.safe_set_local_optimizer_state(parameter, self._cut(value, parameter), key)

    def _partitions(self) -> list[Tensor]:
        """The flat tensors that AdamW steps on; at stage 0 the parameters themselves."""
        if self.stage == 3:
            return list(self.optimizer.fp32_partitioned_groups_flat)
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def _link_moments(self) -> None:
        """Let the accessors of stages 1 and 2 find the moments of all groups of parameters.

        DeepSpeed links them after the first group's first step, when the second group has none yet.
        """
        if self.stage in (1, 2):
            self.optimizer._hp_optimizer_states_linked = False
            self.optimizer._lazy_init_hp_params_optimizer_state()

    def _moments(self) -> dict[Tensor, dict[str, Tensor]]:
        inner = self.optimizer.optimizer if self.stage else self.optimizer
        return cast("dict[Tensor, dict[str, Tensor]]", inner.state)

    def _plain_norm(self) -> float:
        gradients = [p.grad for p in self.trained.parameters() if p.grad is not None]
        return float(nn.utils.get_total_norm(gradients))


def check_deepspeed(config: Config, ranks: Ranks) -> None:
    """Raise ConfigError when deepspeed is not installed, or keys for it are not passed on."""
    _import_deepspeed()
    deepspeed_config(config, ranks, num_parameters=1)


def deepspeed_checkpoint() -> Checkpoint:
    """DeepSpeed's own activation checkpointing, with the saved activations partitioned where ranks hold copies.

    It loses the gradient of an output that is a view, as an all-to-all may return one, so that outputs are copied.
    """
    deepspeed = _import_deepspeed()
    deepspeed.init_distributed(auto_mpi_discovery=False, dist_init_required=False)
    deepspeed.checkpointing.configure(None, partition_activations=True)

    def checkpoint(function: Callable[..., tuple[Tensor, ...]], *tensors: Tensor) -> tuple[Tensor, ...]:
        def with_own_outputs(*inputs: Tensor) -> tuple[Tensor, ...]:
            return tuple(output.clone() for output in function(*inputs))

        outputs: tuple[Tensor, ...] = deepspeed.checkpointing.checkpoint(with_own_outputs, *tensors)
        return outputs

    return checkpoint


def _import_deepspeed() -> Any:
    """Raises ConfigError when it is not installed."""
    # DeepSpeed calls collectives by names that torch 2.13 is about to retire, and warns at every other call.
    warnings.filterwarnings(
        "ignore", r".*(all_gather_into_tensor|reduce_scatter_tensor)` is deprecated", FutureWarning
    )
    try:
        import deepspeed
    except ImportError as error:
        raise ConfigError(
            "parallel.engine: several processes need deepspeed, which is not installed here (it is for Linux): "
            "pip install deepspeed, or start one process"
        ) from error
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    if os.environ.get("DS_ACCELERATOR") == "cpu":  # set where the ranks meet (`parallel/launch.py`)
        # Its shared-memory collectives are compiled at first use (a minute, and a compiler); gloo needs none of them.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def _shape(parameter: nn.Parameter) -> torch.Size:
    """The shape of the whole parameter; at stage 3 the parameter itself is empty outside of `forward`."""
    shape: torch.Size = getattr(parameter, "ds_shape", parameter.shape)
    return shape
