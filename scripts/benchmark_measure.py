"""How `benchmark.py` measures: sides in turn, medians, peaks of memory, and the table of figures.

Times are judged as CPU time, which other work on the machine disturbs least; wall time stands beside it. The ratio is
peer / ours where more is better, and ours / peer where the target is an upper bound.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MIB: Final = 2**20
TABLE_HEAD: Final = ("part", "figure", "ours", "peer", "unit", "ratio", "target", "met")
RIGHT_ALIGNED: Final = ("ours", "peer", "ratio")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    part: str
    name: str
    unit: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians, in seconds, and what the first call returned."""

    cpu: float
    wall: float
    result: Any


def alternate(*sides: Callable[[], Any], repeats: int) -> list[Timing]:
    """Call each side in turn, `repeats` times over, after one call of each that does not count."""
    results = [side() for side in sides]
    spent: list[list[tuple[float, float]]] = [[] for _ in sides]
    for _ in range(repeats):
        for times, side in zip(spent, sides, strict=True):
            times.append(stopwatch(side)[:2])
    medians = [[statistics.median(column) for column in zip(*times, strict=True)] for times in spent]
    return [Timing(cpu, wall, result) for (cpu, wall), result in zip(medians, results, strict=True)]


def stopwatch(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU time and wall time of a call in seconds, and what it returned."""
    start_cpu, start_wall = time.process_time(), time.perf_counter()
    result = call()
    return time.process_time() - start_cpu, time.perf_counter() - start_wall, result


def speed(
    part: str,
    name: str,
    ours: Timing,
    peer: Timing,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Iterator[Figure]:
    """CPU time, judged by the target, and wall time."""
    for kind, own, other in (("CPU", ours.cpu, peer.cpu), ("wall", ours.wall, peer.wall)):
        ratio = own / other if at_most else other / own
        target, met = "", None
        if kind == "CPU" and at_least:
            target, met = f"≥ {at_least:g}×", ratio >= at_least
        if kind == "CPU" and at_most:
            target, met = f"≤ {at_most:g}×", ratio <= at_most
        yield Figure(part, f"{name}, {kind} time", "ms", own * 1e3, other * 1e3, ratio, target, met)


def memory(part: str, name: str, ours: float, peer: float, *, at_most: float | None = None) -> Figure:
    """Peaks in MiB."""
    ratio = ours / peer
    if at_most is None:
        return Figure(part, name, "MiB", ours, peer, ratio)
    return Figure(part, name, "MiB", ours, peer, ratio, f"≤ {at_most:g}×", ratio <= at_most)


def difference(part: str, name: str, value: float, *, at_most: float) -> Figure:
    """How far the two sides' results are apart; no unit."""
    return Figure(part, name, "", value, None, None, f"≤ {at_most:g}", value <= at_most)


def peak_memory(call: Callable[[], Any]) -> float:
    """Most MiB that torch's CPU allocator held at one time during `call`, which makes its own inputs."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    changes = [(event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]"]
    held = most = 0
    for _, num_bytes in sorted(changes, key=lambda change: change[0]):
        held += num_bytes
        most = max(most, held)
    return most / MIB


def threads_environment(threads: int) -> dict[str, str]:
    """Variables that bound the threads of numpy and torch; waiting threads sleep, as spinning counts as CPU time."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return counts | {"OMP_WAIT_POLICY": "PASSIVE"}


def machine(threads: int) -> dict[str, str | int]:
    import numpy as np
    import torch

    versions = {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__}
    return {"platform": platform.platform(), "cores": os.cpu_count() or 0, "threads": threads, **versions}


def table(figures: list[Figure]) -> str:
    """One line a figure."""
    lines = [TABLE_HEAD]
    for figure in figures:
        peer = "" if figure.peer is None else f"{figure.peer:,.1f}"
        ours = f"{figure.ours:,.1f}" if figure.unit else f"{figure.ours:.1e}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}×"
        met = {True: "yes", False: "NO", None: ""}[figure.met]
        lines.append((figure.part, figure.name, ours, peer, figure.unit, ratio, figure.target, met))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_number = [name in RIGHT_ALIGNED for name in TABLE_HEAD]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in lines
    )
