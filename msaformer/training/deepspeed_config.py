"""DeepSpeed's configuration, derived from ours; needs no deepspeed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import torch

from msaformer.config import Config
from msaformer.errors import ConfigError
from msaformer.parallel.ranks import Ranks

_BUCKET_ELEMENTS: Final = 50_000_000  # most that are reduced or gathered at once: 200 MB in float32
_REFUSED: Final = {
    "bf16": "set training.precision=bfloat16",
    "fp16": "set training.precision=bfloat16",
    "torch_autocast": "set training.precision=bfloat16",
    "optimizer": "set the optimizer.* keys",
    "scheduler": "set the optimizer.* keys",
    "activation_checkpointing": "set execution.checkpointing",
}


def deepspeed_config(config: Config, ranks: Ranks, num_parameters: int) -> dict[str, Any]:
    """DeepSpeed's configuration, derived from ours; `parallel.deepspeed` adds keys.

    Raises ConfigError when one of the added keys is derived already.
    """
    parallel, training = config.parallel, config.training
    passes = training.accumulation // ranks.data_ranks
    bucket = min(num_parameters, _BUCKET_ELEMENTS)
    zero: dict[str, Any] = {"stage": parallel.zero_stage}
    if parallel.zero_stage > 0:
        zero |= {"reduce_bucket_size": bucket, "allgather_bucket_size": bucket}
    if parallel.zero_stage == 3:
        zero |= {"stage3_prefetch_bucket_size": bucket, "stage3_max_live_parameters": 2 * num_parameters}
    if parallel.offload_optimizer:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    if parallel.offload_parameters:
        zero["offload_param"] = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    derived: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": training.batch_size,
        "gradient_accumulation_steps": passes,
        "train_batch_size": training.batch_size * passes * ranks.world_size,
        "gradient_clipping": config.optimizer.clip_norm,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": sys.maxsize,
        "wall_clock_breakdown": False,
    }
    return _merged(derived, parallel.deepspeed, "parallel.deepspeed")


def _merged(derived: dict[str, Any], added: Mapping[str, Any], place: str) -> dict[str, Any]:
    merged = dict(derived)
    for key, value in added.items():
        if key in _REFUSED:
            raise ConfigError(f"{place}.{key}: is not passed on; {_REFUSED[key]}")
        known = derived.get(key)
        if isinstance(known, dict) and isinstance(value, Mapping):
            merged[key] = _merged(known, value, f"{place}.{key}")
        elif key in derived and not key.endswith(("bucket_size", "max_live_parameters")):
            raise ConfigError(
                f"{place}.{key}: is derived from the keys of ours ({derived[key]!r}); leave it out"
            )
        else:
            merged[key] = value
    return merged
