"""The reliability diagram: of the pairs given a probability, how many are contacts (Guo et al. 2017, Figure 1).

B bins of probability.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from msaformer.calibration import MIN_SEPARATION, Calibration, reliability
from msaformer.errors import PredictionError
from msaformer.report.colours import NATIVE_COLOUR, TRUE_COLOUR
from msaformer.report.plots.axes import new_axes
from msaformer.report.plots.inputs import Known, Scored, pair_map, true_distances

_Z: Final = 1.96  # standard deviations of a normal distribution that hold 95 %


def plot_calibration(
    prediction: Calibration | Scored,
    truth: Known | None = None,
    *,
    min_separation: int = MIN_SEPARATION,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of true contacts against the predicted probability, bin by bin, and how many pairs each holds.

    Give a `Calibration` that is made already, or a prediction and the truth; then `min_separation` says which pairs
    count. Bars are Wilson's 95 % intervals, as if pairs were independent; below the diagonal the prediction is too
    sure. Raises PredictionError when the truth is missing or the scores are no probabilities.
    """
    found = _calibration(prediction, truth, min_separation)
    ax = new_axes(ax, 4.4, 4.2)
    ax.plot((0, 1), (0, 1), "--", color="0.55", lw=1, label="as said")
    filled = found.counts > 0
    said, true = found.mean_prob[filled], found.fraction[filled]
    low, high = wilson_interval(true, found.counts[filled])
    ax.errorbar(
        said,
        true,
        yerr=np.maximum([true - low, high - true], 0),
        fmt="o-",
        color=TRUE_COLOUR,
        ms=4.5,
        lw=1.2,
        elinewidth=0.9,
        capsize=2,
        label="observed",
        clip_on=False,
    )
    ax.set(
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
        xlabel="predicted probability",
        ylabel="share of true contacts",
    )
    if filled.any():
        _draw_counts(ax, found)
        error = f"{found.expected_error:.3f}"
        ax.set_title(f"calibration error {error}", loc="left", fontsize="medium")
    return ax


def wilson_interval(
    share: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The 95 % interval of each `share` of `counts` > 0 trials (Wilson 1927, J. Am. Stat. Assoc. 22, 209)."""
    square = _Z**2
    middle = (share + square / (2 * counts)) / (1 + square / counts)
    half = _Z / (1 + square / counts) * np.sqrt(share * (1 - share) / counts + square / (4 * counts**2))
    return middle - half, middle + half


def _calibration(prediction: Calibration | Scored, truth: Known | None, min_separation: int) -> Calibration:
    if isinstance(prediction, Calibration):
        if truth is not None:
            raise PredictionError("a calibration holds its truth already: give one of the two")
        return prediction
    source = pair_map(prediction)
    distances = true_distances(truth, len(source.scores))
    if distances is None:
        raise PredictionError("a calibration compares with a structure: give its truth")
    if not source.are_probabilities:
        raise PredictionError("these scores are no probabilities, so they cannot be calibrated")
    known = np.where(source.is_listed, distances, np.nan)
    chains = () if isinstance(prediction, np.ndarray) else prediction.chain_lengths
    return reliability(source.scores, known, min_separation=min_separation, chain_lengths=chains)


def _draw_counts(ax: Axes, found: Calibration) -> Any:
    """Pairs in each bin, upper left, where a prediction that is not too modest leaves room."""
    small = ax.inset_axes((0.12, 0.74, 0.36, 0.2))
    width = np.diff(found.edges)
    small.bar(found.edges[:-1], found.counts, width=width * 0.86, align="edge", color=NATIVE_COLOUR)
    small.set_yscale("log")
    small.set(xlim=(0, 1), ylim=(0.7, None), xticks=(0, 1))
    small.yaxis.set_major_locator(LogLocator(numticks=4))
    small.yaxis.set_minor_locator(NullLocator())
    small.tick_params(labelsize="x-small", length=2)
    small.set_title("pairs", fontsize="x-small", loc="left", pad=2)
    small.spines[["top", "right"]].set_visible(False)
    return small
