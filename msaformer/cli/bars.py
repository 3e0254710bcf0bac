"""Horizontal bars for a terminal: of progress, and of precision beside its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msaformer.cli.terminal import BLUE, GREY, Terminal, painted, picture_terminal

COLUMNS: Final = 20  # of a precision; half a column is 2.5 %
LEAST: Final = 8


def bar(share: float, columns: int, terminal: Terminal) -> str:
    """A bar of `columns`, of which `share` (0 to 1) is filled, to half a column where the signs allow."""
    if not terminal.has_blocks:
        filled = round(share * columns)
        return "#" * filled + "." * (columns - filled)
    full, half = divmod(round(2 * share * columns), 2)
    filled_part = "━" * full + "╸" * half
    rest = "─" * (columns - full - half)
    return painted(filled_part, BLUE, terminal.colours) + painted(rest, GREY, terminal.colours)


def with_bars(table: str, title: str, shares: Sequence[float], draw: bool | None) -> str:
    """Put a bar for each of `shares` (0 to 1) behind the last lines of `table`, and `title` behind the line above.

    NaN has no bar. The table is unchanged where nothing is drawn, or the terminal too narrow for bars of eight columns.
    """
    shown = picture_terminal(draw)
    if shown is None:
        return table
    lines = table.split("\n")
    first = len(lines) - len(shares)
    used = max(len(line) for line in lines[first - 1 :]) + 2
    columns = min(COLUMNS, shown.width - 1 - used)
    if columns < LEAST:
        return table
    lines[first - 1] = f"{lines[first - 1]:<{used}}{title[:columns]}"
    for k, share in enumerate(shares, start=first):
        if not math.isnan(share):
            lines[k] = f"{lines[k]:<{used}}{bar(share, columns, shown)}"
    return "\n".join(lines)
