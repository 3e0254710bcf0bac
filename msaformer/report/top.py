"""How many pairs to show, in the words of the field: "L", "L/2", "1.5L" or a number (no dependencies).

L residues of the query.
"""

from __future__ import annotations

import re
from typing import Final

from msaformer.errors import PredictionError

_WORDS: Final = re.compile(r"(?:(?P<times>\d+(?:\.\d+)?)\s*[*·]?\s*)?L(?:\s*/\s*(?P<over>[1-9]\d*))?")


def number_of_pairs(top: str | int, length: int) -> int:
    """Turn `top` into a number of pairs of a protein of `length` residues, rounded down, at least 1.

    Raises PredictionError for anything else.

    >>> [number_of_pairs(top, 158) for top in ("L", "1.5L", "L/5", 40)]
    [158, 237, 31, 40]
    """
    if isinstance(top, int) and not isinstance(top, bool):
        if top < 1:
            raise PredictionError(f"top={top}: show at least one pair")
        return top
    found = _WORDS.fullmatch(top.strip()) if isinstance(top, str) else None
    if found is None:
        raise PredictionError(f"top={top!r}: give a number of pairs, or 'L', 'L/2', '1.5L'")
    return max(int(float(found["times"] or 1) * length) // int(found["over"] or 1), 1)
