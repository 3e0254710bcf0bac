"""Row attention of one head: from which residues each residue takes, mean over the sequences.

L residues of the query.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from msaformer.errors import PredictionError
from msaformer.prediction import AttentionMaps, Prediction
from msaformer.report.plots.axes import frame_map, new_axes
from msaformer.report.plots.images import draw_image
from msaformer.report.plots.inputs import Residues, drawable


def plot_attention(
    prediction: Prediction,
    *,
    block: int | None = None,
    head: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the attention of `block` and `head`, both counted from 0 as the prediction holds them.

    Without `block` the last one is taken, without `head` the mean of its heads. Row i is where residue i looks, and
    sums to 1; the colours end where 99 % of the pairs do. Raises PredictionError when the prediction holds no
    attention, or not this one.
    """
    if prediction.attention is None:
        raise PredictionError(
            f"{prediction.name}: it holds no attention; predict again with `msaformer predict --attention`"
        )
    block, probs, heads = _chosen(prediction.attention, block, head)
    ax = new_axes(ax, 6.0, 5.0)
    most = float(np.percentile(probs, 99)) or 1.0
    cells = np.ones(probs.shape, dtype=bool)
    image = draw_image(ax, probs, cells, cmap="Blues", vmin=0, vmax=most)
    residues = Residues.of(prediction)
    frame_map(ax, residues)
    ax.set(xlabel="residue looked at", ylabel="residue that looks")
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.04, 0.0, 0.035, 1.0)), extend="max")
    bar.set_label("attention")
    bar.outline.set_linewidth(0.5)
    ax.set_title(f"{drawable(prediction.name)}  ·  block {block}, {heads}", loc="left", fontsize="medium")
    return ax


def _chosen(
    attention: AttentionMaps, block: int | None, head: int | None
) -> tuple[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]], str]:
    """The block, its map `[L, L]`, and whose it is in words."""
    block = int(attention.heads[:, 0].max()) if block is None and len(attention.heads) else block
    rows = attention.heads[:, 0] == block
    if head is not None:
        rows &= attention.heads[:, 1] == head
    if block is None or not rows.any():
        held = ", ".join(f"{b}:{h}" for b, h in attention.heads[:24]) or "nothing"
        raise PredictionError(f"no attention of block {block}, head {head}; held are (block:head) {held}")
    name = f"head {head}" if head is not None else f"mean of {int(rows.sum())} heads"
    return block, attention.probs[rows].mean(axis=0), name
