#!/usr/bin/env python
"""Measure what running an outside program costs: a call of `data_tools.search.process.run` against `subprocess.run`.

    benchmark_process.py [--quick]

Also counts the processes that are left after a time-out, of a program whose child ignores SIGTERM. Called by
`benchmark.py` through `benchmark_process`; the exit code is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

from benchmark_measure import Figure, alternate, difference, table

COMMAND: Final = ("/bin/echo", "hello")
MAX_OVERHEAD_MS: Final = 20.0
# A program with a child that ignores SIGTERM; both tell their ids.
TREE: Final = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"],
    stdout=subprocess.PIPE)
child.stdout.readline()
print(os.getpid(), child.pid, file=sys.stderr, flush=True)
time.sleep(60)
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few calls")
    figures = list(benchmark_process(parser.parse_args().quick))
    print(table(figures))
    return int(any(figure.met is False for figure in figures))


def benchmark_process(quick: bool) -> Iterator[Figure]:
    """Wall time of a call beyond `subprocess.run`'s, and what a time-out leaves running."""
    from data_tools.search.process import run

    calls = 5 if quick else 100

    def ours() -> bytes:
        for _ in range(calls):
            output = run(COMMAND, timeout_s=60).stdout
        return output

    def peer() -> bytes:
        for _ in range(calls):
            output = subprocess.run(COMMAND, capture_output=True, timeout=60, check=True).stdout
        return output

    run_side, subprocess_side = alternate(ours, peer, repeats=3 if quick else 7)
    for kind, own, other in (
        ("wall", run_side.wall, subprocess_side.wall),
        ("CPU", run_side.cpu, subprocess_side.cpu),
    ):
        yield Figure(
            "process", f"one call, {kind} time", "ms", own / calls * 1e3, other / calls * 1e3, own / other
        )
    overhead = (run_side.wall - subprocess_side.wall) / calls * 1e3
    yield Figure(
        *("process", "overhead a call, wall time", "ms", overhead),
        target="" if quick else f"≤ {MAX_OVERHEAD_MS:g}",
        met=None if quick else overhead <= MAX_OVERHEAD_MS,
    )
    yield difference(
        "process", "outputs that differ", float(run_side.result != subprocess_side.result), at_most=0
    )
    yield difference(
        "process", "processes left after a time-out", float(_orphans(1 if quick else 5)), at_most=0
    )


def _orphans(repeats: int) -> int:
    from data_tools.errors import ToolTimeoutError
    from data_tools.search.process import run

    started: list[int] = []
    for _ in range(repeats):
        try:
            run(
                [sys.executable, "-S", "-c", TREE],
                timeout_s=1.0,
                on_line=lambda line: started.extend(int(word) for word in line.split()),
            )
        except ToolTimeoutError:
            continue
    if len(started) != 2 * repeats:
        raise RuntimeError(f"{len(started)} processes told their ids, expected {2 * repeats}")
    time.sleep(0.1)
    return sum(_is_running(pid) for pid in started)


def _is_running(pid: int) -> bool:
    """Whether a process runs; one that was killed and waits for init to reap it does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # gone meanwhile, or no Linux
        return not os.path.isdir("/proc/self")


if __name__ == "__main__":
    raise SystemExit(main())
