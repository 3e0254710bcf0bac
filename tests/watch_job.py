"""What the ranks of test_watch.py do, each in a process of its own."""

from __future__ import annotations

import gc
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist

from msaformer.errors import PeerError
from msaformer.parallel import watch
from msaformer.parallel.launch import Launch, leave, process_group
from msaformer.parallel.ranks import Ranks

SIZE = 4_000_000  # numbers in a message, which a connection takes in many pieces
Deed = Callable[[Ranks, Path], None]


def run(rank: int, size: int, port: int, folder: Path, deed: Deed, grace_s: float) -> None:
    """Do `deed` in a group; what is said goes to FOLDER/RANK.txt."""
    torch.set_num_threads(1)
    sys.stderr = (folder / f"{rank}.txt").open("w", buffering=1)
    watch._GRACE_S = grace_s  # type: ignore[misc]
    try:
        launch = Launch(rank, size, rank, size, "127.0.0.1", port)
        with process_group(launch, axial=1, timeout_s=1800, use_cuda=False) as ranks:
            deed(ranks, folder)
    except PeerError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        leave(1)
    leave(0)


def send_for_ever(ranks: Ranks, folder: Path) -> None:
    """Rank 1 sends a long message after the other, and is lost within one."""
    message = torch.ones(SIZE)
    while True:
        dist.broadcast(message, 1)
        (folder / f"{ranks.rank}.sent").touch()


def be_lost_unnoticed(ranks: Ranks, folder: Path) -> None:
    """The last rank ends, with its connections in torch's groups held open by a child; the others wait for it."""
    if ranks.rank < ranks.world_size - 1:
        dist.barrier()
    elif os.fork():
        os._exit(0)
    else:
        for held in gc.get_objects():
            if isinstance(held, socket.socket):  # torch's own are none of Python's
                held.close()
        time.sleep(15)
        os._exit(0)


def leave_early(ranks: Ranks, folder: Path) -> None:
    """All but rank 0 are done at once."""
    if ranks.rank == 0:
        time.sleep(2)
