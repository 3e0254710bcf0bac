"""Contacts drawn on a structure by other programs: PyMOL scripts (`.pml`) and ChimeraX pseudobonds (`.pb`).

Both name the ends as the structure's author does (chain, number, insertion code) and take Cβ, Cα for Gly; of a residue
modelled without Cβ its Cα, so that a pair which cannot be judged can be seen. A pair with a residue that the structure
does not have is left out and counted in the file's head.

Syntax: PyMOL wiki, "Selection Algebra" and "Distance"; ChimeraX user guide, "Pseudobond Files" and "Atom
Specification".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from data_tools.atomic import atomic_path
from data_tools.structure_file import NAMELESS
from msaformer.errors import PredictionError
from msaformer.report.contact_list import ContactList
from msaformer.report.exports import word
from msaformer.report.truth import Truth

CLASSES: Final = (("true", "0072B2"), ("false", "D55E00"), ("unjudged", "999999"))
"""Name and colour (Okabe & Ito) of contacts that are closer than 8 Å, that are not, and of unknown distance."""
RADIUS_ANGSTROM: Final = 0.15  # thin beside a cartoon's 0.25 Å coil, thick enough to be seen
_PLAIN: Final = re.compile(r"[A-Za-z0-9_]+")
_CHIMERAX_CHAIN: Final = re.compile(
    r"(?!_$)[A-Za-z0-9_]+"
)  # a chain without a name (`NAMELESS`) cannot be named
_PRINTABLE: Final = re.compile(r"[ -~]*")  # a line end in a chain's id would end the command


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a line: an atom as the author names it."""

    chain: str
    number: str
    """With insertion code, "15A"."""
    atom: str


def save_pymol(contacts: ContactList, truth: Truth, path: str | Path) -> int:
    """Write a script that draws the contacts as up to three `distance` objects; whole or not at all.

    To be run with the structure loaded: `pymol structure.cif contacts.pml`. Returns the number of pairs that were left
    out, having no place in the structure. Raises PredictionError when none is left.
    """
    drawn, left_out = _drawn(contacts, truth)
    lines = [
        *(f"# {line}" for line in _head(contacts, drawn, left_out)),
        "# load the structure first: pymol structure.cif this.pml",
    ]
    for name, colour in CLASSES:
        pairs = [pair for kind, pair in drawn if kind == name]
        lines += [f"distance contacts_{name}, {_pymol(one)}, {_pymol(other)}" for one, other in pairs]
        if pairs:
            lines += [
                f"hide labels, contacts_{name}",
                f"color 0x{colour}, contacts_{name}",
                f"set dash_gap, 0, contacts_{name}",
                f"set dash_radius, {RADIUS_ANGSTROM}, contacts_{name}",
            ]
    _write(lines, path)
    return left_out


def save_chimerax(contacts: ContactList, truth: Truth, path: str | Path, *, model: int = 1) -> int:
    """Write the contacts as pseudobonds between atoms of model `#1`; whole or not at all.

    To be opened after the structure: `open structure.cif; open contacts.pb`. Chains whose ids ChimeraX could not read
    count as absent. Returns the number of pairs left out. Raises PredictionError when none is left.
    """
    drawn, left_out = _drawn(contacts, truth, needs_plain_chains=True)
    colours = dict(CLASSES)
    lines = [
        *(f"; {line}" for line in _head(contacts, drawn, left_out)),
        f"; open the structure first, as model #{model}",
        "; halfbond = false",
        f"; radius = {RADIUS_ANGSTROM}",
        "; dashes = 0",
    ]
    for kind, (one, other) in drawn:
        ends = (f"#{model}/{end.chain}:{end.number}@{end.atom}" for end in (one, other))
        lines.append(f"{' '.join(ends)} #{colours[kind]}")
    _write(lines, path)
    return left_out


def _drawn(
    contacts: ContactList, truth: Truth, *, needs_plain_chains: bool = False
) -> tuple[list[tuple[str, tuple[_End, _End]]], int]:
    """Class and ends of each pair that the structure has both residues of, and the number of the others."""
    usable = _CHIMERAX_CHAIN if needs_plain_chains else _PRINTABLE
    ends = [
        end if end is not None and usable.fullmatch(end.chain) else None for end in _ends(contacts, truth)
    ]
    drawn = []
    for i, j, kind in zip(contacts.table["i"], contacts.table["j"], _classes(contacts.table), strict=True):
        one, other = ends[i - 1], ends[j - 1]
        if one is not None and other is not None:
            drawn.append((kind, (one, other)))
    if not drawn:
        raise PredictionError(
            f"{contacts.name}: the structure has both residues of none of the {len(contacts.table)} pairs, so there is "
            "nothing to draw; take more pairs (--top, --min-prob) or another structure"
        )
    return drawn, len(contacts.table) - len(drawn)


def _ends(contacts: ContactList, truth: Truth) -> list[_End | None]:
    """`[L]`, the atom of each residue that a line ends at, None where the structure has no such residue."""
    letters = contacts.sequence or "X" * contacts.length
    atoms = truth.contact_atom_names or tuple("CA" if letter == "G" else "CB" for letter in letters)
    return [
        _End(chain, number, atom if is_resolved else "CA") if number else None
        for chain, number, atom, is_resolved in zip(
            truth.chain_names, truth.residue_numbers, atoms, truth.is_resolved.tolist(), strict=True
        )
    ]


def _classes(table: pd.DataFrame) -> Iterator[str]:
    for is_contact in table["is_contact"]:
        yield "unjudged" if is_contact is pd.NA else ("true" if is_contact else "false")


def _head(contacts: ContactList, drawn: list[tuple[str, tuple[_End, _End]]], left_out: int) -> Iterator[str]:
    counts = {name: sum(kind == name for kind, _ in drawn) for name, _ in CLASSES}
    yield f"contacts of {word(contacts.name)} as predicted by {word(contacts.method)}"
    yield (
        f"{counts['true']} true (closer than 8 A, blue), {counts['false']} false (vermilion), "
        f"{counts['unjudged']} of unknown distance (grey)"
    )
    yield f"{left_out} left out: a residue is not in the structure"


def _pymol(end: _End) -> str:
    """The first atom of that name: of alternate places one is enough."""
    return f"first ({_pymol_chain(end.chain)} and resi {_pymol_word(end.number)} and name {end.atom})"


def _pymol_chain(name: str) -> str:
    """A chain; where the file names none, `data_tools` calls it by its segment, or `NAMELESS`."""
    word_ = _pymol_word(name)
    if name == NAMELESS:
        return f'chain {word_}+""'
    return f"chain {word_}" if len(name) == 1 else f'(chain {word_} or (chain "" and segi {word_}))'


def _pymol_word(text: str) -> str:
    r"""A name that PyMOL takes letter for letter: what could mean something to it stands behind a backslash.

    >>> _pymol_word("A"), _pymol_word("-5")
    ('A', '\\-5')
    """
    return "".join(letter if _PLAIN.fullmatch(letter) else f"\\{letter}" for letter in text)


def _write(lines: list[str], path: str | Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
