"""A map so small that a table can show hundreds: a PNG of the contact probabilities, without a plotting library.

L residues of the query.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

SIDE: Final = 96  # pixels, twice what the table shows, for screens of high density
# Light to dark blue, the ends and the middle of ColorBrewer's Blues.
_BLUES: Final = np.array([[0xF7, 0xFB, 0xFF], [0x6B, 0xAE, 0xD6], [0x08, 0x30, 0x6B]], dtype=np.float64)
_LEVELS: Final = 16  # shades; more are not told apart at this size
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"  # PNG specification, 5.2


def contact_thumbnail(contact_probs: npt.NDArray[np.float32], side: int = SIDE) -> bytes:
    """Draw `contact_probs` `[L, L]` as a square PNG, at most `side` pixels wide; a pixel shows its best pair."""
    length = contact_probs.shape[0]
    starts = np.unique(np.linspace(0, length, min(side, length), endpoint=False).astype(int))
    strongest = np.maximum.reduceat(np.maximum.reduceat(contact_probs, starts, axis=0), starts, axis=1)
    shades = np.round(strongest.clip(0, 1) * (_LEVELS - 1)).astype(np.uint8)
    places = np.linspace(0, 2, _LEVELS)
    palette = np.stack([np.interp(places, range(3), _BLUES[:, k]) for k in range(3)], axis=1)
    return _indexed_png(shades, np.round(palette).astype(np.uint8))


def _indexed_png(shades: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> bytes:
    """Write a PNG of one byte a pixel: header, palette, rows each after a 0 (no filter), end."""
    height, width = shades.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = np.concatenate([np.zeros((height, 1), dtype=np.uint8), shades], axis=1)
    pixels = zlib.compress(rows.tobytes(), 9)
    chunks = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", pixels), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
