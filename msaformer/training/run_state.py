"""What a run starts from and leaves behind: a fresh start, a checkpoint to go on from, weights at each save."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from data_tools.folder_lock import locked
from msaformer.config import Config
from msaformer.errors import CheckpointError
from msaformer.parallel.ranks import Ranks
from msaformer.pretrained import save_weights
from msaformer.training.checkpoint import (
    Checkpoint,
    check_same_run,
    list_checkpoints,
    load_checkpoint,
    newest_complete,
    save_checkpoint,
    step_of,
)
from msaformer.training.ema import WeightAverage
from msaformer.training.engine import MOMENTS, STEP, Engine, TrainedModel, fitting

_EMA_PREFIX: Final = "ema."


def check_fresh(output: Path) -> None:
    """Raise CheckpointError when `output` holds checkpoints of an earlier run."""
    if list_checkpoints(output / "checkpoints"):
        raise CheckpointError(
            f"{output}: holds checkpoints of an earlier run; --resume goes on with it, "
            "training.output=FOLDER starts another"
        )


def find_checkpoint(config: Config, data: str, ranks: Ranks) -> Checkpoint:
    """The newest complete checkpoint of `training.output`; rank 0 chooses it for all, as they may see different files.

    Raises CheckpointError when there is none, or it is of another configuration or other examples (`data`).
    """
    folder = config.training.output / "checkpoints"
    step = 0
    with ranks.together():
        if ranks.is_first:
            newest, problems = newest_complete(folder)
            for problem in problems:
                print(f"warning: ignored {problem}", file=sys.stderr)
            step = step_of(newest)
    step = ranks.from_first(step)
    with ranks.together():
        checkpoint = load_checkpoint(folder / f"step-{step:08d}")
        check_same_run(checkpoint.config, config, folder, checkpoint.step)
        if checkpoint.training_data != data:
            raise CheckpointError(
                f"{config.data.train}: not the examples that the run in {config.training.output} was trained on; "
                "give the same store, or start a new run"
            )
    return checkpoint


def check_tensors(checkpoint: Checkpoint, trained: TrainedModel) -> None:
    """Raise CheckpointError when a weight, a moment or an average is missing or has another shape."""
    tensors = checkpoint.tensors
    fitting(tensors, STEP, torch.Size())
    for name, parameter in trained.named_parameters():
        for key in (name, *(f"optimizer.{moment}.{name}" for moment in MOMENTS)):
            fitting(tensors, key, parameter.shape)
    for name, parameter in trained.model.named_parameters():
        fitting(tensors, _EMA_PREFIX + name, parameter.shape)


def restore_average(average: WeightAverage, checkpoint: Checkpoint, engine: Engine) -> None:
    """Put the moving average of a checkpoint back, cut as the engine cuts the weights."""
    whole = {name: checkpoint.tensors[_EMA_PREFIX + name] for name in average.tensors}
    average.tensors = engine.cut(whole)


def save(engine: Engine, average: WeightAverage, config: Config, data: str, step: int, ranks: Ranks) -> None:
    """Write a checkpoint and the weights; all ranks call it, rank 0 writes."""
    state = engine.state()
    averaged = engine.whole(average.tensors)
    with ranks.together():
        if ranks.is_first:
            tensors = state | {_EMA_PREFIX + name: value for name, value in averaged.items()}
            training = config.training
            checkpoint = Checkpoint(step, tensors, config, data, ranks.world_size, engine.name)
            folder = training.output / "checkpoints"
            save_checkpoint(checkpoint, folder, training.keep_checkpoints, training.keep_every)
            write_weights(averaged, config)


def write_weights_again(checkpoint: Checkpoint, config: Config, ranks: Ranks) -> None:
    """Write the weights of a checkpoint; all ranks call it, rank 0 writes.

    A run may have been killed between its last checkpoint and the weights.
    """
    averaged = {
        name.removeprefix(_EMA_PREFIX): value
        for name, value in checkpoint.tensors.items()
        if name.startswith(_EMA_PREFIX)
    }
    with ranks.together():
        if ranks.is_first:
            with locked(config.training.output / "checkpoints" / "lock"):
                write_weights(averaged, config)


def write_weights(averaged: dict[str, Tensor], config: Config) -> None:
    """Write the moving average as the run's weights file, whole or not at all."""
    save_weights(averaged, config.model, config.name, config.training.output / "weights.safetensors")
