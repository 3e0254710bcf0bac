"""The frame of a figure: its Axes, residue numbers, chain boundaries and the secondary structure beside them.

Residues stand at 1 to L on an axis, whatever they are called; L residues of the query.
"""

from __future__ import annotations

import re
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import FuncFormatter, Locator
from matplotlib.transforms import Affine2D

from msaformer.chains import chain_letter, chain_slices
from msaformer.report.colours import HELIX_COLOUR, STRAND_COLOUR
from msaformer.report.packing import plain_text
from msaformer.report.plots.inputs import Known, Residues
from msaformer.report.truth import Truth

MAX_TICKS: Final = 9
_TRACK: Final = 1.012, 1.048  # of the axes' width: from where to where the track reaches
_TITLE_PAD: Final = 6.0  # points, matplotlib's own
_STATES: Final = (("-", "coil", "0.35"), ("H", "helix", HELIX_COLOUR), ("E", "strand", STRAND_COLOUR))


class ResidueLocator(Locator):
    """Ticks at residues with round numbers, however the numbers jump; the first one visible if none is round."""

    def __init__(self, numbers: npt.NDArray[np.integer[Any]]) -> None:
        self.numbers = numbers

    def __call__(self) -> list[float]:
        assert self.axis is not None  # matplotlib sets it before it asks
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """Places on the axis between two others."""
        low, high = sorted((vmin, vmax))
        places = np.arange(1, len(self.numbers) + 1)
        places = places[(places >= low) & (places <= high)]
        numbers = self.numbers[places - 1]
        step, factors = 1, (2, 2.5, 2)
        for turn in range(30):
            is_round = numbers % step == 0
            if is_round.sum() <= MAX_TICKS:
                break
            step = int(step * factors[turn % 3])
        return (places[is_round] if is_round.any() else places[:1]).astype(float).tolist()


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The given Axes, or those of a new figure of that size in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def frame_map(ax: Axes, residues: Residues) -> None:
    """Limits, ticks, diagonal and chain boundaries of a map whose first residue is at the upper left."""
    length = len(residues.residue_index)
    ends = (0.5, length + 0.5)
    ax.plot(ends, ends, color="0.6", lw=0.6, label="_diagonal")
    ax.set(xlim=ends, ylim=ends[::-1], aspect="equal", xlabel="residue", ylabel="residue")
    number_axis(ax, "x", residues)
    number_axis(ax, "y", residues)
    for place in residues.boundaries:
        ax.axvline(place, color="0.25", lw=0.7, label="_chain")
        ax.axhline(place, color="0.25", lw=0.7, label="_chain")


def number_axis(ax: Axes, which: str, residues: Residues) -> None:
    """Say at the ticks what the residues there are called."""
    labels = residues.labels
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(ResidueLocator(residues.numbers))

    def name(place: float, _: int | None) -> str:
        index = round(place) - 1
        return labels[index] if 0 <= index < len(labels) else ""

    axis.set_major_formatter(FuncFormatter(name))


def draw_tracks(ax: Axes, truth: Known | None, residues: Residues) -> float:
    """Secondary structure along the upper and the right edge, where known, and the chains' names of a complex.

    Returns the room that the title has to leave for them, in points.
    """
    room = _TITLE_PAD
    if isinstance(truth, Truth) and truth.secondary_structure.strip():
        draw_secondary_structure(ax, truth.secondary_structure)
        room += 11
    if len(residues.chain_lengths) > 1:
        _name_chains(ax, truth.chain_names if isinstance(truth, Truth) else (), residues)
        room = 32
    return room


def draw_secondary_structure(ax: Axes, states: str) -> None:
    """`states` `[L]` of H (bars), E (arrows), - (line), and a space where nothing is known, along two edges."""
    low, high = _TRACK
    along_x = ax.get_xaxis_transform()
    along_y = Affine2D().rotate_deg(90).scale(-1, 1) + ax.get_yaxis_transform()  # swaps the coordinates
    for transform in (along_x, along_y):
        shapes: dict[str, list[Any]] = {"H": [], "E": [], "-": []}
        for match in re.finditer(r"H+|E+|-+", states):
            start, stop = match.start() + 0.5, match.end() + 0.5
            shapes[match[0][0]].append(_shape(match[0][0], start, stop, low, high))
        for kind, name, colour in _STATES:
            hidden = "" if transform is along_x and shapes[kind] and kind != "-" else "_"
            ax.add_collection(
                PatchCollection(
                    shapes[kind],
                    facecolor=colour,
                    edgecolor="none",
                    transform=transform,
                    clip_on=False,
                    label=hidden + name,
                ),
                autolim=False,
            )


def _shape(kind: str, start: float, stop: float, low: float, high: float) -> Any:
    middle, height = (low + high) / 2, high - low
    if kind == "H":
        return Rectangle((start, low), stop - start, height)
    if kind == "-":
        return Rectangle((start, middle - height / 16), stop - start, height / 8)
    head = max(stop - 2.0, start)  # two residues, as arrows are drawn in topology diagrams
    inner = height / 4
    return Polygon(
        [
            (start, middle - inner),
            (head, middle - inner),
            (head, low),
            (stop, middle),
            (head, high),
            (head, middle + inner),
            (start, middle + inner),
        ]
    )


def _name_chains(ax: Axes, authors: tuple[str, ...], residues: Residues) -> None:
    """The letters of the axes, with the structure's own names of the chains where these are others."""
    for number, chain in enumerate(chain_slices(residues.chain_lengths)):
        letter = chain_letter(number)
        names = [name for name in authors[chain] if name not in {"", letter}]
        ax.text(
            (chain.start + chain.stop + 1) / 2,
            _TRACK[1] + 0.01,
            f"chain {letter}" + (f" ({plain_text(names[0], 8)})" if names else ""),
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize="small",
            parse_math=False,
        )
