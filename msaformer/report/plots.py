"""Figures for papers and notebooks: each function draws on the Axes it is given, or on new ones, and returns them.

L residues of the query, N sequences. No function shows a window or chooses a backend.
"""

from __future__ import annotations

from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator

from data_tools.alignment import Alignment
from msaformer.metrics import CONTACT_ANGSTROM, top_pairs
from msaformer.report.coverage import alignment_coverage

TRUE_COLOUR: Final = "#0072B2"  # Okabe–Ito blue
FALSE_COLOUR: Final = "#D55E00"  # Okabe–Ito vermilion
NATIVE_COLOUR: Final = "#b4bac4"
UNKNOWN_COLOUR: Final = "#ececec"

Floats = npt.NDArray[np.floating[Any]]


def plot_contact_map(
    contact_probs: Floats,
    distances: Floats | None = None,
    *,
    num_pairs: int | None = None,
    min_separation: int = 6,
    ax: Axes | None = None,
) -> Axes:
    """Draw predicted probabilities above the diagonal, and below it the truth and the best pairs.

    `contact_probs` `[L, L]`; `distances` `[L, L]` in Å, NaN = unknown, or None. Below the diagonal: true contacts grey,
    unknown pairs hatched, and the `num_pairs` (L if None) best pairs of known distance at least `min_separation` apart,
    blue circles where true and vermilion crosses where false; without `distances` black circles. Axes count from 1.
    """
    length = contact_probs.shape[0]
    ax = _axes(ax)
    upper = np.where(np.triu(np.ones_like(contact_probs, dtype=bool), k=1), contact_probs, np.nan)
    box = (0.5, length + 0.5, length + 0.5, 0.5)
    ax.imshow(upper, cmap="Blues", vmin=0, vmax=1, extent=box, interpolation="nearest", rasterized=True)
    if distances is not None:
        _draw_truth(ax, distances, box)
    known = None if distances is None else ~np.isnan(distances)
    first, second = top_pairs(contact_probs, min_separation=min_separation, known=known)
    first, second = first[: num_pairs or length], second[: num_pairs or length]
    if distances is None:
        ax.plot(first + 1, second + 1, "o", ms=2, color="black", label="predicted", rasterized=True)
    else:
        hits = distances[first, second] < CONTACT_ANGSTROM
        for marker, colour, rows, label in (
            ("o", TRUE_COLOUR, hits, "true positive"),
            ("x", FALSE_COLOUR, ~hits, "false positive"),
        ):
            ax.plot(
                first[rows] + 1,
                second[rows] + 1,
                marker,
                ms=2.5,
                color=colour,
                label=f"{label} ({rows.sum()})",
            )
    ax.plot([0.5, length + 0.5], [0.5, length + 0.5], color="0.6", lw=0.6)
    ax.set(
        xlabel="residue", ylabel="residue", xlim=(0.5, length + 0.5), ylim=(length + 0.5, 0.5), aspect="equal"
    )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    if len(first):
        ax.legend(loc="lower left", frameon=True, fontsize="small")
    return ax


def plot_coverage(alignment: Alignment, *, ax: Axes | None = None) -> Axes:
    """Draw which residues the sequences cover: rows sorted by identity to the query and coloured by it, gaps white.

    The black line counts the sequences that have a residue in each column.
    """
    coverage = alignment_coverage(alignment)
    ax = _axes(ax)
    image = np.where(coverage.covered, coverage.identity[:, None], np.nan)
    box = (0.5, alignment.length + 0.5, alignment.depth, 0)
    picture = ax.imshow(
        image,
        cmap="viridis",
        vmin=0,
        vmax=1,
        extent=box,
        aspect="auto",
        interpolation="nearest",
        rasterized=True,
    )
    ax.invert_yaxis()
    ax.plot(
        np.arange(alignment.length) + 1,
        coverage.counts,
        color="black",
        lw=1,
        label="sequences with a residue",
    )
    ax.set(
        xlabel="residue", ylabel="sequences", xlim=(0.5, alignment.length + 0.5), ylim=(0, alignment.depth)
    )
    ax.figure.colorbar(picture, ax=ax, label="identity to the query")
    return ax


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def _draw_truth(ax: Axes, distances: Floats, box: tuple[float, float, float, float]) -> None:
    lower = np.tril(np.ones_like(distances, dtype=bool), k=-1)
    unknown = lower & np.isnan(distances)
    contact = lower & (distances < CONTACT_ANGSTROM)
    for cells, colour in ((contact, NATIVE_COLOUR), (unknown, UNKNOWN_COLOUR)):
        image = np.where(cells, 1.0, np.nan)
        ax.imshow(image, cmap=ListedColormap([colour]), extent=box, interpolation="nearest", rasterized=True)
    if unknown.any():
        hatched = np.where(unknown, 1.0, 0.0)
        length = len(distances)
        centres = np.arange(length) + 1
        ax.contourf(centres, centres, hatched, levels=[0.5, 1.5], colors="none", hatches=["////"])
