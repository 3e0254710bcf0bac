"""`msaformer filter`: select sequences and columns of an alignment, and say what each step took away."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from msaformer.cli.convert import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_tools.alignment import Alignment
    from data_tools.filtering import FilterResult, FilterSettings
    from data_tools.filtering.rows import Rows

STREAM: Final = Path("-")
SETTINGS: Final = (
    *("min_coverage", "min_identity", "max_identity", "redundancy", "max_column_gaps"),
    *("depth", "select", "seed", "denominator"),
)
HELD_BY: Final = {"select": "depth", "seed": "depth", "method": "redundancy"}
"""An option that means something only beside another."""

LOGGER: Final = logging.getLogger(__name__)

EPILOG: Final = """\b
Example: drop fragments and near copies, then keep the 128 most diverse sequences.
  $ msaformer filter deep.a3m -o filtered.a3m --min-coverage 0.75 \\
      --redundancy 0.9 --depth 128 --select diverse
                     sequences   columns
  input                    582        81
  - min coverage          -142        -0
  - redundancy             -74        -0
  - depth                 -238        -0
  output                   128        81
  wrote filtered.a3m
"""


def _fraction(name: str, text: str) -> Callable[[Any], Any]:
    return click.option(name, type=click.FloatRange(0, 1), metavar="F", help=text)


@click.command("filter", short_help="Select sequences and columns of an alignment.", epilog=EPILOG)
@click.argument("alignment", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUTPUT",
    type=click.Path(path_type=Path),
    help="File to write, its format by its suffix (.a3m, .sto, .fasta, ...; also .gz, .zst); - is standard output.",
)
@_fraction("--min-coverage", "Least part of the query's residues that a sequence covers.")
@_fraction("--min-identity", "Least identity to the query.")
@_fraction("--max-identity", "Greatest identity to the query; the query itself stays.")
@_fraction("--redundancy", "Drop a sequence this identical, or more, to an earlier one that stays.")
@click.option(
    "--method",
    type=click.Choice(["own", "hhfilter"]),
    help="Of --redundancy: own (exact, in the order of the file; default) or HH-suite's program hhfilter.",
)
@click.option(
    "--denominator",
    type=click.Choice(["aligned", "length"]),
    default="aligned",
    show_default=True,
    help="Identity of the columns in which both have a residue, or of all columns of the query.",
)
@_fraction("--max-column-gaps", "Greatest part of the sequences left with a gap in a column; see below.")
@click.option(
    "--depth", type=click.IntRange(min=1), metavar="N", help="Sequences to keep at most, with the query."
)
@click.option(
    "--select",
    type=click.Choice(["first", "random", "diverse"]),
    help="Of --depth: the first (default), a random sample, or the most diverse (greedy, mean Hamming distance).",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Of --select random; 0 if left out.")
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--dry-run", is_flag=True, help="Say what would be left, write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace OUTPUT if it exists; never the input.")
def command(
    alignment: Path, output: Path, as_json: bool, dry_run: bool, overwrite: bool, **options: Any
) -> None:
    """Select sequences and columns of the alignment INPUT (- is standard input) and write OUTPUT.

    The query, the first sequence, always stays. Steps run in this order, each on what is left: coverage, identity to
    the query, redundancy, gaps in columns, depth. All are exact, and the same input gives the same output.

    Residues of a column that --max-column-gaps drops are not lost: they become insertions (lower case in A3M), also
    in the query, so the numbers of its residues stay.
    """
    from data_tools.formats import read_alignment

    settings = _settings(options)
    if as_json and output == STREAM and not dry_run:
        raise click.UsageError("--json and -o - would both write to standard output; choose one")
    _check_output(alignment, output, overwrite=overwrite)
    source = read_alignment(
        alignment,
        format=options["source_format"],
        on_error="repair" if options["repair"] else "raise",
    )
    result = _filtered(source, settings, options["method"])
    lost = _write(result.alignment, output, options["target_format"], dry_run=dry_run)
    for loss in lost:
        LOGGER.warning("%s: %s", output, loss)
    summary = to_json(source, result, alignment, output, lost, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        click.echo(format_summary(summary), err=output == STREAM and not dry_run)


def _check_output(alignment: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse to write over the input, and over anything else that exists unless told so."""
    if output == STREAM:
        return
    if alignment != STREAM and output.resolve() == alignment.resolve():
        raise click.UsageError(f"{output} is the input; name another file to write")
    if output.exists() and not overwrite:
        raise click.UsageError(f"{output} exists; name another file, or add --overwrite")


def _settings(options: dict[str, Any]) -> FilterSettings:
    from data_tools.filtering import FilterSettings

    for option, holder in HELD_BY.items():
        if options[option] is not None and options[holder] is None:
            raise click.UsageError(f"--{option} needs --{holder}")
    if options["seed"] is not None and options["select"] != "random":
        raise click.UsageError("--seed needs --select random")
    given = {name: options[name] for name in SETTINGS if options[name] is not None}
    if given.keys() == {"denominator"}:
        raise click.UsageError("nothing to filter by; give --min-coverage, --redundancy, --depth or another")
    try:
        return FilterSettings(**given)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _filtered(source: Alignment, settings: FilterSettings, method: str | None) -> FilterResult:
    from data_tools.filtering import filter_alignment

    if method != "hhfilter" or settings.redundancy is None:
        return filter_alignment(source, settings)
    percent = round(settings.redundancy * 100)
    if abs(percent - settings.redundancy * 100) > 1e-9:
        raise click.UsageError(f"hhfilter takes whole percent, --redundancy is {settings.redundancy}")
    if settings.denominator != "aligned":
        raise click.UsageError("hhfilter knows identity of aligned columns only; leave --denominator out")
    return filter_alignment(source, settings, redundancy=lambda given: hhfilter_rows(given, percent))


def hhfilter_rows(alignment: Alignment, percent: int) -> Rows:
    """Rows that `hhfilter -id PERCENT` keeps, the query first."""
    import numpy as np

    from data_tools.formats import read_alignment, write_alignment
    from data_tools.search.hhsuite import hhfilter
    from data_tools.search.hhsuite_config import HHfilterConfig, RowFilter

    numbered = dataclasses.replace(alignment, names=tuple(f"row{row}" for row in range(alignment.depth)))
    with tempfile.TemporaryDirectory(prefix="msaformer-") as folder:
        before, after = Path(folder) / "before.a3m", Path(folder) / "after.a3m"
        write_alignment(numbered, before)
        hhfilter(before, after, HHfilterConfig(row_filter=RowFilter(max_identity=percent, diff=0)))
        names = read_alignment(after, format="a3m").names
    return np.array(sorted(int(name.removeprefix("row")) for name in names), dtype=np.int64)


def _write(
    alignment: Alignment, output: Path, target_format: str | None, *, dry_run: bool
) -> tuple[str, ...]:
    """Write the alignment; what the format cannot hold."""
    from data_tools.formats import find_losses, format_of_path, write_alignment
    from data_tools.formats.writers import text_of

    target_format = target_format or ("a3m" if output == STREAM else format_of_path(output))
    if output == STREAM or dry_run:
        for piece in text_of(
            alignment, target_format
        ):  # in a dry run, what cannot be written is an error too
            if not dry_run:
                sys.stdout.buffer.write(piece)
        sys.stdout.flush()
    else:
        write_alignment(alignment, output, format=target_format)
    return find_losses(alignment, target_format)


def to_json(
    source: Alignment,
    result: FilterResult,
    alignment: Path,
    output: Path,
    lost: tuple[str, ...],
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """What went in, what each step took, what is left, and what the format written cannot hold of it."""
    return {
        "input": str(alignment),
        "output": str(output),
        "dry_run": dry_run,
        "repaired": dict(source.report.counts),
        "before": {"depth": source.depth, "length": source.length},
        "steps": [dataclasses.asdict(step) for step in result.steps],
        "after": {"depth": result.alignment.depth, "length": result.alignment.length},
        "lost": list(lost),
    }


def format_summary(summary: dict[str, Any]) -> str:
    """The same as a table."""

    def line(name: str, rows: int | str, columns: int | str) -> str:
        return f"{name:<18}{rows:>10}{columns:>10}"

    steps = (
        line("- " + step["name"].replace("_", " "), f"-{step['rows_removed']}", f"-{step['columns_removed']}")
        for step in summary["steps"]
    )
    before, after = summary["before"], summary["after"]
    lines = [
        line("", "sequences", "columns"),
        line("input", before["depth"], before["length"]),
        *steps,
        line("output", after["depth"], after["length"]),
        f"would write {summary['output']}" if summary["dry_run"] else f"wrote {summary['output']}",
    ]
    return "\n".join(lines)
