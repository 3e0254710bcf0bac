"""Values along the residues as a strip of bars, a few lines high: what `inspect` draws of an alignment.

L residues of the query; C columns of the strip.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from msaformer.cli.terminal import BLUE, Terminal, painted

LINES: Final = 2  # of a strip where bars have eighths; sixteen steps
EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
ASCII_STEPS: Final = " .:-=+*#"
LABEL: Final = 13  # columns before the strip, as the labels of `inspect` take
LEAST: Final = 24  # columns of a strip beside its label; narrower ones stand below it

Floats = npt.NDArray[np.floating[Any]]


class Track(NamedTuple):
    """One strip."""

    label: str
    scale: str
    """What its lowest and highest bars stand for."""
    values: Floats
    """`[L]`, in [0, 1]."""


def draw_strips(tracks: list[Track], terminal: Terminal) -> str:
    """The strips below each other, with numbers of columns (from 1) at the end; no line wider than the terminal."""
    room = terminal.width - 1 - LABEL
    is_beside = room >= LEAST
    columns = min(len(tracks[0].values), room if is_beside else max(terminal.width - 1, 1))
    lines: list[str] = []
    for track in tracks:
        lines += [""] if lines else []
        bars = _bars(_means(track.values, columns), terminal)
        labels = [track.label, track.scale] if len(bars) > 1 else [track.label]
        if is_beside:
            beside = [*labels, *[""] * len(bars)][: len(bars)]
            lines += [f"{label:<{LABEL}}{line}".rstrip() for label, line in zip(beside, bars, strict=True)]
        else:
            lines += [f"{track.label} {track.scale}"[: max(terminal.width - 1, 1)], *bars]
    return "\n".join([*lines, (" " * LABEL if is_beside else "") + ruler(len(tracks[0].values), columns)])


def ruler(length: int, columns: int) -> str:
    """Numbers of columns, from 1 to `length`, where they stand in a strip of `columns`."""
    digits = len(str(length))
    step, least = 1, (digits + 3) * length / columns
    while step < least:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    line = "1"
    for number in range(step, length + 1, step):
        place = (number - 1) * columns // length
        if place > len(line) and place + len(str(number)) <= columns:
            line = line.ljust(place) + str(number)
    return line


def _means(values: Floats, columns: int) -> Floats:
    """`[C]`, the mean of the residues of each column."""
    starts = np.arange(columns) * len(values) // columns
    return np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values)))


def _bars(values: Floats, terminal: Terminal) -> list[str]:
    """Lines from the top; what is above 0 is seen."""
    values = np.clip(values, 0, 1)
    if not terminal.has_blocks:
        steps = np.ceil(values * (len(ASCII_STEPS) - 1) - 1e-9).astype(int)
        return ["".join(ASCII_STEPS[step] for step in steps)]
    eighths = np.round(values * 8 * LINES).astype(int)
    eighths[(values > 0) & (eighths == 0)] = 1
    lines = []
    for below in range(LINES - 1, -1, -1):
        signs = "".join(EIGHTHS[step] for step in np.clip(eighths - 8 * below, 0, 8))
        lines.append(painted(signs, BLUE, terminal.colours))
    return lines
