"""`msaformer evaluate`: how well predictions, ours and others', rank the contacts of a structure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from msaformer.cli.bars import with_bars
from msaformer.cli.messages import json_text, print_picture, print_text
from msaformer.cli.pictures import draw_evaluation
from msaformer.cli.score_inputs import QueryFlags, query_options, read_sources, read_structure
from msaformer.cli.terminal import draw_option

if TYPE_CHECKING:
    from msaformer.cli.evaluation_text import Evaluated
    from msaformer.report.truth import Truth


@click.command("evaluate", short_help="Score predictions against a structure.")
@click.argument("files", metavar="PREDICTION...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--structure",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="mmCIF or PDB file, plain or gzip.",
)
@click.option(
    "--chain",
    metavar="C",
    help="Chain, by label or author id, of a complex one each (A,B); the best match if left out.",
)
@click.option(
    "--json", "output", flag_value="json", help="Print one JSON object; of several files with a list of them."
)
@click.option("--csv", "output", flag_value="csv", help="Print CSV, one line a file and range.")
@query_options
@draw_option
def command(
    files: tuple[Path, ...],
    structure: Path,
    chain: str | None,
    output: str | None,
    query: QueryFlags,
    draw: bool | None,
) -> None:
    """Score each PREDICTION: P@L, P@L/2, P@L/5 and recall among the best L, by sequence separation.

    A PREDICTION is a .npz of `msaformer predict`, or scores that another program wrote: CASP RR, CCMpred, plmc,
    freecontact, EVcouplings, PSICOV, GREMLIN, trRosetta. Several are compared on the same pairs and structure.

    A contact is Cβ–Cβ (Cα for Gly) closer than 8 Å; pairs with an unresolved residue are left out of the ranking. So
    are pairs that a file does not list: where it lists fewer than L, L/2 or L/5, precision (marked *) is of those.
    Of a .npz also: mean error of the expected distances, lDDT, and how far the spread tells the error.
    """
    from msaformer.cli.evaluation_text import Evaluated, to_csv, to_json
    from msaformer.distance_metrics import distance_scores
    from msaformer.pair_scores import PairScores
    from msaformer.report.score_comparison import compare

    sources = read_sources(files, query)
    truth = read_structure(sources, structure, chain)
    evaluated = []
    for file, source in zip(files, sources.files, strict=True):
        ours = None if isinstance(source, PairScores) else source
        scores = source if isinstance(source, PairScores) else PairScores.of(source)
        comparison = compare(scores, truth, sources.chain_lengths)
        distances = None if ours is None else distance_scores(ours, truth.distances)
        evaluated.append(Evaluated(str(file), scores, comparison, ours, distances))
    if output == "json":
        click.echo(json_text(to_json(evaluated, str(structure), truth)))
    elif output == "csv":
        print_text(to_csv(evaluated))
    else:
        _print_tables(evaluated, str(structure), truth, draw)


def _print_tables(evaluated: Sequence[Evaluated], structure: str, truth: Truth, draw: bool | None) -> None:
    from msaformer.cli.evaluation_text import SHORT_NOTE, bar_shares, is_any_short, many_tables, one_table

    alone = evaluated[0] if len(evaluated) == 1 else None
    table = many_tables(evaluated, structure, truth) if alone is None else one_table(alone, structure, truth)
    print_picture(with_bars(table, "P@L, 0 to 1", bar_shares(evaluated), draw))
    if is_any_short(evaluated):
        click.echo(SHORT_NOTE)
    if alone is not None:
        draw_evaluation(alone.prediction or alone.scores, truth.distances, draw)
