"""The page's part with the attention maps that a prediction holds.

M maps, L residues, S = ceil(L / pool) pixels a side.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from msaformer.prediction import AttentionMaps
from msaformer.report.packing import Json, pack

MAX_CHARACTERS: Final = 1_500_000  # of the packed maps together: the page is mailed
MAX_SIDE: Final = 512  # pixels of a map, finer than which the page does not draw it
MIN_SIDE: Final = 160  # coarser than which no map is made to let one more travel
# Attention lies near 1 / L almost everywhere: the square root spends half of the bytes on the lowest quarter.
GAMMA: Final = 0.5


def attention_part(attention: AttentionMaps) -> Json:
    """Pack the maps, in their order, coarser if they are many, until the next would not fit; `total` tells how many.

    A pixel is round(255 · (p / scale)^0.5), `scale` being the map's largest p off the diagonal; a pixel of several
    pairs, pool × pool, holds their largest. Rows are the residues that attend.
    """
    length = attention.probs.shape[1]
    pool = _pool(attention)
    maps: list[Json] = []
    room = MAX_CHARACTERS
    for (block, head), probs in zip(attention.heads, attention.probs, strict=True):
        pixels, scale = _pixels(probs, pool)
        data = pack(pixels.tobytes())
        room -= len(data)
        if room < 0:
            break
        maps.append({"block": int(block), "head": int(head), "scale": float(f"{scale:.4g}"), "data": data})
    return {
        "side": math.ceil(length / pool),
        "pool": pool,
        "gamma": GAMMA,
        "total": len(attention.heads),
        "maps": maps,
    }


def _pool(attention: AttentionMaps) -> int:
    """The finest pooling at which all maps fit, judged by the first, or the coarsest that is allowed."""
    count, length, _ = attention.probs.shape
    pool = max(math.ceil(length / MAX_SIDE), 1)
    while count and length / (pool + 1) >= MIN_SIDE:
        if count * len(pack(_pixels(attention.probs[0], pool)[0].tobytes())) <= MAX_CHARACTERS:
            break
        pool += 1
    return pool


def _pixels(probs: npt.NDArray[np.float32], pool: int) -> tuple[npt.NDArray[np.uint8], float]:
    """`[S, S]` bytes and what 255 stands for; values above the scale, on the diagonal, are 255 too."""
    length = len(probs)
    side = math.ceil(length / pool)
    padded = np.zeros((side * pool, side * pool), dtype=np.float32)
    padded[:length, :length] = probs
    pooled = padded.reshape(side, pool, side, pool).max(axis=(1, 3))
    off = probs[~np.eye(length, dtype=bool)]
    scale = float(off.max()) if off.size and off.max() > 0 else float(max(probs.max(), 1e-9))
    return np.round(255 * np.clip(pooled / scale, 0, 1) ** GAMMA).astype(np.uint8), scale
