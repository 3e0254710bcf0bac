"""The figures of `benchmark_accuracy.py`: protein against protein, accuracy against depth and length, reliability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
import pandas as pd
from benchmark_accuracy_summary import ALL, GROUPINGS
from benchmark_accuracy_text import Report
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from msaformer.report import plot_calibration, save_figure

DPI: Final = 110
PANEL: Final = 3.0  # inches
MAX_COLUMNS: Final = 4
RELIABILITY_RANGES: Final = ("all", "short", "medium", "long")


def write_figures(report: Report, precision: pd.DataFrame, folder: Path) -> list[Path]:
    """Write every figure into `folder` as PNG, whole or not at all; returns their paths.

    `precision` has one row a protein, method and range, as `precision_summary` takes it.
    """
    written = []
    long_range = precision[(precision["range"] == "long") & (precision["num_contacts"] > 0)]
    for name in dict.fromkeys(precision["set"]):
        of_set = long_range[long_range["set"] == name]
        summary = report.precision[report.precision["set"] == name]
        for stem, figure in _of_one_set(report, name, of_set, summary):
            path = folder / f"{stem}-{name}.png"
            save_figure(figure, path, dpi=DPI)
            plt.close(figure)
            written.append(path)
    return written


def _of_one_set(
    report: Report, name: str, long_range: pd.DataFrame, summary: pd.DataFrame
) -> Iterator[tuple[str, Figure]]:
    if long_range["method"].nunique() > 1:
        yield "scatter", _scatter(long_range, report.best)
    yield "depth", _against(long_range, summary, report.best, "neff", "neff_band")
    yield "length", _against(long_range, summary, report.best, "length", "length_band")
    if any(key[:2] == (report.best, name) for key in report.calibration):
        yield "reliability", _reliability(report, name)


def _scatter(long_range: pd.DataFrame, best: str) -> Figure:
    """A panel a method, ours upwards: proteins above the diagonal are predicted better by ours."""
    wide = long_range.pivot(index="id", columns="method", values="p_at_l")
    others = [method for method in dict.fromkeys(long_range["method"]) if method != best]
    columns = min(len(others), MAX_COLUMNS)
    rows = -(-len(others) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(PANEL * columns, PANEL * rows), layout="constrained", squeeze=False
    )
    for ax, method in zip(grid.flat, others, strict=False):
        both = wide[[method, best]].dropna()
        above = int((both[best] > both[method]).sum())
        ax.plot((0, 1), (0, 1), color="0.6", lw=0.8)
        ax.plot(both[method], both[best], "o", ms=3.5, alpha=0.6, mec="none")
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel=f"{method}, P@L", ylabel=f"{best}, P@L")
        ax.set_title(f"ours higher: {above} of {len(both)}", loc="left", fontsize="small")
    for ax in grid.flat[len(others) :]:
        ax.set_axis_off()
    return figure


def _against(
    long_range: pd.DataFrame, summary: pd.DataFrame, best: str, column: str, grouping: str
) -> Figure:
    """Long-range P@L of every method against `column`: means of its bands with their intervals, ours also as points."""
    figure, ax = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
    ours = long_range[long_range["method"] == best]
    ax.plot(ours[column], ours["p_at_l"], "o", ms=3, color="0.75", mec="none", label="_proteins")
    middle = ours.groupby(grouping, sort=False)[column].median()
    chosen = summary[
        (summary["grouping"] == grouping) & (summary["range"] == "long") & (summary["measure"] == "p_at_l")
    ]
    for method in dict.fromkeys(chosen["method"]):
        means = chosen[chosen["method"] == method].set_index("group")
        means = means.loc[
            [group for group in GROUPINGS[grouping] if group in means.index and group in middle]
        ]
        places = middle.loc[means.index]
        bars = [(means["mean"] - means["low"]).fillna(0), (means["high"] - means["mean"]).fillna(0)]
        width = 2.0 if method == best else 1.0
        ax.errorbar(places, means["mean"], yerr=bars, fmt="o-", ms=3, lw=width, capsize=2, label=method)
    if column == "neff":
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set(
        ylim=(0, 1),
        xlabel={"neff": "Neff (80 % identity)"}.get(column, f"{column}, residues"),
        ylabel="long-range P@L",
    )
    ax.legend(fontsize="x-small", frameon=False)
    return figure


def _reliability(report: Report, name: str) -> Figure:
    """Our best model's, of all proteins by range, then by Neff band."""
    ranges = [(range_name, ALL) for range_name in RELIABILITY_RANGES]
    keys = [key[2:] for key in report.calibration if key[:2] == (report.best, name)]
    bands = [("all", group) for group in GROUPINGS["neff_band"] if ("all", group) in keys]
    columns = max(len(ranges), len(bands))
    figure, grid = plt.subplots(2, columns, figsize=(PANEL * columns, 2 * PANEL * 1.1), layout="constrained")
    for line, places in zip(grid, (ranges, bands), strict=True):
        for ax, place in zip(line, places, strict=False):
            plot_calibration(report.calibration[report.best, name, *place], ax=ax)
            title = place[0] if place[1] == ALL else f"Neff {place[1]}"
            ax.set_title(f"{title}: {ax.get_title(loc='left')}", loc="left", fontsize="small")
        for ax in line[len(places) :]:
            ax.set_axis_off()
    return figure
