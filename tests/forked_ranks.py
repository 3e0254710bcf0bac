"""`msaformer train` on several processes that are forked from one that has loaded everything: a start costs nothing.

The launcher is the test: it sets the variables of torchrun or srun, gives each rank its arguments and a fault of
`rank_faults.py`. Each rank is a session of its own with its data workers, so that all of it can be killed.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import torch

TESTS: Final = Path(__file__).parent
TIMEOUT_S: Final = 120.0
_MODULES: Final = (
    "forked_ranks",
    "msaformer.training.loop",
    "msaformer.cli.train",
    "deepspeed",
    "deepspeed.runtime.zero.muon.original_muon",  # compiles at import: the whole of torch._inductor
    "torch.utils.tensorboard",
)
Fault = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Job:
    """The ranks of a run, and the files that take what they say on stderr."""

    ranks: list[BaseProcess]
    files: list[Path]
    begun: float = field(default_factory=time.monotonic)

    def wait(self, timeout_s: float = TIMEOUT_S) -> list[int]:
        """Exit codes by rank, -9 after a kill; raises AssertionError when a rank hangs, and kills all."""
        deadline = time.monotonic() + timeout_s
        try:
            for rank in self.ranks:
                rank.join(max(0.0, deadline - time.monotonic()))
            codes = [rank.exitcode for rank in self.ranks]
            assert None not in codes, f"after {timeout_s} s the ranks ended with {codes}: {self.said()}"
            return [code for code in codes if code is not None]
        finally:
            self.kill()

    def said(self) -> list[str]:
        """All lines on stderr, rank by rank, without the one that says how the run is executed."""
        lines = [line for file in self.files for line in file.read_text().splitlines()]
        return [line for line in lines if not line.startswith(("engine: ", "memory: ", "attention: "))]

    def send(self, number: int, rank: int) -> None:
        """Send a signal to a rank and its data workers."""
        pid = self.ranks[rank].pid
        assert pid is not None
        os.killpg(pid, number)

    def kill(self) -> None:
        """SIGKILL to every rank and its data workers that are still there."""
        for rank in range(len(self.ranks)):
            try:
                self.send(signal.SIGKILL, rank)
            except ProcessLookupError:
                continue
        for process in self.ranks:
            process.join(10)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Raises AssertionError when the job ends, or does not get on, before `condition` is met."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert all(rank.is_alive() for rank in self.ranks), self.said()
            assert time.monotonic() < deadline, "the run does not get on"
            time.sleep(0.002)


def start(
    arguments: Sequence[str] | Sequence[Sequence[str]],
    folder: Path,
    *,
    size: int = 1,
    faults: Mapping[int, Fault] | None = None,
    environment: Callable[[int, int, int], dict[str, str]] | None = None,
) -> Job:
    """Start `msaformer ARGUMENTS` as `size` ranks; `arguments` may be one list a rank.

    `environment`: what the launcher sets for a rank, from its number, `size` and a free port; by default torchrun's.
    """
    context = multiprocessing.get_context("forkserver")
    start_server()
    folder.mkdir(parents=True, exist_ok=True)
    port, job = free_port(), Job([], [])
    for rank in range(size):
        variables = (environment or torchrun)(rank, size, port) if size > 1 else {}
        own = list(arguments if isinstance(arguments[0], str) else arguments[rank])
        file = folder / f"stderr-{rank}.txt"
        process = context.Process(
            target=_run, args=(own, variables, file, (faults or {}).get(rank)), name=f"rank {rank}"
        )
        process.start()
        job.ranks.append(process)
        job.files.append(file)
    return job


def torchrun(rank: int, size: int, port: int) -> dict[str, str]:
    """What torchrun sets, as far as it is needed."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    return {key: str(value) for key, value in numbers.items()} | rendezvous(port)


def srun(rank: int, size: int, port: int) -> dict[str, str]:
    """What srun sets for a job step of `size` tasks on one node; the port follows from the job's number."""
    job = str(port)
    numbers = {"STEP_NUM_TASKS": size, "STEP_NUM_NODES": 1, "PROCID": rank, "LOCALID": rank, "JOB_ID": job}
    return {f"SLURM_{key}": str(value) for key, value in numbers.items()} | {
        "SLURM_STEP_NODELIST": "127.0.0.1"
    }


def rendezvous(port: int) -> dict[str, str]:
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def processes_of(job: Job) -> list[int]:
    """Processes, data workers included, of the job that still run."""
    sessions = {process.pid for process in job.ranks}
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # ended meanwhile
                continue
            if int(fields[3]) in sessions and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def _run(arguments: list[str], variables: Mapping[str, str], file: Path, fault: Fault | None) -> None:
    os.setsid()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for name in [name for name in os.environ if re.match("SLURM_|MASTER_|RANK$|WORLD_SIZE$|LOCAL_", name)]:
        del os.environ[name]
    os.environ.update(variables)
    sys.argv = ["msaformer", *arguments]
    torch.set_num_threads(1)
    if fault is not None:
        fault()
    from msaformer.cli import run_and_exit

    run_and_exit()


def start_server() -> None:
    """Start the process that all are forked from, if it is not there."""
    before = dict(os.environ)
    path = [str(TESTS.parent), str(TESTS), *filter(None, [before.get("PYTHONPATH")])]
    os.environ.update(PYTHONPATH=os.pathsep.join(path), OMP_NUM_THREADS="1", DS_ACCELERATOR="cpu")
    try:
        multiprocessing.set_forkserver_preload(list(_MODULES))
        multiprocessing.forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
