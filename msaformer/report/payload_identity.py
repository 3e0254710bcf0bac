"""The page's part that says what a prediction was made by and from: enough to make it again, no date."""

from __future__ import annotations

from typing import Final

from data_tools.alignment import Alignment
from msaformer.prediction import Prediction
from msaformer.report.packing import Json, plain_text
from msaformer.report.payload_alignment import is_predicted_from

MAX_ROWS: Final = 40  # of the model's own description; a file may hold any number
MATCH: Final = {
    True: "the alignment shown is the one predicted from",
    False: "the alignment shown is another one than predicted from",
    None: "the prediction does not say which alignment it was made from",
}


def identity_part(prediction: Prediction, alignment: Alignment | None) -> Json:
    """Rows [what, value] to show and to copy, and a note where an alignment is shown."""
    rows = [("target", prediction.name), *list(prediction.model.items())[:MAX_ROWS]]
    rows.append(("sequences in the alignment", prediction.depth))
    rows.append(("Neff at 80 % identity", f"{prediction.neff:.2f}"))
    if prediction.alignment_sha256:
        rows.append(("alignment sha256", prediction.alignment_sha256))
    return {
        "rows": [[plain_text(what), plain_text(value)] for what, value in rows],
        "note": None if alignment is None else MATCH[is_predicted_from(prediction, alignment)],
    }
