"""How the network runs, as opposed to what it computes: sharding, precision, recomputation, chunks, kernels.

Chosen once (`msaformer.training.memory_plan`) and put into every module by `execute_with`; no `forward` takes a flag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from msaformer.parallel.axial import UNSHARDED, AxialSharding

Checkpoint = Callable[..., Any]
"""`checkpoint(function, *tensors)` returns what `function(*tensors)` does, and computes it again for the backward."""

DEFAULT_CHUNK_BYTES: Final = 32 * 2**20
# Computing a value again takes time in proportion to the channels it is computed from. At 128 channels that is about as
# long as a large table's value takes to be written and read, on a CPU; at 256 it is twice as long.
KEPT_FROM_CHANNELS: Final = 192


class AttentionObserver:
    """Is shown what each row attention reads, before it computes; this one looks away."""

    def see(self, layer: nn.Module, msa: Tensor, mask: Tensor, bias: Tensor) -> None:
        """Layer, its inputs `[B, R, L, c_m]` and `[B, R, L]`, and the pair bias `[B, H, I, L]` that it adds."""


UNOBSERVED: Final = AttentionObserver()


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """One choice for all modules of a network; the default runs anywhere and keeps every activation."""

    axial: AxialSharding = UNSHARDED
    """The ranks that share each sample."""
    bfloat16: bool = False
    """Autocast; norms, softmax, means and heads stay in float32."""
    checkpoint: Checkpoint | None = None
    """Wraps each block of the trunk in training; None keeps the activations."""
    chunk_bytes: int = DEFAULT_CHUNK_BYTES
    """Largest table that an operation makes in passing; larger ones are made and used piece by piece."""
    keep_wide: bool = True
    """Keep queries, keys, values and gates of attention and the wide layer of transitions for the backward pass, where
    the track is wide itself; else they are computed again, for a tenth more time and half the memory of a block."""
    attention: str = "own"
    """Kernel of pair-biased attention: own, reference, sdpa, cuequivariance or deepspeed."""
    observer: AttentionObserver = UNOBSERVED
    """Of row attention, for those who want to see its maps (`msaformer.model.attention_recorder`)."""


class ExecutedModule(nn.Module):
    """A module whose work depends on the execution."""

    execution: Execution = Execution()

    def keeps_wide(self, channels: int, from_channels: int = KEPT_FROM_CHANNELS) -> bool:
        """Whether a layer that reads `channels` keeps its wide tables for a backward pass."""
        return self.execution.keep_wide and channels >= from_channels and torch.is_grad_enabled()


def execute_with(module: nn.Module, execution: Execution) -> None:
    """Let `module` and all its parts run as `execution` says."""
    for part in module.modules():
        if isinstance(part, ExecutedModule):
            part.execution = execution
