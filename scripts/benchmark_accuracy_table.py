"""A table of text, as Markdown or in aligned columns, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """In GitHub's notation."""
        lines = [_line(self.header), "|" + "---|" * len(self.header)]
        return "\n".join([*lines, *map(_line, self.rows)])

    def to_plain(self) -> str:
        """Columns of equal width, without marks."""
        rows = [[cell.replace("**", "") for cell in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)


def number(value: float) -> str:
    """Two decimals, without the zero before the point."""
    if math.isnan(value):
        return MISSING
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def interval(mean: float, low: float, high: float) -> str:
    """`.51 [.47, .55]`; the mean alone where there is no interval."""
    if math.isnan(mean) or math.isnan(low):
        return number(mean)
    return f"{number(mean)} [{number(low)}, {number(high)}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("< ", "&lt; ") for cell in cells) + " |"
