"""Letters and numbers of the residues of a complex."""

from __future__ import annotations

import doctest

import numpy as np

from msaformer import chains
from msaformer.chains import chain_letter, chain_of_residue, chain_slices, numbers_in_chain, residue_labels


def test_the_example_of_the_letters_is_right() -> None:
    assert doctest.testmod(chains).failed == 0


def test_no_two_chains_and_no_chain_and_number_are_called_alike() -> None:
    letters = [chain_letter(number) for number in range(3000)]
    assert len(set(letters)) == 3000
    assert all(letter.isalpha() for letter in letters)  # so that a number can follow


def test_a_residue_is_numbered_in_its_chain_with_the_query_s_insertions() -> None:
    """A two, an insertion, A four; an insertion before the second chain is the second chain's."""
    index = np.array([0, 1, 3, 4, 5, 7, 9], dtype=np.int32)
    assert numbers_in_chain(index, (3, 2, 2)).tolist() == [1, 2, 4, 1, 2, 2, 4]
    assert residue_labels(index, (3, 2, 2)) == ("A1", "A2", "A4", "B1", "B2", "C2", "C4")
    assert residue_labels(index, (7,)) == ("1", "2", "4", "5", "6", "8", "10")
    assert chain_of_residue((3, 2, 2)).tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert chain_slices((3, 2, 2)) == (slice(0, 3), slice(3, 5), slice(5, 7))
