"""`msaformer env`: what to paste into a bug report."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Final

import click

PACKAGES: Final = (
    "msaformer",
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "gemmi",
    "biopython",
    "pydantic",
    "deepspeed",
)


@click.command("env", short_help="Show the versions and the device in use.")
def command() -> None:
    """Show the versions of Python and of the packages that matter, and the devices torch can use."""
    lines = {"python": f"{platform.python_version()} on {platform.platform()}"}
    lines |= {name: _version(name) for name in PACKAGES}
    lines["devices"] = _devices()
    click.echo("\n".join(f"{name:<10} {text}" for name, text in lines.items()))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> str:
    try:
        import torch
    except ImportError:
        return "unknown without torch"
    devices = [f"cpu ({torch.get_num_threads()} threads)"]
    devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return ", ".join(devices)
