"""What a stream can show, decided in one place: is it a terminal, its colours, characters and size.

Sources: no-color.org; bixense.com/clicolors (CLICOLOR, CLICOLOR_FORCE); force-color.org; their order as in Python's
own `_colorize`: NO_COLOR, then what forces colour, then TERM=dumb, then whether it is a terminal at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, TextIO

import click

DEFAULT_SIZE: Final = (80, 24)  # of shutil.get_terminal_size
BLOCKS: Final = "▀▁▂▃▄▅▆▇█━╸─…"
BRAILLE: Final = "⠁⣿"
RESET: Final = "\x1b[0m"
ERASE_LINE: Final = "\r\x1b[K"
_TRUE_COLOUR: Final = ("truecolor", "24bit")  # values of COLORTERM, github.com/termstandard/colors


class Colours(IntEnum):
    """How many there are."""

    NONE = 0
    ANSI16 = 1
    ANSI256 = 2
    TRUE = 3


class Colour(NamedTuple):
    """A colour, and those of xterm's 256 and of the sixteen (0 to 15) that stand for it where there are no more."""

    red: int
    green: int
    blue: int
    of_256: int
    of_sixteen: int


BLUE: Final = Colour(0, 114, 178, 32, 12)  # Okabe-Ito, for text and bars on the terminal's own ground
GREY: Final = Colour(128, 128, 128, 244, 8)


@dataclass(frozen=True, slots=True)
class Terminal:
    """What one stream can show."""

    is_terminal: bool
    """Pictures, bars and progress are for terminals only."""
    can_redraw: bool
    """A line can be written over: a terminal that knows escape codes."""
    colours: Colours
    has_blocks: bool
    """Its encoding has block elements and the signs of a legend."""
    has_braille: bool
    width: int
    """Columns."""
    height: int
    """Lines."""


def terminal_of(stream: TextIO, environment: Mapping[str, str] | None = None) -> Terminal:
    """Find out what `stream` can show."""
    variables = os.environ if environment is None else environment
    is_terminal = _is_terminal(stream)
    is_dumb = variables.get("TERM", "dumb") == "dumb"
    width, height = _size(stream, variables)
    return Terminal(
        is_terminal=is_terminal,
        can_redraw=is_terminal and not is_dumb,
        colours=_colours(variables, by_default=is_terminal and not is_dumb),
        has_blocks=_can_encode(stream, BLOCKS),
        # The fonts of Linux's console hold 512 signs, half-blocks among them, braille not.
        has_braille=_can_encode(stream, BRAILLE) and variables.get("TERM") != "linux",
        width=width,
        height=height,
    )


draw_option: Final = click.option(
    "--draw/--no-draw",
    default=None,
    help="Draw a small picture too. On a terminal one input is drawn by default; with --json none is.",
)


def picture_terminal(draw: bool | None) -> Terminal | None:
    """What stdout can show when a picture is wanted there, else None: a pipe gets none unless it was asked for."""
    terminal = terminal_of(sys.stdout)
    wanted = terminal.is_terminal if draw is None else draw
    return terminal if wanted else None


def paint(colours: Colours, foreground: Colour | None = None, background: Colour | None = None) -> str:
    """The escape code that sets colours; empty without colours. What is not given stays the terminal's own."""
    if colours is Colours.NONE:
        return ""
    codes = ["0"]
    for colour, is_background in ((foreground, False), (background, True)):
        if colour is not None:
            codes.append(_code(colour, colours, is_background))
    return f"\x1b[{';'.join(codes)}m"


def painted(text: str, colour: Colour, colours: Colours) -> str:
    """`text` in a colour, where there are any."""
    return f"{paint(colours, colour)}{text}{RESET}" if colours and text else text


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _size(stream: TextIO, variables: Mapping[str, str]) -> tuple[int, int]:
    """Columns and lines; COLUMNS and LINES go before what the terminal says, as in shutil.get_terminal_size."""
    try:
        found = tuple(os.get_terminal_size(stream.fileno()))
    except (OSError, ValueError, AttributeError):  # no terminal, closed, no file
        found = DEFAULT_SIZE
    sizes = []
    for name, own, default in zip(("COLUMNS", "LINES"), found, DEFAULT_SIZE, strict=True):
        value = variables.get(name, "")
        sizes.append((int(value) if value.isdecimal() else 0) or own or default)
    return sizes[0], sizes[1]


def _colours(variables: Mapping[str, str], *, by_default: bool) -> Colours:
    if variables.get("NO_COLOR"):
        return Colours.NONE
    force = variables.get("FORCE_COLOR", "")
    if force in {"0", "false"}:
        return Colours.NONE
    if force in {"1", "2", "3"}:  # a number of colours, as in Node.js
        return Colours(int(force))
    forced = bool(force) or variables.get("CLICOLOR_FORCE", "0") not in {"", "0"}
    if not forced and (not by_default or variables.get("CLICOLOR") == "0"):
        return Colours.NONE
    kind = variables.get("TERM", "")
    if variables.get("COLORTERM", "").lower() in _TRUE_COLOUR or kind.endswith("-direct"):
        return Colours.TRUE
    return Colours.ANSI256 if "256color" in kind else Colours.ANSI16


def _can_encode(stream: TextIO, signs: str) -> bool:
    try:
        signs.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _code(colour: Colour, colours: Colours, is_background: bool) -> str:
    if colours is Colours.TRUE:
        return f"{48 if is_background else 38};2;{colour.red};{colour.green};{colour.blue}"
    if colours is Colours.ANSI256:
        return f"{48 if is_background else 38};5;{colour.of_256}"
    base = 30 if colour.of_sixteen < 8 else 82  # 30 to 37, 90 to 97
    return str(base + colour.of_sixteen + (10 if is_background else 0))
