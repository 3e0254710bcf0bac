"""What is given up in speed for memory, and in which order.

A policy says nothing about the result: each computes the same, beyond rounding. `policies` lists them from the fastest
to the most frugal, and `execution_of` turns the one that was chosen into the network's `Execution`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from msaformer.config import Config, ExecutionConfig
from msaformer.model.execution import DEFAULT_CHUNK_BYTES, Checkpoint, Execution
from msaformer.parallel.axial import UNSHARDED, AxialSharding
from msaformer.training.recompute import recomputed, recomputed_from_host

Checkpointing = Literal["none", "blocks", "offload", "deepspeed"]

MIB: Final = 2**20
_CHECKPOINTING: Final[tuple[Checkpointing, ...]] = ("none", "blocks", "offload")
_CHUNKS: Final = {
    "cpu": (DEFAULT_CHUNK_BYTES, DEFAULT_CHUNK_BYTES // 4, DEFAULT_CHUNK_BYTES // 16),
    "other": (8 * DEFAULT_CHUNK_BYTES, 2 * DEFAULT_CHUNK_BYTES, DEFAULT_CHUNK_BYTES // 2),
}
"""Bytes of a chunk, by device; a GPU wants more work at a time."""
_CHECKPOINTS: Final[dict[str, Checkpoint | None]] = {
    "none": None,
    "blocks": recomputed,
    "offload": recomputed_from_host,
}
_WORDS: Final = {
    "none": "every activation kept",
    "blocks": "blocks computed again in the backward pass",
    "offload": "block inputs in the host's memory, the rest computed again",
    "deepspeed": "DeepSpeed's checkpointing of blocks",
}


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """What a run keeps for its backward pass, and how large a table it makes at a time."""

    checkpointing: Checkpointing = "none"
    chunk_bytes: int = DEFAULT_CHUNK_BYTES

    def words(self, *, training: bool) -> str:
        """For people."""
        chunks = f"tables of {self.chunk_bytes / MIB:g} MiB at a time"
        return f"{_WORDS[self.checkpointing]}, {chunks}" if training else chunks


def policies(execution: ExecutionConfig, device_type: str, *, training: bool) -> tuple[MemoryPolicy, ...]:
    """Those that the configuration leaves open, the fastest first: smaller chunks, then more computed again."""
    chunks: tuple[int, ...] = _CHUNKS.get(device_type, _CHUNKS["other"])
    if execution.chunk_mib:
        chunks = (execution.chunk_mib * MIB,)
    levels: tuple[Checkpointing, ...] = ("none",)
    if training and execution.checkpointing == "auto":
        levels = _CHECKPOINTING[:2] if device_type == "cpu" else _CHECKPOINTING  # a CPU's host is itself
    elif training and execution.checkpointing != "auto":
        levels = (execution.checkpointing,)
    return tuple(MemoryPolicy(level, chunk) for level in levels for chunk in chunks)


def execution_of(
    policy: MemoryPolicy,
    config: Config,
    axial: AxialSharding = UNSHARDED,
    *,
    checkpoint: Checkpoint | None = None,
) -> Execution:
    """The network's `Execution` in training; `checkpoint` is the engine's own, for the policy "deepspeed" alone."""
    attention = config.execution.attention
    return Execution(
        axial=axial,
        bfloat16=config.training.precision == "bfloat16",
        checkpoint=checkpoint if policy.checkpointing == "deepspeed" else _CHECKPOINTS[policy.checkpointing],
        chunk_bytes=policy.chunk_bytes,
        attention="own" if attention == "auto" else attention,
    )
