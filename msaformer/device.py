"""Where the network runs."""

from __future__ import annotations

import torch

from msaformer.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `mps` into a device; auto takes cuda, then mps, then cpu.

    Raises ConfigError when the named device is not there.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_present in present.items() if is_present))
    if not present[name]:
        found = ", ".join(kind for kind, is_present in present.items() if is_present)
        raise ConfigError(f"device: torch finds no {name} here, only {found}; use auto")
    return torch.device(name)
