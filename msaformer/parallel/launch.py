"""Starting and ending the process group, whoever launched the processes.

    torchrun, deepspeed    RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT are set
    srun                   the same from SLURM's variables; the port is derived from the job's number
    neither                one process, and no group

Groups of `axial` consecutive ranks share one sample; every rank makes every group, in the same order. torch aborts at
exit when its worker threads still hold tensors (pytorch#190489), so `leave` ends a process of a group without the
interpreter's teardown, after flushing.
"""

from __future__ import annotations

import datetime
import gc
import os
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, NoReturn

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import HashStore, Store

from msaformer.errors import ConfigError, PeerError
from msaformer.parallel.axial import UNSHARDED, AxialSharding
from msaformer.parallel.ranks import Ranks
from msaformer.parallel.watch import Say, watch_ranks

_FIRST_PORT: Final = 20_000  # below Linux's ephemeral ports, which begin at 32,768
_NUM_PORTS: Final = 10_000
_LOST: Final = re.compile(
    r"Connection (closed|reset) by peer|Timed out waiting|Broken pipe|NCCL|Socket Timeout|gloo|ProcessGroup"
)
"""What torch's backends say when another rank is gone."""
_PLACE: Final = re.compile(r"^\[/[^\]]*\] ")  # in gloo's source
_started = False


@dataclass(frozen=True, slots=True)
class Launch:
    """Where this process stands among those of its run."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    """Among the processes of this machine; the number of its GPU."""
    local_size: int = 1
    address: str = "127.0.0.1"
    port: int = _FIRST_PORT

    def __post_init__(self) -> None:
        if not (0 <= self.rank < self.world_size and 0 <= self.local_rank < self.local_size):
            raise ConfigError(
                f"rank {self.rank} of {self.world_size}, local rank {self.local_rank} of {self.local_size}: ranks go "
                "from 0 to their number - 1; is RANK, WORLD_SIZE or LOCAL_RANK left over from another job?"
            )


def find_launch(environment: Mapping[str, str]) -> Launch:
    """Read the launcher's variables; one process when there are none.

    Raises ConfigError when a variable is missing or no number.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        world_size = _number(environment, "WORLD_SIZE")
        return Launch(
            rank=_number(environment, "RANK"),
            world_size=world_size,
            local_rank=_number(environment, "LOCAL_RANK", 0 if world_size == 1 else None),
            local_size=_number(
                environment, "LOCAL_WORLD_SIZE", _number(environment, "LOCAL_SIZE", world_size)
            ),
            address=environment.get("MASTER_ADDR", "127.0.0.1"),
            port=_number(environment, "MASTER_PORT", _FIRST_PORT),
        )
    if _number(environment, "SLURM_STEP_NUM_TASKS", 1) > 1:  # set by srun, not in a batch script
        return _slurm(environment)
    return Launch()


def _say_plainly(error: PeerError) -> None:
    print(f"error: {error}", file=sys.stderr, flush=True)


@contextmanager
def process_group(
    launch: Launch,
    *,
    axial: int,
    timeout_s: int,
    use_cuda: bool,
    alone: bool = False,
    store: Store | None = None,
    say: Say = _say_plainly,
) -> Iterator[Ranks]:
    """Join the group of all ranks for the length of a `with` block; one process joins nothing, unless `alone`.

    `store`: where the ranks have met already; by default at MASTER_ADDR and MASTER_PORT. Everything that holds a
    group or a tensor in flight must be gone when the block ends. A process that still waits for a lost rank after
    some seconds is ended with exit code 1, after `say` (`msaformer.parallel.watch`).

    Raises ConfigError when `axial` does not divide the number of ranks, PeerError when another rank is lost within
    the block.
    """
    check_axial(launch, axial)
    if launch.world_size == 1 and not alone:
        yield Ranks()
        return
    global _started
    _started = True
    _set_environment(launch, os.environ, use_cuda=use_cuda)
    if use_cuda:
        torch.cuda.set_device(launch.local_rank)
    try:
        dist.init_process_group(
            "nccl" if use_cuda else "gloo",
            store=HashStore() if launch.world_size == 1 else store,
            rank=launch.rank,
            world_size=launch.world_size,
            timeout=datetime.timedelta(seconds=timeout_s),
        )
        ranks = Ranks(
            rank=launch.rank,
            world_size=launch.world_size,
            local_rank=launch.local_rank,
            local_size=launch.local_size,
            axial=_axial_group(launch, axial),
        )
        is_alone = launch.world_size == 1
        with nullcontext() if is_alone else watch_ranks(ranks, os.environ["MASTER_ADDR"], say):
            yield ranks
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or _LOST.search(str(error))):
            raise
        reason = " ".join(_PLACE.sub("", str(error)).split())
        raise PeerError(
            f"rank {launch.rank}: another rank was lost or did not answer within {timeout_s} s; the first error of the "
            f"job says why ({reason:.120})"
        ) from error
    gc.collect()  # what was dropped in a cycle may still hold a group
    dist.destroy_process_group()


def check_axial(launch: Launch, axial: int) -> None:
    """Raise ConfigError when groups of `axial` ranks cannot be formed of all."""
    if launch.world_size % axial:
        raise ConfigError(
            f"parallel.axial: {axial} ranks cannot share each sample among {launch.world_size} in all; give a divisor, "
            f"or start a multiple of {axial} processes"
        )


def leave(code: int) -> NoReturn:
    """End this process with an exit code; one that was in a group skips the interpreter's teardown."""
    if not _started:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _axial_group(launch: Launch, axial: int) -> AxialSharding:
    if axial == 1:
        return UNSHARDED
    own = UNSHARDED
    for first in range(0, launch.world_size, axial):
        group = dist.new_group(list(range(first, first + axial)))
        if first <= launch.rank < first + axial:
            own = AxialSharding(launch.rank - first, axial, group)
    return own


def _set_environment(launch: Launch, environment: MutableMapping[str, str], *, use_cuda: bool) -> None:
    """What torch and DeepSpeed look up themselves."""
    environment["RANK"], environment["WORLD_SIZE"] = str(launch.rank), str(launch.world_size)
    environment["LOCAL_RANK"] = str(launch.local_rank)
    environment.setdefault("MASTER_ADDR", launch.address)
    environment.setdefault("MASTER_PORT", str(launch.port))
    if not use_cuda:
        environment["DS_ACCELERATOR"] = "cpu"


def _slurm(environment: Mapping[str, str]) -> Launch:
    world_size = _number(environment, "SLURM_STEP_NUM_TASKS")
    nodes = _number(environment, "SLURM_STEP_NUM_NODES", 1)
    job = _number(environment, "SLURM_JOB_ID", 0)
    hosts = environment.get("SLURM_STEP_NODELIST", environment.get("SLURM_JOB_NODELIST", "127.0.0.1"))
    return Launch(
        rank=_number(environment, "SLURM_PROCID"),
        world_size=world_size,
        local_rank=_number(environment, "SLURM_LOCALID"),
        local_size=max(world_size // nodes, _number(environment, "SLURM_LOCALID") + 1),
        address=environment.get("MASTER_ADDR", first_host(hosts)),
        port=_number(environment, "MASTER_PORT", _FIRST_PORT + job % _NUM_PORTS),
    )


def first_host(nodes: str) -> str:
    """The first host of SLURM's notation.

    >>> first_host("gpu[007-010,12],login"), first_host("a1,a2")
    ('gpu007', 'a1')
    """
    match = re.match(r"([^,\[]+)(?:\[([^\],-]+)[^\]]*\]([^,]*))?", nodes)
    if match is None:
        raise ConfigError(f"SLURM_STEP_NODELIST={nodes!r}: no host in it; set MASTER_ADDR to the first one")
    before, number, after = match.groups()
    return f"{before}{number or ''}{after or ''}"


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isdecimal():
        seen = "is not set" if text is None else f"is {text!r}, not a number"
        raise ConfigError(
            f"{name} {seen}; start with torchrun, deepspeed or srun, or unset RANK and WORLD_SIZE"
        )
    return int(text)
