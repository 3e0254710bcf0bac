"""What stays in memory for a whole run: parameters, gradients, optimizer, moving average, buffers of the exchange.

Bytes for each rank, by the arithmetic of ZeRO (Rajbhandari et al. 2020, section 5): with n parameters in float32 and R
ranks, those that share a sample included,

    stage        parameters   gradients   AdamW's moments   master copy
    one process  4 n          4 n         8 n               -
    0            4 n          4 n         8 n               -
    1            4 n          4 n         8 n / R           4 n / R
    2            4 n          4 n / R     8 n / R           4 n / R
    3            4 n / R      4 n / R     8 n / R           4 n / R

DeepSpeed keeps the master copy in float32 runs too. Added to these: a bucket of gradients on their way, at stage 3 the
parameters gathered for use, and what AdamW makes in passing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch

from msaformer.config import Config, ModelConfig
from msaformer.model.model import MSAFormer

_FLOAT: Final = 4  # bytes; weights, gradients and state are float32, whatever the precision of the work
BUCKET_ELEMENTS: Final = 50_000_000
"""Most gradients or parameters under way at once (`training/deepspeed_engine.py`)."""


@dataclass(frozen=True, slots=True)
class TrainingStates:
    """Bytes of one rank; what is offloaded stands in `host` alone."""

    parameters: int
    gradients: int
    optimizer: int
    average: int
    """The moving average that is validated and released."""
    buffers: int
    step: int
    """What AdamW makes in passing; the activations are gone by then."""
    host: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers of parameters."""

    total: int
    largest: int


@lru_cache(maxsize=64)
def count_parameters(model: ModelConfig) -> Parameters:
    """Of the whole network, and of its largest tensor."""
    with torch.device("meta"):
        sizes = [parameter.numel() for parameter in MSAFormer(model).parameters()]
    return Parameters(sum(sizes), max(sizes))


def uses_deepspeed(config: Config, ranks: int) -> bool:
    """Whether the run is DeepSpeed's; in one process it is when asked for."""
    return config.parallel.engine == "deepspeed" or (config.parallel.engine == "auto" and ranks > 1)


def training_states(config: Config, ranks: int, device_type: str) -> TrainingStates:
    """Count them for one of `ranks`."""
    count = count_parameters(config.model)
    whole = _FLOAT * count.total
    # On a GPU, AdamW works on all tensors at once; elsewhere on one after another, with two tables of its size.
    at_once = device_type == "cuda"
    if not uses_deepspeed(config, ranks):
        step = whole if at_once else 2 * _FLOAT * count.largest
        return TrainingStates(whole, whole, 2 * whole, whole, 0, step, 0)
    parallel = config.parallel
    shared = _FLOAT * -(-count.total // ranks)
    bucket = _FLOAT * min(count.total, BUCKET_ELEMENTS)
    parameters = shared if parallel.zero_stage == 3 else whole
    state = 3 * shared if parallel.zero_stage else 2 * whole
    on_host = (state if parallel.offload_optimizer else 0) + (
        parameters if parallel.offload_parameters else 0
    )
    return TrainingStates(
        parameters=0 if parallel.offload_parameters else parameters,
        gradients=shared if parallel.zero_stage >= 2 else whole,
        optimizer=0 if parallel.offload_optimizer else state,
        average=parameters,
        buffers=2 * bucket if parallel.zero_stage == 3 else bucket,
        step=shared if parallel.zero_stage else (whole if at_once else 2 * _FLOAT * count.largest),
        host=on_host,
    )
