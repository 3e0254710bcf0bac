"""Which files a page is made of (`PageSource`): given by name, or matched by name in folders, as `featurize` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data_tools.formats import read_alignment
from data_tools.pipeline.inputs import COMPRESSION_SUFFIXES, alignment_named, structure_named
from msaformer.errors import PredictionError
from msaformer.prediction import load_prediction
from msaformer.report.index_page import IndexRow, index_row
from msaformer.report.page import write_report
from msaformer.report.programs import SharedParts
from msaformer.report.score_files import read_pair_scores
from msaformer.report.truth import read_truth

SUFFIX: Final = ".npz"
"""Of a prediction's file."""


@dataclass(frozen=True, slots=True)
class PageSource:
    """The files of one page."""

    name: str
    """Of the page's file: the prediction's own name without its suffix."""
    prediction: Path
    structure: Path | None = None
    chain: str | None = None
    alignment: Path | None = None
    compare: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All that are read."""
        return [
            path
            for path in (self.prediction, self.structure, self.alignment, self.compare)
            if path is not None
        ]


@dataclass(frozen=True, slots=True)
class SourceFolders:
    """Where files named as the predictions are looked for; a prediction without one has a page without it."""

    structures: Path | None = None
    alignments: Path | None = None
    compare: Path | None = None


def find_predictions(arguments: Sequence[Path]) -> list[Path]:
    """The predictions that `arguments` stand for: files as they are, of a folder those that end in `.npz`, by name.

    Raises PredictionError for a folder without any.
    """
    found: list[Path] = []
    for argument in arguments:
        if not argument.is_dir():
            found.append(argument)
            continue
        inside = sorted(path for path in argument.iterdir() if is_prediction_name(path.name))
        if not inside:
            raise PredictionError(f"{argument}: no prediction ({SUFFIX}) in this folder")
        found += inside
    return found


def is_prediction_name(name: str) -> bool:
    """Does a file of this name, seen in a folder, look like a prediction?

    >>> is_prediction_name("T1049.npz"), is_prediction_name(".npz"), is_prediction_name("T1049.csv")
    (True, False, False)
    """
    return name.endswith(SUFFIX) and not name.startswith(".")


def page_name(prediction: str | Path) -> str:
    """The name of a prediction's page, without a suffix.

    >>> page_name("predictions/T1049.v2.npz")
    'T1049.v2'
    """
    name = os.path.basename(prediction)
    return name[: -len(SUFFIX)] if len(name) > len(SUFFIX) and name.endswith(SUFFIX) else name


def match_sources(targets: dict[str, Path], folders: SourceFolders) -> list[PageSource]:
    """Find the files of each target (name to prediction) in `folders`; raises OSError when one cannot be listed.

    Raises PipelineError or PredictionError when two files of a folder claim one target, and PredictionError when a
    folder has none for any target: it is hardly the one that was meant.
    """
    structures = _matched(targets, folders.structures, structure_named, "structure (.cif, .pdb)")
    alignments = _matched(targets, folders.alignments, alignment_named, "alignment")
    compare = _matched(targets, folders.compare, scores_named, "prediction or score file")
    return [
        PageSource(
            name,
            prediction,
            structure=structures.get(name),
            alignment=alignments.get(name),
            compare=compare.get(name),
        )
        for name, prediction in targets.items()
    ]


def _matched(
    targets: Collection[str],
    folder: Path | None,
    named: Callable[[str, Collection[str]], str | None],
    kind: str,
) -> dict[str, Path]:
    if folder is None:
        return {}
    present: dict[str, list[str]] = {}
    for inside in sorted(os.listdir(folder)):
        present.setdefault(_stem(inside), []).append(inside)
    chosen = {name: named(name, present.get(name, ())) for name in targets}
    found = {name: folder / file for name, file in chosen.items() if file is not None}
    if not found:
        example = next(iter(targets))
        raise PredictionError(
            f"{folder}: no {kind} in this folder is named as a prediction, such as {example!r}; is it the right folder?"
        )
    return found


def scores_named(name: str, present: Collection[str]) -> str | None:
    """The file of pair scores of the target `name`: its `.npz`, else its `.rr`, else the only one of its name.

    >>> scores_named("T1049", ["T1049.csv", "T1049.npz", "T1049.rr", "T1049.v2.npz"])
    'T1049.npz'
    >>> scores_named("T1049", ["T1049.mat.gz", "T1049.v2.npz"])
    'T1049.mat.gz'
    """
    candidates = [file for file in present if _stem(file) == name]
    preferred = [file for file in (f"{name}{SUFFIX}", f"{name}.rr") if file in candidates]
    if not preferred and len(candidates) > 1:
        raise PredictionError(
            f"{candidates[0]} and {candidates[1]} may both be compared with {name!r}; leave one out of the folder"
        )
    return next(iter(preferred or candidates), None)


def _stem(name: str) -> str:
    """A file's name without its last suffix, and without that of compression after it."""
    for suffix in COMPRESSION_SUFFIXES:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return os.path.splitext(name)[0]


def write_page(source: PageSource, path: Path, shared: SharedParts | None = None) -> IndexRow:
    """Read the files of `source` and write its page to `path`; returns its row of the table of contents.

    Raises what `load_prediction`, `read_truth`, `read_alignment`, `read_pair_scores` and `write_report` raise.
    """
    prediction = load_prediction(source.prediction)
    truth = compare = None
    if source.structure is not None:
        truth = read_truth(prediction, source.structure, source.chain)
    if source.compare is not None:
        compare = read_pair_scores(
            source.compare, prediction.sequence, chain_lengths=prediction.chain_lengths
        )
    write_report(
        prediction,
        path,
        truth=truth,
        structure_path=source.structure,
        chain=source.chain,
        alignment=None if source.alignment is None else read_alignment(source.alignment),
        compare=compare,
        shared=shared,
    )
    return index_row(prediction, path.name, truth)
