"""How the network runs, as opposed to what it computes: sharding, precision, recomputation, chunks, kernels.

Chosen once (`msaformer.training.memory_plan`) and put into every module by `execute_with`; no `forward` takes a flag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from torch import nn

from msaformer.parallel.axial import UNSHARDED, AxialSharding

Checkpoint = Callable[..., Any]
"""`checkpoint(function, *tensors)` returns what `function(*tensors)` does, and computes it again for the backward."""

DEFAULT_CHUNK_BYTES: Final = 32 * 2**20


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
    attention: str = "own"
    """Kernel of pair-biased attention: own, reference, sdpa, cuequivariance or deepspeed."""


class ExecutedModule(nn.Module):
    """A module whose work depends on the execution."""

    execution: Execution = Execution()


def execute_with(module: nn.Module, execution: Execution) -> None:
    """Let `module` and all its parts run as `execution` says."""
    for part in module.modules():
        if isinstance(part, ExecutedModule):
            part.execution = execution
