"""How data travels in the page: bytes as text, texts made fit to show, JSON that is safe in a script element."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MAX_TEXT: Final = 200

Json = dict[str, Any]
Bytes = npt.NDArray[np.uint8]


def to_json(payload: Json) -> str:
    """Write JSON that is safe inside a script element: no `<`, no line separators, no NaN."""
    text = json.dumps(payload, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plain_text(value: object, limit: int = MAX_TEXT) -> str:
    """Make a text from outside fit to show: control and bidi characters become �, long ones are cut."""
    text = str(value)[: limit + 1]
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(letter if letter.isprintable() else "�" for letter in cut)


def pack(data: bytes) -> str:
    """Compress with zlib and write as base64."""
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def pack_triangle(matrix: Bytes) -> str:
    """Pack the upper triangle of `matrix` `[L, L]`, without the diagonal, row after row."""
    return pack(matrix[np.triu_indices(matrix.shape[0], k=1)].tobytes())
