"""`msaformer export`: predicted contacts as files of other programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from msaformer.cli.messages import print_path
from msaformer.cli.score_inputs import QueryFlags, query_options, read_sources, read_structure

if TYPE_CHECKING:
    from msaformer.pair_scores import PairScores
    from msaformer.prediction import Prediction
    from msaformer.report.contact_list import ContactList, Selection
    from msaformer.report.truth import Truth

FORMATS: Final = ("rr", "csv", "parquet", "pml", "pb", "tbl", "cst")
_NEEDS_STRUCTURE: Final = ("pml", "pb")
_FAR_APART: Final = ("rr", "pml", "pb", "tbl", "cst")  # of pairs at least 6 apart unless told otherwise
_RESTRAINTS: Final = ("tbl", "cst")
RESTRAINT_PROB: Final = 0.5  # more likely right than wrong
_TOP: Final = re.compile(r"([0-9]{1,9})|([0-9]{1,6}(?:\.[0-9]+)?)L")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options say of the pairs to take."""

    top: str | None
    min_prob: float | None
    min_separation: int | None


def _check_top(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not _TOP.fullmatch(value) or float(value.rstrip("L")) == 0):
        raise click.BadParameter(f"{value!r} is no number of pairs, as 150, or of L, as 1.5L")
    return value


@click.command("export", short_help="Write predicted contacts for other programs.")
@click.argument("source", metavar="PREDICTION", type=click.Path(path_type=Path))
@click.option(
    "--format", "formats", multiple=True, required=True, type=click.Choice(FORMATS), help="May be repeated."
)
@click.option(
    "--structure",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="mmCIF or PDB file; pml and pb need it, csv and parquet say what it says.",
)
@click.option(
    "--chain",
    metavar="C",
    help="Chain, by label or author id, of a complex one each (A,B); the best match if left out.",
)
@click.option("--top", callback=_check_top, metavar="K|kL", help="The best K pairs, or k times L: 150, 1.5L.")
@click.option("--min-prob", type=float, metavar="P", help="Pairs with at least this probability (or score).")
@click.option(
    "--min-separation",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pairs at least N apart in the sequence.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="A file with the suffix of the one format, or a folder.",
)
@query_options
def command(
    source: Path,
    formats: tuple[str, ...],
    structure: Path | None,
    chain: str | None,
    output: Path,
    query: QueryFlags,
    **choice: Any,
) -> None:
    """Write the contacts of PREDICTION (.npz of `msaformer predict`, or any file of scores) for other programs.

    rr: CASP RR. csv, parquet: a table of pairs. pml, pb: scripts for PyMOL and ChimeraX that draw contacts on the
    structure, true and false ones apart. tbl, cst: restraints for CNS and Rosetta.

    Without --top and --min-prob csv and parquet take all pairs, rr all that are probable, pml and pb the best L, tbl
    and cst those of probability 0.5 (of scores that are none, the best L). All but csv and parquet take pairs at least
    6 apart, unless --min-separation says otherwise.
    """
    wanted = list(dict.fromkeys(formats))
    _check_structure(wanted, structure, chain)
    sources = read_sources([source], query)
    truth = None if structure is None else read_structure(sources, structure, chain)
    targets = _targets(source, wanted, output)
    for name, path in targets.items():
        _write(name, sources.files[0], truth, Choice(**choice), path)
        print_path(path)


def _check_structure(formats: Sequence[str], structure: Path | None, chain: str | None) -> None:
    lacking = [name for name in formats if name in _NEEDS_STRUCTURE]
    if structure is None and lacking:
        raise click.UsageError(f"--format {lacking[0]} draws on a structure; give --structure")
    if structure is None and chain is not None:
        raise click.UsageError("--chain says which chain of --structure; give --structure too")


def _targets(source: Path, formats: Sequence[str], output: Path) -> dict[str, Path]:
    """Format to file; the folder is made. Raises UsageError when a file would be written over what is read."""
    from data_tools.compression import COMPRESSION_SUFFIXES

    name = source.with_suffix("").name if source.suffix in COMPRESSION_SUFFIXES else source.name
    is_file = len(formats) == 1 and output.suffix == f".{formats[0]}" and not output.is_dir()
    folder = output.parent if is_file else output
    targets = {form: output if is_file else folder / f"{Path(name).stem}.{form}" for form in formats}
    for path in targets.values():
        if path.resolve() == source.resolve():
            raise click.UsageError(f"{path} is what is read; give another --output")
    folder.mkdir(parents=True, exist_ok=True)
    return targets


def _write(
    name: str, predicted: Prediction | PairScores, truth: Truth | None, choice: Choice, path: Path
) -> None:
    from msaformer.report import exports, restraints, structure_scripts
    from msaformer.report.contact_list import contact_list

    contacts = contact_list(predicted, truth, selection(name, predicted, choice))
    if name == "rr":
        exports.save_casp_rr(contacts, path, is_whole=choice.top is None and choice.min_prob is None)
    elif name == "csv":
        exports.save_csv(contacts, path)
    elif name == "parquet":
        exports.save_parquet(contacts, path)
    elif truth is not None and name in _NEEDS_STRUCTURE:
        draw = structure_scripts.save_pymol if name == "pml" else structure_scripts.save_chimerax
        _say_left_out(draw(contacts, truth, path), contacts, path, "a residue is not in the structure")
    else:
        save: Callable[[ContactList, Path], int] = (
            restraints.save_cns if name == "tbl" else restraints.save_rosetta
        )
        _say_left_out(save(contacts, path), contacts, path, "farther than the bins of distance")


def selection(name: str, predicted: Prediction | PairScores, choice: Choice) -> Selection:
    """Which pairs go into a file of the format `name`: the user's choice, or what suits the format."""
    from msaformer.pair_scores import PairScores
    from msaformer.report.contact_list import MIN_SEPARATION, Selection

    top, least = _count(choice.top, predicted.length), choice.min_prob
    if top is None and least is None:
        are_probabilities = not isinstance(predicted, PairScores) or predicted.are_probabilities
        if name in _RESTRAINTS and are_probabilities:
            least = RESTRAINT_PROB
        elif name in _NEEDS_STRUCTURE or name in _RESTRAINTS:
            top = predicted.length
    separation = choice.min_separation or (MIN_SEPARATION if name in _FAR_APART else 1)
    return Selection(top, least, separation)


def _count(text: str | None, length: int) -> int | None:
    if text is None:
        return None
    found = _TOP.fullmatch(text)
    assert found is not None
    return int(found[1]) if found[1] else max(int(float(found[2]) * length), 1)


def _say_left_out(count: int, contacts: ContactList, path: Path, reason: str) -> None:
    if count:
        click.echo(f"{path}: {count} of {len(contacts.table)} pairs left out, {reason}", err=True)
