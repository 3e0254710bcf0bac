"""Passes small enough to be measured, and the measure: torch's own record of what its CPU allocator gave out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from msaformer.config import Config, LossConfig, ModelConfig
from msaformer.config_file import validate_config
from msaformer.model.execution import Execution, execute_with
from msaformer.model.maps import predicted_maps
from msaformer.model.model import MSAFormer
from msaformer.training.losses import Objective
from msaformer.training.memory_policy import MemoryPolicy
from msaformer.training.memory_trace import Work, empty_batch
from msaformer.training.recompute import recomputed
from msaformer.training.scoring import TASKS

MIB = 2**20


def work(**changes: Any) -> Work:
    """One pass of a small network; fields of ModelConfig, MemoryPolicy and Work by name."""
    given: dict[str, Any] = {
        "num_blocks": 4,
        "depth": 12,
        "length": 32,
        "chunk_bytes": 4 * MIB,
        "loss": LossConfig(),
    } | changes
    model = ModelConfig(**{key: given.pop(key) for key in list(given) if key in ModelConfig.model_fields})
    policy = MemoryPolicy(given.pop("checkpointing", "none"), given.pop("chunk_bytes"))
    return Work(model=model, policy=policy, **given)


def measured_peak(planned: Work) -> float:
    """Bytes of a real pass, beside the parameters and, where they are there already, their gradients."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
    from benchmark_measure import peak_memory

    standing = 0

    def run() -> None:
        nonlocal standing
        network = MSAFormer(planned.model).train(planned.loss is not None)
        checkpoint = None if planned.policy.checkpointing == "none" else recomputed
        chunk_bytes = planned.policy.chunk_bytes
        execute_with(
            network, Execution(bfloat16=planned.bfloat16, checkpoint=checkpoint, chunk_bytes=chunk_bytes)
        )
        standing = sum(4 * parameter.numel() for parameter in network.parameters())
        batch = empty_batch(planned)
        if planned.loss is None:
            with torch.inference_mode():
                predicted_maps(network, batch)
            return
        if planned.keeps_gradients:
            standing *= 2
            for parameter in network.parameters():
                parameter.grad = torch.zeros_like(parameter)
        objective = Objective(planned.loss)
        objective(network(batch), batch, torch.ones(len(TASKS)), 1.0).total.backward()

    return peak_memory(run) * MIB - standing


def tiny(**sections: Any) -> Config:
    """A run of three blocks on crops of N = 8, L = 24."""
    own = {"model": {"num_blocks": 3, "c_m": 8, "c_z": 8}, "data": {"max_depth": 8, "crop_length": 24}}
    return validate_config(own | sections, "test")
