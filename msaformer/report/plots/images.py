"""Layers of an L×L map: a coloured picture, flat cells, hatched cells and marks.

L residues of the query; row and column k lie at k + 1 of the axes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from msaformer.report.plots.inputs import Floats

UNKNOWN_COLOUR: Final = "#ececec"
_HATCH_COLOUR: Final = "0.65"
_SMALLEST_MARK, _LARGEST_MARK = 2.4, 8.0  # points
Cells = npt.NDArray[np.bool_]


def draw_image(ax: Axes, values: Floats, cells: Cells, **colours: Any) -> Any:
    """Colour `values` `[L, L]` where `cells` `[L, L]`; returns the image, for a colour bar."""
    length = len(values)
    box = (0.5, length + 0.5, length + 0.5, 0.5)
    shown = np.where(cells, values, np.nan)
    return ax.imshow(shown, extent=box, interpolation="nearest", rasterized=True, **colours)


def draw_flat(ax: Axes, cells: Cells, colour: str) -> Any:
    """Fill `cells` `[L, L]` with one colour."""
    return draw_image(ax, np.ones(cells.shape), cells, cmap=ListedColormap([colour]), vmin=0, vmax=1)


def draw_unknown(ax: Axes, cells: Cells) -> PathPatch | None:
    """Hatch `cells` `[L, L]`: nothing is known of them; None when there are none."""
    boxes = rectangles(cells)
    if not boxes:
        return None
    corners = np.array(
        [
            [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            for top, bottom, left, right in boxes
        ]
    )
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    patch = PathPatch(
        Path(corners.reshape(-1, 2) + 0.5, codes * len(boxes)),
        facecolor=UNKNOWN_COLOUR,
        edgecolor=_HATCH_COLOUR,
        hatch="/////",
        lw=0,
        label="not resolved",
    )
    ax.add_patch(patch)
    return patch


def rectangles(cells: Cells) -> list[tuple[int, int, int, int]]:
    """Cover `cells` `[L, L]` with boxes (top, bottom, left, right), ends excluded: runs of a row, joined downwards.

    >>> rectangles(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=bool))
    [(0, 1, 0, 2), (1, 2, 0, 3), (2, 3, 2, 3)]
    """
    done: list[tuple[int, int, int, int]] = []
    open_runs: dict[tuple[int, int], int] = {}
    for row in range(len(cells) + 1):
        runs = _runs(cells[row]) if row < len(cells) else set()
        for run in [run for run in open_runs if run not in runs]:
            done.append((open_runs.pop(run), row, *run))
        for run in runs:
            open_runs.setdefault(run, row)
    return sorted(done)


def _runs(row: Cells) -> set[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    return {(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)}


def mark_size(ax: Axes, length: int) -> float:
    """Size in points of a mark somewhat wider than a cell of the map."""
    points = ax.get_position().width * ax.figure.figure.get_figwidth() * 72
    return float(np.clip(1.3 * points / length, _SMALLEST_MARK, _LARGEST_MARK))
