"""`msaformer evaluate`: precision of a prediction against a structure."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from msaformer.cli.bars import with_bars
from msaformer.cli.messages import json_text, one_line, print_picture
from msaformer.cli.pictures import draw_evaluation
from msaformer.cli.terminal import draw_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_tools.labels import Labels
    from msaformer.metrics import RangePrecision
    from msaformer.prediction import Prediction


@click.command("evaluate", short_help="Score a prediction against a structure.")
@click.argument("prediction", type=click.Path(path_type=Path))
@click.option(
    "--structure",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="mmCIF or PDB file, plain or gzip.",
)
@click.option(
    "--chain", metavar="C", help="Chain, by label or author id; the best match to the query if left out."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@draw_option
def command(prediction: Path, structure: Path, chain: str | None, as_json: bool, draw: bool | None) -> None:
    """Score PREDICTION (.npz of `msaformer predict`): P@L, P@L/2 and P@L/5 by sequence separation.

    A contact is Cβ–Cβ (Cα for Gly) closer than 8 Å; pairs with an unresolved residue are left out of the ranking.
    """
    from data_tools.labels import label_distances
    from data_tools.structure import read_chains, select_chain
    from msaformer.metrics import precision_table
    from msaformer.prediction import load_prediction

    loaded = load_prediction(prediction)
    found = select_chain(read_chains(structure), loaded.sequence, chain, source=structure)
    labels = label_distances(loaded.sequence, found, source=structure)
    rows = precision_table(loaded.contact_probs, labels.distances)
    if as_json:
        click.echo(json_text(to_json(loaded, structure, labels, rows)))
    else:
        table, precisions = format_scores(loaded, structure, labels, rows), [row.p_at_l for row in rows]
        print_picture(with_bars(table, "P@L, 0 to 1", precisions, draw))
        draw_evaluation(loaded, labels.distances, draw)


def to_json(
    prediction: Prediction, structure: Path, labels: Labels, rows: Sequence[RangePrecision]
) -> dict[str, Any]:
    """The scores as a tree; what is not a number is null."""
    scores = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in map(dataclasses.asdict, rows)
    ]
    return {
        "name": prediction.name,
        "length": prediction.length,
        "depth": prediction.depth,
        "neff": prediction.neff,
        "model": dict(prediction.model),
        "structure": str(structure),
        "chain": labels.chain.author_name,
        "identity": labels.identity,
        "mismatches": labels.mismatches,
        "unresolved_residues": labels.num_unresolved,
        "ranges": scores,
    }


def format_scores(
    prediction: Prediction, structure: Path, labels: Labels, rows: Sequence[RangePrecision]
) -> str:
    """The scores as a table."""
    from msaformer.metrics import RANGES

    lines = [
        f"{prediction.name}: L = {prediction.length}, N = {prediction.depth:,}, Neff = {prediction.neff:,.1f}",
        f"{one_line(str(structure))}, chain {one_line(labels.chain.author_name)}: "
        f"{labels.identity:.1%} identical to the query "
        f"({labels.mismatches} mismatches), {labels.num_unresolved} residues of the query unresolved",
        "",
        f"{'range':<12} {'separation':>10} {'P@L':>7} {'P@L/2':>7} {'P@L/5':>7} {'contacts':>9} {'pairs':>8}",
    ]
    for row in rows:
        low, high = RANGES[row.range]
        separation = f">= {low}" if high is None else f"{low}-{high}"
        precisions = " ".join(f"{_number(value):>7}" for value in (row.p_at_l, row.p_at_l2, row.p_at_l5))
        name = row.range.replace("_", "+")
        lines.append(f"{name:<12} {separation:>10} {precisions} {row.num_contacts:>9,} {row.num_pairs:>8,}")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
