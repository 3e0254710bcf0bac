"""`msaformer env`: what to paste into a bug report."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from typing import Final

import click

PACKAGES: Final = (
    *("msaformer", "torch", "numpy", "pandas", "pyarrow", "gemmi", "biopython"),
    *("pydantic", "zstandard", "deepspeed"),
)
OPTIONAL: Final = {
    "numba": "sequence weights run compiled: pip install 'msaformer[fast]'",
    "distributed": "featurize on a Dask cluster: pip install 'msaformer[cluster]'",
    "biotite": "not used by the program, only by its tests",
}
"""What a package adds, and how it is had."""
MISSING: Final = "not installed"


@click.command(
    "env",
    short_help="Show the versions, programs and devices in use.",
    epilog="""\b
Example:
  msaformer env                                   what goes into a bug report
  msaformer env --json | jq .programs.hhblits     the same, for a script
  MSAFORMER_HHBLITS=~/hh/bin/hhblits msaformer env    another hhblits than the one on PATH""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(as_json: bool) -> None:
    """Show the versions of Python and of the packages, the devices that torch can use, and the search programs.

    A program is looked for at the path in the variable MSAFORMER_<NAME> (MSAFORMER_HHBLITS), then on PATH. The path
    shown is the file that is really run: Debian's hhblits and mmseqs are scripts that pick a build for the CPU.
    """
    python = f"{platform.python_version()} on {platform.platform()}"
    packages = {name: _version(name) for name in (*PACKAGES, *OPTIONAL)}
    devices, programs = _devices(), _programs()
    if as_json:
        report = {"python": python, "packages": packages, "devices": devices, "programs": programs}
        click.echo(json.dumps(report, indent=1))
        return
    lines = {"python": python, **packages, "devices": devices}
    for name, hint in OPTIONAL.items():
        if packages[name] == MISSING:
            lines[name] = f"{MISSING} (optional; {hint})"
    lines |= {
        name: found["error"] or f"{found['version']}  {found['path']}" for name, found in programs.items()
    }
    width = max(map(len, lines))
    click.echo("\n".join(f"{name:<{width}} {text}" for name, text in lines.items()))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return MISSING


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


def _programs() -> dict[str, dict[str, str]]:
    """Path and version of each outside program, or why it cannot be used."""
    from data_tools.errors import ToolError, ToolNotFoundError
    from data_tools.search.tool import PROGRAMS, find_tool
    from msaformer.cli.messages import one_line

    programs = {}
    for name, program in PROGRAMS.items():
        found = {"path": "", "version": "", "error": ""}
        try:
            tool = find_tool(name)
        except ToolNotFoundError as error:
            absent = "not installed" in str(error)
            found["error"] = f"{MISSING}: apt install {program.package}" if absent else one_line(error)
        except ToolError as error:
            found["error"] = one_line(error)
        else:
            version = (tool.version_text.split() or ["version not told"])[0]
            found |= {"path": str(tool.path), "version": version}
        programs[name] = found
    return programs
