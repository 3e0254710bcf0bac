"""`msaformer predict`: alignments in, one prediction a target out."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from data_tools.errors import DataToolsError
from msaformer.cli.kept_prediction import Earlier, check_same_input
from msaformer.cli.messages import (
    FAILURES,
    exit_code,
    named_targets,
    naming,
    print_error,
    print_path,
    progress_is_shown,
    write_failures,
)
from msaformer.cli.pictures import draw_prediction
from msaformer.cli.progress import Progress
from msaformer.cli.terminal import draw_option
from msaformer.errors import MSAFormerError

if TYPE_CHECKING:
    from msaformer.attention_heads import Heads
    from msaformer.given import Given
    from msaformer.parallel.ranks import Ranks
    from msaformer.predict import Resources
    from msaformer.pretrained import LoadedModel

# What torch says, on CUDA and on the CPU.
_NO_MEMORY: Final = re.compile(r"out of memory|allocate memory|not enough memory")
_TIMEOUT_S: Final = 1800  # a rank that waits longer for the others gives up, as in training
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
    help="Weights (.safetensors) of `msaformer train`, or the name of some of the package's; its best if left out.",
)
@click.option(
    "--max-depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most sequences the network attends to; the model's own number if left out. Less needs less memory.",
)
@click.option(
    "--ensembles",
    type=click.IntRange(min=1),
    metavar="K",
    help="Samples of the sequences to predict from and average, of an alignment deeper than --max-depth. K times the "
    "network's time.",
)
@click.option(
    "--no-coevolution",
    is_flag=True,
    default=None,
    help="Leave the co-evolution maps out: faster and less accurate, to see what the network owes to them.",
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
@click.option(
    "--axial",
    type=click.IntRange(min=1),
    metavar="D",
    help="Processes that share each protein: all those that were started (torchrun --nproc_per_node=D).",
)
@click.option(
    "--attention",
    multiple=True,
    metavar="BLOCK[:HEAD]",
    help="Keep the row-attention maps of a block, or of one of its heads, counted from 0; all: of the last block. "
    "May be given several times; each map takes 4·L² bytes of memory.",
)
@click.option("--overwrite", is_flag=True, default=None, help="Predict again what is in DIR already.")
@draw_option
@click.option("--no-progress", is_flag=True, help="No progress line.")
def command(
    alignments: tuple[Path, ...],
    output: Path,
    weights: Path | None,
    max_depth: int | None,
    ensembles: int | None,
    no_coevolution: bool | None,
    device: str | None,
    memory: str | None,
    fewer_sequences: bool | None,
    axial: int | None,
    attention: tuple[str, ...],
    overwrite: bool | None,
    draw: bool | None,
    no_progress: bool,
) -> int:
    """Predict contacts and distances from each ALIGNMENT (any format that `inspect` reads).

    Written to DIR for each target, named as its file: .npz (all of the prediction), .csv (a table of the pairs) and
    .rr (CASP). Inputs that fail are listed in DIR/failures.tsv, and the exit code is 3 (1 when all failed).
    """
    targets = named_targets(alignments)
    from msaformer.attention_heads import parse_heads
    from msaformer.device import choose_device
    from msaformer.given import Given
    from msaformer.model.execution import Execution, execute_with
    from msaformer.parallel.launch import find_launch, process_group
    from msaformer.predict import Resources
    from msaformer.pretrained import load_model
    from msaformer.sizes import parse_size

    launch = find_launch(os.environ)
    if axial is not None and axial != launch.world_size:
        raise click.UsageError(
            f"--axial {axial} needs as many processes, not {launch.world_size}: torchrun --standalone "
            f"--nproc_per_node={axial} -m msaformer predict …"
        )
    limit = parse_size(memory, "--memory") if memory is not None else None
    model = load_model(weights)
    heads = parse_heads(attention, model.network.config, "--attention")
    where = choose_device(device or "auto", launch.local_rank)
    model.network.to(where)
    output.mkdir(parents=True, exist_ok=True)
    resources = Resources(limit, fewer_sequences=bool(fewer_sequences))
    given = Given(max_depth or model.network.config.max_depth, ensembles or 1, not no_coevolution)
    wanted = Earlier(model.sha256, given, bool(fewer_sequences), heads)
    group = process_group(
        launch, axial=launch.world_size, timeout_s=_TIMEOUT_S, use_cuda=where.type == "cuda", say=print_error
    )
    with group as ranks:
        draw = draw if draw is not None or len(targets) == 1 else False
        job = Job(output, model, given, resources, None if overwrite else wanted, ranks, draw, heads)
        with Progress(len(targets), is_wanted=progress_is_shown() and not no_progress) as progress:
            failures = predict_targets(targets, job, progress)
        del job  # it holds the group, as the network does
        execute_with(model.network, Execution())
    if launch.rank == 0:
        write_failures(failures, output / FAILURES)
    return exit_code(len(failures), len(targets))


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all targets."""

    output: Path
    model: LoadedModel
    given: Given
    resources: Resources
    earlier: Earlier | None
    """None: what is there already is overwritten."""
    ranks: Ranks
    """All share each protein; the first writes and speaks."""
    draw: bool | None = None
    """Each prediction; None: on a terminal."""
    attention: Heads = ()
    """Heads whose maps are kept."""


def predict_targets(targets: dict[str, Path], job: Job, progress: Progress) -> dict[Path, str]:
    """Predict each target; return why some failed."""
    from msaformer.device import memory_bytes
    from msaformer.predict import Resources

    ranks = job.ranks
    if not ranks.is_first:
        logging.getLogger("msaformer").setLevel(logging.CRITICAL)
    if ranks.world_size > 1:  # all must come to the same plan
        device = next(job.model.network.parameters()).device
        free = memory_bytes(device, ranks.local_size)
        least = ranks.least(job.resources.memory_bytes or free)
        job = replace(job, resources=Resources(least, job.resources.fewer_sequences, ranks.axial))
    failures: dict[Path, str] = {}
    for name, path in targets.items():
        progress.begin(name)
        try:
            run_target(name, path, job, progress)
        except (DataToolsError, MSAFormerError, OSError, MemoryError, RuntimeError) as error:
            failures[path] = describe_failure(error, path)
            if ranks.is_first:
                print_error(failures[path])
        progress.done()
    return failures


def run_target(name: str, path: Path, job: Job, progress: Progress) -> None:
    """Predict one target and write its three files, the `.npz` last: where it stands, all is done.

    What stands there already is kept when it was made from this alignment as `job.earlier` says.
    """
    from data_tools.formats import read_alignment
    from msaformer.predict import predict
    from msaformer.report.exports import write_casp_rr, write_csv

    finished, ranks = job.output / f"{name}.npz", job.ranks
    with ranks.together():
        alignment = read_alignment(path)
        is_kept = ranks.is_first and finished.exists() and job.earlier is not None
        if is_kept and job.earlier is not None:
            check_same_input(finished, alignment, job.earlier)
    if ranks.from_first(int(is_kept)):
        _log.warning("%s is there already and was kept; --overwrite predicts it again", finished)
        return
    if alignment.depth == 1:
        _log.warning("%s: an alignment of one sequence: co-evolution is empty, expect little", path)
    progress.stage("features", alignment.length)
    with progress.following(job.model.network):
        prediction = predict(
            alignment,
            job.model,
            name=name,
            max_depth=job.given.max_depth,
            ensembles=job.given.ensembles,
            coevolution=job.given.coevolution,
            resources=job.resources,
            attention=job.attention,
        )
    if ranks.is_first:
        progress.stage("writing")
        write_csv(prediction, finished.with_name(f"{prediction.name}.csv"))
        write_casp_rr(prediction, finished.with_name(f"{prediction.name}.rr"))
        prediction.save(finished)
        print_path(finished)
        draw_prediction(prediction, job.draw)


def describe_failure(error: Exception, path: Path) -> str:
    """One line that names the input; raises `error` again when it is none that a user can cause."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        return f"{path}: out of memory; give a smaller --max-depth than the one in use"
    if isinstance(error, RuntimeError):
        raise error
    return naming(error, path)
