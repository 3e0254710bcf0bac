"""What became of a query of a batch (`Outcome`), when it is tried again (`RetryPolicy`), and the table of failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_tools.atomic import atomic_path
from data_tools.errors import DataToolsError, ToolCrashedError, ToolTimeoutError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a query is tried again after a failure that may pass; other failures are final."""

    crashes: int = 1
    """After a signal ended the program: another job may have taken the memory."""
    timeouts: int = 0
    """After a time-out; the same search would mostly take as long again."""

    def attempts(self, error: DataToolsError) -> int:
        """How many attempts a query has that failed with `error`."""
        if isinstance(error, ToolCrashedError):
            return 1 + self.crashes
        return 1 + self.timeouts if isinstance(error, ToolTimeoutError) else 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a query."""

    id: str
    """Of the query."""
    state: Literal["searched", "kept", "cached", "failed"]
    """Searched now, done by an earlier batch, taken from the cache, or failed."""
    path: Path
    """The alignment; not there when failed."""
    error: str = ""
    """Kind of error, when failed."""
    message: str = ""
    """What went wrong, in one line, when failed."""
    command: tuple[str, ...] = ()
    """What was run, when failed."""
    warnings: tuple[str, ...] = ()
    """What the program warned of."""
    num_sequences: int = 0
    """Rows of the alignment, the query counted; 0 when failed."""
    seconds: float = 0.0
    """Wall time of all attempts."""


def write_failures(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the failed queries as a table, or remove an earlier one when there are none."""
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if not failed:
        path.unlink(missing_ok=True)
        return
    lines = ["query\terror\tmessage\tcommand"]
    lines += ["\t".join((o.id, o.error, one_line(o.message), one_line(" ".join(o.command)))) for o in failed]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def one_line(text: str) -> str:
    """A text without line ends and tabs."""
    return " ".join(text.split())
