"""The flags of `report` and `view` that say what a page is made of, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from msaformer.cli.messages import named_targets

if TYPE_CHECKING:
    from msaformer.report.sources import PageSource

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_OPTIONS: Final = (
    click.option(
        "--structure", type=_FILE, metavar="FILE", help="mmCIF or PDB file: shows the true contacts and 3D."
    ),
    click.option(
        "--chain",
        metavar="C",
        help="Chain, by label or author id, of a complex one each (A,B); the best match if left out.",
    ),
    click.option(
        "--alignment", type=_FILE, metavar="FILE", help="The alignment predicted from: shows its coverage."
    ),
    click.option(
        "--compare",
        type=click.Path(exists=True, path_type=Path),
        metavar="FILE",
        help="Another prediction below the diagonal: .npz, CASP RR, CCMpred, plmc, freecontact, CSV. "
        "A folder is searched by name.",
    ),
    click.option(
        "--structures", type=_FOLDER, metavar="DIR", help="Folder of structures named as the predictions."
    ),
    click.option(
        "--alignments", type=_FOLDER, metavar="DIR", help="Folder of alignments named as the predictions."
    ),
)


@dataclass(frozen=True, slots=True)
class PageFlags:
    """What was given of them; raises UsageError at birth for what cannot go together."""

    structure: Path | None = None
    chain: str | None = None
    alignment: Path | None = None
    compare: Path | None = None
    structures: Path | None = None
    alignments: Path | None = None

    def __post_init__(self) -> None:
        if self.chain is not None and self.structure is None:
            raise click.UsageError("--chain says which chain of --structure; give --structure too")
        for file, folder, name in (
            (self.structure, self.structures, "--structure"),
            (self.alignment, self.alignments, "--alignment"),
        ):
            if file is not None and folder is not None:
                raise click.UsageError(f"{name} and {name}s cannot both be given")

    def sources(self, predictions: list[Path]) -> list[PageSource]:
        """The files of each page, in order; raises UsageError where a file is to serve several predictions."""
        from msaformer.report.sources import SourceFolders, match_sources, page_name

        targets = named_targets(predictions, page_name)
        folder = self.compare if self.compare is not None and self.compare.is_dir() else None
        sources = match_sources(targets, SourceFolders(self.structures, self.alignments, folder))
        if len(sources) == 1:
            return [self._with_files(sources[0])]
        for path, name, remedy in (
            (self.structure, "--structure", "--structures DIR"),
            (self.alignment, "--alignment", "--alignments DIR"),
            (None if folder else self.compare, "--compare", "--compare DIR"),
        ):
            if path is not None:
                raise click.UsageError(
                    f"{name} {path} is of one protein, but there are {len(sources)} predictions; {remedy} is "
                    "matched by name"
                )
        return sources

    def _with_files(self, source: PageSource) -> PageSource:
        compare = None if self.compare is not None and self.compare.is_dir() else self.compare
        return replace(
            source,
            structure=self.structure or source.structure,
            chain=self.chain,
            alignment=self.alignment or source.alignment,
            compare=compare or source.compare,
        )


def page_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a command, as arguments of the names of `PageFlags`' fields."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
