"""From the memory of two blocks of each kind to that of many.

    forward     embedding | block 0 | block 1 | pair block 0 | pair block 1 | heads and losses
    backward    last pair block | last block | first block | embedding

A training pass is cut at these places. From block 1 to the backward pass of the last block, each further block adds
what it keeps; after that, the gradients of its parameters. So do pair blocks, between their own places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from msaformer.config import ModelConfig
from msaformer.model.model import MSAFormer
from msaformer.training.memory_ledger import MemoryLedger

_TRACED_BLOCKS: Final = 2
_BLOCKS: Final = ("block 0", "block 1")
_PAIR_BLOCKS: Final = ("pair block 0", "pair block 1")
_HEADS: Final = "heads"
_TRUNK_BACKWARD: Final = "backward of the trunk"
_LAST_BACKWARD: Final = "backward of the last block"
_FIRST_BACKWARD: Final = "backward of the first block"
_EMBEDDING_BACKWARD: Final = "backward of the embedding"
_FORWARD: Final = (*_BLOCKS, *_PAIR_BLOCKS, _HEADS)


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Blocks of both tracks, and blocks of the pair track alone."""

    both: int
    pair: int

    @classmethod
    def of(cls, model: ModelConfig) -> BlockCounts:
        """Those of a network."""
        return cls(model.num_blocks, model.num_pair_blocks)

    def traced(self) -> BlockCounts:
        """Those that are run; each further one is like the last."""
        return BlockCounts(min(self.both, _TRACED_BLOCKS), min(self.pair, _TRACED_BLOCKS))

    def applied_to(self, model: ModelConfig) -> ModelConfig:
        """The same network with so many blocks."""
        return model.model_copy(update={"num_blocks": self.both, "num_pair_blocks": self.pair})


class BlockMarks:
    """Lets the ledger begin a stretch at each of the places above, when `network` is run and differentiated."""

    def __init__(self, network: MSAFormer, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        trunk = network.trunk
        for names, blocks in ((_BLOCKS, trunk.blocks), (_PAIR_BLOCKS, trunk.pair_blocks)):
            for name, block in zip(names, blocks, strict=False):
                block.register_forward_pre_hook(lambda *_, name=name: self._begin(name))
        trunk.register_forward_hook(lambda *_: self._begin(_HEADS))
        marks = [
            (trunk, _TRUNK_BACKWARD if len(trunk.pair_blocks) else _LAST_BACKWARD),
            (trunk.blocks[0], _FIRST_BACKWARD),
            (network.embedding, _EMBEDDING_BACKWARD),
        ]
        if len(trunk.pair_blocks) and len(trunk.blocks) > 1:
            marks.insert(1, (trunk.blocks[-1], _LAST_BACKWARD))
        for module, name in marks:
            module.register_forward_hook(lambda _, args, outputs, name=name: self._await(outputs, name))

    def peak(self, further: BlockCounts, block_gradients: int, pair_block_gradients: int) -> int:
        """Most bytes held at a time when there are `further` blocks, with so many bytes of gradients each."""
        added: dict[str, int] = {}
        for number, names, gradients, last in (
            (further.both, _BLOCKS, block_gradients, _LAST_BACKWARD),
            (further.pair, _PAIR_BLOCKS, pair_block_gradients, _TRUNK_BACKWARD),
        ):
            if not number:
                continue
            starts = {stretch.name: stretch.start for stretch in self._ledger.stretches}
            kept = starts[names[1]] - starts[names[0]]
            backward = (_TRUNK_BACKWARD, _LAST_BACKWARD, _FIRST_BACKWARD, _EMBEDDING_BACKWARD)
            done = backward.index(last) + 1
            for name in (*_FORWARD[_FORWARD.index(names[1]) :], *backward[:done]):
                added[name] = added.get(name, 0) + number * kept
            for name in backward[done:]:
                added[name] = added.get(name, 0) + number * gradients
        return max(stretch.peak + added.get(stretch.name, 0) for stretch in self._ledger.stretches)

    def _begin(self, name: str) -> None:
        """Once each: passes without gradients (recycling) do not count, nor do blocks that are computed again."""
        if torch.is_grad_enabled() and all(stretch.name != name for stretch in self._ledger.stretches):
            self._ledger.begin(name)

    def _await(self, outputs: tuple[Tensor, ...], name: str) -> None:
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


def gradient_bytes(blocks: nn.ModuleList) -> int:
    """Of the parameters of the first of `blocks`, if there is one."""
    return sum(4 * parameter.numel() for block in blocks[:1] for parameter in block.parameters())
