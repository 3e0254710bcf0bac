"""`msaformer report`: predictions as HTML pages, one of its own or a folder with a table of contents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from data_tools.errors import DataToolsError
from msaformer.cli.messages import (
    ALL_FAILED,
    FAILURES,
    exit_code,
    naming,
    print_error,
    progress_is_shown,
    write_failures,
)
from msaformer.cli.page_flags import PageFlags, page_flags
from msaformer.errors import MSAFormerError

if TYPE_CHECKING:
    from msaformer.report.sources import PageSource

PAGE_SUFFIXES: Final = (".html", ".htm")


@click.command("report", short_help="Write predictions as HTML pages.")
@click.argument(
    "predictions", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PREDICTION..."
)
@page_flags
@click.option(
    "--single-file",
    is_flag=True,
    default=None,
    help="In a folder: each page carries its style and programs, instead of sharing those of DIR/assets.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The page (PAGE.html), or the folder of the pages.",
)
def command(
    predictions: tuple[Path, ...], output: Path, single_file: bool | None, **flags: Any
) -> int | None:
    """Write each PREDICTION (.npz of `msaformer predict`, or a folder of them) as an HTML page that needs no network.

    One prediction and a PATH that ends in .html: one file that holds all it shows. Otherwise PATH is a folder: a page
    a prediction, index.html with a table of them, and assets/ that they share. Files of --structures, --alignments
    and --compare DIR belong to the prediction of the same name. Pages that are there are written again. Inputs that
    fail are listed in PATH/failures.tsv, and the exit code is 3 (1 when all failed).
    """
    given = PageFlags(**flags)
    from msaformer.report.programs import INDEX
    from msaformer.report.sources import find_predictions, write_page

    sources = given.sources(find_predictions(predictions))
    if output.is_dir() or output.suffix.lower() not in PAGE_SUFFIXES:
        if output.is_file():
            raise click.UsageError(f"{output} is a file; give -o a page (PAGE.html) or a folder")
        code = write_folder(sources, output, is_shared=not single_file)
        if code != ALL_FAILED:
            click.echo(str(output / INDEX))
        return code
    if len(sources) > 1:
        raise click.UsageError(
            f"{output} is one page, but there are {len(sources)} predictions; give -o a folder"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    write_page(sources[0], output)
    click.echo(str(output))
    return None


def write_folder(sources: list[PageSource], folder: Path, *, is_shared: bool) -> int:
    """Write a page a source, their table of contents and what they share; returns the exit code."""
    from tqdm import tqdm

    from msaformer.report.index_page import write_index
    from msaformer.report.programs import INDEX, write_shared_parts
    from msaformer.report.sources import write_page

    for source in sources:
        if f"{source.name}.html".casefold() == INDEX:
            raise click.UsageError(f"{source.prediction} would be written over {INDEX}; rename it")
    folder.mkdir(parents=True, exist_ok=True)
    shared = write_shared_parts(folder) if is_shared else None
    rows, failures = [], {}
    for source in tqdm(sources, unit="page", disable=not progress_is_shown()):
        try:
            rows.append(write_page(source, folder / f"{source.name}.html", shared))
        except (DataToolsError, MSAFormerError, OSError) as error:
            failures[source.prediction] = naming(error, source.prediction)
            print_error(failures[source.prediction])
    write_failures(failures, folder / FAILURES)
    if rows:
        write_index(rows, folder)
    return exit_code(len(failures), len(sources))
