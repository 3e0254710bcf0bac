"""`ContactList`: the pairs that go into a file, as a table, whoever predicted them, with what a structure says of them.

L residues of the query; residues are counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from msaformer.chains import chain_of_residue
from msaformer.errors import PredictionError
from msaformer.pair_scores import PairScores
from msaformer.prediction import Prediction, true_columns
from msaformer.report.truth import Truth

MIN_SEPARATION: Final = 6  # CASP counts pairs at least this far apart


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pairs to take of a ranking; raises PredictionError at birth for numbers that select nothing."""

    top: int | None = None
    """The best so many, after what follows; None: all."""
    min_score: float | None = None
    """At least this probability, or score."""
    min_separation: int = 1
    """Residues that lie between, plus one; pairs of different chains have no limit."""

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise PredictionError(f"the number of pairs to take is {self.top}, at least 1 is expected")
        if self.min_separation < 1:
            raise PredictionError(f"the smallest separation is {self.min_separation}, at least 1 is expected")

    def in_words(self, score: str) -> str:
        """For the head of a file; `score` names what is ranked."""
        words = ["all" if self.top is None else f"the best {self.top}"]
        if self.min_score is not None:
            words.append(f"{score} at least {self.min_score:g}")
        return ", ".join(
            [*words, f"{self.min_separation} or more apart in the sequence, or in different chains"]
        )


@dataclass(frozen=True, slots=True, eq=False)
class ContactList:
    """Pairs in the order of their scores; made by `contact_list`."""

    name: str
    """Target."""
    method: str
    """What made the scores, in words."""
    length: int
    """L."""
    sequence: str | None
    """None where only scores by number are known."""
    chain_lengths: tuple[int, ...]
    """Residues of each chain, in the order of the sequence."""
    are_probabilities: bool
    """Whether the column of scores is `prob` rather than `score`."""
    table: pd.DataFrame
    """See `contact_table`."""
    selection: Selection
    """How the pairs of the table were chosen."""
    model: dict[str, str] = field(default_factory=dict)
    """Identity of our run; empty for another program's scores."""
    farthest_angstrom: float = np.inf
    """The last edge of the predicted bins of distance: what lies beyond is not resolved."""

    @property
    def score_column(self) -> str:
        """`prob` or `score`."""
        return "prob" if self.are_probabilities else "score"


def contact_table(source: Prediction | PairScores, truth: Truth | None = None) -> pd.DataFrame:
    """List every pair i < j that is predicted, the best first; equal ones keep the order of (i, j).

    Of a prediction the columns are those of `Prediction.contacts` and `pred_std` (Å, spread of the distance); of scores
    `i, j, aa_i, aa_j` (where the query is known), `prob` or `score`, and `separation`. With `truth` come `distance` (Å)
    and `is_contact`, both missing where a residue is not resolved, and the author's `chain_i, chain_j, auth_i, auth_j`
    (number and insertion code), empty where the structure has no such residue.
    """
    table = _of_prediction(source) if isinstance(source, Prediction) else _of_scores(source)
    if truth is None:
        return table
    if truth.length != source.length:
        raise PredictionError(
            f"{source.name}: the structure was mapped to {truth.length} residues, the prediction has {source.length}"
        )
    first, second = table["i"].to_numpy() - 1, table["j"].to_numpy() - 1
    numbers = np.array(truth.residue_numbers, dtype=object)
    chains = np.where(numbers == "", "", np.array(truth.chain_names, dtype=object))
    return table.assign(
        **true_columns(truth.distances, first, second),
        chain_i=chains[first],
        chain_j=chains[second],
        auth_i=numbers[first],
        auth_j=numbers[second],
    )


def contact_list(
    source: Prediction | PairScores, truth: Truth | None = None, selection: Selection | None = None
) -> ContactList:
    """Choose the pairs of a prediction, or of any scores, that go into a file."""
    table = contact_table(source, truth)
    chosen = Selection() if selection is None else selection
    if isinstance(source, PairScores):
        chains = source.chain_lengths or (source.length,)
        return ContactList(
            name=source.name,
            method=source.method,
            length=source.length,
            sequence=source.sequence,
            chain_lengths=chains,
            are_probabilities=source.are_probabilities,
            table=_select(table, chosen, chains),
            selection=chosen,
        )
    return ContactList(
        name=source.name,
        method=str(source.model.get("name", "msaformer")),
        length=source.length,
        sequence=source.sequence,
        chain_lengths=source.chain_lengths,
        are_probabilities=True,
        table=_select(table, chosen, source.chain_lengths),
        selection=chosen,
        model={str(key): str(value) for key, value in source.model.items()},
        farthest_angstrom=float(source.bin_edges[-1]) if source.bin_edges.size else np.inf,
    )


def _select(table: pd.DataFrame, chosen: Selection, chain_lengths: tuple[int, ...]) -> pd.DataFrame:
    chains = chain_of_residue(chain_lengths)
    first, second = table["i"].to_numpy() - 1, table["j"].to_numpy() - 1
    keep = (second - first >= chosen.min_separation) | (chains[first] != chains[second])
    if chosen.min_score is not None:
        scores = table["prob" if "prob" in table else "score"].to_numpy()
        keep &= scores >= chosen.min_score
    kept = table[keep]
    return kept.head(len(kept) if chosen.top is None else chosen.top).reset_index(drop=True)


def _of_prediction(prediction: Prediction) -> pd.DataFrame:
    table = prediction.contacts()
    spread = prediction.distance_std[table["i"].to_numpy() - 1, table["j"].to_numpy() - 1]
    return table.assign(pred_std=spread)


def _of_scores(scores: PairScores) -> pd.DataFrame:
    first, second = np.nonzero(np.triu(scores.is_listed, k=1))
    values = scores.scores[first, second]
    order = np.argsort(-values, kind="stable")
    first, second = first[order], second[order]
    columns: dict[str, object] = {"i": first + 1, "j": second + 1}
    if scores.sequence is not None:
        residues = np.array(list(scores.sequence), dtype="U1")
        columns |= {"aa_i": residues[first], "aa_j": residues[second]}
    columns["prob" if scores.are_probabilities else "score"] = values[order]
    return pd.DataFrame(columns | {"separation": second - first})
