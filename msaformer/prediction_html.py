"""What a notebook shows of a `Prediction`: its identity, a small map, and the strongest long-range pairs.

L residues of the query. No scripts, no requests, colours that suit a light and a dark page.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from data_tools.plain_text import plain_text
from data_tools.png import COLOURS, image_element, png_bytes
from msaformer.metrics import RANGES, top_pairs

if TYPE_CHECKING:
    from msaformer.prediction import Prediction

MAX_SIDE: Final = 240  # pixels; a pixel shows the highest probability of what it stands for
NUM_PAIRS: Final = 5
_BLUE: Final = (0x2A, 0x93, 0xD5)  # from clear to full, seen on white and on black


def prediction_html(prediction: Prediction) -> str:
    """Less than 60 kB of HTML, whatever the prediction holds."""
    model = html.escape(plain_text(prediction.model.get("name", "unknown"), 60))
    facts = (
        f"{prediction.length:,} residues",
        f"{prediction.depth:,} sequences",
        f"Neff {prediction.neff:,.1f}",
        f"weights {model}",
    )
    pixels = map_pixels(prediction.contact_probs)
    side = len(pixels) * max(round(200 / len(pixels)), 1)  # of the screen's pixels
    picture = image_element(
        png_bytes(pixels, _palette()), "contact map", f"width:{side}px;height:{side}px;border:1px solid #8888"
    )
    return (
        f"<div><div><b>{html.escape(plain_text(prediction.name, 60))}</b> · prediction: {' · '.join(facts)}</div>"
        f'<div style="display:flex;gap:1.5em;align-items:flex-start">{picture}{_table(prediction)}</div></div>'
    )


def map_pixels(probs: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """`[S, S]`, S = min(L, 240): sixteen steps of the highest probability in each pixel."""
    length = len(probs)
    side = min(length, MAX_SIDE)
    starts = np.arange(side) * length // side
    highest = np.maximum.reduceat(np.maximum.reduceat(probs, starts, axis=0), starts, axis=1)
    return np.round(np.clip(highest, 0, 1) * (COLOURS - 1)).astype(np.uint8)


def _table(prediction: Prediction) -> str:
    first, second = top_pairs(
        prediction.contact_probs,
        min_separation=RANGES["long"][0],
        chain_lengths=prediction.chain_lengths,
    )
    if not len(first):
        return ""
    labels, sequence = prediction.residue_labels, prediction.sequence
    rows = "".join(
        f"<tr><td>{html.escape(sequence[i])} {labels[i]}</td><td>{html.escape(sequence[j])} {labels[j]}</td>"
        f"<td>{prediction.contact_probs[i, j]:.2f}</td><td>{prediction.expected_distance[i, j]:.1f}</td></tr>"
        for i, j in zip(first[:NUM_PAIRS], second[:NUM_PAIRS], strict=True)
    )
    return (
        "<table><caption>strongest long-range pairs</caption>"
        f"<tr><th>i</th><th>j</th><th>P(contact)</th><th>distance (Å)</th></tr>{rows}</table>"
    )


def _palette() -> npt.NDArray[np.uint8]:
    opacity = np.arange(COLOURS) * 255 // (COLOURS - 1)
    return np.array([(*_BLUE, step) for step in opacity], dtype=np.uint8)
