"""`msaformer featurize`: alignments, with structures where there are any, into an example store."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from msaformer import __version__
from msaformer.cli.messages import exit_code, print_error, progress_is_shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_tools.pipeline.inputs import Input
    from data_tools.pipeline.job import Summary
    from data_tools.pipeline.pool import Pool
    from data_tools.pipeline.task import Options, Outcome

EPILOG = """
\b
Example: a folder of alignments, structures of the same names, four processes
  msaformer featurize alignments/ --structures structures/ -o store --workers 4
A table instead (columns id, alignment, structure, chain; paths relative to the table)
  msaformer featurize training_set.csv -o store
Stopped or killed? Run the same command again: it goes on where it was.
"""


@click.command(
    "featurize", short_help="Turn alignments (and structures) into an example store.", epilog=EPILOG
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--structures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of structures named as the ids (.cif, .bcif, .pdb, .ent, also .gz); they become labels.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="STORE",
    help="Folder of the store to write.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes at work."
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Work on an existing Dask cluster instead (tcp://host:8786), which must see the same files.",
)
@click.option(
    "--max-depth", type=click.IntRange(min=1), metavar="N", help="Keep the first N sequences of each."
)
@click.option(
    "--repair", is_flag=True, help="Mend faulty alignments where that is documented, do not fail them."
)
@click.option("--overwrite", is_flag=True, help="Replace the store at STORE.")
@click.option("--retry-failed", is_flag=True, help="Try the inputs again that failed in an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and write nothing.")
def command(
    inputs: tuple[str, ...],
    structures: Path | None,
    output: Path,
    workers: int,
    scheduler: str | None,
    max_depth: int | None,
    repair: bool,
    overwrite: bool,
    retry_failed: bool,
    as_json: bool,
    dry_run: bool,
) -> int:
    """Turn each INPUT into examples of the store at STORE, with distances where the structure is at hand.

    INPUT is an alignment file; a folder, searched with the folders in it for alignments by suffix (.a3m, .sto, .fasta
    and so on, also compressed); a quoted glob such as 'msas/**/*.a3m.gz'; or a table, .csv or .tsv. The id of an
    example is its file name without suffixes, or the table's.

    Inputs that fail are listed in STORE/failures.tsv, and the exit code is 3 (1 when all failed, and then there is no
    store). STORE/sources.tsv says where each example came from.
    """
    from data_tools.pipeline.inputs import collect_inputs
    from data_tools.pipeline.job import JobStoppedError, featurize_inputs
    from data_tools.pipeline.task import Options

    _check_flags(overwrite, retry_failed)
    found = collect_inputs(inputs, structures)
    options = Options(repair=repair, max_depth=max_depth)
    if dry_run:
        _print_plan(found, output, options, as_json=as_json, overwrite=overwrite)
        return 0
    try:
        with _progress(len(found)) as on_outcome:
            summary = featurize_inputs(
                found,
                output,
                _pool_maker(workers, scheduler),
                options=options,
                program=_program(),
                overwrite=overwrite,
                retry_failed=retry_failed,
                on_outcome=on_outcome,
            )
    except JobStoppedError as error:
        print_error(error)
        return error.exit_code
    _print_summary(summary, as_json=as_json)
    return exit_code(summary.num_failed, summary.num_inputs)


def _check_flags(overwrite: bool, retry_failed: bool) -> None:
    if overwrite and retry_failed:
        raise click.UsageError(
            "--overwrite begins again, --retry-failed keeps what is done; give one of them"
        )


def _program() -> str:
    return f"msaformer {__version__}"


def _pool_maker(workers: int, scheduler: str | None) -> Callable[[], Pool]:
    if scheduler is not None:
        from data_tools.pipeline.cluster import ClusterPool

        return lambda: ClusterPool(scheduler)
    from data_tools.pipeline.workers import ProcessPool

    return lambda: ProcessPool(workers)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[Outcome | None], None]]:
    """A bar on a terminal, and a line for each input that fails."""
    import sys

    from tqdm import tqdm

    with tqdm(total=total, unit="alignment", disable=not progress_is_shown()) as bar:

        def show(outcome: Outcome | None) -> None:
            if outcome is None and not bar.disable:
                bar.initial += 1  # done by an earlier run: not part of the speed
            elif outcome is not None and outcome.message:
                with bar.external_write_mode(file=sys.stderr):
                    print_error(outcome.message)
            bar.update()

        yield show


def _print_plan(
    inputs: Sequence[Input], output: Path, options: Options, *, as_json: bool, overwrite: bool
) -> None:
    from data_tools.pipeline.folder import JobFolder
    from data_tools.pipeline.plan import Plan

    plan = Plan.of(inputs, options, _program())
    folder = JobFolder(output)
    if not overwrite:
        folder.refuse_unless_ours(plan)
    labelled = sum(one.structure is not None for one in inputs)
    status = folder.status(plan).value
    if as_json:
        listed = [dataclasses.asdict(one) for one in inputs]
        click.echo(json.dumps({"store": str(output), "status": status, "inputs": listed}, indent=2))
        return
    for one in inputs:
        click.echo("\t".join([one.id, one.alignment, one.structure or "", one.chain or ""]))
    click.echo(f"{output} holds {status}; {len(inputs)} inputs, {labelled} of them with structures", err=True)


def _print_summary(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary), indent=2))
        return
    if summary.num_examples == 0:
        return
    parts = [
        f"{summary.store}: {summary.num_examples} examples, {summary.num_labelled} of them with distances"
    ]
    if summary.num_failed:
        parts.append(f"{summary.num_failed} inputs failed, see failures.tsv in it")
    if summary.num_done_before:
        parts.append(f"{summary.num_done_before} inputs were done before")
    if summary.examples_per_s:
        parts.append(f"{summary.wall_s:.1f} s, {summary.examples_per_s:.1f} inputs/s")
    click.echo("; ".join(parts))
