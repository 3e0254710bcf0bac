"""The memory of one forward (and backward) pass, found by running the real code on tensors without numbers.

torch's fake tensors have shapes and no storage, so a network of any size runs in a moment, and a ledger counts what its
tensors would hold. Whatever changes in the network, its kernels or its policy changes here by itself.

Dimension key: B batch, N sequences, L residues, k co-evolution maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from data_tools.alphabet import NUM_SYMBOLS
from msaformer.config import LossConfig, ModelConfig
from msaformer.data.batch import NUM_ANGLES, Batch
from msaformer.data.dataset import NUM_MAPS, num_couplings
from msaformer.model.execution import Checkpoint, Execution, execute_with
from msaformer.model.functions.pieces import planned_for
from msaformer.model.maps import predicted_maps
from msaformer.model.model import MSAFormer
from msaformer.parallel.axial import UNSHARDED, AxialSharding
from msaformer.training.losses import Objective
from msaformer.training.memory_blocks import TRACED_BLOCKS, BlockMarks
from msaformer.training.memory_ledger import MemoryLedger
from msaformer.training.memory_policy import MemoryPolicy
from msaformer.training.recompute import recomputed
from msaformer.training.scoring import TASKS


@dataclass(frozen=True, slots=True)
class Work:
    """One pass through a network."""

    model: ModelConfig
    depth: int
    length: int
    policy: MemoryPolicy
    loss: LossConfig | None = None
    """None: a prediction, without a backward pass."""
    batch_size: int = 1
    axial: int = 1
    bfloat16: bool = False
    attention: str = "own"
    keeps_gradients: bool = False
    """The gradients of earlier passes are there already, and are counted elsewhere."""
    device_type: str = "cpu"


@dataclass(frozen=True, slots=True)
class Trace:
    """Bytes beside the parameters (and the gradients, when `keeps_gradients`)."""

    inputs: int
    peak: int
    """The most at a time, inputs included."""
    host: int = 0
    """In the host's memory, of offloaded block inputs."""


@lru_cache(maxsize=256)
def trace(work: Work) -> Trace:
    """Run `work` on tensors without numbers."""
    num_blocks = min(work.model.num_blocks, TRACED_BLOCKS)
    further_blocks = work.model.num_blocks - num_blocks
    host = _HostMemory()
    with planned_for(work.device_type), MemoryLedger() as ledger:
        network = MSAFormer(work.model.model_copy(update={"num_blocks": num_blocks}))
        network.train(work.loss is not None)
        execute_with(network, _execution(work, host))
        if work.keeps_gradients:
            for parameter in network.parameters():
                parameter.grad = torch.zeros_like(parameter)
        ledger.forget()
        batch = empty_batch(work)
        inputs = ledger.held
        if work.loss is None:
            with (
                torch.no_grad()
            ):  # under inference_mode, operations would come to the ledger in larger pieces
                predicted_maps(network, batch)
            return Trace(inputs, ledger.peak)
        marks = BlockMarks(network, ledger)
        objective = Objective(work.loss)
        execute_with(objective, network.execution)
        losses = objective(network(batch), batch, torch.ones(len(TASKS)), 1.0)
        losses.total.backward()
        gradients = sum(4 * parameter.numel() for parameter in network.trunk.blocks[0].parameters())
    peak = marks.peak(further_blocks, 0 if work.keeps_gradients else gradients)
    return Trace(inputs, peak, host.num_bytes * work.model.num_blocks // num_blocks)


def empty_batch(work: Work) -> Batch:
    """A batch of the shapes of `work`, in which every place is real."""
    cells = (work.batch_size, work.depth, work.length)
    pairs = (work.batch_size, work.length, work.length)
    has_angles = work.loss is not None and work.loss.orientation > 0
    return Batch(
        tokens=torch.zeros(cells, dtype=torch.int64),
        deletions=torch.zeros(cells),
        profile=torch.zeros(work.batch_size, work.length, NUM_SYMBOLS),
        residue_index=torch.zeros(work.batch_size, work.length, dtype=torch.int64),
        coevolution=torch.zeros(*pairs, NUM_MAPS),
        has_coevolution=torch.ones(work.batch_size, dtype=torch.bool),
        sequence_mask=torch.ones(work.batch_size, work.depth, dtype=torch.bool),
        residue_mask=torch.ones(work.batch_size, work.length, dtype=torch.bool),
        distances=torch.zeros(pairs),
        masked_targets=torch.zeros(cells, dtype=torch.int64),
        neff=torch.ones(work.batch_size),
        couplings=torch.zeros(*pairs, num_couplings(work.model), dtype=torch.float16),
        orientations=torch.zeros(*pairs, NUM_ANGLES) if has_angles else None,
        names=("",) * work.batch_size,
    )


class _HostMemory:
    """Counts what `recompute.recomputed_from_host` would move off the device."""

    def __init__(self) -> None:
        self.num_bytes = 0

    def recomputed(self, function: Callable[..., Any], *tensors: Any) -> Any:
        with saved_tensors_hooks(self._leave, _come_back):
            return recomputed(function, *tensors)

    def _leave(self, tensor: Tensor) -> Tensor | tuple[torch.Size, torch.dtype]:
        if not tensor.is_floating_point():
            return tensor
        self.num_bytes += math.prod(tensor.shape) * tensor.element_size()
        return tensor.shape, tensor.dtype


def _come_back(packed: Tensor | tuple[torch.Size, torch.dtype]) -> Tensor:
    return packed if isinstance(packed, Tensor) else torch.empty(packed[0], dtype=packed[1])


def _execution(work: Work, host: _HostMemory) -> Execution:
    checkpoints: dict[str, Checkpoint | None] = {"none": None, "offload": host.recomputed}
    return Execution(
        axial=UNSHARDED if work.axial == 1 else _LoneRank(work.axial),
        bfloat16=work.bfloat16,
        checkpoint=checkpoints.get(work.policy.checkpointing, recomputed),
        chunk_bytes=work.policy.chunk_bytes,
        attention=work.attention,
    )


class _LoneRank(AxialSharding):
    """The first of `size` ranks, whose tables are those of a real run, and to which nobody sends anything."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def exchange(self, received: Tensor, sent: Tensor) -> None:
        """Leave `received` as it is."""

    collect = sum_parts = exchange

    def let_go(self, table: Tensor, kept: Tensor) -> None:
        """Hollow tables go when the last one that sees them does."""

    def add_up(self, table: Tensor) -> None:
        """Leave `table` as it is."""
