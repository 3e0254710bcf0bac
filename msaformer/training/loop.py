"""The training loop: batches in, checkpoints, log and weights out; the same on one process and on many."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic
from typing import Final, Never

from tqdm import tqdm

from data_tools.atomic import atomic_path, remove_leftovers
from data_tools.folder_lock import locked
from data_tools.stop_signals import stop_signals
from msaformer.config import Config
from msaformer.config_file import dump_config
from msaformer.data.batch import Batch
from msaformer.data.dataset import passes_per_rank, training_batches
from msaformer.parallel.ranks import Ranks
from msaformer.training.best import BEST_WEIGHTS, BestWeights
from msaformer.training.logs import RunLog, say
from msaformer.training.run_state import check_fresh, save, write_weights, write_weights_again
from msaformer.training.schedule import learning_rate
from msaformer.training.setup import Setup, find_start, prepare
from msaformer.training.step import (
    SkippedExamples,
    StepReport,
    check_gradient,
    check_loss,
    forward_and_backward,
)
from msaformer.training.stopping import Interrupted, StopRequest
from msaformer.training.throughput import Throughput, crop_statistics
from msaformer.training.validation import validate

_SAME_SIGNAL_S: Final = 5.0
"""A launcher passes on the signal that a terminal or scheduler has sent to all processes already."""


def train(
    config: Config, *, ranks: Ranks | None = None, resume: bool = False, show_progress: bool = False
) -> Path:
    """Train from `config`; return the path of the released weights, the moving average after the last step.

    Every rank of a run calls it with its `ranks`. With `resume`, go on from the newest complete checkpoint in
    `training.output`, on one CPU bit for bit as if never stopped. Raises ConfigError without a training store or when
    the run does not fit into memory, CheckpointError when there is nothing to resume or when a new run would mix with
    an old one, TrainingError when a loss is not finite or no example has labels, and Interrupted on SIGINT or SIGTERM
    or after `training.max_minutes`, after saving.
    """
    until = monotonic() + 60 * config.training.max_minutes if config.training.max_minutes else math.inf
    ranks = ranks or Ranks()
    start = find_start(config, ranks, resume=resume)
    if start.checkpoint is not None and start.checkpoint.step == config.training.steps:
        write_weights_again(start.checkpoint, config, ranks)
        if ranks.is_first:
            say(f"all {config.training.steps} steps are done")
    else:
        setup = prepare(config, ranks, start)
        try:
            _run(setup, until, show_progress=show_progress and ranks.is_first)
        finally:
            setup.engine.close()
    return config.training.output / "weights.safetensors"


def _run(setup: Setup, until: float, *, show_progress: bool) -> None:
    config, ranks, engine = setup.config, setup.ranks, setup.engine
    training = config.training
    passes = passes_per_rank(training, ranks.data_ranks)
    skipped = SkippedExamples(config, len(setup.train_store), ranks)
    throughput = Throughput(engine.device)
    with ExitStack() as stack:
        log = _open_output(setup, stack)
        best = BestWeights(config, log.earlier if log is not None else [])
        signals = stack.enter_context(stop_signals(_SAME_SIGNAL_S if ranks.world_size > 1 else 0.0))
        asks_to_stop = StopRequest(signals, until)
        bar = stack.enter_context(_progress(config, setup.first_step, show_progress))
        batches = stack.enter_context(closing(run_batches(setup)))
        for step in range(setup.first_step, training.steps):
            with throughput.step():
                of_step = [next(batches) for _ in range(passes)]
                report = forward_and_backward(engine, of_step, config, step, ranks, asks_to_stop)
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
                _validate(setup, done, log, best)
            # One process alone need not wait for the next exchange.
            stop = asks_to_stop() if ranks.world_size == 1 else report.stop
            if _is_saved(training.checkpoint_every, training.keep_every, done) or last or stop:
                save(engine, setup.average, config, setup.data, done, ranks)
            if stop and not last:
                raise Interrupted(stop, done, training)


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
            for name in ("config.yaml", "log.jsonl", "weights.safetensors", BEST_WEIGHTS):
                remove_leftovers(output / name)
            with atomic_path(output / "config.yaml") as temporary:
                temporary.write_text(dump_config(config), encoding="utf-8")
            if averaged:
                write_weights(averaged, config)  # a kill may have come between the checkpoint and its weights
            log = stack.enter_context(RunLog(config, setup.first_step))
    return log


def _validate(setup: Setup, step: int, log: RunLog | None, best: BestWeights) -> None:
    assert setup.validation_store is not None
    config, ranks, engine = setup.config, setup.ranks, setup.engine
    weights = engine.whole(setup.average.tensors)
    scores = validate(weights, setup.validation_store, config, ranks, setup.evaluation, engine.device)
    with ranks.together():
        if log is not None:
            log.write("validation", step, **scores, **best.consider(weights, scores, step))


def _is_saved(checkpoint_every: int, keep_every: int, done: int) -> bool:
    return done % checkpoint_every == 0 or (keep_every > 0 and done % keep_every == 0)


def _show(bar: "tqdm[Never]", report: StepReport) -> None:
    bar.update()
    bar.set_postfix({name.removesuffix("_loss"): f"{value:.4f}" for name, value in report.losses.items()})


def _progress(config: Config, first_step: int, show: bool) -> "tqdm[Never]":
    return tqdm(
        total=config.training.steps, initial=first_step, disable=not show, unit="step", desc=config.name
    )
