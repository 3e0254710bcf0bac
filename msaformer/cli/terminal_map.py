"""A small contact map as lines of text: half-blocks with colour, braille without, ASCII where there is neither.

A half-block sign shows two cells, one above the other, as foreground and background; without colour all of them would
look alike, so braille dots (2 x 4 a sign) stand for the best L pairs and for the contacts. The colours are painted on
their own light ground, as print has it, and so look the same on dark and on light terminals.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from msaformer.cli.legend import Entry, legend_lines
from msaformer.cli.map_cells import MIN_SEPARATION, Cell, Grid, MapData, coarse
from msaformer.cli.terminal import RESET, Colour, Colours, Terminal, paint

MAX_COLUMNS: Final = 100  # cells; a small map
LINES: Final = (
    24,
    50,
)  # of a map that needs them: at least, to be of use on a terminal of 24 lines, and at most
SMALL: Final = 40  # cells that a map of few residues may be widened to, each residue by at most 4
MAX_WIDENING: Final = 4

GROUND: Final = Colour(247, 251, 255, 231, 15)
# matplotlib's Blues (ColorBrewer), nine colours; in sixteen colours white, bright blue, blue.
BLUES: Final = (
    GROUND,
    *(Colour(222, 235, 247, 195, 15), Colour(198, 219, 239, 153, 15), Colour(158, 202, 225, 117, 12)),
    *(Colour(107, 174, 214, 74, 12), Colour(66, 146, 198, 32, 12), Colour(33, 113, 181, 25, 4)),
    *(Colour(8, 81, 156, 18, 4), Colour(8, 48, 107, 17, 4)),
)
CELL_COLOURS: Final = {
    Cell.NOTHING: GROUND,
    Cell.CONTACT: Colour(150, 150, 150, 246, 8),
    Cell.HIT: Colour(0, 114, 178, 25, 4),  # Okabe-Ito blue
    Cell.FALSE: Colour(213, 94, 0, 166, 1),  # Okabe-Ito vermilion
    Cell.UNKNOWN: Colour(222, 217, 208, 187, 7),
    Cell.DIAGONAL: Colour(200, 204, 208, 251, 7),
}
SHADE_SIGNS: Final = " .:=#"  # equal steps of the score, where there is neither colour nor braille
CELL_SIGNS: Final = {
    Cell.NOTHING: " ",
    Cell.CONTACT: ".",
    Cell.HIT: "o",
    Cell.FALSE: "x",
    Cell.UNKNOWN: "?",
    Cell.DIAGONAL: "\\",
}
_BRAILLE: Final = 0x2800
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # rows, columns of a sign (Unicode)


def draw_map(data: MapData, terminal: Terminal) -> str:
    """The map with residue numbers at its axes and a legend, no line wider than the terminal."""
    margin = len(str(data.numbers.max())) + 1
    room = terminal.width - margin - 1  # the last column is left free: some terminals wrap after it
    if room < margin:  # too narrow for numbers
        margin, room = 0, max(terminal.width - 1, 1)
    lines = min(max(terminal.height - 3, LINES[0]), LINES[1])
    if terminal.has_blocks and terminal.colours:
        size = _size(data.length, min(room, MAX_COLUMNS, 2 * lines))
        body, pitch = _half_blocks(coarse(data, size, size), terminal.colours), (2, 1)
    elif terminal.has_braille:
        size = _size(data.length, min(2 * min(room, MAX_COLUMNS), 4 * lines))
        body, pitch = _braille(coarse(data, size, size), data), (4, 2)
    else:
        size = _size(data.length, min(room, MAX_COLUMNS, 2 * lines))
        body, pitch = _ascii(coarse(data, -(-size // 2), size), data), (2, 1)
    picture = [
        f"{label}{line}"
        for label, line in zip(_row_labels(data, size, len(body), pitch[0], margin), body, strict=True)
    ]
    if margin:
        picture.append(" " * margin + _column_labels(data, size, pitch[1]))
    return "\n".join([*picture, *legend_lines(_legend(data, terminal), terminal, indent=margin)])


def _size(length: int, most: int) -> int:
    """Cells a side."""
    widening = min(MAX_WIDENING, SMALL // length, most // length) if length < most else 1
    return min(length * max(widening, 1), most)


def _half_blocks(grid: Grid, colours: Colours) -> list[str]:
    painted = _colours_of(grid)
    lines = []
    for top in range(0, len(painted), 2):
        upper = painted[top]
        lower = painted[top + 1] if top + 1 < len(painted) else [None] * len(upper)
        line, last = "", ""
        for foreground, background in zip(upper, lower, strict=True):
            code = paint(colours, foreground, background)
            line += f"{code if code != last else ''}▀"
            last = code
        lines.append(line + RESET)
    return lines


def _colours_of(grid: Grid) -> list[list[Colour]]:
    """`[R][C]`; where no structure is known both halves show the scores."""
    step = np.minimum((grid.shades * len(BLUES)).astype(np.intp), len(BLUES) - 1)
    return [
        [
            BLUES[shade] if cell == Cell.NOTHING else CELL_COLOURS[Cell(cell)]
            for shade, cell in zip(*row, strict=True)
        ]
        for row in zip(step.tolist(), grid.cells.tolist(), strict=True)
    ]


def _braille(grid: Grid, data: MapData) -> list[str]:
    is_dot = grid.has_best | (grid.cells == Cell.DIAGONAL)
    if data.distances is not None:
        is_dot |= (grid.cells == Cell.CONTACT) | (grid.cells == Cell.HIT)
    rows, columns = is_dot.shape
    padded = np.zeros((-(-rows // 4) * 4, -(-columns // 2) * 2), dtype=np.intp)
    padded[:rows, :columns] = is_dot
    signs = np.zeros((padded.shape[0] // 4, padded.shape[1] // 2), dtype=np.intp)
    for row, dots in enumerate(_DOTS):
        for column, bit in enumerate(dots):
            signs += padded[row::4, column::2] * bit
    return ["".join(chr(_BRAILLE + sign) for sign in line) for line in signs.tolist()]


def _ascii(grid: Grid, data: MapData) -> list[str]:
    step = np.minimum((grid.shades * len(SHADE_SIGNS)).astype(np.intp), len(SHADE_SIGNS) - 1)
    return [
        "".join(
            SHADE_SIGNS[shade] if cell == Cell.NOTHING else CELL_SIGNS[Cell(cell)]
            for shade, cell in zip(*row, strict=True)
        ).rstrip()
        for row in zip(step.tolist(), grid.cells.tolist(), strict=True)
    ]


def _step(data: MapData, size: int, cells_a_label: int) -> int:
    """Residues between two labels that lie at least `cells_a_label` apart: 1, 2 or 5 times a power of ten."""
    least = cells_a_label * data.length / size
    step = 1
    while step < least:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return step


def _labelled(data: MapData, step: int) -> list[tuple[int, str]]:
    """Index and number of the residues at the axes: the first, and those whose number is a multiple."""
    numbers = data.numbers.tolist()
    found = [(k, str(number)) for k, number in enumerate(numbers) if k == 0 or number % step == 0]
    if len(found) > 1 and found[1][0] - found[0][0] < 0.75 * step:  # 1 and 2, 5 or 10 would touch
        found.pop(1)
    return found


def _row_labels(data: MapData, size: int, lines: int, cells_a_line: int, margin: int) -> list[str]:
    labels = [" " * margin] * lines
    if margin:
        for k, number in reversed(_labelled(data, _step(data, size, 4 * cells_a_line))):
            labels[k * size // data.length // cells_a_line] = f"{number:>{margin - 1}} "
    return labels


def _column_labels(data: MapData, size: int, cells_a_sign: int) -> str:
    width = -(-size // cells_a_sign)
    digits = len(str(data.numbers.max()))
    line = ""
    for k, number in _labelled(data, _step(data, size, (digits + 3) * cells_a_sign)):
        place = k * size // data.length // cells_a_sign
        if place >= len(line) and place + len(number) <= max(width, digits):
            line = line.ljust(place) + number + " "
    return line.rstrip()


def _legend(data: MapData, terminal: Terminal) -> list[list[Entry]]:
    """What stands above the diagonal, or in both halves, and what below it."""
    separation = f"|i-j| >= {MIN_SEPARATION}"
    has_truth = data.distances is not None
    above = Entry(text="above the diagonal:" if has_truth else "")
    in_colour = bool(terminal.has_blocks and terminal.colours)
    if in_colour:
        ramp = [Entry("█", BLUES[k]) for k in (1, 3, 5, 8)]
        scores = [Entry(text=f"{data.shaded} 0"), *ramp, Entry(text="1")]
    elif terminal.has_braille:
        scores = [Entry(text=f"the best L pairs, {separation}")]
    else:
        scores = [Entry(text=f"{data.shaded} 0 '{SHADE_SIGNS.strip()}' 1")]
    if not has_truth:
        return [scores]
    if terminal.has_braille and not in_colour:
        return [[above, *scores], [Entry(text="below: contacts of the structure")]]
    names = {Cell.CONTACT: "contact", Cell.HIT: "predicted, true", Cell.FALSE: "predicted, false"}
    if data.distances is not None and np.isnan(data.distances).any():
        names[Cell.UNKNOWN] = "not resolved"
    judged = [
        Entry("█", CELL_COLOURS[cell], name) if in_colour else Entry(CELL_SIGNS[cell], None, name)
        for cell, name in names.items()
    ]
    return [[above, *scores], [Entry(text="below:"), *judged, Entry(text=f"(best L, {separation})")]]
