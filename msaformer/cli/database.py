"""`msaformer database`: build, check and describe the databases that `msaformer search` searches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from msaformer.cli.messages import exit_code, named_targets, one_line, print_error, write_failures

if TYPE_CHECKING:
    from data_tools.search.database import Database

KINDS: Final = click.Choice(["hhblits", "mmseqs", "fasta"])
_KIND_HELP: Final = "What searches it: hhblits, mmseqs, or a FASTA file for jackhmmer"
_CHECK_EXAMPLES: Final = """\b
Example:
  msaformer database {name} /data/UniRef30_2023_02"""


@click.group(
    "database",
    short_help="Build and check search databases.",
    epilog="""\b
Example:
  msaformer database build families/*.sto -o mine
  msaformer database check mine
  msaformer search T1049.fasta --database mine -o msas""",
)
def command() -> None:
    """Build and check the databases that `msaformer search` searches.

    A database is named by its PREFIX, what all its files begin with: /data/UniRef30_2023_02 for
    /data/UniRef30_2023_02_a3m.ffdata, …_a3m.ffindex, …_cs219.ffdata, …_cs219.ffindex and, optional, …_hhm.ffdata,
    …_hhm.ffindex.
    """


@command.command(
    "build",
    short_help="Build a database of alignments or sequences.",
    epilog="""\b
Examples:
  msaformer database build families/*.sto -o mine                        for hhblits
  msaformer database build families/*.a3m -o mine --hhm                  with HMMs, for faster searches
  msaformer database build proteins.fasta.gz -o mine --kind mmseqs       for mmseqs
  msaformer database build a.fasta b.fasta -o both.fasta --kind fasta    for jackhmmer""",
)
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ALIGNMENT...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PREFIX",
    help="What the files of the database shall begin with; of --kind fasta the file itself.",
)
@click.option("--kind", type=KINDS, default="hhblits", show_default=True, help=f"{_KIND_HELP}.")
@click.option(
    "--hhm", is_flag=True, help="Make HMMs too (hhblits): searches are faster, the build is slower."
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads to build with."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds that one program may take.",
)
@click.option("--overwrite", is_flag=True, help="Replace the database at PREFIX.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--dry-run", is_flag=True, help="Say what would be built of what, and write nothing.")
def build(
    inputs: tuple[Path, ...],
    output: Path,
    kind: str,
    hhm: bool,
    threads: int,
    timeout: float | None,
    overwrite: bool,
    as_json: bool,
    dry_run: bool,
) -> int:
    """Build a database of each ALIGNMENT, a file of any format that can be read.

    For hhblits, each alignment is an entry, named by its file (at most 31 letters). For mmseqs and fasta, the sequences
    of all files are taken without gaps; FASTA files of unaligned sequences are taken too.

    The database appears whole or not at all. Inputs that cannot be used are left out and listed in
    PREFIX.failures.tsv, and the exit code is 3 (1 when all failed, and then nothing is built).
    """
    from data_tools.search.database import HHDatabase, MMseqsDatabase, SequenceDatabase

    if hhm and kind != "hhblits":
        raise click.UsageError("--hhm is of --kind hhblits only")
    named = named_targets(inputs) if kind == "hhblits" else {str(path): path for path in inputs}
    if dry_run:
        _show_plan(named, output, kind, overwrite=overwrite, as_json=as_json)
        return 0
    database: Database
    if kind == "hhblits":
        database, failures = HHDatabase.build(
            named, output, hhm=hhm, num_threads=threads, overwrite=overwrite, timeout_s=timeout
        )
    elif kind == "mmseqs":
        database, failures = MMseqsDatabase.build(named, output, overwrite=overwrite, timeout_s=timeout)
    else:
        database, failures = SequenceDatabase.build(named, output, overwrite=overwrite)
    for message in failures.values():
        print_error(message)
    failed = {named[key]: one_line(message) for key, message in failures.items()}
    write_failures(failed, output.with_name(f"{output.name}.failures.tsv"))
    report = describe(database) | {
        "inputs": len(named),
        "failures": {str(p): text for p, text in failed.items()},
    }
    if as_json:
        click.echo(json.dumps(report, indent=1))
    else:
        click.echo(
            f"{output}: {report['entries']:,} {report['holds']}; "
            f"built of {len(named) - len(failed)} of {len(named)} inputs"
        )
    return exit_code(len(failed), len(named))


@command.command(
    "check",
    short_help="Check files, indices and entries of a database.",
    epilog=_CHECK_EXAMPLES.format(name="check"),
)
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option("--kind", type=KINDS, help=f"{_KIND_HELP}.  [default: by its files]")
@click.option("--quick", is_flag=True, help="Check files and indices only; do not read the entries.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def check(prefix: Path, kind: str | None, quick: bool, as_json: bool) -> None:
    """Check the database at PREFIX: its files, indices and (unless --quick) every entry.

    The programs do not: on a half-copied database hhblits hangs, on one without a file it crashes. The first fault is
    named with its file and what to do, and the exit code is 1.
    """
    from data_tools.search.database import open_database

    database = open_database(prefix, kind)
    if not quick:
        database.check_entries()
    if as_json:
        click.echo(json.dumps(describe(database) | {"sound": True, "entries_read": not quick}, indent=1))
    else:
        read = "files and indices" if quick else "files, indices and all entries"
        report = describe(database)
        click.echo(f"{prefix}: sound ({read}): {report['entries']:,} {report['holds']}")


@command.command("info", short_help="Say what a database is.", epilog=_CHECK_EXAMPLES.format(name="info"))
@click.argument("prefix", type=click.Path(path_type=Path))
@click.option("--kind", type=KINDS, help=f"{_KIND_HELP}.  [default: by its files]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def info(prefix: Path, kind: str | None, as_json: bool) -> None:
    """Say what the database at PREFIX is: kind, number of entries, size, and the fingerprint that results depend on."""
    from data_tools.search.database import open_database

    report = describe(open_database(prefix, kind))
    if as_json:
        click.echo(json.dumps(report, indent=1))
        return
    lines = {
        "prefix": report["prefix"],
        "kind": report["kind"],
        "entries": f"{report['entries']:,} {report['holds']}",
        "size": f"{report['size_bytes']:,} bytes",
        "fingerprint": report["fingerprint"],
    }
    click.echo("\n".join(f"{label:<12} {text}" for label, text in lines.items()))


def describe(database: Database) -> dict[str, Any]:
    """What the reports say of a database."""
    from data_tools.search.database import DATABASES, HHDatabase, MMseqsDatabase

    if isinstance(database, HHDatabase):
        entries, holds = database.num_entries, f"alignments, {'with' if database.has_hhm else 'without'} HMMs"
    elif isinstance(database, MMseqsDatabase):
        entries, holds = database.num_entries, f"sequences ({database.kind})"
    else:
        entries, holds = database.count(), "sequences"
    return {
        "prefix": str(database.prefix),
        "kind": next(kind for kind, record in DATABASES.items() if isinstance(database, record)),
        "entries": entries,
        "holds": holds,
        "size_bytes": database.size_bytes,
        "fingerprint": database.fingerprint,
    }


def _show_plan(named: Mapping[str, Path], output: Path, kind: str, *, overwrite: bool, as_json: bool) -> None:
    """Print what `build` would do, after the checks that need no reading."""
    from data_tools.search import hh_database, mmseqs_database
    from data_tools.search.database_files import refuse_existing

    suffixes = {"hhblits": hh_database.SUFFIXES, "mmseqs": mmseqs_database.SUFFIXES, "fasta": ("",)}[kind]
    refuse_existing(output, suffixes, overwrite=overwrite)
    plan = {"prefix": str(output), "kind": kind, "inputs": {key: str(path) for key, path in named.items()}}
    if as_json:
        click.echo(json.dumps(plan, indent=1))
        return
    click.echo(f"would build {output} for {kind} of {len(named)} inputs")
    for key, path in named.items():
        click.echo(f"  {path}" if kind != "hhblits" else f"  {key}: {path}")
