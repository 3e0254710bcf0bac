"""How data travels in the page: bytes as text, texts made fit to show, JSON that is safe in a script element.

L residues of the query.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.plain_text import MAX_TEXT as MAX_TEXT  # what a text is made fit by is part of packing
from data_tools.plain_text import plain_text as plain_text

Json = dict[str, Any]
Bytes = npt.NDArray[np.uint8]


def to_json(payload: Json) -> str:
    """Write JSON that is safe inside a script element: no `<`, no line separators, no NaN."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pack(data: bytes) -> str:
    """Compress with zlib and write as base64."""
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def pack_triangle(matrix: Bytes) -> Json:
    """Pack the upper triangle of `matrix` `[L, L]`, without the diagonal, row after row.

    Smooth maps are smaller as differences from their neighbours, noise as it is: the smaller of both is taken, and
    `isGradient` says which.
    """
    plain = matrix[np.triu_indices(matrix.shape[0], k=1)].tobytes()
    gradient = triangle_gradient(matrix).tobytes()
    packed = [
        (False, _deflate(plain, zlib.Z_FILTERED)),
        (True, _deflate(gradient, zlib.Z_FILTERED)),
        (True, _deflate(gradient, zlib.Z_HUFFMAN_ONLY)),
    ]
    is_gradient, data = min(packed, key=lambda pair: len(pair[1]))
    return {"isGradient": is_gradient, "data": base64.b64encode(data).decode("ascii")}


def triangle_gradient(matrix: Bytes) -> Bytes:
    """Difference, modulo 256, of each pair i < j from what its neighbours before it let expect.

    The median of left, up, and left + up - diagonal neighbour, as LOCO-I has it (Weinberger et al. 2000, equation 1).
    Where the triangle has no left neighbour the upper one stands for it and for the diagonal one; in row 0 the left one
    stands for all.
    """
    wide = matrix.astype(np.int16)
    first, second = np.triu_indices(matrix.shape[0], k=1)
    has_left, has_up = second - 1 > first, first > 0
    left = np.where(has_left, wide[first, second - 1], 0)
    up = np.where(has_up, wide[first - 1, second], left)
    left = np.where(has_left, left, up)
    diagonal = np.where(has_left & has_up, wide[first - 1, second - 1], up)
    low, high = np.minimum(left, up), np.maximum(left, up)
    expected = np.clip(left + up - diagonal, low, high)
    return (wide[first, second] - expected).astype(np.uint8)


def _deflate(data: bytes, strategy: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return packer.compress(data) + packer.flush()
