"""`msaformer inspect`: what alignments hold, before anything is computed from them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from msaformer.cli.alignment_summary import AlignmentSummary, format_summary, summarize
from msaformer.cli.convert import FORMATS
from msaformer.cli.messages import exit_code, json_text, one_line, print_error
from msaformer.cli.pictures import draw_alignment
from msaformer.cli.terminal import draw_option

if TYPE_CHECKING:
    from data_tools.read_report import ReadReport

TABLE_HEAD: Final = ("N", "L", "Neff", "Neff62", "Neff/√L", "gaps", "file")

EPILOG: Final = """\b
Example: one alignment in full, then several as a table.
  $ msaformer inspect deep.a3m
  $ msaformer inspect deep.a3m filtered.a3m
    N   L   Neff  Neff62  Neff/√L   gaps  file
  582  81  394.0   240.7    43.78  19.4%  deep.a3m
  128  81  116.3    94.7    12.93  14.1%  filtered.a3m
"""


@click.command("inspect", short_help="Show depth, Neff, gaps and coverage of an alignment.", epilog=EPILOG)
@click.argument(
    "alignments", metavar="ALIGNMENT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--hhsuite-neff", is_flag=True, help="HH-suite's Neff too; a second for 5,000 sequences of 200 residues."
)
@click.option(
    "--from",
    "source_format",
    type=click.Choice(FORMATS),
    help="Format of the files.  [default: found by their content]",
)
@click.option("--repair", is_flag=True, help="Drop or mend broken rows instead of refusing the file.")
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what the reader left out or mended, with lines, as JSON (one ALIGNMENT only).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@draw_option
def command(
    alignments: tuple[Path, ...],
    hhsuite_neff: bool,
    source_format: str | None,
    repair: bool,
    report: Path | None,
    as_json: bool,
    draw: bool | None,
) -> int:
    """Show depth, Neff (with its definition), gaps and coverage of each ALIGNMENT; - is standard input.

    Any format that convert knows, plain or compressed. Several files make a table, one line each; those that cannot
    be read are named on stderr, and the exit code is then 3 (1 if none can).
    """
    from data_tools.errors import DataToolsError
    from data_tools.formats import read_alignment
    from data_tools.weights import sequence_weights

    if report is not None and len(alignments) > 1:
        raise click.UsageError(f"--report takes one ALIGNMENT, not {len(alignments)}")
    summaries: list[AlignmentSummary] = []
    failures: dict[str, str] = {}
    for path in alignments:
        try:
            alignment = read_alignment(path, format=source_format, on_error="repair" if repair else "raise")
        except DataToolsError as error:
            if len(alignments) == 1:
                raise
            failures[str(path)] = one_line(error)
            print_error(error)
            continue
        if report is not None:
            _write_report(alignment.report, report)
        weights = sequence_weights(alignment.tokens)
        summaries.append(summarize(alignment, str(path), weights, with_hhsuite=hhsuite_neff))
    if len(alignments) == 1:
        single = summaries[0]
        click.echo(json_text(dataclasses.asdict(single)) if as_json else format_summary(single))
        draw_alignment(alignment, weights, False if as_json else draw)
    elif as_json:
        click.echo(json_text({"alignments": list(map(dataclasses.asdict, summaries)), "failures": failures}))
    else:
        click.echo(format_table(summaries))
    return exit_code(len(alignments) - len(summaries), len(alignments))


def format_table(summaries: list[AlignmentSummary]) -> str:
    """One line an alignment, the file last, as its name may be long."""
    lines = [TABLE_HEAD]
    for summary in summaries:
        numbers = (
            f"{summary.depth:,}",
            f"{summary.length:,}",
            f"{summary.neff80:,.1f}",
            f"{summary.neff62:,.1f}",
        )
        shares = (f"{summary.neff_per_sqrt_length:.2f}", f"{summary.gap_fraction:.1%}")
        lines.append((*numbers, *shares, one_line(summary.file)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([*(cell.rjust(width) for cell, width in zip(line[:-1], widths, strict=False)), line[-1]])
        for line in lines
    )


def _write_report(report: ReadReport, path: Path) -> None:
    from data_tools.atomic import atomic_path
    from data_tools.formats.notes import report_as_json

    with atomic_path(path) as temporary:
        temporary.write_text(json_text(report_as_json(report)) + "\n", encoding="utf-8", newline="\n")
