"""`msaformer convert`: an alignment into another format, with what that format cannot hold said on stderr."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from data_tools.errors import DataToolsError
from msaformer.cli.messages import exit_code, named_targets, one_line, print_error

if TYPE_CHECKING:
    from data_tools.alignment import Alignment

FORMATS: Final = (
    "a3m",
    "a2m",
    "fasta",
    "stockholm",
    "clustal",
    "psicov",
)  # of data_tools.formats, not imported here
SUFFIXES: Final = dict(zip(FORMATS, (".a3m", ".a2m", ".fasta", ".sto", ".clustal", ".psicov"), strict=True))
STANDARD_STREAM: Final = "-"
LOGGER: Final = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Options:
    """What the flags say of every input."""

    source_format: str | None
    target_format: str | None
    repair: bool
    match_columns: Literal["query", "rf"]
    rename: bool
    overwrite: bool
    dry_run: bool


@dataclasses.dataclass(frozen=True)
class Conversion:
    """One input that was converted, or would be."""

    input: str
    output: str
    source_format: str
    target_format: str
    depth: int
    """N"""
    length: int
    """L"""
    lost: tuple[str, ...]
    """What the format written cannot hold."""
    report: dict[str, Any]
    """What the reader set aside, skipped, mended or dropped."""


@click.command(
    "convert",
    short_help="Write an alignment in another format.",
    epilog="""\b
Example:
  $ msaformer convert globins4.sto -o globins4.a3m
  globins4.a3m: 4 sequences, 146 columns, stockholm to a3m

\b
  $ hmmsearch -A /dev/stdout globins.hmm seqs.fa -o /dev/null \\
      | msaformer convert - -o hits.a3m.gz --match-columns rf""",
)
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUTPUT",
    help="File to write, - for standard output; a folder when there are several inputs.",
)
@click.option(
    "--from",
    "source_format",
    type=click.Choice(FORMATS),
    help="Format of INPUT.  [default: found by its content]",
)
@click.option(
    "--to",
    "target_format",
    type=click.Choice(FORMATS),
    help="Format to write.  [default: by the suffix of OUTPUT, a3m where that says nothing]",
)
@click.option("--repair", is_flag=True, help="Drop or mend broken rows instead of refusing the file.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write as JSON what was set aside, skipped, mended or dropped while reading.",
)
@click.option(
    "--match-columns",
    type=click.Choice(["query", "rf"]),
    default="query",
    show_default=True,
    help="Columns to keep of a Stockholm file: the query's residues, or of these only what #=GC RF marks.",
)
@click.option("--rename", is_flag=True, help="Put _2, _3, ... behind ids that stand there already.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist; never an input.")
@click.option("--dry-run", is_flag=True, help="Read, and say what would be written.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(inputs: tuple[Path, ...], output: Path, report: Path | None, as_json: bool, **flags: Any) -> int:
    """Write each INPUT, an alignment, in another format.

    Formats: a3m, a2m, fasta (aligned), stockholm, clustal and psicov (also CCMpred's; written for .psicov and .aln).
    An INPUT may be compressed (gzip, bzip2, xz, zstd), and - is standard input; OUTPUT is compressed when it ends in
    .gz, .bz2, .xz or .zst.

    The first sequence is the query, and its residues are the columns. What the new format cannot hold (psicov, for
    one, has no names and no insertions) is left out, and said on stderr.
    """
    options = Options(**flags)
    if as_json and str(output) == STANDARD_STREAM:
        raise click.UsageError("--json and -o - would both write to standard output; name a file to write")
    pairs = _pair(inputs, output, options)
    _check_outputs(pairs, report, options)
    done: list[Conversion] = []
    failures: dict[str, str] = {}
    for source, target in pairs:
        try:
            done.append(_convert(source, target, options))
        except (DataToolsError, OSError) as error:
            if len(pairs) == 1:
                raise
            failures[str(source)] = one_line(error)
            print_error(error)
    if report is not None and done and not options.dry_run:
        _write_report([conversion.report for conversion in done], report, is_list=len(pairs) > 1)
    _show(done, failures, options, as_json=as_json)
    return exit_code(len(failures), len(pairs))


def _pair(inputs: tuple[Path, ...], output: Path, options: Options) -> list[tuple[Path, Path]]:
    """Each input and the file it becomes."""
    if len(inputs) == 1 and not output.is_dir():
        return [(inputs[0], output)]
    if options.target_format is None:
        raise click.UsageError("name the format to write into a folder: --to FORMAT")
    if any(str(source) == STANDARD_STREAM for source in inputs) or str(output) == STANDARD_STREAM:
        raise click.UsageError("- stands for one alignment; with several inputs, or a folder, name files")
    if output.exists() and not output.is_dir():
        raise click.UsageError(f"{output} is a file; name a folder for several inputs")
    suffix = SUFFIXES[options.target_format]
    return [(source, output / f"{name}{suffix}") for name, source in named_targets(inputs).items()]


def _check_outputs(pairs: list[tuple[Path, Path]], report: Path | None, options: Options) -> None:
    """Refuse to write over an input, and over anything else that exists unless told so."""
    inputs = {source.resolve() for source, _ in pairs if str(source) != STANDARD_STREAM}
    targets = [target for _, target in pairs if str(target) != STANDARD_STREAM]
    outputs = targets if report is None else [*targets, report]
    if report is not None and report.resolve() in {target.resolve() for target in targets}:
        raise click.UsageError(f"{report} is named for the alignment and for the report; name two files")
    for path in outputs:
        if path.resolve() in inputs:
            raise click.UsageError(f"{path} is an input; name another file to write")
        if path.exists() and not options.overwrite:
            raise click.UsageError(f"{path} exists; name another file, or add --overwrite")


def _convert(source: Path, target: Path, options: Options) -> Conversion:
    from data_tools.formats import find_losses, format_of_path, read_alignment
    from data_tools.formats.notes import report_as_json
    from data_tools.formats.written_names import renamed

    alignment = read_alignment(
        source,
        format=options.source_format,
        on_error="repair" if options.repair else "raise",
        match_columns=options.match_columns,
    )
    if options.rename:
        names = renamed(alignment.names)
        num_changed = sum(new != old for new, old in zip(names, alignment.names, strict=True))
        if num_changed:
            LOGGER.warning("%s: %s names were changed", source, f"{num_changed:,}")
        alignment = dataclasses.replace(alignment, names=names)
    target_format = options.target_format or format_of_path(target)
    conversion = Conversion(
        input=str(source),
        output=str(target),
        source_format=alignment.report.format,
        target_format=target_format,
        depth=alignment.depth,
        length=alignment.length,
        lost=find_losses(alignment, target_format),
        report=report_as_json(alignment.report),
    )
    for loss in conversion.lost:
        LOGGER.warning("%s: %s", source, loss)
    for action in ("mended", "dropped"):
        if count := alignment.report.counts.get(action):
            LOGGER.warning("%s: %s %s; --report FILE says which", source, f"{count:,}", action)
    _write(alignment, target, target_format, dry_run=options.dry_run)
    return conversion


def _write(alignment: Alignment, target: Path, target_format: str, *, dry_run: bool) -> None:
    from data_tools.formats import write_alignment
    from data_tools.formats.writers import text_of

    pieces = text_of(alignment, target_format)
    if dry_run:
        for _ in pieces:  # what cannot be written is an error now as later
            pass
    elif str(target) == STANDARD_STREAM:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_alignment(alignment, target, format=target_format)


def _write_report(reports: list[dict[str, Any]], path: Path, *, is_list: bool) -> None:
    from data_tools.atomic import atomic_path

    content = reports if is_list else reports[0]
    with atomic_path(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _show(done: list[Conversion], failures: dict[str, str], options: Options, *, as_json: bool) -> None:
    if as_json:
        files = [
            *map(dataclasses.asdict, done),
            *({"input": source, "error": message} for source, message in failures.items()),
        ]
        click.echo(json.dumps({"dry_run": options.dry_run, "files": files}, indent=2, ensure_ascii=False))
        return
    for conversion in done:
        if conversion.output == STANDARD_STREAM and not options.dry_run:
            continue
        would = "would be written: " if options.dry_run else ""
        click.echo(
            f"{conversion.output}: {would}{conversion.depth:,} sequences, {conversion.length:,} columns, "
            f"{conversion.source_format} to {conversion.target_format}"
        )
