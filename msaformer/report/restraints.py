"""Contacts as distance restraints for programs that fold: CNS/X-PLOR (`.tbl`) and Rosetta (`.cst`).

A restraint is a lower and an upper bound between Cβ atoms (Cα for Gly). Where the distance is predicted, the bounds are
its mean and a spread on both sides, of one standard deviation but at least 1 Å, and never below 3.5 Å; pairs whose
upper bound lies beyond the last edge of the distogram's bins are left out, for there the mean is no distance any more.
Where only a score is known, the bounds are those of a contact, 3.5 to 8 Å (CONFOLD, Adhikari et al. 2015, Proteins
83:1436: d 3.6, minus 0.1, plus 4.4 Å). Which pairs are taken is the caller's choice and stands in the file's head.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.atomic import atomic_path
from msaformer.chains import chain_letter, chain_of_residue, chain_slices
from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM
from msaformer.report.contact_list import ContactList
from msaformer.report.exports import word

CLOSEST_ANGSTROM: Final = 3.5  # CONFOLD's lower bound of a Cβ-Cβ contact
CONTACT_CENTRE_ANGSTROM: Final = 3.6  # CONFOLD's d, to which minus and plus refer
SMALLEST_SPREAD_ANGSTROM: Final = (
    1.0  # two bins of the usual distogram: narrower claims more than a bin can hold
)
ROSETTA_SD_ANGSTROM: Final = (
    1.0  # outside the bounds the penalty is ((d - bound) / sd)², from sd / 2 on linear
)
ROSETTA_SWITCH: Final = 0.5  # the constraint-file page: any other value makes the derivative jump

Floats = npt.NDArray[np.float64]


def save_cns(contacts: ContactList, path: str | Path) -> int:
    """Write `assign (…) (…) d minus plus` lines (X-PLOR manual, "Distance Restraints"); whole or not at all.

    Residues are counted from 1, in a complex within their chain, which `segid` names. Returns the number of pairs left
    out. Raises PredictionError when none is left, or without a sequence.
    """
    _check(contacts)
    i, j, lower, upper, centre = _bounds(contacts)
    lines = [f"! {line}" for line in _head(contacts, len(i))]
    lines.append("! assign (one) (other) d dminus dplus: d - dminus to d + dplus, Angstrom")
    atoms = [_cns_atom(contacts, place) for place in range(contacts.length)]
    for one, other, low, high, middle in zip(i, j, lower, upper, centre, strict=True):
        lines.append(
            f"assign ({atoms[one - 1]}) ({atoms[other - 1]}) {middle:.2f} {middle - low:.2f} {high - middle:.2f}"
        )
    _write(lines, path)
    return len(contacts.table) - len(i)


def save_rosetta(contacts: ContactList, path: str | Path) -> int:
    """Write `AtomPair CB i CB j BOUNDED lb ub sd rswitch tag` lines (Rosetta, "Constraint File"); whole or not at all.

    Residues are numbered as in the pose, from 1 through all chains. Returns the number of pairs left out. Raises
    PredictionError when none is left, or without a sequence.
    """
    sequence = _check(contacts)
    i, j, lower, upper, _ = _bounds(contacts)
    lines = [f"# {line}" for line in _head(contacts, len(i))]
    lines.append(
        "# no penalty from lb to ub, outside ((d - bound) / sd)^2 and from half an sd on linear; pose numbering"
    )
    for one, other, low, high in zip(i, j, lower, upper, strict=True):
        ends = f"{_atom(sequence, one - 1)} {one} {_atom(sequence, other - 1)} {other}"
        lines.append(
            f"AtomPair {ends} BOUNDED {low:.2f} {high:.2f} {ROSETTA_SD_ANGSTROM} {ROSETTA_SWITCH} msaformer"
        )
    _write(lines, path)
    return len(contacts.table) - len(i)


def _check(contacts: ContactList) -> str:
    if contacts.sequence is None:
        raise PredictionError(
            f"{contacts.name}: restraints name Cα of Gly, so the sequence must be known; give it (--sequence)"
        )
    return contacts.sequence


def _bounds(contacts: ContactList) -> tuple[list[int], list[int], Floats, Floats, Floats]:
    """Residues, lower and upper bound, and what the program takes for the middle, of the pairs that can be used."""
    table = contacts.table
    if "pred_distance" in table:
        centre = table["pred_distance"].to_numpy(dtype=np.float64)
        spread = np.maximum(table["pred_std"].to_numpy(dtype=np.float64), SMALLEST_SPREAD_ANGSTROM)
        lower, upper = np.maximum(centre - spread, np.minimum(CLOSEST_ANGSTROM, centre)), centre + spread
        used = upper <= contacts.farthest_angstrom
    else:
        used = np.ones(len(table), dtype=bool)
        centre = np.full(len(table), CONTACT_CENTRE_ANGSTROM)
        lower, upper = np.full(len(table), CLOSEST_ANGSTROM), np.full(len(table), CONTACT_ANGSTROM)
    if not used.any():
        raise PredictionError(
            f"{contacts.name}: none of {len(table)} pairs can be a restraint (distances within "
            f"{contacts.farthest_angstrom:g} Å are predicted); take more (--top, --min-prob)"
        )
    kept = table[used]
    return kept["i"].tolist(), kept["j"].tolist(), lower[used], upper[used], centre[used]


def _head(contacts: ContactList, used: int) -> Iterator[str]:
    yield f"{used} restraints for {word(contacts.name)}, from {word(contacts.method)}"
    yield f"pairs: {contacts.selection.in_words(contacts.score_column)}; {len(contacts.table) - used} left out"
    if "pred_distance" in contacts.table:
        yield (
            f"bounds: expected distance +- its standard deviation (at least {SMALLEST_SPREAD_ANGSTROM:g} A), not below "
            f"{CLOSEST_ANGSTROM:g} A; left out: beyond {contacts.farthest_angstrom:g} A"
        )
    else:
        yield f"bounds of a contact: {CLOSEST_ANGSTROM:g} to {CONTACT_ANGSTROM:g} A (CONFOLD)"


def _atom(sequence: str, place: int) -> str:
    return "CA" if sequence[place] == "G" else "CB"


def _cns_atom(contacts: ContactList, place: int) -> str:
    assert contacts.sequence is not None
    atom = _atom(contacts.sequence, place).lower()
    if len(contacts.chain_lengths) == 1:
        return f"resid {place + 1} and name {atom}"
    chain = int(chain_of_residue(contacts.chain_lengths)[place])
    number = place - chain_slices(contacts.chain_lengths)[chain].start + 1
    return f"segid {chain_letter(chain)} and resid {number} and name {atom}"


def _write(lines: list[str], path: str | Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
