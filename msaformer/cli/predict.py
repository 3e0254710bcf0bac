"""`msaformer predict`: alignments in, one prediction a target out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from data_tools.errors import DataToolsError
from msaformer.cli.messages import (
    exit_code,
    named_targets,
    one_line,
    print_error,
    progress_is_shown,
    write_failures,
)
from msaformer.errors import MSAFormerError, PredictionError

if TYPE_CHECKING:
    from data_tools.alignment import Alignment
    from msaformer.prediction import Prediction

FAILURES: Final = "failures.tsv"
# What torch says, on CUDA and on the CPU.
_NO_MEMORY: Final = re.compile(r"out of memory|allocate memory|not enough memory")
_log = logging.getLogger(__name__)


@click.command("predict", short_help="Predict contacts and distances from alignments.")
@click.argument(
    "alignments", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ALIGNMENT..."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the predictions.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights (.safetensors) of `msaformer train`; those of the package if left out.",
)
@click.option(
    "--max-depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most sequences the network attends to; the model's own number if left out. Less needs less memory.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    help="Where the network runs; auto, the default, takes cuda, then mps, then cpu.",
)
@click.option(
    "--memory",
    metavar="SIZE",
    help="Most memory to take, e.g. 8GiB; what is free, if left out. A target that needs more fails at once.",
)
@click.option(
    "--fewer-sequences",
    is_flag=True,
    default=None,
    help="Give the network fewer sequences of a target that needs more memory, instead of failing it.",
)
@click.option("--overwrite", is_flag=True, default=None, help="Predict again what is in DIR already.")
def command(
    alignments: tuple[Path, ...],
    output: Path,
    weights: Path | None,
    max_depth: int | None,
    device: str | None,
    memory: str | None,
    fewer_sequences: bool | None,
    overwrite: bool | None,
) -> int:
    """Predict contacts and distances from each ALIGNMENT (any format that `inspect` reads).

    Written to DIR for each target, named as its file: .npz (all of the prediction), .csv (a table of the pairs) and
    .rr (CASP). Inputs that fail are listed in DIR/failures.tsv, and the exit code is 3 (1 when all failed).
    """
    targets = named_targets(alignments)
    from tqdm import tqdm

    from msaformer.device import choose_device
    from msaformer.predict import Resources, predict
    from msaformer.pretrained import load_model
    from msaformer.sizes import parse_size

    limit = parse_size(memory, "--memory") if memory is not None else None
    resources = Resources(limit, fewer_sequences=bool(fewer_sequences))

    model = load_model(weights)
    model.network.to(choose_device(device or "auto"))
    output.mkdir(parents=True, exist_ok=True)
    earlier = Earlier(model.sha256, max_depth or model.network.config.max_depth, bool(fewer_sequences))
    failures: dict[Path, str] = {}
    for name, path in tqdm(targets.items(), unit="target", disable=not progress_is_shown()):
        make = partial(predict, model=model, name=name, max_depth=max_depth, resources=resources)
        try:
            run_target(path, output / f"{name}.npz", make, None if overwrite else earlier)
        except (DataToolsError, MSAFormerError, OSError, MemoryError, RuntimeError) as error:
            failures[path] = describe_failure(error, path)
            print_error(failures[path])
    write_failures(failures, output / FAILURES)
    return exit_code(len(failures), len(targets))


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a prediction that is kept must have been made with."""

    sha256: str
    """Of the weights."""
    max_depth: int
    fewer_sequences: bool
    """It may have been made with fewer."""


def run_target(
    path: Path, finished: Path, predict: Callable[[Alignment], Prediction], earlier: Earlier | None
) -> None:
    """Predict one target and write its three files, `finished` (the `.npz`) last: where it stands, all is done.

    What stands there already is kept when it was made from this alignment as `earlier` says; None overwrites it.
    """
    from data_tools.formats import read_alignment
    from msaformer.report.exports import write_casp_rr, write_csv

    alignment = read_alignment(path)
    if finished.exists() and earlier is not None:
        check_same_input(finished, alignment, earlier)
        _log.warning("%s is there already and was kept; --overwrite predicts it again", finished)
        return
    if alignment.depth == 1:
        _log.warning("%s: an alignment of one sequence: co-evolution is empty, expect little", path)
    prediction = predict(alignment)
    write_csv(prediction, finished.with_name(f"{prediction.name}.csv"))
    write_casp_rr(prediction, finished.with_name(f"{prediction.name}.rr"))
    prediction.save(finished)
    click.echo(str(finished))


def check_same_input(finished: Path, alignment: Alignment, earlier: Earlier) -> None:
    """Raise PredictionError when the prediction that is there came of another alignment, weights or depth."""
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
    most, used = min(earlier.max_depth, alignment.depth), int(found.model.get("sequences_used", 0))
    if used > most or (used < most and not earlier.fewer_sequences):
        raise PredictionError(
            f"{finished} was predicted with another --max-depth; use --overwrite or another folder"
        )


def describe_failure(error: Exception, path: Path) -> str:
    """One line that names the input; raises `error` again when it is none that a user can cause."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        return f"{path}: out of memory; give a smaller --max-depth than the one in use"
    if isinstance(error, RuntimeError):
        raise error
    message = one_line(error)
    return message if str(path) in message else f"{path}: {message}"
