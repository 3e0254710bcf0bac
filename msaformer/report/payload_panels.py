"""What the page's panels beside map and structure are given: each part by its name, None where there is nothing.

L residues of the query.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from msaformer.prediction import Prediction
from msaformer.report.packing import Json
from msaformer.report.payload_alignment import alignment_part, weights_of, weights_part
from msaformer.report.payload_attention import attention_part
from msaformer.report.payload_calibration import calibration_part
from msaformer.report.payload_distogram import distogram_part
from msaformer.report.payload_identity import identity_part
from msaformer.report.truth import Truth

Indices = npt.NDArray[np.intp]


def panel_parts(
    prediction: Prediction,
    *,
    truth: Truth | None,
    alignment: Alignment | None,
    pairs: tuple[Indices, Indices],
) -> Json:
    """Collect the panels' data; `pairs` are the page's exact list. Raises PredictionError for another query."""
    weights = weights_of(prediction, alignment)
    coverage = None
    if alignment is not None and weights is not None:
        coverage = alignment_part(alignment, weights)
    return {
        "alignment": coverage,
        "weights": None if weights is None else weights_part(weights, alignment),
        "calibration": None if truth is None else calibration_part(prediction, truth.distances),
        "distogram": distogram_part(prediction, *pairs),
        "attention": None if prediction.attention is None else attention_part(prediction.attention),
        "identity": identity_part(prediction, alignment),
    }
