"""What `benchmark_accuracy.py` compares: methods that score the pairs of a protein, and the figures taken of each.

L residues.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from benchmark_accuracy_targets import Target

from data_tools.features import COEVOLUTION_MAPS
from data_tools.weights import sequence_weights
from msaformer import __version__
from msaformer.calibration import Calibration, reliability
from msaformer.distance_metrics import MIN_SEPARATION, DistanceScores, distance_scores
from msaformer.given import Given
from msaformer.metrics import RANGES, precision_table
from msaformer.potts import COUPLING_PENALTY, FIELD_PENALTY, fit_potts
from msaformer.potts_shallow import fit_potts_shallow, is_shallow
from msaformer.predict import predict_features
from msaformer.prediction import Prediction
from msaformer.pretrained import LoadedModel
from msaformer.report.score_files import read_pair_scores

PRECISIONS: Final = ("p_at_l", "p_at_l2", "p_at_l5")
DISTANCE_MEASURES: Final = tuple(field.name for field in dataclasses.fields(DistanceScores))
CALIBRATED_RANGES: Final[Mapping[str, tuple[int, int | None]]] = {"all": (MIN_SEPARATION, None), **RANGES}
OURS, CLASSICAL, NETWORK, SCORES = "ours", "classical", "network", "scores"

Scores = npt.NDArray[np.floating[Any]]


class NotCoveredError(Exception):
    """A method has nothing to say of a protein: no file of scores, or nothing kept of an earlier run."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is kept of a method's scores of one protein; a tree of numbers and strings, so that it goes into JSON."""

    ranges: dict[str, dict[str, float]]
    """By name in `metrics.RANGES`: `PRECISIONS`, `num_contacts`, `num_pairs`, and `num_ranked` of those pairs."""
    distances: dict[str, float] = field(default_factory=dict)
    """`DISTANCE_MEASURES`, where the method predicts distances."""
    calibration: dict[str, list[list[float]]] = field(default_factory=dict)
    """By name in `CALIBRATED_RANGES`: counts, mean probability and fraction of each bin, of a model of ours."""
    seconds: float = 0.0
    """CPU time, of all threads, that it took to make and score them, on the machine that did."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to score pairs."""

    name: str
    kind: str
    """`OURS`, `CLASSICAL` (statistics of the alignment), `NETWORK` (of others), or `SCORES` (files)."""
    measure: Callable[[Target], Figures]
    """Raises NotCoveredError for a protein that the method has nothing on."""
    settings: str = ""
    """All that its figures depend on beside alignment and structure; empty where measuring is cheap and nothing is
    kept between runs."""
    note: str = ""
    """What a reader of the tables has to know."""


def our_model(model: LoadedModel, name: str, given: Given) -> Method:
    """A network of this package."""
    settings = f"msaformer {__version__}, weights {model.sha256}, {given}"
    note = "" if given == Given() else f"{given}"
    return Method(name, OURS, partial(_measure_model, model, given), settings, note)


def coevolution_maps() -> list[Method]:
    """Mean-field DCA and APC-MI, which are among the features of every protein."""
    return [Method(name, CLASSICAL, partial(_measure_map, k)) for k, name in enumerate(COEVOLUTION_MAPS)]


def plmdca(max_rows: int, max_iterations: int) -> Method:
    """Pseudo-likelihood DCA (`msaformer.potts`) on the `max_rows` sequences of largest weight."""
    settings = (
        f"plmDCA, fields {FIELD_PENALTY:g}, couplings {COUPLING_PENALTY:g}, at most {max_iterations} iterations, "
        f"{max_rows} rows"
    )
    note = f"on at most {max_rows:,} sequences, those of largest weight; at most {max_iterations} steps of L-BFGS"
    return Method("plmdca", CLASSICAL, partial(_measure_plmdca, max_rows, max_iterations), settings, note)


def score_files(name: str, folder: Path, *, by_set: bool) -> Method:
    """Scores that any program wrote, in FOLDER/ID.* or, `by_set`, in FOLDER/SET/ID.*.

    Raises ValueError when there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no folder of score files, ID.rr, ID.npz, ...")
    return Method(name, SCORES, partial(_measure_files, folder, by_set), note=f"score files of {folder.name}")


def precision_figures(
    scores: Scores, target: Target, is_listed: npt.NDArray[np.bool_] | None = None
) -> Figures:
    """Precision of `scores` `[L, L]`; pairs that are not listed are not ranked (see `report.score_comparison`)."""
    listed = (
        target.distances if is_listed is None else np.where(is_listed, target.distances, np.float32("nan"))
    )
    ranked = precision_table(scores, listed)
    whole = ranked if is_listed is None else precision_table(scores, target.distances)
    return Figures(
        {
            row.range: {
                **{name: getattr(row, name) for name in PRECISIONS},
                "num_contacts": of_all.num_contacts,
                "num_pairs": of_all.num_pairs,
                "num_ranked": row.num_pairs,
            }
            for row, of_all in zip(ranked, whole, strict=True)
        }
    )


def prediction_figures(prediction: Prediction, target: Target) -> Figures:
    """Everything that can be said of a prediction of ours."""
    true = target.distances
    calibrations = {
        name: reliability(prediction.contact_probs, true, min_separation=low, max_separation=high)
        for name, (low, high) in CALIBRATED_RANGES.items()
    }
    return Figures(
        precision_figures(prediction.contact_probs, target).ranges,
        distances=dataclasses.asdict(distance_scores(prediction, true)),
        calibration={name: _bins(found) for name, found in calibrations.items()},
    )


def calibration_of(bins: list[list[float]]) -> Calibration:
    """The record whose numbers `Figures.calibration` keeps."""
    counts, mean_prob, fraction = (np.array(row, dtype=np.float64) for row in bins)
    edges = np.arange(len(counts) + 1) / len(counts)
    return Calibration(edges, mean_prob, fraction, counts.astype(np.int64))


def _bins(found: Calibration) -> list[list[float]]:
    return [found.counts.tolist(), found.mean_prob.tolist(), found.fraction.tolist()]


def _measure_model(model: LoadedModel, given: Given, target: Target) -> Figures:
    example = target.example
    prediction = predict_features(example.features, target.sequence, model, name=example.id, given=given)
    return prediction_figures(prediction, target)


def _measure_map(k: int, target: Target) -> Figures:
    return precision_figures(target.example.features.coevolution[:, :, k], target)


def _measure_plmdca(max_rows: int, max_iterations: int, target: Target) -> Figures:
    features = target.example.features
    tokens, weights = features.tokens, features.weights
    if features.depth > max_rows:
        rows = np.sort(np.argsort(-weights, kind="stable")[:max_rows])
        tokens = tokens[rows]
        weights = sequence_weights(tokens)
    fit = fit_potts_shallow if is_shallow(*tokens.shape) else fit_potts
    return precision_figures(fit(tokens, weights, max_iterations=max_iterations).model.scores(), target)


def _measure_files(folder: Path, by_set: bool, target: Target) -> Figures:
    place = folder / target.set_name if by_set else folder
    name = target.example.id
    # a stem may hold dots, and "1abcA.a3m.npz" is the file of 1abcA too
    files = (
        sorted(path for path in place.glob("*") if path.name.startswith(f"{name}.")) if place.is_dir() else []
    )
    if not files:
        raise NotCoveredError(f"{place}: no file of {name}")
    if len(files) > 1:
        listed = ", ".join(path.name for path in files)
        raise ValueError(f"{place}: several files of {name}: {listed}; leave one")
    found = read_pair_scores(files[0], target.sequence)
    return precision_figures(found.scores, target, found.is_listed)


def slug(method: Method) -> str:
    """A folder's name for what is kept of a method."""
    digest = hashlib.sha256(method.settings.encode()).hexdigest()[:12]
    return (
        "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in method.name)
        + f"-{digest}"
    )
