"""How the commands speak: one line an error on stderr, the list of failed inputs, names of targets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from data_tools.atomic import atomic_path
from data_tools.pipeline.inputs import target_id
from data_tools.pipeline.messages import one_line as one_line  # the commands have it from here

ALL_FAILED: Final = 1
SOME_FAILED: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


def print_error(error: BaseException | str) -> None:
    """Print one line on stderr."""
    click.echo(f"error: {one_line(error)}", err=True)


def named_targets(paths: Sequence[Path]) -> dict[str, Path]:
    """Name the target of each path; raises UsageError when two would write the same files."""
    targets: dict[str, Path] = {}
    seen: dict[str, Path] = {}
    for path in paths:
        name = target_id(path)
        other = seen.setdefault(name.casefold(), path)  # some file systems ignore case
        if name in targets or other is not path:
            raise click.UsageError(f"{other} and {path} would both be written as {name!r}; rename one")
        targets[name] = path
    return targets


def write_failures(failures: Mapping[Path, str], path: Path) -> None:
    """Write the failed inputs as a table, or remove an earlier one when there are none."""
    if not failures:
        path.unlink(missing_ok=True)
        return
    lines = ["input\terror", *(f"{one_line(str(failed))}\t{message}" for failed, message in failures.items())]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def exit_code(num_failed: int, num_inputs: int) -> int:
    """0 all done, 1 all failed, 3 some failed."""
    if num_failed == 0:
        return 0
    return ALL_FAILED if num_failed == num_inputs else SOME_FAILED


def progress_is_shown() -> bool:
    """Progress is drawn on a terminal only."""
    return sys.stderr.isatty()
