"""The page's part about the alignment: what covers the query, column by column, and what each sequence weighs.

N sequences, L residues of the query. Arrays travel as little-endian bytes, zlib, base64.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment, alignment_sha256
from data_tools.alphabet import AMINO_ACIDS, GAP
from data_tools.neff import column_neff
from data_tools.weights import DEFAULT_IDENTITY, effective_sequences, sequence_weights
from msaformer.errors import PredictionError
from msaformer.prediction import Prediction
from msaformer.report.coverage import (
    FREQUENT,
    alignment_coverage,
    frequent_residues,
    identity_bands,
    identity_to_query,
)
from msaformer.report.packing import Json, pack, plain_text

MAX_POINTS: Final = 400  # of the curve of weights: more than the picture has pixels
MAX_NAMED: Final = 8  # heaviest sequences in the table
MAX_NAME: Final = 60  # letters of a sequence's name that are shown

Floats = npt.NDArray[np.float32]


def alignment_part(alignment: Alignment, weights: Floats) -> Json:
    """Rows by identity to the query, counts, Neff and residues by column, and bands of identity.

    `weights` `[N]` are those of `weights_of`.
    """
    coverage = alignment_coverage(alignment)
    names, shares = frequent_residues(alignment.tokens, weights)
    bands = identity_bands(identity_to_query(alignment.tokens), weights)
    return {
        "rows": len(coverage.identity),
        "depth": coverage.depth,
        "neff": round(effective_sequences(weights), 2),
        "weightIdentity": DEFAULT_IDENTITY,
        "identity": pack(np.round(coverage.identity * 255).astype(np.uint8).tobytes()),
        "covered": pack(np.packbits(coverage.covered, axis=1).tobytes()),
        "counts": pack(coverage.counts.astype("<u4").tobytes()),
        "columnNeff": pack(column_neff(alignment.tokens, weights).astype("<f4").tobytes()),
        "alphabet": AMINO_ACIDS,
        "kinds": FREQUENT,
        "frequent": pack(names.tobytes()),
        "percents": pack(np.round(100 * shares).astype(np.uint8).tobytes()),
        "bands": [_rounded(dataclasses.asdict(band)) for band in bands],
    }


def weights_part(weights: Floats, alignment: Alignment | None = None) -> Json:
    """The weights `[N]` from the heaviest down, what they sum to on the way, and whose they are where that is known.

    A curve of more than 400 points is thinned evenly, first and last kept.
    """
    order = np.argsort(-weights, kind="stable")
    falling = weights[order].astype(np.float64)
    sums = np.cumsum(falling)
    ranks = np.arange(len(weights))
    if len(ranks) > MAX_POINTS:
        ranks = np.linspace(0, len(weights) - 1, MAX_POINTS).round().astype(np.intp)
    curve = np.stack([ranks + 1, falling[ranks], sums[ranks] / sums[-1]], axis=1)
    return {
        "sequences": len(weights),
        "neff": round(float(sums[-1]), 2),
        "half": int(np.searchsorted(sums, sums[-1] / 2)) + 1,
        "alone": int((weights > 0.999).sum()),  # 1 but for float32: no other sequence is as close
        "query": float(f"{weights[0]:.4g}"),
        "weightIdentity": DEFAULT_IDENTITY,
        "points": len(ranks),
        "curve": pack(curve.astype("<f4").tobytes()),
        "heaviest": [] if alignment is None else _heaviest(alignment, weights, order[:MAX_NAMED]),
    }


def weights_of(prediction: Prediction, alignment: Alignment | None) -> Floats | None:
    """`[N]`, the weights at 80 % identity of `alignment`, or of the one predicted from; None when neither is known.

    Those of the prediction are taken where they are the alignment's own: it costs N² comparisons to find them again.
    Raises PredictionError when the alignment has another query.
    """
    if alignment is None:
        return prediction.sequence_weights
    if alignment.query != prediction.sequence:
        raise PredictionError(
            f"{prediction.name}: the alignment's query is not the predicted sequence; "
            "give the alignment the prediction was made from"
        )
    if prediction.sequence_weights is not None and is_predicted_from(prediction, alignment):
        return prediction.sequence_weights
    return sequence_weights(alignment.tokens)


def is_predicted_from(prediction: Prediction, alignment: Alignment) -> bool | None:
    """Whether the prediction names this alignment as its own; None when it names none."""
    if not prediction.alignment_sha256:
        return None
    return prediction.alignment_sha256 == alignment_sha256(alignment.tokens, alignment.deletion_matrix)


def _heaviest(alignment: Alignment, weights: Floats, rows: npt.NDArray[np.intp]) -> list[Json]:
    identity = identity_to_query(alignment.tokens[np.append(0, rows)])[1:]
    covered = (alignment.tokens[rows] != GAP).mean(axis=1)
    return [
        {
            "name": plain_text(alignment.names[row], MAX_NAME),
            "weight": float(f"{weights[row]:.4g}"),
            "identity": round(float(same), 4),
            "covered": round(float(share), 4),
        }
        for row, same, share in zip(rows, identity, covered, strict=True)
    ]


def _rounded(fields: dict[str, Any]) -> Json:
    return fields | {"weight": round(fields["weight"], 2)}
