"""How the sequences cover the query, the picture that ColabFold made a standard, and Neff per column.

N sequences, row 0 is the query; L residues.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from data_tools.alignment import Alignment
from data_tools.neff import column_neff
from msaformer.errors import PredictionError
from msaformer.report.colours import FALSE_COLOUR
from msaformer.report.coverage import alignment_coverage
from msaformer.report.plots.axes import new_axes, number_axis
from msaformer.report.plots.inputs import Residues


def plot_coverage(
    alignment: Alignment,
    weights: npt.NDArray[np.floating[Any]] | None = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw which residues the sequences cover: rows sorted by identity to the query and coloured by it, gaps white.

    The black line counts the sequences that have a residue in each column; with `weights` `[N]` (such as
    `Prediction.sequence_weights`) a vermilion one is Neff per column, the sum of their weights. At most 600 rows,
    evenly spaced in their order, are drawn. The chains of a complex (ColabFold's A3M) are parted. Raises
    PredictionError when there is not one weight a sequence.
    """
    if weights is not None and np.shape(weights) != (alignment.depth,):
        raise PredictionError(f"{list(np.shape(weights))} weights for {alignment.depth} sequences")
    coverage = alignment_coverage(alignment)
    residues = Residues.of(alignment)
    ax = new_axes(ax, 7.0, 3.6)
    picture = ax.imshow(
        np.where(coverage.covered, coverage.identity[:, None], np.nan),
        cmap="viridis",
        vmin=0,
        vmax=1,
        extent=(0.5, alignment.length + 0.5, alignment.depth, 0),
        aspect="auto",
        interpolation="nearest",
        rasterized=True,
    )
    edge = [withStroke(linewidth=2.6, foreground="white")]
    columns = np.arange(alignment.length) + 1
    style: dict[str, Any] = {"lw": 1.3, "path_effects": edge, "drawstyle": "steps-mid"}
    ax.plot(columns, coverage.counts, color="black", label="sequences with a residue", **style)
    if weights is not None:
        neff = column_neff(alignment.tokens, weights)
        label = f"Neff of the column (Neff {float(np.sum(weights)):.0f})"
        ax.plot(columns, neff, color=FALSE_COLOUR, label=label, **style)
    ax.set(
        xlabel="residue",
        ylabel="sequences",
        xlim=(0.5, alignment.length + 0.5),
        ylim=(0, alignment.depth * 1.03),  # room for the lines
    )
    number_axis(ax, "x", residues)
    for place in residues.boundaries:
        ax.axvline(place, color="black", lw=0.9, ls="--", label="_chain")
    bar = ax.figure.colorbar(picture, cax=ax.inset_axes((1.015, 0.0, 0.02, 1.0)))
    bar.set_label("identity to the query")
    bar.outline.set_linewidth(0.5)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, fontsize="small")
    return ax
