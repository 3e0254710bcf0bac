"""`msaformer train`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("train")
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), required=True, help="YAML file."
)
@click.option(
    "-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. training.steps=100."
)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in training.output.")
@click.option(
    "--print-config", is_flag=True, help="Print the whole configuration, defaults included, and stop."
)
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@click.pass_context
def command(
    context: click.Context,
    config_path: Path,
    overrides: tuple[str, ...],
    resume: bool,
    print_config: bool,
    no_progress: bool,
) -> None:
    """Train a contact predictor from a store of examples.

    Writes checkpoints, log.jsonl, a TensorBoard log and weights.safetensors into training.output. Ctrl-C saves a
    checkpoint first (exit code 130; 143 on SIGTERM).

    \b
      msaformer train -c configs/tiny.yaml -o data.train=STORE -o training.output=runs/mine
      msaformer predict my.a3m -o predictions --weights runs/mine/weights.safetensors
    """
    from msaformer.config import dump_config, load_config

    config = load_config(config_path, overrides)
    if print_config:
        click.echo(dump_config(config), nl=False)
        return
    from msaformer.training.loop import Interrupted, train

    try:
        weights = train(config, resume=resume, show_progress=sys.stderr.isatty() and not no_progress)
    except Interrupted as stop:
        click.echo(str(stop), err=True)
        context.exit(stop.exit_code)
    click.echo(weights)
