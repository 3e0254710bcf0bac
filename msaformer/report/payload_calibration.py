"""The page's part that asks whether probabilities mean what they say, in ranges of separation.

L residues of the query, B bins of probability.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from msaformer.calibration import MIN_SEPARATION, Calibration, reliability
from msaformer.metrics import CONTACT_ANGSTROM, RANGES
from msaformer.prediction import Prediction
from msaformer.report.packing import Json
from msaformer.report.pair_list import separations

SHOWN_RANGES: Final = {"all": (MIN_SEPARATION, None), "medium": RANGES["medium"], "long": RANGES["long"]}
"""Name → smallest and largest separation |i - j|, both included; None = no upper limit."""

Floats = npt.NDArray[np.floating[Any]]


def calibration_part(prediction: Prediction, distances: Floats) -> Json:
    """Reliability of the contact probabilities against `distances` `[L, L]` (Å, NaN = unknown), by range.

    A pair of different chains has no separation and counts as long range.
    """
    separation = separations(prediction)
    ranges = []
    for name, (low, high) in SHOWN_RANGES.items():
        inside = (separation >= low) & (separation <= (np.inf if high is None else high))
        judged = np.where(inside, distances, np.nan)
        calibration = reliability(prediction.contact_probs, judged, min_separation=1)
        contacts = int((judged[np.triu_indices(prediction.length, k=1)] < CONTACT_ANGSTROM).sum())
        ranges.append(_row(name, calibration, contacts))
    return {"ranges": ranges}


def _row(name: str, calibration: Calibration, contacts: int) -> Json:
    """JSON has no NaN: what an empty bin lacks is null."""
    return {
        "name": name,
        "pairs": int(calibration.counts.sum()),
        "contacts": contacts,
        "error": _number(calibration.expected_error),
        "edges": [round(float(edge), 4) for edge in calibration.edges],
        "said": [_number(prob) for prob in calibration.mean_prob],
        "true": [_number(share) for share in calibration.fraction],
        "counts": calibration.counts.tolist(),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
