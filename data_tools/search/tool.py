"""Find an outside program and its version (`find_tool`).

A program is looked for in this order: the path given, the environment variable `MSAFORMER_<NAME>`
(`MSAFORMER_HHBLITS`), PATH. Debian's `hhblits` and its kin, and `mmseqs`, are a shell script that picks a build for the
CPU and runs it as a child: killing it would leave the search running, and its crash would come as exit code 139. So the
build itself is taken.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from data_tools.errors import ToolFailedError, ToolNotFoundError
from data_tools.search.process import run

VERSION_TIMEOUT_S: Final = 30.0  # a cold network disk
_DISPATCHER: Final = "simd-dispatch"  # Debian 12: hhsuite 3.3.0+ds-7, mmseqs2 14-7e284
# The script's order: build → the flag of /proc/cpuinfo that it needs. `plain` runs everywhere.
_BUILDS: Final = ("avx2", "avx", "sse4.1", "ssse3", "sse3")
_FLAGS: Final = {"sse4.1": "sse4_1", "sse3": "pni"}  # where the kernel's word is another
_CPUINFO: Final = Path("/proc/cpuinfo")
_VERSION: Final = re.compile(r"(\d+(?:[.-]\d+)*)")


@dataclass(frozen=True, slots=True)
class Program:
    """What is known of an outside program before it is found."""

    name: str
    """Name of its file."""
    package: str
    """Debian's package that holds it."""
    version_arguments: tuple[str, ...]
    """What makes it tell its version; empty where it does not."""
    version_line: str = ""
    """Pattern of the line that holds it; the version is the first number after the match."""
    version_returncodes: tuple[int, ...] = (0,)
    """Exit codes with which it does so."""
    folders: tuple[str, ...] = ()
    """Where else than on PATH a package puts it."""


_HHSUITE_FOLDER: Final = "/usr/libexec/hhsuite"
PROGRAMS: Final = {
    program.name: program
    for program in (
        *(
            Program(name, "hhsuite", ("-h",), rf"(?i)^{name}\s")
            for name in ("hhblits", "hhsearch", "hhalign", "hhfilter", "hhmake", "hhconsensus")
        ),
        Program("cstranslate", "hhsuite", (), folders=(_HHSUITE_FOLDER,)),
        *(
            Program(name, "hmmer", ("-h",), r"^# HMMER\s")
            for name in ("jackhmmer", "hmmsearch", "hmmbuild", "hmmalign")
        ),
        Program("mmseqs", "mmseqs2", ("version",), r"^"),
        Program("kalign", "kalign", ("--version",), r"^(?i:kalign)\s"),
        Program("freecontact", "freecontact", ("--version",), r"^"),
    )
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that was found."""

    name: str
    """What it is asked for as, `hhblits`."""
    path: Path
    """The file to run."""
    version: tuple[int, ...]
    """Its version's numbers; empty where it does not tell."""
    version_text: str
    """The version as it tells it, "" where it does not."""

    def version_at_least(self, version: tuple[int, ...]) -> bool:
        """Whether this version is known and no older."""
        return bool(self.version) and self.version >= version


def find_tool(name: str, path: Path | None = None) -> Tool:
    """Find the program `name`, one of `PROGRAMS`, at `path` or as described above.

    Raises ToolNotFoundError with what to install or set; ToolFailedError when it does not tell its version, which the
    real program does.
    """
    program = PROGRAMS.get(name)
    if program is None:
        raise ToolNotFoundError(f"{name!r} is none of the programs known here: {', '.join(PROGRAMS)}")
    found = _resolve_dispatcher(_locate(program, path))
    status = found.stat()
    text = _version_text(program, found, (status.st_mtime_ns, status.st_size))
    numbers = _VERSION.search(text)
    version = tuple(int(part) for part in re.split(r"[.-]", numbers[1])) if numbers else ()
    return Tool(name, found, version, text)


def environment_variable(name: str) -> str:
    """Name of the variable that says where a program is.

    >>> environment_variable("hhblits")
    'MSAFORMER_HHBLITS'
    """
    return f"MSAFORMER_{name.upper()}"


def _locate(program: Program, path: Path | None) -> Path:
    variable = environment_variable(program.name)
    given = str(path) if path is not None else os.environ.get(variable, "")
    if given:
        source = "the path given" if path is not None else f"the environment variable {variable}"
        if not Path(given).is_file():
            raise ToolNotFoundError(f"{given}: no such program ({program.name}, by {source})")
        if not os.access(given, os.X_OK):
            raise ToolNotFoundError(f"{given}: not executable ({program.name}, by {source}); try chmod +x")
        return Path(given).absolute()
    on_path = shutil.which(program.name)
    if on_path is not None:
        return Path(on_path).absolute()
    for folder in program.folders:
        for build in _builds_for_this_cpu():
            candidate = Path(folder) / f"{program.name}-{build}"
            if os.access(candidate, os.X_OK):
                return candidate
    raise ToolNotFoundError(
        f"{program.name} is not installed: no such program on PATH; install it (Debian, Ubuntu: apt install "
        f"{program.package}; conda: bioconda) or set {variable} to its path"
    )


def _resolve_dispatcher(path: Path) -> Path:
    script = path.resolve()
    if script.name != _DISPATCHER:
        return path
    for build in _builds_for_this_cpu():
        for folder in (
            script.parent,
            path.parent,
            script.parents[1],
        ):  # hhsuite's, mmseqs's and kalign's builds
            candidate = folder / f"{path.name}-{build}"
            if os.access(candidate, os.X_OK):
                return candidate
    raise ToolNotFoundError(
        f"{path}: none of its builds for this CPU is in {script.parent} or {path.parent}; install its package again"
    )


def _builds_for_this_cpu() -> tuple[str, ...]:
    """Debian's builds that this CPU can run, the fastest first."""
    try:
        words = set(_CPUINFO.read_text(encoding="utf-8", errors="replace").split())
    except OSError:  # not Linux
        words = set()
    return (*(build for build in _BUILDS if _FLAGS.get(build, build) in words), "plain")


@lru_cache(maxsize=64)
def _version_text(program: Program, path: Path, _state: tuple[int, int]) -> str:
    """The version that the file, in this state (time of change, size), tells."""
    if not program.version_arguments:
        return ""
    command = [str(path), *program.version_arguments]
    result = run(command, timeout_s=VERSION_TIMEOUT_S, check=False)
    lines = [*result.stdout.decode("utf-8", "replace").splitlines(), *result.stderr_tail]
    for line in lines:
        match = re.search(program.version_line, line)
        if match and result.returncode in program.version_returncodes:
            return line[match.end() :].strip(": \t") if _VERSION.search(line[match.end() :]) else ""
    raise ToolFailedError(
        f"{path} does not tell its version as {program.name} does (exit code {result.returncode}): is it that program?",
        command=command,
        stderr_tail=result.stderr_tail,
    )
