"""`msaformer search`: alignments for queries, by hhblits, jackhmmer or mmseqs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from msaformer.cli.messages import exit_code, print_error
from msaformer.cli.search_report import Progress, report, show_commands, unread_outcome

if TYPE_CHECKING:
    from data_tools.search.outcome import Outcome
    from data_tools.search.searcher import SearchConfig, Searcher


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say about the search; None leaves a value as the program's configuration has it."""

    iterations: int | None
    evalue: float | None
    num_threads: int
    timeout_s: float | None
    max_memory_gb: float | None
    allow_truncation: bool
    extra_args: str


@click.command(
    "search",
    short_help="Search databases for homologues of queries.",
    epilog="""\b
Examples:
  msaformer search T1049.fasta --database /data/UniRef30_2023_02 -o msas
  msaformer search *.fa --database /data/UniRef30 --database /data/bfd -o msas --threads 4 --workers 2 --timeout 7200
  msaformer search T1049.fasta --database uniref90.fasta -o msas --iterations 3
  msaformer search T1049.fasta --database mine -o msas --dry-run

\b
A database of a few alignments, a search in it, and what comes next:
  msaformer database build families/*.sto -o mine
  msaformer search T1049.fasta --database mine -o msas
  msaformer featurize msas/*.a3m -o store""",
)
@click.argument("queries", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="QUERY...")
@click.option(
    "--database",
    "databases",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PREFIX",
    help="What all files of the database begin with, or a FASTA file. Repeated, hhblits searches all of them at once.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder for the alignments, ID.a3m, and the journal.",
)
@click.option(
    "--program",
    type=click.Choice(["hhblits", "jackhmmer", "mmseqs"]),
    help="Program that searches.  [default: the one that reads this database]",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    metavar="N",
    help="Rounds of search.  [default: hhblits 3, jackhmmer 1, mmseqs 3]",
)
@click.option(
    "--evalue",
    type=float,
    metavar="E",
    help="Largest E-value of a sequence in the alignment.  [default: hhblits 1e-3, jackhmmer 1e-4, mmseqs 1e-3]",
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of each program."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Programs that run at the same time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds that one search may take.",
)
@click.option(
    "--max-memory-gb",
    type=click.FloatRange(min=0, min_open=True),
    metavar="G",
    help="GiB of memory that one search may hold.",
)
@click.option(
    "--allow-truncation",
    is_flag=True,
    help="Take results of which hhblits says that rows or columns were cut.",
)
@click.option(
    "--extra-args",
    default="",
    metavar="TEXT",
    help="Further arguments of the program, as one text: '-Z 1000 -nodssp'.",
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder that keeps results for other searches too; the same query and settings are then found in it.",
)
@click.option("--no-resume", is_flag=True, help="Search all again, also what an earlier run has done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option(
    "--dry-run", is_flag=True, help="Print the exact commands that would be run, and write nothing."
)
def command(
    queries: tuple[Path, ...],
    databases: tuple[Path, ...],
    output: Path,
    program: str | None,
    workers: int,
    cache: Path | None,
    no_resume: bool,
    as_json: bool,
    dry_run: bool,
    **options: Any,
) -> int:
    """Search databases with each QUERY, a FASTA file, and write an alignment, DIR/ID.a3m, for featurize and predict.

    The ID is the file's name; of a file with several sequences, each is a query and the first word of its header is
    the ID. Columns of the alignment are the query's residues. A search that finds nothing gives the query alone.

    Run again, the command goes on where it was: results that are there, unchanged and of the same query, settings,
    program and database, are kept. Queries that fail are listed in DIR/failures.tsv, and the exit code is 3 (1 when all
    failed). DIR/journal.jsonl tells what happened to each.
    """
    from data_tools.search.batch import FAILURES, run_many
    from data_tools.search.batch_queries import read_queries
    from data_tools.search.outcome import write_failures

    settings = Settings(num_threads=options.pop("threads"), timeout_s=options.pop("timeout"), **options)
    searcher = make_searcher(program, databases, settings)
    found, unread = read_queries(queries)
    unread_outcomes = [unread_outcome(source, message) for source, message in unread.items()]
    if dry_run:
        return show_commands(found, searcher, output, unread, resume=not no_resume, as_json=as_json)
    for outcome in unread_outcomes:
        print_error(outcome.message)
    outcomes: list[Outcome] = []
    if found:
        with Progress(len(found), quiet=as_json) as progress:
            outcomes = run_many(
                *(found, searcher, output),
                workers=workers,
                resume=not no_resume,
                cache=cache,
                on_outcome=progress.show,
            )
    outcomes += unread_outcomes
    if output.is_dir():
        write_failures(outcomes, output / FAILURES)
    report(outcomes, searcher, output, as_json=as_json)
    return exit_code(sum(outcome.state == "failed" for outcome in outcomes), len(outcomes))


def make_searcher(program: str | None, prefixes: Sequence[Path], settings: Settings) -> Searcher:
    """Open the databases and check that the program can search them so; raises UsageError for values out of range."""
    from data_tools.search.database import kind_of, open_database
    from data_tools.search.searcher import KINDS, Searcher

    chosen = program or next(name for name, kind in KINDS.items() if kind == kind_of(prefixes[0]))
    try:
        config = make_config(chosen, settings)
    except ValueError as error:
        raise click.UsageError(f"{chosen}: {error}") from error
    return Searcher.prepare(config, [open_database(prefix, KINDS[chosen]) for prefix in prefixes])


def make_config(program: str, settings: Settings) -> SearchConfig:
    """The configuration of a program; raises ValueError for a value that it cannot have."""
    from data_tools.search.hhsuite_config import HHblitsConfig
    from data_tools.search.hmmer import JackhmmerConfig, Thresholds
    from data_tools.search.mmseqs import MMseqsSearchConfig

    values: dict[str, Any] = {
        "num_threads": settings.num_threads,
        "timeout_s": settings.timeout_s,
        "max_memory_gb": settings.max_memory_gb,
        "extra_args": tuple(shlex.split(settings.extra_args)),
    }
    if settings.iterations is not None:
        values["iterations"] = settings.iterations
    if settings.allow_truncation and program != "hhblits":
        raise ValueError("allow_truncation is of hhblits only")
    if program == "jackhmmer":
        if settings.evalue is not None:
            values["thresholds"] = Thresholds(evalue=settings.evalue, inclusion_evalue=settings.evalue)
        return JackhmmerConfig(**values)
    if settings.evalue is not None:
        values["evalue"] = settings.evalue
    if program == "mmseqs":
        return MMseqsSearchConfig(**values)
    return HHblitsConfig(**values, allow_truncation=settings.allow_truncation)
