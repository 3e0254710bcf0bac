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


def report_of_ranks(script: Path, size: int) -> dict[str, float]:
    """What `script RANK SIZE FOLDER`, run in `size` processes, wrote to `FOLDER/report.json`; each must exit with 0.

    It runs once for all tests that ask, also when it fails.
    """
    codes, said, report = _run_ranks(script, size)
    assert codes == (0,) * size, said
    return dict(json.loads(report))


@cache
def _run_ranks(script: Path, size: int) -> tuple[tuple[int, ...], str, str]:
    """Exit codes, all that was written to stderr, and the report."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "PYTHONWARNINGS": "error"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(script)]
        processes = [
            subprocess.Popen(
                [*command, str(rank), str(size), folder], env=environment, stderr=subprocess.PIPE, text=True
            )
            for rank in range(size)
        ]
        try:
            said = [process.communicate(timeout=TIMEOUT_S)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()  # nothing happens to one that has ended
                process.wait()
        report = Path(folder) / "report.json"
        codes = tuple(process.returncode for process in processes)
        return codes, "\n".join(said), report.read_text() if report.exists() else ""


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
