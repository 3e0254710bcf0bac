"""The training loop: batches in, checkpoints, log and weights out; the same on one process and on many."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, Never

from tqdm import tqdm

from data_tools.atomic import atomic_path, remove_leftovers
from data_tools.folder_lock import locked
from data_tools.stop_signals import stop_signals
from msaformer.config import Config, dump_config
from msaformer.data.batch import Batch
from msaformer.data.dataset import passes_per_rank, training_batches
from msaformer.parallel.ranks import Ranks
from msaformer.training.logs import RunLog
from msaformer.training.run_state import check_fresh, save, write_weights
from msaformer.training.schedule import learning_rate
from msaformer.training.setup import Setup, prepare
from msaformer.training.step import (
    SkippedExamples,
    StepReport,
    check_gradient,
    check_loss,
    forward_and_backward,
)
from msaformer.training.throughput import Throughput, crop_statistics
from msaformer.training.validation import validate

_SAME_SIGNAL_S: Final = 5.0
"""A launcher passes on the signal that a terminal or scheduler has sent to all processes already."""


class Interrupted(Exception):  # noqa: N818 - not an error: the run was asked to stop, and has saved
    """The run stopped on a signal after writing a checkpoint."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(f"stopped after step {step}; --resume goes on from there")
        self.exit_code = 128 + signal_number


def train(
    config: Config, *, ranks: Ranks | None = None, resume: bool = False, show_progress: bool = False
) -> Path:
    """Train from `config`; return the path of the released weights, the moving average after the last step.

    Every rank of a run calls it with its `ranks`. With `resume`, go on from the newest complete checkpoint in
    `training.output`, on one CPU bit for bit as if never stopped. Raises ConfigError without a training store or when
    the run does not fit into memory, CheckpointError when there is nothing to resume or when a new run would mix with
    an old one, TrainingError when a loss is not finite or no example has labels, and Interrupted on SIGINT or SIGTERM,
    after saving.
    """
    ranks = ranks or Ranks()
    setup = prepare(config, ranks, resume=resume)
    try:
        _run(setup, show_progress=show_progress and ranks.is_first)
    finally:
        setup.engine.close()
    return config.training.output / "weights.safetensors"


def _run(setup: Setup, *, show_progress: bool) -> None:
    config, ranks, engine = setup.config, setup.ranks, setup.engine
    training = config.training
    passes = passes_per_rank(training, ranks.data_ranks)
    skipped = SkippedExamples(config, len(setup.train_store), ranks)
    throughput = Throughput(engine.device)
    with ExitStack() as stack:
        log = _open_output(setup, stack)
        stopped = stack.enter_context(stop_signals(_SAME_SIGNAL_S if ranks.world_size > 1 else 0.0))
        bar = stack.enter_context(_progress(config, setup.first_step, show_progress))
        batches = stack.enter_context(closing(run_batches(setup)))
        for step in range(setup.first_step, training.steps):
            with throughput.step():
                of_step = [next(batches) for _ in range(passes)]
                report = forward_and_backward(engine, of_step, config, step, ranks, stopped)
                with ranks.alike():
                    skipped.count(of_step, report.num_skipped)
                    check_loss(report, step)
                rate = learning_rate(step, training.steps, config.optimizer)
                norm = engine.step(rate)
                with ranks.alike():
                    check_gradient(norm, of_step, step, ranks)
                setup.average.update(engine.parameters(), step)
            throughput.add(report.statistics)
            done, last = step + 1, step + 1 == training.steps
            _show(bar, report)
            if done % training.log_every == 0 or last:
                rates = throughput.record()
                # The largest of all ranks.
                rates["memory_mib"] = -ranks.least(-math.ceil(rates["memory_mib"]))
                state = {"grad_norm": norm, "learning_rate": rate, "skipped": skipped.num_skipped}
                if log is not None:
                    log.write(
                        "train", done, **report.losses, **state, **crop_statistics(report.statistics), **rates
                    )
            if setup.validation_store is not None and (done % training.validate_every == 0 or last):
                scores = _validate(setup)
                if log is not None:
                    log.write("validation", done, **scores)
            signal = _stop_signal(report, stopped, ranks)
            if _is_saved(training.checkpoint_every, training.keep_every, done) or last or signal:
                save(engine, setup.average, config, setup.data, done, ranks)
            if signal and not last:
                raise Interrupted(signal, done)


def run_batches(setup: Setup) -> Generator[Batch, None, None]:
    """This rank's batches from the run's first step to its end."""
    return training_batches(
        setup.train_store,
        setup.config,
        setup.first_step,
        data_rank=setup.ranks.data_rank,
        data_ranks=setup.ranks.data_ranks,
        multiple_of=setup.ranks.axial.size,
    )


def _open_output(setup: Setup, stack: ExitStack) -> RunLog | None:
    """The log on rank 0, which alone writes; no other run may write into the folder until the stack is unwound."""
    config, output = setup.config, setup.config.training.output
    averaged = setup.engine.whole(setup.average.tensors) if setup.first_step else {}
    log = None
    with setup.ranks.together():
        if setup.ranks.is_first:
            stack.enter_context(locked(output / "checkpoints" / "lock"))
            if setup.first_step == 0:
                check_fresh(output)  # once more: another run may have come and gone while this one prepared
            for name in ("config.yaml", "log.jsonl", "weights.safetensors"):
                remove_leftovers(output / name)
            with atomic_path(output / "config.yaml") as temporary:
                temporary.write_text(dump_config(config), encoding="utf-8")
            if averaged:
                write_weights(averaged, config)  # a kill may have come between the checkpoint and its weights
            log = stack.enter_context(RunLog(config, setup.first_step))
    return log


def _validate(setup: Setup) -> dict[str, float]:
    assert setup.validation_store is not None
    weights = setup.engine.whole(setup.average.tensors)
    return validate(
        weights, setup.validation_store, setup.config, setup.ranks, setup.evaluation, setup.engine.device
    )


def _stop_signal(report: StepReport, stopped: list[int], ranks: Ranks) -> int:
    """What all ranks know of; one process alone need not wait for the next exchange."""
    return stopped[0] if stopped and ranks.world_size == 1 else report.stop_signal


def _is_saved(checkpoint_every: int, keep_every: int, done: int) -> bool:
    return done % checkpoint_every == 0 or (keep_every > 0 and done % keep_every == 0)


def _show(bar: "tqdm[Never]", report: StepReport) -> None:
    bar.update()
    bar.set_postfix({name.removesuffix("_loss"): f"{value:.4f}" for name, value in report.losses.items()})


def _progress(config: Config, first_step: int, show: bool) -> "tqdm[Never]":
    return tqdm(
        total=config.training.steps, initial=first_step, disable=not show, unit="step", desc=config.name
    )
