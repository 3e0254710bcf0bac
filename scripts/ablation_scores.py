#!/usr/bin/env python
"""Score a weights file on the proteins of a store; `ablate.py` calls it for each run.

    ablation_scores.py WEIGHTS STORE -o SCORES.json [--proteins 80] [--max-length 256]

Taken are the first proteins of the store that are no longer than --max-length. For each: long-range P@L and P@L/5,
medium-range P@L (null where the range has no contact), and the cross-entropy of the contact probability in nats a pair
at least 6 residues apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from data_tools.alphabet import decode
from data_tools.atomic import atomic_path
from data_tools.errors import DataToolsError
from data_tools.store import Example, Store, open_store
from msaformer.errors import MSAFormerError
from msaformer.metrics import CONTACT_ANGSTROM, precision_table

MEASURES: Final = {
    "long_p_at_l": "long P@L",
    "long_p_at_l5": "long P@L/5",
    "medium_p_at_l": "medium P@L",
    "contact_loss": "cross-entropy",
}
MIN_SEPARATION: Final = 6  # pairs nearer than that have no range
_LEAST_PROBABILITY: Final = 1e-6  # so that one pair cannot outweigh all others


@dataclass(frozen=True, slots=True)
class Task:
    """What is scored on what."""

    weights: Path
    store: Path
    proteins: int
    max_length: int

    def identity(self) -> dict[str, Any]:
        """By which scores are known to be of these weights on these proteins."""
        return {
            "weights_sha256": hashlib.sha256(self.weights.read_bytes()).hexdigest(),
            "store_sha256": open_store(self.store).content_sha256,
            "proteins": self.proteins,
            "max_length": self.max_length,
        }


def main(words: Sequence[str] | None = None) -> int:
    """Do what `words` say, those of the command line if None; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("weights", type=Path, metavar="WEIGHTS")
    parser.add_argument("store", type=Path, metavar="STORE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SCORES.json")
    parser.add_argument("--proteins", type=int, default=80, metavar="N")
    parser.add_argument("--max-length", type=int, default=256, metavar="L")
    arguments = parser.parse_args(words)
    task = Task(arguments.weights, arguments.store, arguments.proteins, arguments.max_length)
    try:
        write_scores(task, arguments.output)
    except (DataToolsError, MSAFormerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def write_scores(task: Task, path: Path) -> None:
    """Predict and score every protein of `task`, and write the file as a whole."""
    import torch

    from msaformer.pretrained import load_model

    torch.set_num_threads(1)  # several of these run at a time
    model = load_model(task.weights)
    rows = [score(example, model) for example in chosen(open_store(task.store), task)]
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    content = task.identity() | {"parameters": parameters, "scores": rows}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def chosen(store: Store, task: Task) -> list[Example]:
    """The first proteins with known distances that are short enough."""
    found: list[Example] = []
    for index in range(len(store)):
        if len(found) == task.proteins:
            break
        example = store[index]
        if example.features.length <= task.max_length and example.distances is not None:
            found.append(example)
    return found


def score(example: Example, model: Any) -> dict[str, Any]:
    """Id, length, Neff and `MEASURES` of one protein."""
    from msaformer.model.execution import Execution
    from msaformer.predict import predict_features

    features, distances = example.features, example.distances
    assert distances is not None
    execution = Execution(bfloat16=True)  # as all candidates are trained
    predicted = predict_features(
        features, decode(features.tokens[0]), model, name=example.id, execution=execution
    )
    ranges = {row.range: row for row in precision_table(predicted.contact_probs, distances)}
    long, medium = ranges["long"], ranges["medium"]
    return {
        "id": example.id,
        "length": features.length,
        "neff": round(float(features.neff), 3),
        "long_p_at_l": long.p_at_l if long.num_contacts else None,
        "long_p_at_l5": long.p_at_l5 if long.num_contacts else None,
        "medium_p_at_l": medium.p_at_l if medium.num_contacts else None,
        "contact_loss": _finite(cross_entropy(predicted.contact_probs, distances)),
    }


def cross_entropy(probs: np.ndarray, distances: np.ndarray) -> float:
    """Mean over the pairs of known distance `MIN_SEPARATION` or more apart, nats; NaN without any."""
    pairs = np.triu_indices(len(probs), MIN_SEPARATION)
    known = ~np.isnan(distances[pairs])
    is_contact = distances[pairs][known] < CONTACT_ANGSTROM
    of_truth = np.where(is_contact, probs[pairs][known], 1 - probs[pairs][known])
    if not known.any():
        return math.nan
    return float(-np.log(np.clip(of_truth, _LEAST_PROBABILITY, 1)).mean())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


if __name__ == "__main__":
    raise SystemExit(main())
