"""`msaformer plan`: will it fit, and how?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from msaformer.cli.messages import print_error
from msaformer.errors import ConfigError

if TYPE_CHECKING:
    from msaformer.config import Config, ModelConfig
    from msaformer.training.memory_plan import MemoryPlan, Setting

PARTS: Final = (
    *("parameters", "gradients", "optimizer", "average", "buffers"),
    *("features", "inputs", "activations", "peak", "host"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The options, as they were given."""

    config: Path | None
    overrides: tuple[str, ...]
    weights: Path | None
    depth: int | None
    length: int | None
    gpus: int | None
    memory: str | None


@click.command(
    "plan",
    short_help="Predict the memory of a run, and what fits.",
    epilog="""\b
Examples:
  msaformer plan -c configs/tiny.yaml                                      training, on this machine
  msaformer plan -c configs/medium.yaml --gpus 8 --memory 80GB -o parallel.axial=2
  msaformer plan -c configs/medium.yaml --mode predict --depth 256 --length 1500 --memory 8GiB""",
)
@click.option("-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="YAML file.")
@click.option(
    "-o", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. parallel.zero_stage=3."
)
@click.option(
    "--mode",
    type=click.Choice(["train", "predict"]),
    default="train",
    show_default=True,
    help="What is to be run.",
)
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N", help="Sequences; the configuration's, if left out."
)
@click.option(
    "--length", type=click.IntRange(min=1), metavar="L", help="Residues; data.crop_length, if left out."
)
@click.option(
    "--gpus", type=click.IntRange(min=1), metavar="G", help="GPUs in all; one process here, if left out."
)
@click.option(
    "--memory", metavar="SIZE", help="Of each GPU or process, e.g. 80GB; what is free here, if left out."
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Predict with these, a file or a name; the package's best, without -c.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(mode: str, as_json: bool, **options: Any) -> int:
    """Predict the most memory that a run will hold, on each rank, and the fastest policy with which it fits.

    Nothing of the run's size is made: the network is run on tensors without numbers. 5 % of the memory is left to
    spare. GPUs that predict share each protein. The exit code is 1 when nothing fits; then it is told what would.
    """
    asked = Asked(**options)
    if asked.weights is not None and mode != "predict":
        raise click.UsageError("--weights is for --mode predict")
    if asked.config is None and mode != "predict":
        raise click.UsageError("training needs a configuration, -c FILE")
    if asked.config is not None and asked.weights is not None:
        raise click.UsageError("give -c or --weights: each says what the network is")
    from msaformer.training.memory_plan import cheapest_plan
    from msaformer.training.memory_search import explain_misfit, largest_depth, largest_length

    plan = cheapest_plan(_setting(asked, is_prediction=mode == "predict"))
    largest = {"length": largest_length(plan.setting), "depth": largest_depth(plan.setting)}
    click.echo(json.dumps(_report(plan, largest), indent=1) if as_json else _text(plan, largest))
    if not plan.fits:
        print_error(explain_misfit(plan))
    return 0 if plan.fits else 1


def _setting(asked: Asked, *, is_prediction: bool) -> Setting:
    """Raises ConfigError, WeightsError."""
    from msaformer.config import Config
    from msaformer.config_file import load_config
    from msaformer.device import choose_device
    from msaformer.sizes import parse_size
    from msaformer.training.memory_plan import Setting, training_setting

    config = Config() if asked.config is None else load_config(asked.config, asked.overrides)
    device_type = "cuda" if asked.gpus else choose_device(config.training.device).type
    limit = _free_memory(device_type) if asked.memory is None else parse_size(asked.memory, "--memory")
    ranks = asked.gpus or 1
    if not is_prediction:
        _check_ranks(config, ranks)
        return training_setting(
            config,
            memory_bytes=limit,
            device_type=device_type,
            ranks=ranks,
            depth=asked.depth,
            length=asked.length,
        )
    model = _model_of(asked.weights) if asked.config is None else config.model
    return Setting(
        model=model,
        depth=asked.depth or model.max_depth,
        length=asked.length or config.data.crop_length,
        memory_bytes=limit,
        device_type=device_type,
        axial=ranks,
        ranks=ranks,
        execution=config.execution,
        alignment_depth=asked.depth or model.max_depth,
    )


def _free_memory(device_type: str) -> int:
    from msaformer.device import choose_device, memory_bytes

    try:
        return memory_bytes(choose_device(device_type))
    except ConfigError as error:
        raise ConfigError(
            f"--memory: give it, e.g. 80GB, as there is no {device_type} here to ask"
        ) from error


def _check_ranks(config: Config, ranks: int) -> None:
    if ranks % config.parallel.axial:
        raise ConfigError(
            f"parallel.axial: {config.parallel.axial} ranks cannot share each sample among {ranks} in all; give a "
            "divisor of --gpus"
        )


def _model_of(weights: Path | None) -> ModelConfig:
    from msaformer.pretrained import load_model

    return load_model(weights).network.config


def _report(plan: MemoryPlan, largest: dict[str, int]) -> dict[str, Any]:
    """What `--json` prints; sizes in bytes."""
    setting, policy = plan.setting, plan.policy
    return {
        "mode": plan.mode,
        "depth": setting.depth,
        "length": setting.length,
        "ranks": setting.ranks,
        "axial": setting.axial,
        "device": setting.device_type,
        "memory": setting.memory_bytes,
        **{name: getattr(plan, name) for name in PARTS},
        "fits": plan.fits,
        "policy": {"checkpointing": policy.checkpointing, "chunk_bytes": policy.chunk_bytes},
        "largest_length": largest["length"],
        "largest_depth": largest["depth"],
    }


def _text(plan: MemoryPlan, largest: dict[str, int]) -> str:
    from msaformer.sizes import show_size
    from msaformer.training.memory_search import MOST

    setting, is_training = plan.setting, plan.mode == "train"
    ranks = "one process" if setting.ranks == 1 else f"{setting.ranks} ranks, {setting.axial} a sample"
    lines = {"run": f"{plan.mode}, N={setting.depth}, L={setting.length}, {ranks}, {setting.device_type}"}
    lines |= {name: show_size(getattr(plan, name)) for name in PARTS if name == "peak" or getattr(plan, name)}
    lines["peak"] += f" of {show_size(setting.memory_bytes)} a rank"
    policy = plan.policy.words(training=is_training)
    lines["policy"] = policy if plan.fits else f"none fits; the most frugal: {policy}"
    limits = {axis: f"{size:,}" if size < MOST else f"{MOST:,} or more" for axis, size in largest.items()}
    lines["largest L"] = f"{limits['length']} with N={setting.depth}"
    lines["largest N"] = f"{limits['depth']} with L={setting.length}"
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines.items())
