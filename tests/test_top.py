"""How many pairs: words of the field, and numbers."""

import pytest

from msaformer.errors import PredictionError
from msaformer.report.top import number_of_pairs


@pytest.mark.parametrize(
    ("top", "length", "expected"),
    [
        ("L", 158, 158),
        ("1.5L", 59, 88),
        ("2·L", 10, 20),
        ("L/5", 158, 31),
        ("L/5", 3, 1),
        ("L/2", 1, 1),
        (7, 158, 7),
    ],
)
def test_words_and_numbers_become_a_number_of_pairs(top, length, expected):
    assert number_of_pairs(top, length) == expected


@pytest.mark.parametrize("top", [0, -3, True, 1.5, None, "", "l", "L/0", "half", "L" * 50, "1e9L", "٣L/"])
def test_anything_else_is_refused(top):
    with pytest.raises(PredictionError, match="top="):
        number_of_pairs(top, 10)
