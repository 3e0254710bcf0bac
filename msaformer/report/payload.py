"""What the page is given: one JSON object of short texts and packed arrays.

L residues of the query. A symmetric map travels as its upper triangle without the diagonal, row after row, one byte
a pair, zlib, base64. Bytes would blur a ranking, so the pairs that can be shown travel beside it as exact numbers.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.labels import Labels
from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM, RangePrecision, precision_table, top_pairs
from msaformer.prediction import Prediction
from msaformer.report.coverage import alignment_coverage
from msaformer.report.packing import Bytes, Json, pack, pack_triangle, plain_text

SEPARATIONS: Final = (6, 12, 24)
"""Smallest |i - j| the reader can choose: all, medium and long, long range."""
PAIRS_PER_RESIDUE: Final = 3
"""Most contacts the reader can ask for, times L, in each of `SEPARATIONS`."""
# Å a step of a packed distance; 8 Å is a whole number of steps, so d < 8 stays exact.
DISTANCE_STEP: Final = 0.2
SPREAD_STEP: Final = 0.1  # Å a step of a packed standard deviation
UNKNOWN: Final = 255


def build_payload(
    prediction: Prediction,
    *,
    labels: Labels | None = None,
    structure_text: str | None = None,
    alignment: Alignment | None = None,
) -> Json:
    """Collect everything the page shows; raises PredictionError when the parts are not of one protein."""
    if labels is not None and labels.distances.shape != (prediction.length, prediction.length):
        raise PredictionError(
            f"{prediction.name}: the structure was mapped to {labels.distances.shape[0]} residues, "
            f"the prediction has {prediction.length}"
        )
    return {
        "name": plain_text(prediction.name),
        "sequence": prediction.sequence,
        "depth": prediction.depth,
        "neff": round(prediction.neff, 2),
        "model": {plain_text(key): plain_text(value) for key, value in prediction.model.items()},
        "contactAngstrom": CONTACT_ANGSTROM,
        "distanceStep": DISTANCE_STEP,
        "spreadStep": SPREAD_STEP,
        "separations": SEPARATIONS,
        "pairsPerResidue": PAIRS_PER_RESIDUE,
        "prob": pack_triangle(np.round(np.clip(prediction.contact_probs, 0, 1) * 255).astype(np.uint8)),
        "expected": pack_triangle(_steps(np.round(prediction.expected_distance / np.float32(DISTANCE_STEP)))),
        "spread": pack_triangle(_steps(np.round(prediction.distance_std / np.float32(SPREAD_STEP)))),
        "pairs": _pack_pairs(prediction, None if labels is None else labels.distances),
        "truth": None if labels is None else _truth(prediction, labels),
        "structure": None if structure_text is None else pack(structure_text.encode("ascii", "replace")),
        "coverage": None if alignment is None else _coverage(prediction, alignment),
    }


def packed_distances(distances: npt.NDArray[np.float32]) -> Bytes:
    """Whole steps in each distance, rounded down, so `byte < 40` is exactly `distance < 8`; 255 = unknown."""
    steps = np.floor(distances.astype(np.float64) / DISTANCE_STEP)
    return np.where(np.isnan(steps), UNKNOWN, np.clip(steps, 0, UNKNOWN - 1)).astype(np.uint8)


def shown_pairs(
    prediction: Prediction, known: npt.NDArray[np.bool_] | None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pairs (i, j) that some setting of the page shows, the most probable first.

    For each of `SEPARATIONS` the best 3·L pairs of known distance, with the pairs of unknown distance between them.
    """
    wanted = PAIRS_PER_RESIDUE * prediction.length
    chosen = np.zeros((prediction.length, prediction.length), dtype=bool)
    for separation in SEPARATIONS:
        first, second = top_pairs(prediction.contact_probs, min_separation=separation)
        judged = np.ones(len(first), dtype=bool) if known is None else known[first, second]
        keep = np.cumsum(judged) <= wanted
        chosen[first[keep], second[keep]] = True
    return top_pairs(prediction.contact_probs, min_separation=min(SEPARATIONS), known=chosen)


def _pack_pairs(prediction: Prediction, distances: npt.NDArray[np.float32] | None) -> Json:
    """Columns one after the other: i, j (uint16), probability, expected distance, true distance (float32)."""
    first, second = shown_pairs(prediction, None if distances is None else ~np.isnan(distances))
    columns = [
        first.astype("<u2"),
        second.astype("<u2"),
        prediction.contact_probs[first, second].astype("<f4"),
        prediction.expected_distance[first, second].astype("<f4"),
    ]
    if distances is not None:
        columns.append(distances[first, second].astype("<f4"))
    return {"count": len(first), "data": pack(b"".join(column.tobytes() for column in columns))}


def _steps(values: npt.NDArray[np.float32]) -> Bytes:
    return np.clip(values, 0, UNKNOWN - 1).astype(np.uint8)


def _truth(prediction: Prediction, labels: Labels) -> Json:
    chain, index = labels.chain, labels.chain_index
    numbers = [plain_text(chain.residue_numbers[k], 12) if k >= 0 else None for k in index]
    atoms = [_point(chain.contact_atom[k]) if k >= 0 else None for k in index]
    return {
        "distances": pack_triangle(packed_distances(labels.distances)),
        "known": (~np.isnan(np.diagonal(labels.distances))).astype(int).tolist(),
        "chain": plain_text(chain.author_name, 12),
        "numbers": numbers,
        "atoms": atoms,
        "places": [int(k) + 1 for k in index],
        "identity": round(labels.identity, 4),
        "mismatches": labels.mismatches,
        "unresolved": labels.num_unresolved,
        "precision": [_row(row) for row in precision_table(prediction.contact_probs, labels.distances)],
    }


def _row(row: RangePrecision) -> Json:
    """A precision that does not exist is null: JSON has no NaN."""
    return {key: None if value != value else value for key, value in dataclasses.asdict(row).items()}


def _point(position: npt.NDArray[np.float32]) -> list[float] | None:
    return None if np.isnan(position).any() else [round(float(x), 2) for x in position]


def _coverage(prediction: Prediction, alignment: Alignment) -> Json:
    if alignment.query != prediction.sequence:
        raise PredictionError(
            f"{prediction.name}: the alignment's query is not the predicted sequence; "
            "give the alignment the prediction was made from"
        )
    coverage = alignment_coverage(alignment)
    return {
        "rows": len(coverage.identity),
        "depth": coverage.depth,
        "identity": np.round(coverage.identity * 255).astype(int).tolist(),
        "covered": pack(np.packbits(coverage.covered, axis=1).tobytes()),
        "counts": coverage.counts.tolist(),
    }
