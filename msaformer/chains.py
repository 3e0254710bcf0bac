"""The chains of a complex that is predicted as one sequence: their letters, and each residue's number in its chain.

L residues of the query, all chains joined in the order of the sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase
from typing import Final

import numpy as np
import numpy.typing as npt

LETTERS: Final = (
    ascii_uppercase + ascii_lowercase
)  # of the first 52 chains; digits would run into the numbers


def chain_letter(number: int) -> str:
    """What the query's chain `number`, counted from 0, is called: A to Z, a to z, then AA, AB, …

    >>> [chain_letter(number) for number in (0, 25, 26, 51, 52, 104)]
    ['A', 'Z', 'a', 'z', 'AA', 'BA']
    """
    size = len(LETTERS)
    return LETTERS[number] if number < size else chain_letter(number // size - 1) + LETTERS[number % size]


def chain_of_residue(chain_lengths: Sequence[int]) -> npt.NDArray[np.int32]:
    """`[L]`, number of the chain that each residue lies in, counted from 0."""
    return np.repeat(np.arange(len(chain_lengths), dtype=np.int32), chain_lengths)


def chain_slices(chain_lengths: Sequence[int]) -> tuple[slice, ...]:
    """The residues of each chain."""
    ends = [0, *np.cumsum(chain_lengths, dtype=np.int64).tolist()]
    return tuple(slice(start, end) for start, end in pairwise(ends))


def numbers_in_chain(
    residue_index: npt.NDArray[np.int32], chain_lengths: Sequence[int]
) -> npt.NDArray[np.int32]:
    """`[L]`, 1-based number of each residue in its chain, the query's own insertions counted.

    `residue_index` `[L]` runs through all chains (`Alignment.residue_index`). Insertions between two chains count to
    the second, as in `data_tools.formats.colabfold`.
    """
    numbers = residue_index + 1
    for chain in chain_slices(chain_lengths)[1:]:
        numbers[chain] -= residue_index[chain.start - 1] + 1
    return numbers


def residue_labels(residue_index: npt.NDArray[np.int32], chain_lengths: Sequence[int]) -> tuple[str, ...]:
    """`[L]`, what each residue is called: its number, in a complex with the letter of its chain before it ("B12")."""
    numbers = numbers_in_chain(residue_index, chain_lengths)
    if len(chain_lengths) == 1:
        return tuple(map(str, numbers))
    chains = chain_of_residue(chain_lengths)
    return tuple(f"{chain_letter(chain)}{number}" for chain, number in zip(chains, numbers, strict=True))
