"""Predictions as tables and files that other programs read: CSV and CASP RR.

L residues of the query; residues are counted from 1 in every file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from data_tools.atomic import atomic_path
from data_tools.labels import Labels
from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM, top_pairs
from msaformer.prediction import Prediction

RR_MIN_SEPARATION: Final = 6  # CASP counts pairs at least this far apart
RR_MIN_PROB: Final = 0.01  # a pair that is not listed counts as not predicted
RR_PAIRS_PER_RESIDUE: Final = 5  # times L pairs are listed whatever they are, so rankings stay whole
RR_SEQUENCE_WIDTH: Final = 50
PROB_DECIMALS: Final = 6


def contact_table(prediction: Prediction, labels: Labels | None = None) -> pd.DataFrame:
    """List every pair as `Prediction.contacts` does, and what a structure says about it.

    With `labels` come `distance` (Å) and `is_contact`, both missing where a residue is not resolved, and the author's
    `chain` and residue numbers `auth_i`, `auth_j` with insertion code, empty where the chain has none.
    """
    table = prediction.contacts()
    if labels is None:
        return table
    if len(labels.chain_index) != prediction.length:
        raise PredictionError(
            f"{prediction.name}: the structure was mapped to {len(labels.chain_index)} residues, "
            f"the prediction has {prediction.length}"
        )
    first, second = table["i"].to_numpy() - 1, table["j"].to_numpy() - 1
    distances = labels.distances[first, second]
    is_contact = pd.array(distances < CONTACT_ANGSTROM, dtype="boolean")
    is_contact[np.isnan(distances)] = pd.NA
    numbers = np.array(labels.residue_numbers, dtype=object)
    return table.assign(
        distance=distances,
        is_contact=is_contact,
        chain=labels.chain.author_name,
        auth_i=numbers[first],
        auth_j=numbers[second],
    )


def write_csv(prediction: Prediction, path: str | Path, labels: Labels | None = None) -> None:
    """Write `contact_table` as CSV, the most probable pair first; whole or not at all."""
    table = contact_table(prediction, labels)
    table["prob"] = table["prob"].map(f"{{:.{PROB_DECIMALS}f}}".format)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.3f", lineterminator="\n", encoding="utf-8")


def write_casp_rr(prediction: Prediction, path: str | Path) -> None:
    """Write a CASP RR file (`i j 0 8 p`, by falling p); whole or not at all.

    Listed are pairs at least 6 apart with p ≥ 0.01, and never fewer than the 5·L best: to CASP a pair that
    is not listed is not predicted.
    """
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(_rr_lines(prediction)) + "\n", encoding="ascii", newline="\n")


def _rr_lines(prediction: Prediction) -> Iterator[str]:
    yield "PFRMAT RR"
    yield f"TARGET {_word(prediction.name)}"
    yield "AUTHOR msaformer"
    identity = (f"{key}={value}" for key, value in prediction.model.items())
    yield f"METHOD {' '.join(_word(part) for part in identity)}".strip()
    yield "MODEL 1"
    for start in range(0, prediction.length, RR_SEQUENCE_WIDTH):
        yield prediction.sequence[start : start + RR_SEQUENCE_WIDTH]
    first, second = top_pairs(prediction.contact_probs, min_separation=RR_MIN_SEPARATION)
    probs = np.clip(prediction.contact_probs[first, second], 0, 1)
    listed = (probs >= RR_MIN_PROB) | (np.arange(len(probs)) < RR_PAIRS_PER_RESIDUE * prediction.length)
    for i, j, prob in zip(first[listed] + 1, second[listed] + 1, probs[listed], strict=True):
        yield f"{i} {j} 0 8 {prob:.{PROB_DECIMALS}f}"
    yield "END"


def _word(text: str) -> str:
    """One ASCII word: a header line of the file must not become two."""
    return "".join(letter if "!" <= letter <= "~" else "_" for letter in text)[:200]
