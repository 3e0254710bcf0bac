"""`msaformer train`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from msaformer.config import Config


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

    Writes checkpoints, log.jsonl, a TensorBoard log and weights.safetensors into training.output. Ctrl-C and SIGTERM
    save a checkpoint first (exit code 130, 143); --resume goes on from it, on any number of processes.

    \b
      msaformer train -c configs/tiny.yaml -o data.train=STORE -o training.output=runs/mine
      torchrun --standalone --nproc_per_node=8 -m msaformer train -c configs/tiny.yaml -o data.train=STORE
      deepspeed --num_gpus 8 --no_local_rank --module msaformer train -c configs/tiny.yaml -o data.train=STORE
      srun msaformer train -c configs/tiny.yaml -o data.train=STORE
      msaformer predict my.a3m -o predictions --weights runs/mine/weights.safetensors
    """
    from msaformer.config import dump_config, load_config

    kept = () if keep is None else (f"training.keep_checkpoints={keep}",)
    config = load_config(config_path, (*overrides, *kept))
    if print_config:
        click.echo(dump_config(config), nl=False)
        return
    _train(context, config, resume=resume, show_progress=sys.stderr.isatty() and not no_progress)


def _train(context: click.Context, config: Config, *, resume: bool, show_progress: bool) -> None:
    from msaformer.device import choose_device
    from msaformer.parallel.launch import find_launch, process_group
    from msaformer.training.loop import Interrupted, train

    launch = find_launch(os.environ)
    group = process_group(
        launch,
        axial=config.parallel.axial,
        timeout_s=config.parallel.timeout_s,
        use_cuda=choose_device(config.training.device, launch.local_rank).type == "cuda",
        alone=config.parallel.engine == "deepspeed",
    )
    stopped = None
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
