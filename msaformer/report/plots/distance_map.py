"""The distance map: expected distances above the diagonal, true ones below; or their spread, or their error.

L residues of the query.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import numpy as np
from matplotlib.axes import Axes

from msaformer.errors import PredictionError
from msaformer.prediction import Prediction
from msaformer.report.plots.axes import draw_tracks, frame_map, new_axes
from msaformer.report.plots.images import draw_image, draw_unknown
from msaformer.report.plots.inputs import Floats, Known, Residues, drawable, true_distances

Quantity = Literal["expected", "spread", "error"]
CLOSEST, FARTHEST = 2.0, 22.0  # Å, ends of the colours, those of the page; the last bin stands at 22 Å
MOST_ERROR: Final = 10.0  # Å, where the colours of an error end; half of what a distogram can be off by


def plot_distance_map(
    prediction: Prediction,
    truth: Known | None = None,
    *,
    show: Quantity = "expected",
    ax: Axes | None = None,
) -> Axes:
    """Draw distances of `prediction` in Å.

    `show`: "expected", the mean of the distogram above the diagonal and the true distance below it, or the mean again
    without `truth`; "spread", its standard deviation; "error", expected minus true, both counted as the last bin's
    edge when beyond it, as the distogram does not tell longer distances apart. Pairs that are not resolved are
    hatched. Raises PredictionError for another `show`, for an error without `truth`, and when the structure is
    mapped to another number of residues.
    """
    if show not in get_args(Quantity):
        raise PredictionError(f"show={show!r}: choose one of {', '.join(map(repr, get_args(Quantity)))}")
    if show == "error" and truth is None:
        raise PredictionError("show='error' compares with a structure: give its truth")
    residues = Residues.of(prediction)
    distances = true_distances(truth, prediction.length)
    ax = new_axes(ax, 6.0, 5.0)
    apart = ~np.eye(prediction.length, dtype=bool)
    image, label = _draw(ax, prediction, distances, show)
    if distances is not None and show != "spread":
        upper_is_predicted = np.tril(apart) if show == "expected" else apart
        draw_unknown(ax, upper_is_predicted & np.isnan(distances))
    frame_map(ax, residues)
    room = draw_tracks(ax, truth, residues)
    bar = ax.figure.colorbar(
        image, cax=ax.inset_axes((1.08, 0.0, 0.035, 1.0)), extend="both" if show == "error" else "max"
    )
    bar.set_label(label)
    bar.outline.set_linewidth(0.5)
    halves = " (below: true)" if show == "expected" and distances is not None else ""
    titles = {
        "expected": f"expected distance{halves}",
        "spread": "spread of the distance",
        "error": "error of the distance",
    }
    ax.set_title(f"{drawable(prediction.name)}  ·  {titles[show]}", loc="left", pad=room, fontsize="medium")
    return ax


def _draw(ax: Axes, prediction: Prediction, distances: Floats | None, show: Quantity) -> tuple[Any, str]:
    """The picture and what its colours mean."""
    length, farthest = prediction.length, float(prediction.bin_edges[-1])
    apart = ~np.eye(length, dtype=bool)
    if show == "spread":
        spread = prediction.distance_std
        most = float(np.percentile(spread[apart], 99)) if length > 1 else 1.0
        return draw_image(ax, spread, apart, cmap="magma_r", vmin=0, vmax=most), "standard deviation (Å)"
    expected = prediction.expected_distance
    if show == "error":
        assert distances is not None
        error = np.minimum(expected, farthest) - np.minimum(distances, farthest)
        colours = {"cmap": "RdBu_r", "vmin": -MOST_ERROR, "vmax": MOST_ERROR}
        return draw_image(ax, error, apart & ~np.isnan(distances), **colours), "expected − true distance (Å)"
    values = expected if distances is None else np.where(np.tri(length, k=-1) > 0, distances, expected)
    colours = {"cmap": "viridis", "vmin": CLOSEST, "vmax": FARTHEST}
    return draw_image(ax, values, apart & ~np.isnan(values), **colours), "distance (Å)"
