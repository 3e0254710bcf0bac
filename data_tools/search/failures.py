"""How a program that did not end well is told: the signal's name, its own last error lines, the likely cause."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final, NoReturn

from data_tools.errors import (
    ToolCrashedError,
    ToolError,
    ToolFailedError,
    ToolTimeoutError,
)

SIGNAL_CAUSES: Final = {
    signal.SIGILL: "this CPU lacks an instruction that the program was built for (AVX2?): install another build",
    signal.SIGKILL: "out of memory? the system, or a scheduler's limit, may have ended it",
    signal.SIGSEGV: "is the database damaged or incomplete?",
    signal.SIGBUS: "a database file was cut short, or its disk failed, while the program read it",
    signal.SIGABRT: "the program ended itself: out of memory, or an input that it cannot take",
    signal.SIGXCPU: "a limit on CPU time was reached",
    signal.SIGXFSZ: "a limit on the size of a file was reached",
    signal.SIGPIPE: "what it wrote to was closed",
    signal.SIGTERM: "somebody, or a scheduler, ended it",
}
LINE_CAUSES: Final = (
    (re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE), "the disk is full"),
    (
        re.compile(
            r"cannot allocate memory|bad_alloc|out of memory|malloc failed|failed to mmap", re.IGNORECASE
        ),
        "not enough memory",
    ),
    (
        re.compile(r"did not find \d+ match states", re.IGNORECASE),
        "two databases that hold different versions of one entry: search them one by one",
    ),
    (re.compile(r"unrecognized hmm file format", re.IGNORECASE), "an entry of the database is damaged"),
    (re.compile(r"neither hhm_db nor a3m_db", re.IGNORECASE), "is the database a prefix, and readable?"),
)
_ERROR_LINE: Final = re.compile(
    r"\berror\b|\bfatal\b|exception|terminate called|no such|cannot|could not|failed|unrecognized", re.I
)
_SHELL_BASE: Final = 128  # a shell reports signal n of its program as 128 + n
MAX_QUOTED: Final = 300  # characters of the program's own words in a message


def raise_failure(
    command: Sequence[str],
    returncode: int | None,
    tail: Sequence[str],
    *,
    end: str,
    limit: float | None,
    wall_s: float,
) -> NoReturn:
    """Raise the error for a program that was ended (`end`: "time", "memory", "stopped") or ended badly ("exited")."""
    name = PurePath(command[0]).name
    said = own_words(tail)
    kind: type[ToolError]
    if end == "time":
        kind, what = ToolTimeoutError, f"was ended after its time limit of {limit:g} s{said}"
    elif end == "memory":
        kind, what = ToolFailedError, f"was ended: it held more than {limit:g} GiB of memory{said}"
    elif end == "stopped":
        kind, what = ToolError, f"was stopped after {wall_s:.1f} s"
    elif returncode is None:
        kind, what = ToolTimeoutError, "does not end although killed: does a disk that it reads still answer?"
    elif (number := signal_of(returncode)) is not None:
        cause = line_cause(tail) or SIGNAL_CAUSES.get(number, "")
        kind, what = (
            ToolCrashedError,
            f"was ended by {number.name} after {wall_s:.1f} s{_in_brackets(cause)}{said}",
        )
    else:
        kind, what = (
            ToolFailedError,
            f"failed with exit code {returncode}{_in_brackets(line_cause(tail))}{said}",
        )
    raise kind(f"{name} {what}", command=command, stderr_tail=tail)


def signal_of(returncode: int) -> signal.Signals | None:
    """The signal behind an exit code, −n and a shell's 128 + n alike; None for an ordinary code."""
    number = -returncode if returncode < 0 else returncode - _SHELL_BASE
    if number <= 0:
        return None
    try:
        return signal.Signals(number)
    except ValueError:
        return None


def own_words(tail: Sequence[str]) -> str:
    """The last line that speaks of an error, else the last line, as the end of a message."""
    errors = [line for line in tail if _ERROR_LINE.search(line)]
    line = (errors or list(tail) or [""])[-1].strip()
    if not line:
        return "; it wrote nothing that says why"
    return f': "{line[:MAX_QUOTED]}{"…" if len(line) > MAX_QUOTED else ""}"'


def line_cause(tail: Sequence[str]) -> str:
    """The cause that the last lines point to, "" if none is known."""
    for pattern, cause in LINE_CAUSES:
        if any(pattern.search(line) for line in tail):
            return cause
    return ""


def _in_brackets(cause: str) -> str:
    return f" ({cause})" if cause else ""
