"""What is to be featurized: files, folders, globs and tables become a list of `Input` (`collect_inputs`).

Importing this module loads the standard library only.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from data_tools.errors import PipelineError

ALIGNMENT_SUFFIXES: Final = (
    *(".a3m", ".a2m", ".fasta", ".fas", ".fa", ".faa", ".afa", ".aln"),
    *(".sto", ".stk", ".stockholm", ".clustal", ".clw", ".psicov"),
)
COMPRESSION_SUFFIXES: Final = (".gz", ".bz2", ".zst", ".xz")
TABLE_SUFFIXES: Final = (".csv", ".tsv")
STRUCTURE_SUFFIXES: Final = tuple(
    f"{suffix}{compression}"
    for compression in ("", ".gz", ".bz2", ".zst", ".xz")
    for suffix in (".cif", ".bcif", ".pdb", ".ent")
)
"""In this order of preference."""
_GLOB_LETTERS: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Input:
    """One example to make."""

    id: str
    """Unique in the store."""
    alignment: str
    """Path as it was given."""
    structure: str | None = None
    """Path of the structure that gives the distances; None for an example without."""
    chain: str | None = None
    """Author or label name of the structure's chain; None: the one that fits the query best."""


def collect_inputs(arguments: Sequence[str | Path], structures: str | Path | None = None) -> list[Input]:
    """Name the inputs that `arguments` stand for, in their order.

    An argument is a file; a folder, searched with all folders in it for alignments by suffix (hidden names are left
    out, links to folders not followed); a glob (`**` for any depth); or a table (`.csv`, `.tsv`, see
    `data_tools.pipeline.table`). What a folder or glob yields is sorted by path. An input without a structure of its
    own gets the one named as its id in the folder `structures`, where there is one.

    Raises PipelineError when an argument yields nothing, a table is faulty, or two inputs have one id.
    """
    from data_tools.pipeline.table import read_table

    inputs: list[Input] = []
    for argument in map(str, arguments):
        if argument.lower().endswith(TABLE_SUFFIXES):
            inputs += read_table(argument)
        else:
            inputs += [Input(_usable_id(path), path) for path in _paths(argument)]
    if not inputs:
        raise PipelineError("no inputs: name an alignment, a folder of them, a quoted glob or a table")
    _check_ids(inputs)
    return inputs if structures is None else _with_structures(inputs, structures)


def target_id(path: str | Path) -> str:
    """The id of an alignment: its file name without the suffixes of compression and alignment.

    >>> target_id("data/T1049.v2.A3M.gz")
    'T1049.v2'
    """
    name = os.path.basename(path)
    for suffixes in (COMPRESSION_SUFFIXES, ALIGNMENT_SUFFIXES):
        for suffix in suffixes:
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                name = name[: -len(suffix)]
                break
    return name


def is_alignment_name(name: str) -> bool:
    """Does a file of this name look like an alignment, compressed or not?

    >>> is_alignment_name("a.sto.gz"), is_alignment_name("a.gz"), is_alignment_name(".a3m")
    (True, False, False)
    """
    lower = name.lower()
    for suffix in COMPRESSION_SUFFIXES:
        lower = lower.removesuffix(suffix)
    return lower.endswith(ALIGNMENT_SUFFIXES) and not name.startswith(".")


def structure_named(name: str, present: Collection[str]) -> str | None:
    """The structure file of the target `name` among the file names `present`, the first by `STRUCTURE_SUFFIXES`.

    >>> structure_named("T1049", {"T1049.pdb", "T1049.cif.gz", "T1049.a3m"})
    'T1049.pdb'
    """
    return next((f"{name}{suffix}" for suffix in STRUCTURE_SUFFIXES if f"{name}{suffix}" in present), None)


def alignment_named(name: str, present: Collection[str]) -> str | None:
    """The alignment of the target `name` among the file names `present`; raises PipelineError when there are several.

    >>> alignment_named("T1049", {"T1049.A3M.gz", "T1049.v2.a3m"})
    'T1049.A3M.gz'
    """
    found = sorted(other for other in present if is_alignment_name(other) and target_id(other) == name)
    if len(found) > 1:
        raise PipelineError(f"{found[0]} and {found[1]} have the same id, {name!r}; leave one out")
    return found[0] if found else None


def check_id(name: str, where: str) -> None:
    """Raise PipelineError when `name` is empty or holds what would break a table or a terminal."""
    if not name or not name.isprintable() or name != name.strip():
        raise PipelineError(
            f"{where}: {name!r} cannot be an id; use printable characters and no blanks at its ends"
        )


def _usable_id(path: str) -> str:
    name = target_id(path)
    check_id(name, repr(path))
    return name


def _paths(argument: str) -> Iterable[str]:
    """The alignments that one argument stands for; a file is taken as it is, whether it can be read or not."""
    if argument == "-":
        raise PipelineError("featurize reads files, not standard input; `msaformer convert` can write one")
    if os.path.isdir(argument):
        found = sorted(_walk(argument))
        if not found:
            suffixes = ", ".join(ALIGNMENT_SUFFIXES)
            raise PipelineError(f"{argument}: no alignment in this folder; their names end in {suffixes}")
        return found
    if _GLOB_LETTERS.isdisjoint(argument) or os.path.lexists(argument):
        return [argument]
    found = sorted(path for path in glob.iglob(argument, recursive=True) if not os.path.isdir(path))
    if not found:
        raise PipelineError(f"{argument}: no file matches this pattern")
    return found


def _walk(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise PipelineError(
            f"{error.filename}: cannot be searched: {error.strerror}; change its permissions or leave it out"
        ) from error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(place, name) for name in files if is_alignment_name(name))


def _check_ids(inputs: Sequence[Input]) -> None:
    seen: dict[str, str] = {}
    for one in inputs:
        other = seen.setdefault(one.id, one.alignment)
        if other is not one.alignment:
            raise PipelineError(
                f"{other} and {one.alignment} have the same id, {one.id!r}; give a table with ids of your own, "
                "or leave one out"
            )


def _with_structures(inputs: Sequence[Input], folder: str | Path) -> list[Input]:
    present = set(os.listdir(folder))
    labelled = []
    for one in inputs:
        found = structure_named(one.id, present)
        if one.structure is None and found is not None:
            labelled.append(replace(one, structure=os.path.join(folder, found)))
        else:
            labelled.append(one)
    return labelled
