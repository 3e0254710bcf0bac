"""What a prediction that stands there already must have been made with for `msaformer predict` to keep it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msaformer.errors import PredictionError

if TYPE_CHECKING:
    from data_tools.alignment import Alignment
    from msaformer.attention_heads import Heads
    from msaformer.given import Given


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a prediction that is kept must have been made with."""

    sha256: str
    """Of the weights."""
    given: Given
    """With a `max_depth`."""
    fewer_sequences: bool
    """It may have been made with fewer."""
    attention: Heads = ()
    """Heads whose maps it must hold."""


def check_same_input(finished: Path, alignment: Alignment, earlier: Earlier) -> None:
    """Raise PredictionError when the prediction that is there came of other inputs or options."""
    from data_tools.alignment import alignment_sha256
    from msaformer.prediction import load_prediction

    try:
        found = load_prediction(finished)
    except PredictionError as error:
        raise PredictionError(
            f"{finished} is in the way and is no whole prediction; use --overwrite"
        ) from error
    if found.alignment_sha256 != alignment_sha256(alignment.tokens, alignment.deletion_matrix):
        raise PredictionError(
            f"{finished} was predicted from another alignment; use --overwrite or another folder"
        )
    if found.model.get("sha256") != earlier.sha256:
        raise PredictionError(
            f"{finished} was predicted with other weights; use --overwrite or another folder"
        )
    assert earlier.given.max_depth is not None
    most, used = min(earlier.given.max_depth, alignment.depth), int(found.model.get("sequences_used", 0))
    if used > most or (used < most and not earlier.fewer_sequences):
        raise PredictionError(
            f"{finished} was predicted with another --max-depth; use --overwrite or another folder"
        )
    if found.model.get("ensembles", 1) != earlier.given.num_samples(used, alignment.depth):
        raise PredictionError(
            f"{finished} was predicted with another --ensembles; use --overwrite or another folder"
        )
    if ("coevolution" in found.model) == earlier.given.coevolution:  # it is named where it was left out
        but = "without" if earlier.given.coevolution else "with"
        raise PredictionError(
            f"{finished} was predicted {but} co-evolution; use --overwrite or another folder"
        )
    kept = [] if found.attention is None else [tuple(head) for head in found.attention.heads.tolist()]
    if not set(earlier.attention) <= set(kept):
        raise PredictionError(
            f"{finished} was predicted without these maps of --attention; use --overwrite or another folder"
        )
