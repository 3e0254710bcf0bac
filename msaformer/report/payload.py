"""What the page is given: one JSON object of short texts and packed arrays.

L residues of the query. A symmetric map travels as one byte a pair (`packing`); the pairs that can be shown travel
beside it as exact numbers (`pair_list`). True distances are computed in the page from the contact atoms' coordinates.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.labels import pairwise_distances
from msaformer.chains import chain_letter, numbers_in_chain
from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM, RangePrecision, precision_table
from msaformer.pair_scores import PairScores
from msaformer.prediction import Prediction
from msaformer.report.packing import Bytes, Json, pack, pack_triangle, plain_text
from msaformer.report.pair_list import PAIRS_PER_RESIDUE, SEPARATIONS, Indices, listed_pairs
from msaformer.report.payload_panels import panel_parts
from msaformer.report.structure_text import StructureText
from msaformer.report.truth import Truth
from msaformer.report.view_frame import view_frame

PROB_STEPS: Final = 200  # steps of a packed probability, rounded down: p ≥ 0.3 is exactly byte ≥ 60
DISTANCE_STEPS: Final = (
    0.2,
    0.5,
)  # Å a step of a packed expected distance: the finer unless it takes too much room
SPREAD_STEPS: Final = (0.1, 0.25, 0.5, 1.0)  # Å a step of a packed standard deviation
MAX_BITS: Final = {"expected": 6.0, "spread": 3.0}
"""Bits a pair that a map may take: a real one takes 4, and a page of noise of 2,000 residues must stay below 7 MB."""
ALWAYS_FITS: Final = 50_000  # bytes that a map may take whatever the bits a pair
MAX_STEP: Final = 255


class NeffBand(NamedTuple):
    """What alignments of a Neff below `below` were worth: long-range P@L, the means of the sets measured."""

    below: int | None
    words: str
    low: float
    high: float


# Smallest and largest mean of the tables "Long range by Neff" of msaformer/pretrained/README.md, bundled weights.
NEFF_BANDS: Final = (
    NeffBand(30, "very shallow", 0.25, 0.30),
    NeffBand(100, "shallow", 0.38, 0.42),
    NeffBand(300, "fairly deep", 0.47, 0.66),
    NeffBand(1000, "deep", 0.56, 0.61),
    NeffBand(None, "very deep", 0.65, 0.69),
)


def build_payload(
    prediction: Prediction,
    *,
    truth: Truth | None = None,
    structure: StructureText | None = None,
    alignment: Alignment | None = None,
    compare: PairScores | None = None,
) -> Json:
    """Collect everything the page shows; raises PredictionError when the parts are not of one protein."""
    _check_lengths(prediction, truth, compare)
    pairs = listed_pairs(prediction, truth, compare)
    numbers = numbers_in_chain(prediction.residue_index, prediction.chain_lengths)
    return {
        "name": plain_text(prediction.name),
        "sequence": prediction.sequence,
        "numbers": None if (np.diff(numbers, prepend=0) == 1).all() else numbers.tolist(),
        "chains": _chains(prediction, truth),
        "depth": prediction.depth,
        "neff": round(prediction.neff, 2),
        "neffBands": [band._asdict() for band in NEFF_BANDS],
        "model": {plain_text(key): plain_text(value) for key, value in prediction.model.items()},
        "contactAngstrom": CONTACT_ANGSTROM,
        "probSteps": PROB_STEPS,
        "separations": SEPARATIONS,
        "pairsPerResidue": PAIRS_PER_RESIDUE,
        "prob": pack_triangle(packed_probs(prediction.contact_probs)),
        "expected": packed_distances(prediction.expected_distance, DISTANCE_STEPS, MAX_BITS["expected"]),
        "spread": packed_distances(prediction.distance_std, SPREAD_STEPS, MAX_BITS["spread"]),
        "pairs": _pack_pairs(prediction, compare, *pairs),
        "truth": None if truth is None else _truth(prediction, truth),
        "compare": None if compare is None else _compare(prediction, compare, truth),
        "structure": None if structure is None else _structure(structure),
        **panel_parts(prediction, truth=truth, alignment=alignment, pairs=pairs),
    }


def packed_probs(probs: npt.NDArray[np.float32]) -> Bytes:
    """Whole steps in each probability, rounded down, so that thresholds at whole steps are exact."""
    return np.floor(np.clip(probs, 0, 1).astype(np.float64) * PROB_STEPS).astype(np.uint8)


def packed_distances(values: npt.NDArray[np.float32], steps: tuple[float, ...], max_bits: float) -> Json:
    """Pack Å in the finest of `steps` with which a pair takes no more than `max_bits`, or else in the coarsest."""
    length = values.shape[0]
    for step in steps:
        whole = np.clip(np.round(values / np.float32(step)), 0, MAX_STEP).astype(np.uint8)
        packed = pack_triangle(whole)
        bits = 6 * len(packed["data"])  # of base64 a letter holds six
        if bits <= max(8 * ALWAYS_FITS, max_bits * length * (length - 1) / 2):
            break
    return {"step": step, **packed}


def _check_lengths(prediction: Prediction, truth: Truth | None, compare: PairScores | None) -> None:
    parts = {"the structure was mapped to": truth, "the second prediction has": compare}
    for words, part in parts.items():
        if part is not None and part.length != prediction.length:
            raise PredictionError(
                f"{prediction.name}: {words} {part.length} residues, the prediction has {prediction.length}"
            )
    if truth is not None and not np.array_equal(
        pairwise_distances(truth.contact_atoms), truth.distances, equal_nan=True
    ):
        raise PredictionError(f"{prediction.name}: true distances are not those of the contact atoms")


def _chains(prediction: Prediction, truth: Truth | None) -> list[Json]:
    """Name and length of each chain of the query: the author's id where the structure has one, else A, B, …"""
    chains, start = [], 0
    for place, length in enumerate(prediction.chain_lengths):
        here = () if truth is None else truth.chain_names[start : start + length]
        names = Counter(name for name in here if name)
        name = names.most_common(1)[0][0] if names else chain_letter(place)
        chains.append({"name": plain_text(name, 12), "length": length})
        start += length
    return chains


def _pack_pairs(prediction: Prediction, compare: PairScores | None, first: Indices, second: Indices) -> Json:
    """Columns in turn: i, j, spread in 0.001 Å (uint16); probability, expected distance, second score (float32).

    Of each column first all low bytes, then the next: so they are smaller. The second score is there with `compare`
    only, and NaN where it lists no such pair.
    """
    spread = np.clip(np.round(prediction.distance_std[first, second] * 1000), 0, 65_535)
    columns = [column.astype("<u2") for column in (first, second, spread)]
    fields = [prediction.contact_probs, prediction.expected_distance]
    if compare is not None:
        fields.append(np.where(compare.is_listed, compare.scores, np.float32(np.nan)))
    columns += [field[first, second].astype("<f4") for field in fields]
    planes = [column.view(np.uint8).reshape(len(first), column.itemsize).T.tobytes() for column in columns]
    return {"count": len(first), "data": pack(b"".join(planes))}


def _structure(structure: StructureText) -> Json:
    """PDB text, and the letter of each residue's chain in it, a space where it has none."""
    return {
        "text": pack(structure.text.encode("ascii", "replace")),
        "chains": "".join(letter or " " for letter in structure.chains),
        "ligands": structure.ligand_chain,
    }


def _truth(prediction: Prediction, truth: Truth) -> Json:
    return {
        "atoms": pack(truth.contact_atoms.astype("<f4").tobytes()),
        "chainNames": [plain_text(name, 12) for name in truth.chain_names],
        "numbers": [plain_text(number, 12) if number else None for number in truth.residue_numbers],
        "seqres": truth.seqres_numbers.tolist(),
        "secondary": truth.secondary_structure,
        "identity": round(truth.identity, 4),
        "mismatches": truth.mismatches,
        "unresolved": truth.num_unresolved,
        "view": view_frame(truth.contact_atoms),
        "precision": _precision(prediction, prediction.contact_probs, truth),
    }


def _compare(prediction: Prediction, compare: PairScores, truth: Truth | None) -> Json:
    """The second prediction: probabilities in the steps of ours, other scores by rank, 0 = not listed."""
    scores = np.where(compare.is_listed, compare.scores, -np.inf)
    steps = packed_probs(compare.scores) if compare.are_probabilities else packed_ranks(scores)
    return {
        "name": plain_text(compare.name),
        "method": plain_text(compare.method),
        "areProbabilities": compare.are_probabilities,
        "steps": pack_triangle(np.where(compare.is_listed, steps, 0).astype(np.uint8)),
        "precision": _precision(prediction, scores, truth),
    }


def packed_ranks(scores: npt.NDArray[np.float32]) -> Bytes:
    """Steps that fall with the rank of a pair i < j: the best pair 200, rank r of L falling as 200 / (1 + r / L).

    Scores without a scale are made comparable so: the L-th pair stands half-way, as probabilities of a good map do.
    """
    length = scores.shape[0]
    first, second = np.triu_indices(length, k=1)
    order = np.argsort(-scores[first, second], kind="stable")
    steps = np.zeros(scores.shape, dtype=np.uint8)
    steps[first[order], second[order]] = PROB_STEPS / (1 + np.arange(len(order)) / length)
    return steps


def _precision(prediction: Prediction, scores: npt.NDArray[np.floating], truth: Truth | None) -> list[Json]:
    if truth is None:
        return []
    return [
        _row(row) for row in precision_table(scores, truth.distances, chain_lengths=prediction.chain_lengths)
    ]


def _row(row: RangePrecision) -> Json:
    """A precision that does not exist is null: JSON has no NaN."""
    return {key: None if value != value else value for key, value in dataclasses.asdict(row).items()}
