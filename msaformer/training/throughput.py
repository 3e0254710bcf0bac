"""What a step is made of and how fast steps go: sums over examples that add up over ranks, rates, peak memory.

Dimension key: N sequences, L residues of a crop, padding left out.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from msaformer.config import LossConfig
from msaformer.data.batch import Batch
from msaformer.model.heads import CONTACT_THRESHOLD
from msaformer.training.scoring import TASKS, scored_cells

_MIB: Final = 2**20


def batch_statistics(batches: Sequence[Batch], config: LossConfig) -> dict[str, float]:
    """Sums over the examples of `batches`; those of data-parallel ranks may be added up.

    `examples`, `residues` Σ L, `sequences` Σ N, `pairs` Σ L², `tokens` Σ N·L, `scored_pairs` and, of them, `contacts`.
    """
    sums = dict.fromkeys(
        ("examples", "residues", "sequences", "pairs", "tokens", "scored_pairs", "contacts"), 0.0
    )
    for batch in batches:
        lengths, depths = batch.residue_mask.sum(1), batch.sequence_mask.sum(1)
        scored = scored_cells(batch, config.min_separation)[TASKS.index("contact")]
        found = {
            "examples": len(lengths),
            "residues": int(lengths.sum()),
            "sequences": int(depths.sum()),
            "pairs": int((lengths**2).sum()),
            "tokens": int((lengths * depths).sum()),
            "scored_pairs": int(scored.sum()),
            "contacts": int((scored & (batch.distances < CONTACT_THRESHOLD)).sum()),
        }
        for name, value in found.items():
            sums[name] += value
    return sums


def crop_statistics(sums: Mapping[str, float]) -> dict[str, float]:
    """For the log, from `batch_statistics`: mean length and depth of the crops, share of contacts among scored pairs.

    The share is left out where no pair is scored.
    """
    shown = {
        "mean_length": sums["residues"] / sums["examples"],
        "mean_depth": sums["sequences"] / sums["examples"],
    }
    if sums["scored_pairs"] > 0:
        shown["contact_share"] = sums["contacts"] / sums["scored_pairs"]
    return shown


class Throughput:
    """Rates of the steps between two records; what happens between steps (validation, saving) does not count."""

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.monotonic) -> None:
        self.device = device
        self._clock = clock
        self._forget()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time one optimizer step, waiting for its examples included."""
        start = self._clock()
        yield
        self._seconds += self._clock() - start
        self._steps += 1

    def add(self, statistics: Mapping[str, float]) -> None:
        """Count the `pairs` and `tokens` of a step, those of all ranks (`batch_statistics`)."""
        self._pairs += statistics["pairs"]
        self._tokens += statistics["tokens"]

    def record(self) -> dict[str, float]:
        """Numbers for the log since the last record; begins anew. At least one step must have been timed."""
        shown = {
            "step_seconds": self._seconds / self._steps,
            "pairs_per_second": self._pairs / self._seconds,
            "tokens_per_second": self._tokens / self._seconds,
            "memory_mib": peak_memory_mib(self.device),
        }
        self._forget()
        return shown

    def _forget(self) -> None:
        self._seconds, self._steps, self._pairs, self._tokens = 0.0, 0, 0.0, 0.0


def peak_memory_mib(device: torch.device) -> float:
    """Most memory that torch held on a CUDA device so far, or that this process had resident on the CPU.

    On MPS, which keeps no peak, what its driver holds now.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    if device.type == "mps":
        return torch.mps.driver_allocated_memory() / _MIB
    return peak_resident_bytes() / _MIB


def peak_resident_bytes() -> int:
    """The most memory that this process ever had resident."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, whose ru_maxrss counts the peak of the process that started this one too
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024  # given in KiB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS gives bytes, others KiB
