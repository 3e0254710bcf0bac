"""Files of predictions or scores that a command is given: their options, the query and structure they go with."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from msaformer.pair_scores import PairScores
    from msaformer.prediction import Prediction
    from msaformer.report.truth import Truth

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_OPTIONS: Final = (
    click.option(
        "--sequence", type=_FILE, metavar="FASTA", help="The query, for score files that do not state it."
    ),
    click.option(
        "--alignment", type=_FILE, metavar="FILE", help="An alignment whose first sequence is the query."
    ),
    click.option(
        "--first-residue",
        type=int,
        metavar="N",
        help="What score files call the query's first residue.  [default: 1]",
    ),
    click.option(
        "--column",
        metavar="NAME",
        help="Which scores of a file: freecontact cn, mi; EVcouplings cn, probability; GREMLIN s_sco, prob; trRosetta "
        "dist, dist-last.",
    ),
    click.option("--model", metavar="NAME", help="Which model of a CASP file.  [default: the first]"),
)


@dataclass(frozen=True, slots=True)
class QueryFlags:
    """What the options say of score files."""

    sequence: Path | None
    alignment: Path | None
    first_residue: int | None
    column: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that were given, in their order, all of one query."""

    files: tuple[Prediction | PairScores, ...]
    chain_lengths: tuple[int, ...]
    """Residues of each chain of the query; empty for one chain."""


def query_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of score files, as one argument `query`."""

    @functools.wraps(command)
    def bundled(
        *,
        sequence: Path | None,
        alignment: Path | None,
        first_residue: int | None,
        column: str | None,
        model: str | None,
        **others: Any,
    ) -> Any:
        return command(query=QueryFlags(sequence, alignment, first_residue, column, model), **others)

    wrapped: Callable[..., Any] = bundled
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def read_sources(paths: Sequence[Path], flags: QueryFlags) -> Sources:
    """Read the files, in their order, all of one query: that of the options, of a prediction, or of the first file.

    Raises UsageError for options that contradict each other, and as `read_predicted` does.
    """
    from msaformer.report.score_files import read_predicted

    if flags.sequence is not None and flags.alignment is not None:
        raise click.UsageError("--sequence and --alignment both say what the query is; give one of them")
    if len(paths) > 1 and (flags.column is not None or flags.model is not None):
        raise click.UsageError("--column and --model choose within one file; give one file")
    sequence, chain_lengths = _query(flags)
    found: dict[int, Prediction | PairScores] = {}
    # Predictions first: they know their query, which other files may not.
    for at in sorted(range(len(paths)), key=lambda at: paths[at].suffix != ".npz"):
        source = read_predicted(
            paths[at],
            sequence,
            chain_lengths=chain_lengths,
            numbers=_numbers(flags, sequence),
            column=flags.column,
            model=flags.model,
        )
        found[at] = source
        sequence = source.sequence if sequence is None else sequence
        if not chain_lengths and len(source.chain_lengths) > 1:
            chain_lengths = source.chain_lengths
    return Sources(tuple(found[at] for at in range(len(paths))), chain_lengths)


def read_structure(sources: Sources, path: Path, chain: str | None) -> Truth:
    """What the structure says of the query of the `sources`.

    Raises UsageError when none of them knows its sequence, and as `msaformer.report.truth.map_structure` does.
    """
    from msaformer.prediction import Prediction
    from msaformer.report.truth import QueryResidues, map_structure, read_truth

    for source in sources.files:
        if isinstance(source, Prediction):
            return read_truth(source, path, chain)
    sequence = next((source.sequence for source in sources.files if source.sequence is not None), None)
    if sequence is None:
        raise click.UsageError(
            "the files do not state the query, without which no structure can be mapped onto them; give --sequence "
            "or --alignment"
        )
    return map_structure(QueryResidues.of_sequence(sequence, sources.chain_lengths), path, chain)


def _query(flags: QueryFlags) -> tuple[str | None, tuple[int, ...]]:
    path = flags.sequence or flags.alignment
    if path is None:
        return None, ()
    from data_tools.formats import read_alignment
    from data_tools.formats.colabfold import chain_columns

    alignment = read_alignment(path)
    chains = tuple(columns.stop - columns.start for columns in chain_columns(alignment))
    return alignment.query, chains if len(chains) > 1 else ()


def _numbers(flags: QueryFlags, sequence: str | None) -> range:
    if flags.first_residue is None:
        return range(0)
    if sequence is None:
        raise click.UsageError("--first-residue numbers the query; give --sequence or --alignment too")
    return range(flags.first_residue, flags.first_residue + len(sequence))
