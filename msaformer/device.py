"""Where the network runs, and the memory there is."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Final

import torch

from msaformer.errors import ConfigError

_ROOT = Path("/")
_GROUPS: Final = PurePosixPath("sys/fs/cgroup")


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `mps` into a device; auto takes cuda, then mps, then cpu.

    Of several GPUs a process takes the one that bears its `local_rank`. Raises ConfigError when the named device is not
    there, or there are fewer GPUs than processes.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_present in present.items() if is_present)
    if not present[name]:
        found = ", ".join(kind for kind, is_present in present.items() if is_present)
        raise ConfigError(f"device: torch finds no {name} here, only {found}; use auto")
    if name != "cuda" or local_rank == 0:
        return torch.device(name)
    if local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"device: process {local_rank + 1} of this machine finds {torch.cuda.device_count()} GPUs; "
            "start one process for each GPU"
        )
    return torch.device("cuda", local_rank)


def memory_bytes(device: torch.device, ranks_here: int = 1) -> int:
    """Memory that a rank may take on `device`: what is free, on a CPU shared by the `ranks_here` of this machine.

    On a CPU it is the least of what the system can give without swapping and of what the control groups leave.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory()) - int(torch.mps.current_allocated_memory())
    return min([_available_bytes(), *_control_group_bytes()]) // ranks_here


def _available_bytes() -> int:
    """Linux's estimate of what can be had without swapping; elsewhere all the memory there is."""
    try:
        lines = (_ROOT / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _control_group_bytes() -> list[int]:
    """What each control group around this process leaves (versions 1 and 2 of Linux's); empty without any."""
    try:
        lines = (_ROOT / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            top, names = _GROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        elif not controllers:
            top, names = _GROUPS, ("memory.max", "memory.current")
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        found += [_left(_ROOT / top / place, *names) for place in (group, *group.parents)]
    return [left for left in found if left is not None]


def _left(group: Path, limit_name: str, used_name: str) -> int | None:
    """Limit less what is used and cannot be reclaimed (`inactive_file` can); None without a limit."""
    try:
        limit, used = ((group / name).read_text(encoding="ascii").strip() for name in (limit_name, used_name))
        statistics = dict(line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
    except OSError:  # no such group is seen from within a container
        return None
    if limit == "max":
        return None
    reclaimable = int(statistics.get("total_inactive_file", statistics.get("inactive_file", 0)))
    return max(0, int(limit) - int(used) + reclaimable)
