"""The training loop: batches in, checkpoints, log and weights out; the same on one process and on many."""

from __future__ import annotations

import math
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Never

import torch
from tqdm import tqdm

from data_tools.folder_lock import locked
from data_tools.stop_signals import stop_signals
from data_tools.store import Store
from msaformer.config import Config, dump_config
from msaformer.data.batch import Batch
from msaformer.data.dataset import passes_per_rank, training_batches
from msaformer.errors import TrainingError
from msaformer.model.dropout import seed_dropout
from msaformer.parallel.ranks import Ranks
from msaformer.training.engine import Engine
from msaformer.training.logs import RunLog
from msaformer.training.losses import not_finite_examples
from msaformer.training.run_state import save
from msaformer.training.schedule import learning_rate
from msaformer.training.scoring import TASKS, loss_denominators
from msaformer.training.setup import Setup, prepare
from msaformer.training.validation import validate

_SECOND_SIGNAL_S: Final = 5.0
"""A launcher passes on the signal that a terminal or scheduler has sent to all processes already."""


class Interrupted(Exception):  # noqa: N818 - not an error: the run was asked to stop, and has saved
    """The run stopped on a signal after writing a checkpoint."""

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(f"stopped after step {step}; --resume goes on from there")
        self.exit_code = 128 + signal_number


@dataclass(frozen=True, slots=True)
class StepReport:
    """What all ranks know of a step after exchanging it."""

    losses: dict[str, float]
    """`loss`, and `TASK_loss` of each task."""
    statistics: dict[str, float]
    """Sums over the examples (`batch_statistics`)."""
    broken: str
    """Names of the examples whose loss is not finite, none when all are."""
    num_skipped: int
    stop_signal: int
    """Number of the signal that any rank has received; 0: none."""


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
        return _run(setup, show_progress=show_progress and ranks.is_first)
    finally:
        setup.engine.close()


def _run(setup: Setup, *, show_progress: bool) -> Path:
    config, ranks, engine, average = setup.config, setup.ranks, setup.engine, setup.average
    training, output = config.training, config.training.output
    first_step = setup.first_step
    log = None
    with ExitStack() as stack:
        with ranks.together():
            if ranks.is_first:
                stack.enter_context(locked(output / "checkpoints" / "lock"))  # no two runs in one folder
                log = stack.enter_context(_open_output(config, first_step))
        stopped = stack.enter_context(stop_signals(_SECOND_SIGNAL_S if ranks.world_size > 1 else 0.0))
        bar = stack.enter_context(_progress(config, first_step, show_progress))
        batches = stack.enter_context(closing(_batches(setup.train_store, config, first_step, ranks)))
        skipped = SkippedExamples(config, len(setup.train_store), ranks)
        throughput = Throughput(engine.device)
        for step in range(first_step, training.steps):
            step_batches = [next(batches) for _ in range(passes_per_rank(training, ranks.data_ranks))]
            report = _forward_and_backward(engine, step_batches, config, step, ranks, stopped)
            skipped.count(step_batches, report.num_skipped)
            _check_finite(report.losses["loss"], report.broken, step)
            rate = learning_rate(step, training.steps, config.optimizer)
            norm = engine.step(rate)
            if not math.isfinite(norm):  # the same on all ranks
                _check_finite(norm, _joined(ranks.texts(_names(step_batches))), step)
            average.update(engine.parameters(), step)
            done, last = step + 1, step + 1 == training.steps
            bar.update()
            bar.set_postfix(
                loss=f"{report.losses['loss']:.3f}", contact=f"{report.losses['contact_loss']:.4f}"
            )
            if log is not None and (done % training.log_every == 0 or last):
                log.write("train", done, **report.losses, grad_norm=norm, learning_rate=rate)
            if setup.validation_store is not None and (done % training.validate_every == 0 or last):
                scores = _validate(setup, setup.validation_store)
                if log is not None:
                    log.write("validation", done, **scores)
            keeps = training.keep_every and done % training.keep_every == 0
            if done % training.checkpoint_every == 0 or keeps or last or report.stop_signal:
                save(engine, average, config, setup.data, done, ranks)
            if report.stop_signal and not last:
                raise Interrupted(report.stop_signal, done)
    return output / "weights.safetensors"


def _forward_and_backward(
    engine: Engine, batches: Sequence[Batch], config: Config, step: int, ranks: Ranks, stopped: list[int]
) -> StepReport:
    """Add the gradients of a step and exchange what all ranks must know before they update the weights."""
    denominators = loss_denominators(batches, config.loss)
    denominators = ranks.sum(denominators) / ranks.axial.size  # ranks that share a sample count it each
    share = 1.0 / (config.training.accumulation * ranks.axial.size)
    sums = torch.zeros(1 + len(TASKS), dtype=torch.float64)
    broken: list[str] = []
    engine.network.train()
    for index, batch in enumerate(batches):
        number = index * ranks.data_ranks + ranks.data_rank  # of the pass among those of all ranks
        seed_dropout(engine.network, (config.training.seed * 1_000_003 + step) * 1_009 + number)
        losses = engine.forward(batch, denominators, share)
        engine.backward(losses)
        sums += torch.cat([losses.total.detach()[None], losses.tasks]).double().cpu()
        broken += not_finite_examples(losses, batch)
    statistics = batch_statistics(batches, config.loss)
    statistics["skipped"] = sum(len(batch.skipped) for batch in batches)
    counts = torch.tensor([len(broken), *statistics.values()], dtype=torch.float64)
    counts[1:] /= ranks.axial.size  # ranks that share a sample count it each
    signals = torch.zeros(ranks.world_size, dtype=torch.float64)
    signals[ranks.rank] = stopped[0] if stopped else 0
    names = ("loss", *(f"{task}_loss" for task in TASKS))
    parts = (sums, counts, signals)
    sums, counts, signals = ranks.sum(torch.cat(parts)).split([len(part) for part in parts])
    summed = dict(zip(statistics, counts[1:].tolist(), strict=True))
    return StepReport(
        losses=dict(zip(names, sums.tolist(), strict=True)),
        statistics=summed,
        broken=_joined(ranks.texts(", ".join(broken))) if counts[0] else "",
        num_skipped=round(summed.pop("skipped")),
        stop_signal=int(signals.max()),
    )


class SkippedExamples:
    """Examples that could not be read: each said once, too many of them end the run."""

    def __init__(self, config: Config, num_examples: int, ranks: Ranks) -> None:
        self.allowed_share = config.data.max_skipped_share
        self.per_step = config.training.batch_size * config.training.accumulation
        self.speaks = ranks.axial.rank == 0
        self.num_examples = num_examples
        self.num_seen = self.num_skipped = 0
        self._said: set[str] = set()

    def count(self, batches: Sequence[Batch], num_skipped: int) -> None:
        """Take in a step: this rank's batches, and the number skipped on all ranks. Raises TrainingError."""
        for reason in (reason for batch in batches for reason in batch.skipped):
            if self.speaks and reason not in self._said:
                self._said.add(reason)
                print(f"warning: skipped {reason}", file=sys.stderr)
        self.num_seen += self.per_step
        self.num_skipped += num_skipped
        if self.num_skipped > self.allowed_share * max(self.num_seen, self.num_examples):
            raise TrainingError(
                f"{self.num_skipped} of the {self.num_seen} examples so far could not be read, more than "
                f"data.max_skipped_share={self.allowed_share:g} allows; mend the store (see the warnings) or allow more"
            )


def _check_finite(value: float, names: str, step: int) -> None:
    if math.isfinite(value):
        return
    raise TrainingError(
        f"step {step + 1}: loss or gradient is {value}, not finite, in the batch of "
        f"{names or 'all examples together'}; the checkpoints before are whole. Start a new run with a lower "
        "optimizer.learning_rate, with training.precision=float32, or without these examples"
    )


def _names(batches: Sequence[Batch]) -> str:
    return ", ".join(name for batch in batches for name in batch.names)


def _joined(texts: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))


def _open_output(config: Config, first_step: int) -> RunLog:
    output = config.training.output
    output.mkdir(parents=True, exist_ok=True)
    (output / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    return RunLog(config, first_step)


def _batches(store: Store, config: Config, first_step: int, ranks: Ranks) -> Generator[Batch, None, None]:
    return training_batches(
        store,
        config,
        first_step,
        data_rank=ranks.data_rank,
        data_ranks=ranks.data_ranks,
        multiple_of=ranks.axial.size,
    )


def _validate(setup: Setup, store: Store) -> dict[str, float]:
    weights = setup.engine.whole(setup.average.tensors)
    return validate(weights, store, setup.config, setup.ranks, setup.evaluation, setup.engine.device)


def _progress(config: Config, first_step: int, show: bool) -> "tqdm[Never]":
    return tqdm(
        total=config.training.steps, initial=first_step, disable=not show, unit="step", desc=config.name
    )
