"""`msaformer report`: a prediction as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("report", short_help="Write a prediction as one HTML page.")
@click.argument("prediction", type=click.Path(path_type=Path))
@click.option(
    "--structure", type=_FILE, metavar="FILE", help="mmCIF or PDB file: shows the true contacts and 3D."
)
@click.option(
    "--chain", metavar="C", help="Chain, by label or author id; the best match to the query if left out."
)
@click.option(
    "--alignment", type=_FILE, metavar="FILE", help="The alignment predicted from: shows its coverage."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PAGE.html",
    help="The page to write.",
)
def command(
    prediction: Path, structure: Path | None, chain: str | None, alignment: Path | None, output: Path
) -> None:
    """Write PREDICTION (.npz of `msaformer predict`) as one HTML page that needs no network."""
    if chain is not None and structure is None:
        raise click.UsageError("--chain says which chain of --structure; give --structure too")
    from data_tools.formats import read_alignment
    from msaformer.prediction import load_prediction
    from msaformer.report import write_report

    loaded = load_prediction(prediction)
    rows = None if alignment is None else read_alignment(alignment)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_report(loaded, output, structure_path=structure, chain=chain, alignment=rows)
    click.echo(str(output))
