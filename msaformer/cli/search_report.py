"""What `msaformer search` says: a line a query as it ends, the sum of all, and the commands of a dry run."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from msaformer.cli.messages import exit_code, one_line, print_error, progress_is_shown

if TYPE_CHECKING:
    from data_tools.search.batch_queries import BatchQuery
    from data_tools.search.outcome import Outcome
    from data_tools.search.searcher import Searcher

_LOGGER = logging.getLogger("msaformer.search")


class Progress:
    """A bar on a terminal, and a line for each query that ends."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._total, self._quiet = total, quiet

    def __enter__(self) -> Progress:
        from tqdm import tqdm

        self._bar = tqdm(total=self._total, unit="query", disable=not progress_is_shown())
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, outcome: Outcome) -> None:
        """Say what became of a query."""
        self._bar.update()
        self._bar.clear()
        for warning in outcome.warnings:
            _LOGGER.warning("%s: %s", outcome.id, warning)
        if outcome.state == "failed":
            print_error(f"{outcome.id}: {outcome.message}")
        elif not self._quiet:
            took = f"in {outcome.seconds:.1f} s" if outcome.state == "searched" else ""
            click.echo(
                f"{outcome.path}: {outcome.num_sequences:,} sequences, {outcome.state} {took}".rstrip()
            )


def unread_outcome(source: str, message: str) -> Outcome:
    """The outcome of a query that could not be read from its file."""
    from data_tools.search.outcome import Outcome

    return Outcome(source, "failed", Path(), "InvalidQueryError", one_line(message))


def report(outcomes: Sequence[Outcome], searcher: Searcher, output: Path, *, as_json: bool) -> None:
    """Print what became of all queries."""
    counts = {
        state: sum(outcome.state == state for outcome in outcomes)
        for state in ("searched", "kept", "cached", "failed")
    }
    if not as_json:
        told = ", ".join(
            f"{count} {state}" for state, count in counts.items() if count or state == "searched"
        )
        click.echo(f"{output}: {told}")
        return
    queries = {
        outcome.id: {
            "state": outcome.state,
            "path": "" if outcome.state == "failed" else str(outcome.path),
            "num_sequences": outcome.num_sequences,
            "seconds": round(outcome.seconds, 3),
            "error": outcome.error,
            "message": outcome.message,
            "warnings": list(outcome.warnings),
        }
        for outcome in outcomes
    }
    about = {**_about(searcher), "output": str(output), **counts, "queries": queries}
    click.echo(json.dumps(about, indent=1))


def _about(searcher: Searcher) -> dict[str, Any]:
    return {
        "program": str(searcher.tool.path),
        "version": searcher.tool.version_text,
        "databases": [str(database.prefix) for database in searcher.databases],
    }


def show_commands(
    queries: Sequence[BatchQuery],
    searcher: Searcher,
    output: Path,
    unread: dict[str, str],
    *,
    resume: bool,
    as_json: bool,
) -> int:
    """Print what the search would run; each query is written to a private file called `query.fasta`."""
    from data_tools.search.batch import JOURNAL, is_pending
    from data_tools.search.journal import read_journal

    journal = read_journal(output / JOURNAL) if resume else {}
    for message in unread.values():
        print_error(message)
    commands = {}
    for query in queries:
        pending = is_pending(query, searcher, output, journal)
        target = output / f"{query.id}.a3m"
        commands[query.id] = list(searcher.command(Path("query.fasta"), target)) if pending else []
        if not as_json:
            text = shlex.join(commands[query.id]) if pending else f"# {target} is done"
            click.echo(text)
    if as_json:
        click.echo(json.dumps({**_about(searcher), "output": str(output), "commands": commands}, indent=1))
    return exit_code(len(unread), len(unread) + len(queries))
