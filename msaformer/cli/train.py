"""`msaformer train`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from msaformer.cli.messages import print_error, progress_is_shown

if TYPE_CHECKING:
    from msaformer.config import Config
    from msaformer.parallel.meeting import Meeting

_OF_ONE_RANK: Final = {
    "data.train",
    "data.validation",
    "data.num_workers",
    "training.output",
    "training.init_weights",
    "training.device",
    "training.num_threads",
}
"""Keys that may differ between the processes of a run: places of files, and what each machine has."""


@click.command("train")
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), required=True, help="YAML file."
)
@click.option(
    "-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. training.steps=100."
)
@click.option("--resume", is_flag=True, help="Go on from the newest complete checkpoint in training.output.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the newest N checkpoints (training.keep_checkpoints; see training.keep_every too).",
)
@click.option(
    "--print-config", is_flag=True, help="Print the whole configuration, defaults included, and stop."
)
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@click.option("--local_rank", "--local-rank", type=int, hidden=True, expose_value=False)
@click.pass_context
def command(
    context: click.Context,
    config_path: Path,
    overrides: tuple[str, ...],
    resume: bool,
    keep: int | None,
    print_config: bool,
    no_progress: bool,
) -> None:
    """Train a contact predictor from a store of examples, in one process or as one of many.

    Writes checkpoints, log.jsonl, a TensorBoard log and weights.safetensors into training.output, and prints the path
    of the weights when all steps are done. Ctrl-C and SIGTERM save a checkpoint first (exit code 130, 143), and so
    does training.max_minutes, which cuts a run into pieces (exit code 0); --resume goes on from it, on any number of
    processes, and does nothing when all steps are done. training.best_by keeps weights-best.safetensors too.

    \b
      msaformer train -c configs/tiny.yaml -o data.train=STORE -o training.output=runs/mine
      torchrun --standalone --nproc_per_node=8 -m msaformer train -c configs/tiny.yaml -o data.train=STORE
      deepspeed --num_gpus 8 --no_local_rank --module msaformer train -c configs/tiny.yaml -o data.train=STORE
      srun msaformer train -c configs/tiny.yaml -o data.train=STORE
      msaformer predict my.a3m -o predictions --weights runs/mine/weights.safetensors
    """
    kept = () if keep is None else (f"training.keep_checkpoints={keep}",)
    load = partial(_load, config_path, (*overrides, *kept))
    if print_config:
        from msaformer.config_file import dump_config

        click.echo(dump_config(load()), nl=False)
        return
    _train(context, load, resume=resume, show_progress=progress_is_shown() and not no_progress)


def _load(path: Path, overrides: tuple[str, ...]) -> Config:
    from msaformer.config_file import load_config

    return load_config(path, overrides)


def _train(context: click.Context, load: Callable[[], Config], *, resume: bool, show_progress: bool) -> None:
    from msaformer.parallel.launch import find_launch, process_group
    from msaformer.parallel.meeting import meet
    from msaformer.training.loop import train
    from msaformer.training.stopping import Interrupted

    launch = find_launch(os.environ)
    stopped = None
    with meet(launch) as meeting:
        config, use_cuda = _agree_on(load, meeting)
        group = process_group(
            launch,
            axial=config.parallel.axial,
            timeout_s=config.parallel.timeout_s,
            use_cuda=use_cuda,
            alone=config.parallel.engine == "deepspeed",
            store=meeting.store,
            say=print_error,
        )
    with group as ranks:
        try:
            weights = train(config, ranks=ranks, resume=resume, show_progress=show_progress)
        except Interrupted as stop:
            stopped = stop
    if stopped is not None:
        if launch.rank == 0:
            click.echo(str(stopped), err=True)
        context.exit(stopped.exit_code)
    if launch.rank == 0:
        click.echo(weights)


def _agree_on(load: Callable[[], Config], meeting: Meeting) -> tuple[Config, bool]:
    """The configuration, which every rank reads for itself, and whether it asks for CUDA here."""
    from msaformer.device import choose_device
    from msaformer.parallel.launch import check_axial
    from msaformer.training.checkpoint import flat_keys

    launch = meeting.launch
    with meeting.together():
        config = load()
        check_axial(launch, config.parallel.axial)
        device = choose_device(config.training.device, launch.local_rank).type
    common = {key: value for key, value in flat_keys(config).items() if key not in _OF_ONE_RANK}
    meeting.agree(common | {"device": device})
    return config, device == "cuda"
