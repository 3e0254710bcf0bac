"""The contact map: predicted above the diagonal, and below it the truth or a second prediction.

L residues of the query. The look is that of the notebooks of ESM (probability in blues, hits and misses of the best
pairs, native contacts grey, "long-range P@L" in the title), with marks that colour-blind readers tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from msaformer.errors import PredictionError
from msaformer.metrics import CONTACT_ANGSTROM, top_pairs
from msaformer.report.colours import FALSE_COLOUR, NATIVE_COLOUR, TRUE_COLOUR
from msaformer.report.plots.axes import draw_tracks, frame_map, new_axes
from msaformer.report.plots.images import Cells, draw_flat, draw_image, draw_unknown, mark_size
from msaformer.report.plots.inputs import (
    Floats,
    Known,
    PairMap,
    Residues,
    Scored,
    pair_map,
    true_distances,
)
from msaformer.report.top import number_of_pairs

_LEGEND_MARK: Final = 5.0  # points


@dataclass(frozen=True, slots=True)
class Choice:
    """Which pairs are marked."""

    count: int
    min_separation: int
    chain_lengths: tuple[int, ...]
    """Pairs of two chains count whatever their separation."""


def plot_contact_map(
    prediction: Scored,
    truth: Known | None = None,
    *,
    compare: Scored | None = None,
    top: str | int = "L",
    min_separation: int = 6,
    ax: Axes | None = None,
) -> Axes:
    """Draw `prediction` above the diagonal, and its `top` best pairs at least `min_separation` apart below.

    With `truth`, native contacts are grey below the diagonal, pairs that are not resolved hatched, and the best pairs
    of known distance blue circles where true, vermilion crosses where false; the title gives the long-range P@L. With
    `compare` a second prediction stands below the diagonal, and each has its own best pairs marked in its half. Scores
    that are no probabilities are drawn as parts of the largest of the pairs that far apart. `top` is a number, "L",
    "L/2" or "1.5L". Raises PredictionError when the parts are not of one protein.
    """
    above = pair_map(prediction)
    length = len(above.scores)
    below = None if compare is None else pair_map(compare)
    if below is not None and len(below.scores) != length:
        raise PredictionError(f"{len(below.scores)} residues cannot be compared with {length}")
    distances = true_distances(truth, length)
    residues = Residues.of(prediction)
    choice = Choice(number_of_pairs(top, length), min_separation, residues.chain_lengths)
    ax = new_axes(ax, 6.4, 5.0)
    upper = np.triu(np.ones((length, length), dtype=bool), k=1)
    image = _draw_scores(ax, above, upper, choice)
    if below is None:
        if distances is not None:
            contacts = upper.T & (distances < CONTACT_ANGSTROM)
            draw_flat(ax, contacts, NATIVE_COLOUR)
            draw_unknown(ax, upper.T & np.isnan(distances))
        counts = _mark(ax, above, distances, choice, below_diagonal=True)
    else:
        _draw_scores(ax, below, upper.T, choice)
        if distances is not None:
            draw_unknown(ax, np.isnan(distances) & ~np.eye(length, dtype=bool))
        counts = _mark(ax, above, distances, choice, below_diagonal=False)
        counts += _mark(ax, below, distances, choice, below_diagonal=True)
    frame_map(ax, residues)
    room = draw_tracks(ax, truth, residues)
    scale = "probability" if above.are_probabilities else "score / largest"
    _explain(ax, image, scale, counts, has_native=distances is not None and below is None)
    ax.set_title(
        _title(above, below, distances, residues.chain_lengths), loc="left", pad=room, fontsize="medium"
    )
    return ax


def _draw_scores(ax: Axes, source: PairMap, half: Cells, choice: Choice) -> Any:
    largest = 1.0
    if not source.are_probabilities:
        best = top_pairs(
            source.scores, min_separation=choice.min_separation, chain_lengths=choice.chain_lengths
        )
        largest = max(float(source.scores[best].max(initial=0.0)), 0.0) or 1.0
    return draw_image(ax, source.scores / largest, half & source.is_listed, cmap="Blues", vmin=0, vmax=1)


def _mark(
    ax: Axes, source: PairMap, distances: Floats | None, choice: Choice, *, below_diagonal: bool
) -> list[tuple[str, int]]:
    """Mark the best pairs; returns what was marked and how often."""
    known = source.is_listed if distances is None else source.is_listed & ~np.isnan(distances)
    first, second = top_pairs(
        source.scores,
        min_separation=choice.min_separation,
        known=known,
        chain_lengths=choice.chain_lengths,
    )
    first, second = first[: choice.count], second[: choice.count]
    across, down = (first, second) if below_diagonal else (second, first)
    size = mark_size(ax, len(source.scores))
    if distances is None:
        style: dict[str, Any] = {"color": "black", "ms": size, "mew": 0}
        ax.plot(across + 1, down + 1, "o", ls="none", label="predicted", **style)
        return [("predicted", len(first))]
    hits = distances[first, second] < CONTACT_ANGSTROM
    for label, marker, colour, rows in (
        ("true", "o", TRUE_COLOUR, hits),
        ("false", "x", FALSE_COLOUR, ~hits),
    ):
        style = {"color": colour, "ms": size, "mew": 0.3 * size if marker == "x" else 0.3}
        if marker == "o":
            style["mec"] = "white"  # seen on dark cells too
        ax.plot(across[rows] + 1, down[rows] + 1, marker, ls="none", label=label, **style)
    return [("true", int(hits.sum())), ("false", int((~hits).sum()))]


def _explain(ax: Axes, image: Any, scale: str, counts: list[tuple[str, int]], *, has_native: bool) -> None:
    """Right of the map: the colours above, the marks below."""
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.08, 0.6, 0.035, 0.4)))
    bar.set_label(scale)
    bar.outline.set_linewidth(0.5)
    marks = {line.get_label(): line for line in ax.lines if not str(line.get_label()).startswith("_")}
    totals = {label: [number for name, number in counts if name == label] for label in marks}
    handles: list[Any] = list(marks.values())
    names = [f"{label} ({' + '.join(map(str, totals[label]))})" for label in marks]
    if has_native:
        handles.append(Patch(facecolor=NATIVE_COLOUR, edgecolor="none"))
        names.append("in the structure")
    named: list[Any] = [
        shown for shown in (*ax.patches, *ax.collections) if not str(shown.get_label()).startswith("_")
    ]
    handles += [
        shown if isinstance(shown, Patch) else Patch(color=shown.get_facecolor()[0]) for shown in named
    ]
    names += [str(shown.get_label()) for shown in named]
    ax.legend(
        handles,
        names,
        loc="lower left",
        bbox_to_anchor=(1.06, -0.02),
        frameon=False,
        fontsize="small",
        handlelength=1.2,
        markerscale=max(_LEGEND_MARK / handles[0].get_markersize(), 1),
        borderaxespad=0,
    )


def _title(
    above: PairMap, below: PairMap | None, distances: Floats | None, chain_lengths: tuple[int, ...]
) -> str:
    """Name the protein and, against a structure, say how good the prediction is."""
    parts = []
    for place, source in (("above", above), ("below", below)):
        if source is None:
            continue
        precision = None if distances is None else source.long_range_precision(distances, chain_lengths)
        known = "" if precision is None or np.isnan(precision) else f"{precision:.2f}"
        if below is None:
            parts += [f"long-range P@L {known}"] if known else []
        else:
            parts += [f"{place}: {source.method or 'scores'}{f', P@L {known}' if known else ''}"]
    return "  ·  ".join(part for part in (above.target, *parts) if part)
