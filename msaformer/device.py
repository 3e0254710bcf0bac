"""Where the network runs."""

from __future__ import annotations

import torch

from msaformer.errors import ConfigError


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
