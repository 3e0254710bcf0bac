"""The structure with its predicted contacts in a notebook, as a py3Dmol view."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import py3Dmol

from data_tools.labels import Labels
from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM, top_pairs
from msaformer.prediction import Prediction
from msaformer.report.colours import FALSE_COLOUR, TRUE_COLOUR

MAX_CONTACTS: Final = (
    200  # py3Dmol makes one shape of each cylinder, and a thousand take half a second to draw
)


def view_structure(
    prediction: Prediction,
    labels: Labels,
    structure_text: str,
    *,
    structure_format: str = "pdb",
    num_pairs: int | None = None,
    min_separation: int = 6,
) -> Any:
    """Show `structure_text` with the best `num_pairs` (L if None, at most 200) pairs of known distance as cylinders.

    Blue where true (closer than 8 Å), vermilion where false. Returns the `py3Dmol.view`. Raises PredictionError when
    labels and prediction differ in length.
    """
    if len(labels.chain_index) != prediction.length:
        raise PredictionError(f"{prediction.name}: the labels have {len(labels.chain_index)} residues")
    first, second = top_pairs(
        prediction.contact_probs, min_separation=min_separation, known=~np.isnan(labels.distances)
    )
    count = min(num_pairs or prediction.length, MAX_CONTACTS)
    view = py3Dmol.view(width=640, height=480)
    view.addModel(structure_text, structure_format)
    view.setStyle({"cartoon": {"color": "#c8ccd4"}})
    for i, j in zip(first[:count], second[:count], strict=True):
        start, end = (labels.chain.contact_atom[labels.chain_index[k]] for k in (i, j))
        is_contact = labels.distances[i, j] < CONTACT_ANGSTROM
        view.addCylinder(
            {
                "start": _point(start),
                "end": _point(end),
                "radius": 0.15,
                "color": TRUE_COLOUR if is_contact else FALSE_COLOUR,
            }
        )
    view.zoomTo()
    return view


def _point(position: Any) -> dict[str, float]:
    return {axis: float(value) for axis, value in zip("xyz", position, strict=True)}
