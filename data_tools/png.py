"""Small pictures of sixteen colours, written without a library, for what is shown in a notebook.

H rows, W columns. At four bits a pixel a picture has at most H · W / 2 bytes, however noisy it is.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

COLOURS: Final = 16
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_DEPTH, _INDEXED = 4, 3  # bits a pixel; pixels are numbers of a palette's colours (PNG, 3rd edition, 11.2.1)


def png_bytes(pixels: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> bytes:
    """Write `pixels` `[H, W]`, numbers of colours of `palette` `[16, 4]` (red, green, blue, opacity)."""
    height, width = pixels.shape
    assert pixels.size
    assert palette.shape == (COLOURS, 4)
    assert int(pixels.max()) < COLOURS
    padded = np.zeros((height, width + width % 2), dtype=np.uint8)
    padded[:, :width] = pixels
    rows = np.zeros(
        (height, 1 + padded.shape[1] // 2), dtype=np.uint8
    )  # each row begins with its filter: none
    rows[:, 1:] = padded[:, ::2] << _DEPTH | padded[:, 1::2]
    header = struct.pack(">IIBBBBB", width, height, _DEPTH, _INDEXED, 0, 0, 0)
    parts = (
        _chunk(b"IHDR", header),
        _chunk(b"PLTE", palette[:, :3].tobytes()),
        _chunk(b"tRNS", palette[:, 3].tobytes()),
        _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
        _chunk(b"IEND", b""),
    )
    return _SIGNATURE + b"".join(parts)


def image_element(png: bytes, alt: str, style: str) -> str:
    """An HTML `img` that holds the picture; `alt` and `style` are ours, not from a file."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{alt}" style="{style};image-rendering:pixelated" src="data:image/png;base64,{data}">'


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
