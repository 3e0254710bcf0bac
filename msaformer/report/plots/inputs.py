"""What a figure may be given, records or bare arrays, brought into one form and checked once.

L residues of the query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from msaformer.chains import numbers_in_chain, residue_labels
from msaformer.errors import PredictionError
from msaformer.metrics import precision_table
from msaformer.pair_scores import PairScores
from msaformer.prediction import Prediction
from msaformer.report.packing import plain_text
from msaformer.report.truth import Truth

Floats = npt.NDArray[np.floating[Any]]
Scored = Prediction | PairScores | Floats
"""Scores of pairs `[L, L]`, the higher the likelier a contact; with or without a record around them."""
Known = Truth | Floats
"""Distances `[L, L]` in Å, NaN = unknown; with or without a record around them."""


@dataclass(frozen=True, slots=True, eq=False)
class Residues:
    """The axis of a map: how residues are called, and where chains end."""

    residue_index: npt.NDArray[np.int32]
    """`[L]`, 0-based position in the query, its insertions counted."""
    chain_lengths: tuple[int, ...]

    @property
    def numbers(self) -> npt.NDArray[np.int32]:
        """`[L]`, 1-based number of each residue in its chain."""
        return numbers_in_chain(self.residue_index, self.chain_lengths)

    @property
    def labels(self) -> tuple[str, ...]:
        """`[L]`, what each is called: "12", in a complex "B12"."""
        return residue_labels(self.residue_index, self.chain_lengths)

    @property
    def boundaries(self) -> npt.NDArray[np.float64]:
        """Places between two chains, on an axis where residues stand at 1 to L."""
        return np.cumsum(self.chain_lengths)[:-1] + 0.5

    @classmethod
    def of(cls, source: Scored | Alignment) -> Residues:
        """As a record numbers them; else counted from 1."""
        if isinstance(source, Prediction):
            return cls(source.residue_index, source.chain_lengths)
        if isinstance(source, Alignment):
            chains = tuple(chain.length for chain in source.annotations.chains)
            return cls(source.residue_index, chains or (source.length,))
        if isinstance(source, PairScores):
            length, chains = source.length, source.chain_lengths or (source.length,)
        else:
            length = len(source)
            chains = (length,)
        return cls(np.arange(length, dtype=np.int32), chains)


@dataclass(frozen=True, slots=True, eq=False)
class PairMap:
    """One predictor's scores; see `pair_map`."""

    scores: Floats
    """`[L, L]`."""
    is_listed: npt.NDArray[np.bool_]
    """`[L, L]`, False where the predictor says nothing."""
    are_probabilities: bool
    target: str
    """The protein, ready to be drawn; "" when unknown."""
    method: str
    """What made the scores, ready to be drawn; "" when unknown."""

    def long_range_precision(self, distances: Floats, chain_lengths: tuple[int, ...]) -> float:
        """P@L of the long-range pairs; NaN where there are none of known distance."""
        known = np.where(self.is_listed, distances, np.nan)
        table = precision_table(self.scores, known, chain_lengths=chain_lengths)
        return next(row.p_at_l for row in table if row.range == "long")


def pair_map(source: Scored) -> PairMap:
    """Raise PredictionError when an array is not square or holds what is not a number."""
    if isinstance(source, Prediction):
        source = PairScores.of(source)
    if isinstance(source, PairScores):
        return PairMap(
            source.scores,
            source.is_listed,
            source.are_probabilities,
            drawable(source.name),
            drawable(source.method),
        )
    scores = square(source, "scores")
    if not np.isfinite(scores).all():
        raise PredictionError("a score is not a number")
    are_probabilities = bool(scores.min() >= 0 and scores.max() <= 1)
    return PairMap(scores, np.ones(scores.shape, dtype=bool), are_probabilities, "", "")


def true_distances(truth: Known | None, length: int) -> Floats | None:
    """`[L, L]` Å; raises PredictionError when the structure is mapped to another number of residues."""
    if truth is None:
        return None
    distances = square(truth.distances if isinstance(truth, Truth) else truth, "distances")
    if len(distances) != length:
        raise PredictionError(
            f"the structure is mapped to {len(distances)} residues, the prediction has {length}"
        )
    return distances


def square(values: Floats, what: str) -> Floats:
    """Raise PredictionError unless `values` are numbers `[L, L]`, L ≥ 1."""
    array = np.asarray(values)
    if (
        array.ndim != 2
        or array.shape[0] != array.shape[1]
        or not array.size
        or array.dtype.kind not in "fiub"
    ):
        raise PredictionError(f"{what} must be numbers [L, L], not {array.dtype} {list(array.shape)}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def drawable(text: object) -> str:
    """Make a text from outside fit for a figure: no control characters, and `$` is no formula."""
    return plain_text(text, 60).replace("$", r"\$")
