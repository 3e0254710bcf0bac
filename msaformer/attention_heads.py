"""Which heads of row attention somebody wants to see: `3:1` is head 1 of block 3, both counted from 0."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msaformer.config import ModelConfig
from msaformer.errors import ConfigError

ALL: Final = "all"
"""All heads of the last block."""
_HEAD: Final = re.compile(r"([0-9]{1,6})(?::([0-9]{1,6}))?")
Heads = tuple[tuple[int, int], ...]
"""(block, head) of each, in order, none twice."""


def parse_heads(texts: Iterable[str], config: ModelConfig, source: str) -> Heads:
    """Heads that each of `texts` names: `BLOCK:HEAD`, `BLOCK` for all of its heads, or `all` of the last block.

    Raises ConfigError, which names `source`, for another text and for a block or head that the network does not have.

    >>> parse_heads(["1:2", "0"], ModelConfig(num_blocks=2, msa_heads=3), "--attention")
    ((0, 0), (0, 1), (0, 2), (1, 2))
    """
    found: set[tuple[int, int]] = set()
    for text in texts:
        match = _HEAD.fullmatch(text.strip())
        if text.strip() == ALL:
            found |= {(config.num_blocks - 1, head) for head in range(config.msa_heads)}
        elif match is None:
            raise ConfigError(
                f"{source}: expected a block (3), a block and a head (3:1) or {ALL}, not {text!r:.40}"
            )
        else:
            heads = range(config.msa_heads) if match[2] is None else [int(match[2])]
            found |= {(int(match[1]), head) for head in heads}
    return checked_heads(found, config, source)


def checked_heads(heads: Iterable[tuple[int, int]], config: ModelConfig, source: str) -> Heads:
    """`heads` in order, each once; raises ConfigError for one that the network does not have."""
    ordered = sorted(set(heads))
    for block, head in ordered:
        if not 0 <= block < config.num_blocks or not 0 <= head < config.msa_heads:
            raise ConfigError(
                f"{source}: there is no head {head} of block {block}; the network has the blocks 0 to "
                f"{config.num_blocks - 1} with the heads 0 to {config.msa_heads - 1} each"
            )
    return tuple(ordered)
