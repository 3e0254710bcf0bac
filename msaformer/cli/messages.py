"""How the commands speak: results on stdout, one line an error on stderr, the list of failed inputs, names of targets.

What files and their names hold may be hostile: no control, bidi or other unprintable character reaches a terminal.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from data_tools.atomic import atomic_path
from data_tools.pipeline.inputs import target_id
from data_tools.pipeline.messages import one_line as one_line  # the commands have it from here
from msaformer.cli.progress import hidden
from msaformer.cli.terminal import terminal_of

FAILURES: Final = "failures.tsv"
"""Table of the inputs that failed, in the folder of the outputs."""
ALL_FAILED: Final = 1
SOME_FAILED: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


def print_error(error: BaseException | str) -> None:
    """Print one line on stderr."""
    with hidden():
        click.echo(f"error: {one_line(error)}", err=True)


def print_path(path: Path) -> None:
    """Print where a result is: byte for byte for a script, fit to be shown for a terminal."""
    with hidden():
        click.echo(one_line(str(path)) if sys.stdout.isatty() else os.fsencode(path))


def print_text(text: str) -> None:
    """Print lines that hold names from files: as they are for a script, fit to be shown for a terminal."""
    if sys.stdout.isatty():
        text = "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
    with hidden():
        click.echo(text)


def print_picture(text: str) -> None:
    """Print a drawing of this package with its escape codes, which click would take out for a pipe."""
    with hidden():
        click.echo(text, color=True)


def json_text(tree: object) -> str:
    """JSON to print: letters as they are, but what is not printable as its number, so that no terminal obeys it."""
    text = json.dumps(tree, indent=2, ensure_ascii=False)
    return "".join(
        letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text
    )


def naming(error: BaseException, path: Path) -> str:
    """One line that says what was wrong with the input at `path`, whichever of its files was at fault."""
    message = one_line(error)
    return message if str(path) in message else f"{path}: {message}"


def named_targets(paths: Sequence[Path], name_of: Callable[[str | Path], str] = target_id) -> dict[str, Path]:
    """Name the target of each path; raises UsageError when two would write the same files."""
    targets: dict[str, Path] = {}
    seen: dict[str, Path] = {}
    for path in paths:
        name = name_of(path)
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
    """Progress is drawn on a terminal only, and not when -q asks for silence."""
    return terminal_of(sys.stderr).can_redraw and logging.getLogger("msaformer").isEnabledFor(logging.WARNING)
