#!/usr/bin/env python
"""The report's page in a headless Chromium, beside a plotly page of the same map and marks, in one run.

    benchmark_report.py [--quick]

Sizes, time to ready, time of a zoom step and memory for L = 60, 300, 1,000 and 2,000, each with structure, alignment
and 3D, and for the bundled DHFR; plotly (plotly.js inlined, the map as uint8, the cheapest it can be) at 300 and 1,000.

Ready: from the start of the navigation to `html[data-ready]`, which our page sets when its map is drawn and the 3D
view has begun, and the plotly page, which has no 3D, when `newPlot` is done; so our page without 3D and alignment
stands beside it too. A fresh context each time, the pages in turn. A zoom step: from a wheel event to the end of the
frame that shows it. plotly first stretches the old picture, and draws the map anew 50 ms after the last event; both are
measured, and the target is judged by the second; for our page they are the same.
Medians; the quartiles in parentheses, and the load at the end, say how noisy the machine was. Called by `benchmark.py`
through `benchmark_report`; the exit code is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmark_browser import Measured, launched, measured, why_no_browser
from benchmark_measure import Figure, difference, table

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from msaformer.prediction import Prediction
    from msaformer.report.truth import Truth

PART: Final = "report"
LENGTHS: Final = (60, 300, 1_000, 2_000)
MAX_MEGABYTES: Final = {60: 0.8, 300: 1.1, 1_000: 2.5, 2_000: 7.0}
PEER_LENGTHS: Final = (300, 1_000)
JUDGED: Final = 1_000
MAX_READY_MS: Final = 1_500.0
MAX_ZOOM_MS: Final = 50.0
FASTER_ZOOM: Final = 4.0
SMALLER: Final = 0.4
LOADS: Final = 5
STEPS: Final = 24
OURS: Final = "#map"  # what the wheel is turned over
PLOTLY: Final = ".plotly .nsewdrag"
PLOTLY_READY: Final = """
document.getElementById("{plot_id}").on("plotly_relayout", () => wasRedrawn());
document.documentElement.dataset.ready = "1";
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small page, few steps")
    figures = list(benchmark_report(parser.parse_args().quick))
    print(table(figures))
    return int(any(figure.met is False for figure in figures))


def benchmark_report(quick: bool) -> Iterator[Figure]:
    """All sizes; what is missing for it is named."""
    missing = why_no_browser()
    if missing:
        print(f"{PART}: skipped: {missing}", file=sys.stderr)
        return
    has_peer = importlib.util.find_spec("plotly") is not None
    if not has_peer:
        print(f"{PART}: plotly skipped: needs the Python package plotly", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        for length in (40,) if quick else LENGTHS:
            with_peer = has_peer and (quick or length in PEER_LENGTHS)
            yield from one_length(browser, length, Path(folder), quick=quick, with_peer=with_peer)
        if not quick:
            yield from bundled(browser, Path(folder))
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    yield Figure(PART, f"load of the machine at the end, {cores} cores", "processes", load)


def one_length(
    browser: Browser, length: int, folder: Path, *, quick: bool, with_peer: bool
) -> Iterator[Figure]:
    from benchmark_report_data import made_up_protein

    from msaformer.report import write_report
    from msaformer.report.truth import read_truth

    protein = made_up_protein(length, folder)
    page = folder / f"report_{length}.html"
    write_report(protein.prediction, page, structure_path=protein.structure, alignment=protein.alignment)
    loads, steps = (1, 4) if quick else (LOADS, STEPS)
    targets = {page: OURS}
    if with_peer:
        truth = read_truth(protein.prediction, protein.structure)
        alone, peer_page = folder / f"alone_{length}.html", folder / f"plotly_{length}.html"
        write_report(protein.prediction, alone, truth=truth)
        write_plotly(protein.prediction, truth, peer_page)
        targets |= {alone: OURS, peer_page: PLOTLY}
    del protein  # hundreds of megabytes
    ours, *others = measured(browser, targets, loads, steps)
    yield from compared(f"L={length:,}", length, ours, others, judged=not quick)


def bundled(browser: Browser, folder: Path) -> Iterator[Figure]:
    """The page of the bundled protein, by the released model."""
    from data_tools.formats import read_alignment
    from msaformer import example
    from msaformer.predict import predict
    from msaformer.pretrained import load_model
    from msaformer.report import write_report

    alignment = read_alignment(example.ALIGNMENT)
    prediction = predict(alignment, load_model(), name="dhfr")
    page = folder / "dhfr.html"
    write_report(prediction, page, structure_path=example.STRUCTURE, alignment=alignment)
    (ours,) = measured(browser, {page: OURS}, LOADS, STEPS)
    yield from compared("DHFR, L=158", 158, ours, [], judged=False)


def compared(
    label: str, length: int, ours: Measured, others: list[Measured], *, judged: bool
) -> Iterator[Figure]:
    """The lines of one page; `others` are the page without 3D and alignment, and plotly's, which has neither."""
    is_judged = judged and length == JUDGED
    zoom = statistics.median(ours.frames)
    ready = statistics.median(ours.ready)
    yield _limited(f"{label}: size", "MB", ours.megabytes, MAX_MEGABYTES.get(length) if judged else None)
    yield _limited(f"{label}: ready{_spread(ours.ready)}", "ms", ready, MAX_READY_MS if is_judged else None)
    yield Figure(PART, f"{label}: ready, CPU time", "ms", statistics.median(ours.ready_cpu))
    yield _limited(f"{label}: zoom step{_spread(ours.frames)}", "ms", zoom, MAX_ZOOM_MS if judged else None)
    yield Figure(PART, f"{label}: JS heap", "MiB", *ours.heap_mib)
    if others:
        alone, peer = others
        yield from against_plotly(label, ours, peer, is_judged=is_judged)
        yield _faster(f"{label}: ready without 3D, plotly", alone.ready, peer.ready)
        yield _faster(f"{label}: ready without 3D, plotly, CPU time", alone.ready_cpu, peer.ready_cpu)
    complaints = sum(len(one.complaints) for one in (ours, *others))
    yield difference(PART, f"{label}: console errors and requests", complaints, at_most=0)


def against_plotly(label: str, ours: Measured, peer: Measured, *, is_judged: bool) -> Iterator[Figure]:
    ratio = ours.megabytes / peer.megabytes
    target, met = (f"≤ {SMALLER:g}×", ratio <= SMALLER) if is_judged else ("", None)
    yield Figure(PART, f"{label}: size, plotly", "MB", ours.megabytes, peer.megabytes, ratio, target, met)
    yield _faster(f"{label}: ready, plotly{_spread(peer.ready)}", ours.ready, peer.ready)
    yield _faster(f"{label}: ready, plotly, CPU time", ours.ready_cpu, peer.ready_cpu)
    yield _faster(f"{label}: zoom, plotly, next frame{_spread(peer.frames)}", ours.frames, peer.frames)
    name = f"{label}: zoom, plotly, drawn anew{_spread(peer.redrawn)}"
    yield _faster(name, ours.frames, peer.redrawn, FASTER_ZOOM if is_judged else None)
    yield _faster(f"{label}: JS heap, plotly", ours.heap_mib, peer.heap_mib, unit="MiB")


def _limited(name: str, unit: str, value: float, limit: float | None) -> Figure:
    if limit is None:
        return Figure(PART, name, unit, value)
    return Figure(PART, name, unit, value, target=f"≤ {limit:g}", met=value <= limit)


def _faster(
    name: str, ours: list[float], peer: list[float], at_least: float | None = None, *, unit: str = "ms"
) -> Figure:
    own, other = statistics.median(ours), statistics.median(peer)
    target, met = ("", None) if at_least is None else (f"≥ {at_least:g}×", other / own >= at_least)
    return Figure(PART, name, unit, own, other, other / own, target, met)


def _spread(values: list[float]) -> str:
    """The quartiles, in words."""
    if len(values) < 4:
        return ""
    low, _, high = statistics.quantiles(values, n=4)
    return f" ({low:.0f}–{high:.0f})"


def write_plotly(prediction: Prediction, truth: Truth, path: Path) -> None:
    """The same map, prediction above and structure below the diagonal, with the L best pairs as marks."""
    import numpy as np
    import plotly.graph_objects as go

    from msaformer.metrics import top_pairs

    distances = truth.distances
    cells = np.triu(prediction.contact_probs, 1) + np.tril(distances < 8, -1)
    figure = go.Figure(go.Heatmap(z=np.round(cells * 255).astype(np.uint8), colorscale="Blues"))
    first, second = (
        index[: prediction.length] for index in top_pairs(prediction.contact_probs, min_separation=6)
    )
    is_true = distances[first, second] < 8
    for name, chosen, colour, symbol in (
        ("true", is_true, "#0072B2", "circle"),
        ("false", ~is_true, "#D55E00", "x"),
    ):
        figure.add_scatter(
            x=second[chosen],
            y=first[chosen],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol},
        )
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(width=760, height=700)
    figure.write_html(path, include_plotlyjs=True, config={"scrollZoom": True}, post_script=PLOTLY_READY)


if __name__ == "__main__":
    raise SystemExit(main())
