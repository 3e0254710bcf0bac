"""`Alignment` checks itself at birth and keeps its query."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP, MASK, encode
from data_tools.errors import AlignmentError

Tokens = npt.NDArray[np.uint8]
NAMES = ("q", "h")


def tokens() -> Tokens:
    return np.stack([encode("MKV"), encode("M-X")])


def deletions() -> npt.NDArray[np.uint16]:
    return np.array([[0, 0, 0], [4, 0, 65_535]], dtype=np.uint16)


def test_depth_length_and_query_are_read_from_the_tokens() -> None:
    alignment = Alignment(NAMES, tokens(), deletions())
    assert (alignment.depth, alignment.length, alignment.query) == (2, 3, "MKV")


def test_one_residue_of_one_sequence_is_an_alignment() -> None:
    alignment = Alignment(("q",), encode("M")[None], np.zeros((1, 1), dtype=np.uint16))
    assert (alignment.depth, alignment.length, alignment.query) == (1, 1, "M")


BROKEN: dict[str, Callable[[], Alignment]] = {
    r"tokens must be uint8 \[N, L\], not int64": lambda: Alignment(
        NAMES, tokens().astype(np.int64), deletions()
    ),
    r"tokens must be uint8 \[N, L\], not uint8 \(3,\)": lambda: Alignment(NAMES, tokens()[0], deletions()),
    r"deletion_matrix must be uint16 \(2, 3\), not uint16 \(2, 2\)": lambda: Alignment(
        NAMES, tokens(), deletions()[:, :2]
    ),
    "deletion_matrix must be uint16 .*not int32": lambda: Alignment(
        NAMES, tokens(), deletions().astype(np.int32)
    ),
    "1 names for 2 sequences": lambda: Alignment(("q",), tokens(), deletions()),
    r"at least one sequence and one column, not \(0, 3\)": lambda: Alignment(
        (), tokens()[:0], deletions()[:0]
    ),
    r"at least one sequence and one column, not \(2, 0\)": lambda: Alignment(
        NAMES, tokens()[:, :0], deletions()[:, :0]
    ),
    "token 22 is outside the 22 symbols": lambda: Alignment(
        NAMES, np.full((2, 3), MASK, np.uint8), deletions()
    ),
    "the query has a gap in column 2": lambda: Alignment(NAMES, tokens()[::-1].copy(), deletions()),
}


@pytest.mark.parametrize("message", BROKEN)
def test_arrays_that_disagree_are_no_alignment(message: str) -> None:
    with pytest.raises(AlignmentError, match=message):
        BROKEN[message]()


def test_arrays_cannot_be_changed_after_birth() -> None:
    alignment = Alignment(NAMES, tokens(), deletions())
    for array in (alignment.tokens, alignment.deletion_matrix):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = GAP


def test_rows_are_taken_in_the_order_asked_for() -> None:
    table = np.stack([encode("MK"), encode("AA"), encode("CC")])
    counts = np.arange(6, dtype=np.uint16).reshape(3, 2)
    taken = Alignment(("q", "a", "c"), table, counts).take_rows(np.array([0, 2, 1]))
    assert taken.names == ("q", "c", "a")
    assert taken.tokens.tolist() == table[[0, 2, 1]].tolist()
    assert taken.deletion_matrix.tolist() == [[0, 1], [4, 5], [2, 3]]


@pytest.mark.parametrize("rows", [[], [1], [1, 0]])
def test_taking_rows_without_the_query_first_is_refused(rows: list[int]) -> None:
    alignment = Alignment(NAMES, tokens(), deletions())
    with pytest.raises(AlignmentError, match="must be row 0, the query"):
        alignment.take_rows(np.array(rows, dtype=np.int64))
