"""How many columns of a terminal a text takes, and texts made to fit."""

from __future__ import annotations

import unicodedata

from msaformer.cli.terminal import Terminal


def display_width(text: str) -> int:
    """Columns: two for wide letters (East Asian), none for combining marks.

    >>> display_width("Å"), display_width("蛋白"), display_width("A\\u030a")
    (1, 4, 1)
    """
    return sum(_width(letter) for letter in text)


def shortened(text: str, columns: int, terminal: Terminal) -> str:
    """`text`, its end replaced by an ellipsis where it is wider than `columns`."""
    if display_width(text) <= columns:
        return text
    mark = "…" if terminal.has_blocks else "~"
    kept, used = "", 1
    for letter in text:
        used += _width(letter)
        if used > columns:
            break
        kept += letter
    return kept + mark


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
