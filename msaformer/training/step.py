"""One optimizer step up to the update: gradients on this rank, and what all ranks exchange before they go on."""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import torch

from msaformer.config import Config
from msaformer.data.batch import Batch
from msaformer.errors import TrainingError
from msaformer.model.dropout import seed_dropout
from msaformer.parallel.ranks import Ranks
from msaformer.training.engine import Engine
from msaformer.training.losses import Losses, not_finite_examples
from msaformer.training.scoring import TASKS, loss_denominators
from msaformer.training.throughput import batch_statistics

_LOSSES = ("loss", *(f"{task}_loss" for task in TASKS))


@dataclass(frozen=True, slots=True)
class StepReport:
    """What all ranks know of a step."""

    losses: dict[str, float]
    """`loss`, and `TASK_loss` of each task that has something to score in this step."""
    statistics: dict[str, float]
    """Sums over the examples (`batch_statistics`)."""
    broken: str
    """Names of the examples whose loss is not finite, none when all are."""
    num_skipped: int
    """Examples that could not be read."""
    stop: int
    """The largest number with which a rank asks to stop (`StopRequest`); 0: none does."""


def forward_and_backward(
    engine: Engine,
    batches: Sequence[Batch],
    config: Config,
    step: int,
    ranks: Ranks,
    asks_to_stop: Callable[[], int] = int,
) -> StepReport:
    """Add the gradients of this rank's `batches` of step `step` (from 0); `asks_to_stop`: this rank's number, 0: no."""
    denominators = _exchange_denominators(batches, config, step, ranks)
    share = 1.0 / (config.training.accumulation * ranks.axial.size)
    sums = torch.zeros(len(_LOSSES), dtype=torch.float64)
    broken: list[str] = []
    engine.network.train()
    for index, batch in enumerate(batches):
        number = index * ranks.data_ranks + ranks.data_rank  # of the pass among those of all ranks
        seed_dropout(engine.network, (config.training.seed * 1_000_003 + step) * 1_009 + number)
        losses = engine.forward(batch, denominators, share)
        engine.backward(losses)
        sums += torch.cat([losses.total.detach()[None], losses.tasks]).double().cpu()
        broken += not_finite_examples(losses, batch) or _all_if_not_finite(losses, batch)
    statistics = batch_statistics(batches, config.loss)
    statistics["skipped"] = sum(len(batch.skipped) for batch in batches)
    counts = torch.tensor([len(broken), *statistics.values()], dtype=torch.float64)
    counts[1:] /= ranks.axial.size
    stops = torch.zeros(ranks.world_size, dtype=torch.float64)
    stops[ranks.rank] = asks_to_stop()
    exchanged = ranks.sum(torch.cat([counts, sums, stops]))
    counts, sums = exchanged[: len(counts)], exchanged[len(counts) : -ranks.world_size]
    stops = exchanged[-ranks.world_size :]
    summed = dict(zip(statistics, counts[1:].tolist(), strict=True))
    has_labels = [True, *(denominators > 0).tolist()]
    return StepReport(
        losses=dict(compress(zip(_LOSSES, sums.tolist(), strict=True), has_labels)),
        broken=_joined(ranks.texts(", ".join(broken))) if counts[0] else "",
        num_skipped=round(summed.pop("skipped")),
        statistics=summed,
        stop=int(stops.max()),
    )


def _exchange_denominators(batches: Sequence[Batch], config: Config, step: int, ranks: Ranks) -> torch.Tensor:
    """Denominators `[T]` of the whole step; raises TrainingError when ranks that share samples read different ones."""
    denominators = loss_denominators(batches, config.loss)
    names = "\n".join(name for batch in batches for name in batch.names)
    checksums = torch.zeros(ranks.world_size, dtype=torch.float64)
    checksums[ranks.rank] = zlib.crc32(names.encode())
    exchanged = ranks.sum(torch.cat([denominators, checksums]))
    groups = exchanged[len(denominators) :].view(-1, ranks.axial.size)
    if bool((groups != groups[:, :1]).any()):
        skipped = _joined(ranks.texts("; ".join(reason for batch in batches for reason in batch.skipped)))
        with ranks.alike():
            raise TrainingError(
                f"step {step + 1}: ranks that share samples have read different ones (skipped: {skipped or 'none'}); "
                "give all machines the same store, whole, and go on with --resume"
            )
    return exchanged[: len(denominators)] / ranks.axial.size  # ranks that share a sample count it each


def check_loss(report: StepReport, step: int) -> None:
    """Raise TrainingError, on all ranks, when the loss is not finite."""
    loss = report.losses["loss"]
    if not math.isfinite(loss):
        raise _not_finite("loss", loss, report.broken, step)


def check_gradient(norm: float, batches: Sequence[Batch], step: int, ranks: Ranks) -> None:
    """Raise TrainingError when the gradient's norm, which all ranks know, is not finite."""
    if not math.isfinite(norm):
        names = ", ".join(name for batch in batches for name in batch.names)
        raise _not_finite("gradient norm", norm, _joined(ranks.texts(names)), step)


class SkippedExamples:
    """Examples that could not be read: each is said once, too many of them end the run."""

    def __init__(self, config: Config, num_examples: int, ranks: Ranks) -> None:
        self.allowed_share = config.data.max_skipped_share
        self.per_step = config.training.batch_size * config.training.accumulation
        self.speaks = ranks.axial.rank == 0
        self.num_examples = num_examples
        self.num_seen = self.num_skipped = 0
        self._said: set[str] = set()

    def count(self, batches: Sequence[Batch], num_skipped: int) -> None:
        """Take in a step: this rank's batches, and the number skipped on all ranks.

        Raises TrainingError, on all ranks, when more than the allowed share of the examples seen, or of one epoch,
        could not be read.
        """
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


def _all_if_not_finite(losses: Losses, batch: Batch) -> tuple[str, ...]:
    return () if bool(torch.isfinite(losses.total)) else batch.names


def _not_finite(what: str, value: float, names: str, step: int) -> TrainingError:
    return TrainingError(
        f"step {step + 1}: the {what} is {value}, not finite, with the examples {names or 'of all ranks together'}; "
        "the checkpoints before are whole. Start a new run with a lower optimizer.learning_rate, with "
        "training.precision=float32, or without these examples"
    )


def _joined(texts: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text))
