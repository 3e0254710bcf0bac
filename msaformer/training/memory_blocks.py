"""From the memory of two blocks to that of many.

    forward     embedding | block 0 | block 1 | heads and losses
    backward    last block | first block | embedding

A training pass is cut at these places. From block 1 to the backward pass of the last block, each further block adds
what it keeps; after that, the gradients of its parameters.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from msaformer.model.model import MSAFormer
from msaformer.training.memory_ledger import MemoryLedger

TRACED_BLOCKS: Final = 2
_BLOCKS: Final = ("block 0", "block 1")
_HEADS: Final = "heads"
_LAST_BACKWARD: Final = "backward of the last block"
_FIRST_BACKWARD: Final = "backward of the first block"
_EMBEDDING_BACKWARD: Final = "backward of the embedding"


class BlockMarks:
    """Lets the ledger begin a stretch at each of the places above, when `network` is run and differentiated."""

    def __init__(self, network: MSAFormer, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        blocks = list(network.trunk.blocks)
        for name, block in zip(_BLOCKS, blocks, strict=False):
            block.register_forward_pre_hook(lambda *_, name=name: self._begin(name))
        network.trunk.register_forward_hook(lambda *_: self._begin(_HEADS))
        for module, name in (
            (network.trunk, _LAST_BACKWARD),
            (blocks[0], _FIRST_BACKWARD),
            (network.embedding, _EMBEDDING_BACKWARD),
        ):
            module.register_forward_hook(lambda _, args, outputs, name=name: self._await(outputs, name))

    def peak(self, further_blocks: int, block_gradients: int) -> int:
        """Most bytes held at a time when there are `further_blocks`, with so many bytes of gradients each."""
        starts = {stretch.name: stretch.start for stretch in self._ledger.stretches}
        kept = starts[_BLOCKS[1]] - starts[_BLOCKS[0]] if further_blocks else 0
        added = dict.fromkeys((_BLOCKS[1], _HEADS, _LAST_BACKWARD), kept)
        added |= dict.fromkeys((_FIRST_BACKWARD, _EMBEDDING_BACKWARD), block_gradients)
        return max(
            stretch.peak + further_blocks * added.get(stretch.name, 0) for stretch in self._ledger.stretches
        )

    def _begin(self, name: str) -> None:
        """Once each: passes without gradients (recycling) do not count, nor do blocks that are computed again."""
        if torch.is_grad_enabled() and all(stretch.name != name for stretch in self._ledger.stretches):
            self._ledger.begin(name)

    def _await(self, outputs: tuple[Tensor, Tensor], name: str) -> None:
        """Begin `name` when the gradients of all outputs are there."""
        if not torch.is_grad_enabled() or any(s.name == _HEADS for s in self._ledger.stretches[:-1]):
            return
        waiting = [output for output in outputs if output.requires_grad]
        missing = len(waiting)

        def arrived(gradient: Any) -> None:
            nonlocal missing
            missing -= 1
            if not missing:
                self._ledger.begin(name)

        for output in waiting:
            output.register_hook(arrived)  # type: ignore[no-untyped-call]
