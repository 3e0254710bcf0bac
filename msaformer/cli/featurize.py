"""`msaformer featurize`: alignments, with structures where there are any, into an example store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from data_tools.errors import DataToolsError
from msaformer.cli.messages import (
    exit_code,
    named_targets,
    one_line,
    print_error,
    progress_is_shown,
    write_failures,
)

if TYPE_CHECKING:
    from data_tools.store import Example

STRUCTURE_SUFFIXES: Final = (".cif", ".pdb", ".ent", ".cif.gz", ".pdb.gz", ".ent.gz")


@click.command("featurize", short_help="Turn alignments (and structures) into an example store.")
@click.argument(
    "alignments", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ALIGNMENT..."
)
@click.option(
    "--structures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of structures named as the alignments (.cif, .pdb, .ent, plain or .gz); they become labels.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="STORE",
    help="Folder of the store to write.",
)
@click.option("--overwrite", is_flag=True, default=None, help="Replace the store at STORE.")
def command(
    alignments: tuple[Path, ...], structures: Path | None, output: Path, overwrite: bool | None
) -> int:
    """Turn each ALIGNMENT into an example of the store at STORE, with distances where its structure is at hand.

    The id of an example is the file name without suffix. Inputs that fail are listed in STORE.failures.tsv, and the
    exit code is 3 (1 when all failed, and then no store is written).
    """
    from tqdm import tqdm

    from data_tools.store import StoreWriter

    targets = named_targets(alignments)
    failures: dict[Path, str] = {}
    num_labelled = 0
    existed = output.exists()
    try:
        with StoreWriter(output, overwrite=bool(overwrite)) as writer:
            for name, path in tqdm(targets.items(), unit="alignment", disable=not progress_is_shown()):
                try:
                    example = make_example(name, path, structures)
                except (DataToolsError, OSError) as error:
                    failures[path] = one_line(error)
                    print_error(error)
                    continue
                writer.add(example)
                num_labelled += example.distances is not None
            if len(failures) == len(targets):
                raise _NothingToStoreError
    except _NothingToStoreError:
        if not existed:
            output.rmdir()
    write_failures(failures, output.with_name(f"{output.name}.failures.tsv"))
    num_done = len(targets) - len(failures)
    if num_done:
        click.echo(f"{output}: {num_done} examples, {num_labelled} of them with distances")
    return exit_code(len(failures), len(targets))


class _NothingToStoreError(Exception):
    """Every input failed: the writer is to drop what it began."""


def make_example(name: str, path: Path, structures: Path | None) -> Example:
    """Featurize one alignment and, where the folder has its structure, label it."""
    from data_tools.features import featurize
    from data_tools.formats import read_alignment
    from data_tools.labels import label_distances
    from data_tools.store import Example
    from data_tools.structure import read_chains, select_chain

    alignment = read_alignment(path)
    structure = None if structures is None else find_structure(name, structures)
    distances = None
    if structure is not None:
        chain = select_chain(read_chains(structure), alignment.query, None, source=structure)
        distances = label_distances(alignment.query, chain, source=structure).distances
    return Example(name, featurize(alignment), distances)


def find_structure(name: str, folder: Path) -> Path | None:
    """The structure of a target, mmCIF before PDB, plain before gzip; None when the folder has none."""
    candidates = (folder / f"{name}{suffix}" for suffix in STRUCTURE_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)
