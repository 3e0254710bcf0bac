"""Legends of the pictures in a terminal: signs in their colours with their meaning, folded to the width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msaformer.cli.terminal import Colour, Terminal, painted


class Entry(NamedTuple):
    """A sign, its colour, and what it means; each may be empty. Signs without a meaning stand side by side."""

    sign: str = ""
    colour: Colour | None = None
    text: str = ""


class _Word(NamedTuple):
    """What is never cut; `text` is as it is written, `width` as it is seen."""

    text: str
    width: int
    is_close: bool
    """To the next of its kind."""


def legend_lines(groups: list[list[Entry]], terminal: Terminal, *, indent: int) -> list[str]:
    """Lines no wider than the terminal, each group on its own."""
    room = max(terminal.width - 1 - indent, 1)
    return [
        " " * indent + line for group in groups for line in _folded(list(_words(group, terminal, room)), room)
    ]


def _folded(words: list[_Word], room: int) -> list[str]:
    lines: list[str] = []
    used = room
    was_close = False
    for word in words:
        gap = 0 if was_close and word.is_close else 1
        if used + gap + word.width > room:
            lines.append(word.text)
            used = word.width
        else:
            lines[-1] += " " * gap + word.text
            used += gap + word.width
        was_close = word.is_close
    return lines


def _words(entries: list[Entry], terminal: Terminal, room: int) -> Iterator[_Word]:
    for sign, colour, text in entries:
        first, *others = text.split(" ")
        shown = sign if colour is None or not sign else painted(sign, colour, terminal.colours)
        first = first[: max(room - len(sign) - 1, 0)] if sign else first[:room]
        gap = " " if sign and first else ""
        if sign or first:
            yield _Word(shown + gap + first, len(sign + gap + first), is_close=not text)
        for other in others:
            yield _Word(other[:room], len(other[:room]), is_close=False)
