"""Texts from outside, such as the names in a file, made fit to show."""

from __future__ import annotations

from typing import Final

MAX_TEXT: Final = 200


def plain_text(value: object, limit: int = MAX_TEXT) -> str:
    """Make a text from outside fit to show: control and bidi characters become �, long ones are cut.

    >>> plain_text("a\\tb\\u202ec"), plain_text("abcdef", 4)
    ('a�b�c', 'abc…')
    """
    text = str(value)[: limit + 1]
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(letter if letter.isprintable() else "�" for letter in cut)
