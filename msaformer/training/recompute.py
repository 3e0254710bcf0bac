"""Activation checkpointing: keep what enters a block, and compute the rest again in the backward pass.

Both are `Checkpoint`s of `msaformer/model/execution.py`. No state of a random generator is kept, as none is used: the
dropout masks are functions of their seed (`model/dropout.py`). That a block runs alike both times is checked by torch,
which compares the shapes of what is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable[..., Any], *tensors: Any) -> Any:
    """Keep `tensors` alone until the backward pass (Chen et al. 2016, "Training deep nets with sublinear memory")."""
    return checkpoint(function, *tensors, use_reentrant=False, preserve_rng_state=False)


def recomputed_from_host(function: Callable[..., Any], *tensors: Any) -> Any:
    """The same, with the tensors of numbers in the host's memory meanwhile; the masks, which blocks share, stay."""
    with saved_tensors_hooks(
        _to_host, _from_host
    ):  # of what `checkpoint` keeps: inside it, its own hooks are nearer
        return recomputed(function, *tensors)


def _to_host(tensor: Tensor) -> tuple[torch.device, Tensor]:
    if not tensor.is_floating_point() or tensor.device.type == "cpu":
        return tensor.device, tensor
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.device.type == "cuda")
    host.copy_(tensor.detach(), non_blocking=host.is_pinned())
    return tensor.device, host


def _from_host(packed: tuple[torch.device, Tensor]) -> Tensor:
    device, tensor = packed
    return tensor.to(device, non_blocking=tensor.is_pinned())
