"""The page's part with the predicted distribution of distance of each listed pair.

K distance bins, P pairs: the strongest of the page's exact list, in its order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from msaformer.prediction import Prediction
from msaformer.report.packing import Json, pack

MAX_CHARACTERS: Final = 700_000  # of the packed distributions; 23,000 pairs of 2,000 residues take 0.5 MB

Indices = npt.NDArray[np.intp]


def distogram_part(prediction: Prediction, first: Indices, second: Indices) -> Json:
    """Pack P(distance in bin k) of the pairs (first, second), the strongest first; of too many, the first ones.

    A pair is K bytes, its probabilities over its largest times 255, rounded; their sum is 1 again after a division.
    That is within 0.3 % of a probability. `edges` are the K - 1 inner edges in Å; the last bin has no end.
    """
    bins = len(prediction.bin_edges) + 1
    probs = prediction.distogram_probs[first, second]
    largest = probs.max(axis=1, keepdims=True) if len(first) else np.ones((0, 1), dtype=np.float32)
    steps = np.round(255 * probs / largest).astype(np.uint8)
    count, data = len(first), pack(steps.tobytes())
    while len(data) > MAX_CHARACTERS:
        count = int(0.98 * count * MAX_CHARACTERS / len(data))
        data = pack(steps[:count].tobytes())
    return {
        "pairs": count,
        "bins": bins,
        "edges": [round(float(edge), 3) for edge in prediction.bin_edges],
        "data": data,
    }
