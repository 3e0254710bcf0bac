"""`PairScores`: how any predictor ranks the residue pairs of one protein, ours or another's.

L residues of the query.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from msaformer.errors import PredictionError
from msaformer.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """One score a pair; raises PredictionError at birth when shapes disagree or a score is not finite."""

    name: str
    """What the file calls the target, or its stem."""
    method: str
    """What made the scores, in words to show."""
    scores: npt.NDArray[np.float32]
    """`[L, L]`, symmetric, the higher the likelier a contact; 0 where not listed."""
    is_listed: npt.NDArray[np.bool_]
    """`[L, L]`, symmetric, True where the file gives a score: what is not listed is not predicted."""
    are_probabilities: bool
    """The scores lie in [0, 1] and claim to be probabilities of a contact (Cβ–Cβ < 8 Å)."""
    sequence: str | None = None
    """The query, where it is known."""
    chain_lengths: tuple[int, ...] = ()
    """Residues of each chain of a complex, where they are known; empty for one chain."""

    def __post_init__(self) -> None:
        shape = self.scores.shape
        if len(shape) != 2 or shape[0] != shape[1] or self.is_listed.shape != shape:
            raise PredictionError(f"{self.name}: scores {shape} and listed pairs {self.is_listed.shape}")
        if self.sequence is not None and len(self.sequence) != shape[0]:
            raise PredictionError(f"{self.name}: {len(self.sequence)} residues, but scores {shape}")
        if self.chain_lengths and sum(self.chain_lengths) != shape[0]:
            raise PredictionError(
                f"{self.name}: chains of {self.chain_lengths} residues do not make the {shape[0]} scored"
            )
        if not np.isfinite(self.scores).all():
            raise PredictionError(f"{self.name}: a score is not finite")
        for array in (self.scores, self.is_listed):
            array.setflags(write=False)

    @property
    def length(self) -> int:
        """L, the number of residues."""
        return int(self.scores.shape[0])

    @classmethod
    def of(cls, prediction: Prediction) -> PairScores:
        """The contact probabilities of a prediction."""
        length = prediction.length
        return cls(
            name=prediction.name,
            method=str(prediction.model.get("name", "msaformer")),
            scores=prediction.contact_probs,
            is_listed=np.ones((length, length), dtype=bool),
            are_probabilities=True,
            sequence=prediction.sequence,
            chain_lengths=prediction.chain_lengths if len(prediction.chain_lengths) > 1 else (),
        )
