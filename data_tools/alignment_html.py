"""What a notebook shows of an `Alignment`: its size, Neff, and how it covers the query.

N sequences, row 0 is the query; L columns. No scripts, no requests, colours that suit a light and a dark page.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import GAP
from data_tools.plain_text import plain_text
from data_tools.png import COLOURS, image_element, png_bytes
from data_tools.weights import effective_sequences, sequence_weights

if TYPE_CHECKING:
    from data_tools.alignment import Alignment

MAX_ROWS, MAX_COLUMNS = 120, 480  # pixels of the picture
MAX_COMPARISONS: Final = 10**9
"""N² L up to which Neff is computed to be shown: about a quarter of a second."""
_VIRIDIS: Final = (
    *("440154", "481b6d", "46327e", "3f4788", "365c8d", "2e6e8e", "277f8e", "21918c"),
    *("1fa187", "2db27d", "4ac16d", "73d056", "a0da39", "d0e11c", "fde725"),
)
"""Fifteen steps of matplotlib's viridis; the sixteenth colour is that of gaps, none."""


def alignment_html(alignment: Alignment) -> str:
    """Less than 60 kB of HTML, whatever the alignment holds."""
    depth, length = alignment.tokens.shape
    name = html.escape(plain_text((alignment.names[0].split() or [""])[0], 60))
    facts = [f"{depth:,} sequences", f"{length:,} residues", _neff(alignment.tokens)]
    picture = image_element(
        png_bytes(coverage_pixels(alignment.tokens), _palette()),
        "coverage of the query",
        f"width:{min(max(3 * length, 120), MAX_COLUMNS)}px;height:{MAX_ROWS}px",
    )
    return (
        f"<div><div><b>{name}</b> · alignment: {' · '.join(facts)}</div>{picture}"
        '<div style="font-size:smaller;opacity:.75">rows by identity to the query, the closest below; '
        "yellow 100 %, blue 0 %; gaps are empty</div></div>"
    )


def coverage_pixels(tokens: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`[H, W]` numbers of colours: rows by rising identity to the query, at most 120 and 480 evenly spaced."""
    identity = (tokens == tokens[0]).mean(axis=1, dtype=np.float64)
    rows = _spaced(np.argsort(identity, kind="stable"), MAX_ROWS)
    columns = _spaced(np.arange(tokens.shape[1]), MAX_COLUMNS)
    steps = np.round(identity[rows] * (len(_VIRIDIS) - 1)).astype(np.uint8)
    has_residue = tokens[np.ix_(rows, columns)] != GAP
    return np.where(has_residue, steps[:, None], np.uint8(COLOURS - 1))


def _neff(tokens: npt.NDArray[np.uint8]) -> str:
    depth, length = tokens.shape
    if depth**2 * length > MAX_COMPARISONS:
        return "Neff: neff80(alignment.tokens)"
    return f"Neff {effective_sequences(sequence_weights(tokens)):,.1f} at 80 % identity"


def _spaced(numbers: npt.NDArray[np.integer[Any]], most: int) -> npt.NDArray[np.integer[Any]]:
    if len(numbers) <= most:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, most).round().astype(np.intp)]


def _palette() -> npt.NDArray[np.uint8]:
    colours = b"".join(bytes.fromhex(colour) + b"\xff" for colour in _VIRIDIS)
    return np.frombuffer(colours + b"\0\0\0\0", dtype=np.uint8).reshape(COLOURS, 4)
