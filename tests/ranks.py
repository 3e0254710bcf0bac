"""Processes that work together over gloo, for tests and the jobs that they start.

They meet in a file, so that no port can be taken. Every rank has one thread.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path

import torch.distributed as dist

from msaformer.parallel.axial import AxialSharding

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 240


@cache
def report_of_ranks(script: Path, size: int) -> dict[str, float]:
    """What `script` wrote to `FOLDER/report.json`; run once for all tests that ask."""
    with tempfile.TemporaryDirectory() as folder:
        run_ranks(script, size, Path(folder))
        return dict(json.loads((Path(folder) / "report.json").read_text()))


def run_ranks(script: Path, size: int, folder: Path) -> None:
    """Run `script RANK SIZE FOLDER` in `size` processes; each must exit with 0."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "PYTHONWARNINGS": "error"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(size), str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        said = [process.communicate(timeout=TIMEOUT_S)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()  # nothing happens to one that has ended
            process.wait()
    assert [process.returncode for process in processes] == [0] * size, "\n".join(said)


def share_a_sample(job: Callable[[AxialSharding], None], rank: int, size: int, folder: Path) -> None:
    """Run `job` in a group of all ranks, and end the group as training ends it: nothing kept, then destroyed."""
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=TIMEOUT_S),
    )
    job(AxialSharding(rank, size, dist.new_group()))
    gc.collect()
    dist.destroy_process_group()
