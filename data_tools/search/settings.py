"""Checks that the configurations of outside programs share; the programs accept nonsense with exit code 0.

hhblits takes `-n 0`, `-e -1` and unknown options with at most a warning, so every value is checked here, and an option
that the configuration sets already cannot be given a second time. What is wrong raises ValueError: it is the caller's
mistake, seen before anything runs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from typing import Any, Final

from data_tools.errors import ToolError

MAX_THREADS: Final = (
    1024  # more is a slip of the keyboard; what this machine has is checked when a program starts
)


def check_integer(name: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless `value` is an integer in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low:,} to {high:,}, not {value!r}")


def check_number(name: str, value: Any, low: float, high: float = math.inf) -> None:
    """Raise ValueError unless `value` is a finite number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    if not low <= value <= high:
        raise ValueError(
            f"{name} must be {f'at least {low:g}' if high == math.inf else f'from {low:g} to {high:g}'}, not {value!r}"
        )


def check_positive(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a finite number above 0."""
    check_number(name, value, 0.0)
    if value == 0:
        raise ValueError(f"{name} must be above 0, not {value!r}")


def check_limits(num_threads: int, timeout_s: float | None, max_memory_gb: float | None) -> None:
    """Check what every program's configuration holds."""
    check_integer("num_threads", num_threads, 1, MAX_THREADS)
    for name, value in (("timeout_s", timeout_s), ("max_memory_gb", max_memory_gb)):
        if value is not None:
            check_positive(name, value)


def check_extra_arguments(extra: Sequence[str], taken: Collection[str]) -> None:
    """Raise ValueError for an argument that is no text, or sets again (shortened, or `--name=value`) what is taken."""
    if isinstance(extra, str):
        raise ValueError(f"extra_args must be a tuple of words, not the text {extra!r}")
    for word in extra:
        if not isinstance(word, str) or not word or "\0" in word:
            raise ValueError(f"extra_args: {word!r} cannot be an argument")
        name = word.partition("=")[0]
        for option in taken:
            shortened = name.startswith("--") and len(name) > 2 and option.startswith(name)
            if name == option or shortened:
                raise ValueError(
                    f"extra_args: {word!r} sets {option}, which the configuration does: use its field"
                )


def check_resources(num_threads: int, *, base_mb: float = 0.0, mb_per_thread: float = 0.0) -> None:
    """Raise ToolError when this machine has fewer cores, or less memory than so many threads take at least.

    hhblits with 64 threads on two cores did not end; HH-suite takes about 85 MB a thread even for short queries.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num_threads > cores:
        raise ToolError(
            f"num_threads is {num_threads}, but this process may use {cores} cores: ask for at most that"
        )
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    needed_mb = base_mb + num_threads * mb_per_thread
    if needed_mb > memory_mb:
        raise ToolError(
            f"num_threads is {num_threads}, which takes about {needed_mb / 1e3:.1f} GB; this machine has "
            f"{memory_mb / 1e3:.1f} GB: ask for fewer"
        )
