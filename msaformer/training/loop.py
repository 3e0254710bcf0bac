"""The training loop: batches in, checkpoints, log and weights out."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Never

import torch
from tqdm import tqdm

from data_tools.stop_signals import stop_signals
from data_tools.store import Store, open_store
from msaformer.config import Config, LossConfig, dump_config
from msaformer.data.batch import Batch
from msaformer.data.dataset import training_batches
from msaformer.device import choose_device
from msaformer.errors import CheckpointError, ConfigError, TrainingError
from msaformer.model.dropout import seed_dropout
from msaformer.model.model import MSAFormer
from msaformer.pretrained import save_weights
from msaformer.training.checkpoint import (
    Checkpoint,
    check_same_run,
    list_checkpoints,
    load_newest,
    save_checkpoint,
)
from msaformer.training.ema import WeightAverage
from msaformer.training.engine import Engine, TorchEngine
from msaformer.training.logs import RunLog
from msaformer.training.losses import Objective
from msaformer.training.schedule import learning_rate
from msaformer.training.scoring import TASKS, loss_denominators
from msaformer.training.validation import validate

_EMA_PREFIX = "ema."


class Interrupted(Exception):  # noqa: N818 - not an error: the run was asked to stop, and has saved
    """The run stopped on a signal after writing a checkpoint."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(f"stopped after step {step}; --resume goes on from there")
        self.exit_code = 128 + signal_number


def train(config: Config, *, resume: bool = False, show_progress: bool = False) -> Path:
    """Train from `config`; return the path of the released weights, the moving average after the last step.

    With `resume`, go on from the newest complete checkpoint in `training.output`, on one CPU bit for bit as if
    never stopped. Raises ConfigError without a training store, CheckpointError when there is nothing to resume or
    when a new run would mix with an old one, TrainingError when a loss is not finite or no example has distances,
    and Interrupted on SIGINT or SIGTERM, after saving.
    """
    if config.data.train is None:
        raise ConfigError(
            "data.train: no store of training examples; give data.train=FOLDER (made by msaformer featurize)"
        )
    train_store = _open_labelled(config.data.train, config.loss)
    validation_store = _open_labelled(config.data.validation, config.loss) if config.data.validation else None
    if config.training.num_threads:
        torch.set_num_threads(config.training.num_threads)
    engine = build_engine(config)
    average = WeightAverage(engine.model, config.optimizer.ema_decay)
    output = config.training.output
    data = train_store.content_sha256
    first_step = _restore(engine, average, config, data) if resume else _start_afresh(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    with (
        RunLog(config, first_step) as log,
        stop_signals() as stopped,
        _progress(config, first_step, show_progress) as bar,
        closing(training_batches(train_store, config, first_step)) as batches,
    ):
        for step in range(first_step, config.training.steps):
            started = time.monotonic()
            losses, norm = _optimizer_step(engine, batches, config, step)
            average.update(engine.model, step)
            done = step + 1
            bar.update()
            bar.set_postfix(loss=f"{losses['loss']:.3f}", contact=f"{losses['contact_loss']:.4f}")
            last = done == config.training.steps
            if done % config.training.log_every == 0 or last:
                rate = learning_rate(step, config.training.steps, config.optimizer)
                seconds = round(time.monotonic() - started, 3)
                log.write("train", done, **losses, grad_norm=norm, learning_rate=rate, step_seconds=seconds)
            if validation_store is not None and (done % config.training.validate_every == 0 or last):
                with average.applied_to(engine.model):
                    log.write("validation", done, **validate(engine, validation_store, config))
            if done % config.training.checkpoint_every == 0 or last or stopped:
                _save(engine, average, config, data, done)
            if stopped and not last:
                raise Interrupted(stopped[0], done)
    return output / "weights.safetensors"


def build_engine(config: Config) -> Engine:
    """Initialise the network from the seed and put it on the configured device."""
    device = choose_device(config.training.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        model = MSAFormer(config.model)
    return TorchEngine(model, config.optimizer, device, bfloat16=config.training.precision == "bfloat16")


def _optimizer_step(
    engine: Engine, batches: Iterator[Batch], config: Config, step: int
) -> tuple[dict[str, float], float]:
    """Losses of the step, and the gradient norm."""
    taken = [next(batches) for _ in range(config.training.accumulation)]
    denominators = loss_denominators(taken, config.loss)
    objective = Objective(config.loss)
    sums = dict.fromkeys(("loss", *(f"{task}_loss" for task in TASKS)), 0.0)
    engine.model.train()
    for index, on_host in enumerate(taken):
        seed_dropout(engine.model, (config.training.seed * 1_000_003 + step) * 1_009 + index)
        batch = on_host.to(engine.device)
        losses = objective(engine.forward(batch), batch, denominators, 1 / len(taken))
        engine.backward(losses.total)
        sums["loss"] += float(losses.total.detach())
        for task, value in losses.by_task.items():
            sums[f"{task}_loss"] += value
    norm = engine.step(learning_rate(step, config.training.steps, config.optimizer))
    if not (math.isfinite(norm) and math.isfinite(sums["loss"])):
        raise TrainingError(
            f"step {step + 1}: loss {sums['loss']}, gradient norm {norm}: not finite; the checkpoints before are "
            "whole. Start a new run with a lower optimizer.learning_rate or with training.precision=float32"
        )
    return sums, norm


def _open_labelled(path: Path, loss: LossConfig) -> Store:
    store = open_store(path)
    if len(store) == 0:
        raise TrainingError(f"{path}: the store holds no example")
    needs_distances = loss.contact > 0 or loss.distogram > 0
    if needs_distances and all(example.distances is None for example in store):
        raise TrainingError(
            f"{path}: no example has distances to learn from; give msaformer featurize the --structures"
        )
    return store


def _start_afresh(output: Path) -> int:
    if list_checkpoints(output / "checkpoints"):
        raise CheckpointError(
            f"{output}: holds checkpoints of an earlier run; --resume goes on with it, "
            "training.output=FOLDER starts another"
        )
    return 0


def _restore(engine: Engine, average: WeightAverage, config: Config, data: str) -> int:
    folder = config.training.output / "checkpoints"
    checkpoint, problems = load_newest(folder)
    for problem in problems:
        print(f"warning: ignored {problem}", file=sys.stderr)
    check_same_run(checkpoint.config, config, folder)
    if checkpoint.training_data != data:
        raise CheckpointError(
            f"{config.data.train}: not the examples that the run in {config.training.output} was trained on; "
            "give the same store, or start a new run"
        )
    engine.load_state(checkpoint.tensors)
    average.tensors = {
        name: checkpoint.tensors[_EMA_PREFIX + name].to(engine.device) for name in average.tensors
    }
    _save_average(average, config)  # a kill may have come between the checkpoint and its weights
    return checkpoint.step


def _save(engine: Engine, average: WeightAverage, config: Config, data: str, step: int) -> None:
    averaged = {_EMA_PREFIX + name: value for name, value in average.tensors.items()}
    checkpoint = Checkpoint(step, engine.state() | averaged, config, data)
    folder = config.training.output / "checkpoints"
    save_checkpoint(checkpoint, folder, config.training.keep_checkpoints)
    _save_average(average, config)


def _save_average(average: WeightAverage, config: Config) -> None:
    save_weights(average.tensors, config.model, config.name, config.training.output / "weights.safetensors")


def _progress(config: Config, first_step: int, show: bool) -> "tqdm[Never]":
    return tqdm(
        total=config.training.steps, initial=first_step, disable=not show, unit="step", desc=config.name
    )
