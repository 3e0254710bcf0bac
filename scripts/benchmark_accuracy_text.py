"""The tables of `benchmark_accuracy.py` as Markdown for a model card, and as the few lines it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
from benchmark_accuracy_methods import OURS, PRECISIONS
from benchmark_accuracy_summary import ALL, GROUPINGS, in_order_of_ranges
from benchmark_accuracy_table import Table, interval, number

from msaformer.calibration import Calibration

GROUPING_NAMES: Final = {
    "neff_band": "Neff (80 % identity)",
    "length_band": "length, residues",
    "structure_class": "secondary structure",
}
DISTANCE_COLUMNS: Final = {
    "error": "error, Å",
    "lddt": "lDDT",
    "lddt_far": "lDDT, 6 or more apart",
    "log_likelihood": "ln P",
    "background_log_likelihood": "ln P, background",
    "spread_correlation": "spread and error, ρ",
    "spread_correlation_all": "ρ, all pairs",
}
LEGEND: Final = """\
A contact is Cβ–Cβ (Cα for Gly) closer than 8 Å; ranges: short 6–11, medium 12–23, long ≥ 24 residues apart. A range
in which a protein has no contact does not count for it. In brackets: 95 % confidence intervals, by bootstrap over
proteins; "ahead by" is the mean difference of the same proteins. Mainly alpha: at least 15 % of the resolved residues
in helices and less than 10 % in strands; mainly beta the other way round (Nakashima et al. 1986, by hydrogen bonds)."""
DISTANCE_LEGEND: Final = """\
Error: mean |expected − true distance| of pairs at least 6 residues apart and truly closer than 15 Å. lDDT: of the
expected distances, radius 15 Å, thresholds 0.5, 1, 2 and 4 Å, of all pairs (Mariani et al. 2013), then without pairs
closer than 6 residues. ln P: log-likelihood of the true distance's bin, nats a pair at least 6 residues apart;
background: that of the distances of the set's other proteins at the same separation. ρ: Spearman's correlation of the
distogram's standard deviation with |expected − true|, within each protein, of pairs at least 6 residues apart: those
expected closer than 15 Å, as a user has to choose them, then all; distances beyond 20 Å, where the bins end, count as
20 Å. Means over proteins."""
CALIBRATION_LEGEND: Final = """\
Expected calibration error of the contact probability, ten bins (Guo et al. 2017), of all pairs of all proteins
together; "all" holds the pairs at least 6 residues apart."""
CUT_NAMES: Final = {"p_at_l": "P@L", "p_at_l2": "P@L/2", "p_at_l5": "P@L/5"}
SIGNS: Final = {"ahead": "++", "ahead, not certain": "+", "not ahead": "−"}
PUBLISHED_LEGEND: Final = (
    "(published): computed elsewhere, to two decimals; only the proteins that both have, each against itself."
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that is told."""

    best: str
    """Our model that the others are compared with."""
    precision: pd.DataFrame
    """Of `precision_summary`."""
    ahead: pd.DataFrame
    """Of `ahead_table`."""
    distances: pd.DataFrame
    """Of `distance_summary`; empty where no model predicts distances."""
    calibration: dict[tuple[str, str, str, str], Calibration]
    """By model, set, range and Neff band (or `ALL`), of all proteins together."""
    published: dict[str, pd.DataFrame]
    """By set, of `published_summary`."""
    notes: Sequence[str]


def to_markdown(report: Report) -> str:
    """One section a set, then what holds for all."""
    parts = [LEGEND]
    for name in dict.fromkeys(report.precision["set"]):
        parts += [f"## {name}", *_set_sections(report, name)]
    parts += ["## Ahead of the classical methods?", _ahead_text(report.ahead)]
    if report.notes:
        parts += ["## Notes", "\n".join(f"- {note}" for note in report.notes)]
    return "\n\n".join(parts) + "\n"


def _set_sections(report: Report, name: str) -> list[str]:
    summary = report.precision[report.precision["set"] == name]
    sections = [
        "### Precision, P@L / L/2 / L/5",
        _by_range(summary).to_markdown(),
        _long_range_intervals(summary).to_markdown(),
    ]
    for grouping, title in GROUPING_NAMES.items():
        sections += [f"Long range by {title}:", _by_group(summary, grouping).to_markdown()]
    distances = report.distances
    if len(distances):
        of_set = distances[distances["set"] == name]
        sections += ["### Distances", DISTANCE_LEGEND, _distances(of_set, ALL).to_markdown()]
        of_best = of_set[of_set["method"] == report.best]
        sections += [_distances(of_best, grouping).to_markdown() for grouping in GROUPINGS]
    calibrated = {key: found for key, found in report.calibration.items() if key[1] == name}
    if calibrated:
        sections += ["### Calibration", CALIBRATION_LEGEND, _calibration(calibrated).to_markdown()]
    if name in report.published:
        sections += [
            "### Beside published figures, long-range P@L",
            _published(report.published[name]).to_markdown(),
            PUBLISHED_LEGEND,
        ]
    return sections


def _by_range(summary: pd.DataFrame) -> Table:
    ranges = in_order_of_ranges(summary)
    whole = summary[summary["grouping"] == ALL]
    rows = []
    for method in dict.fromkeys(whole["method"]):
        of_method = whole[whole["method"] == method]
        most = str(of_method["proteins"].max())
        rows.append([_name(of_method), most, *(_triple(of_method, "range", name) for name in ranges)])
    return Table(["method", "proteins", *(_range_name(name) for name in ranges)], rows)


def _long_range_intervals(summary: pd.DataFrame) -> Table:
    whole = summary[(summary["grouping"] == ALL) & (summary["range"] == "long")]
    rows = []
    for method in dict.fromkeys(whole["method"]):
        cells = [_cell(whole, method, measure) for measure in PRECISIONS]
        of_best = [interval(cell["mean"], cell["low"], cell["high"]) for cell in cells]
        ahead = cells[0]
        is_best = pd.isna(ahead.get("ahead_by", float("nan")))
        last = "" if is_best else interval(ahead["ahead_by"], ahead["ahead_low"], ahead["ahead_high"])
        rows.append([_name(whole[whole["method"] == method]), *of_best, last])
    return Table(["method, long range", "P@L", "P@L/2", "P@L/5", "ours ahead by (P@L)"], rows)


def _by_group(summary: pd.DataFrame, grouping: str) -> Table:
    table = summary[(summary["grouping"] == grouping) & (summary["range"] == "long")]
    methods = list(dict.fromkeys(table["method"]))
    rows = []
    for group in dict.fromkeys(table["group"]):
        of_group = table[table["group"] == group]
        cells = [_triple(of_group[of_group["method"] == method], "group", group) for method in methods]
        rows.append([group, str(of_group["proteins"].max()), *cells])
    names = [_name(table[table["method"] == method]) for method in methods]
    return Table([GROUPING_NAMES[grouping], "proteins", *names], rows)


def _distances(table: pd.DataFrame, grouping: str) -> Table:
    """One row a group and model; the name of the grouping heads the table."""
    chosen = table[table["grouping"] == grouping]
    rows = []
    for group, method in dict.fromkeys(zip(chosen["group"], chosen["method"], strict=True)):
        cells = chosen[(chosen["group"] == group) & (chosen["method"] == method)].set_index("measure")
        values = [
            interval(cells.loc[measure, "mean"], cells.loc[measure, "low"], cells.loc[measure, "high"])
            for measure in DISTANCE_COLUMNS
        ]
        label = method if grouping == ALL else group
        rows.append([label, str(cells["proteins"].max()), *values])
    title = "model" if grouping == ALL else GROUPING_NAMES[grouping]
    return Table([title, "proteins", *DISTANCE_COLUMNS.values()], rows)


def _calibration(calibrated: dict[tuple[str, str, str, str], Calibration]) -> Table:
    bands = list(dict.fromkeys(key[3] for key in calibrated))
    rows = []
    for model, name, range_name in dict.fromkeys(key[:3] for key in calibrated):
        errors = [calibrated.get((model, name, range_name, band)) for band in bands]
        cells = ["" if found is None else f"{found.expected_error:.3f}" for found in errors]
        rows.append([model, _range_name(range_name), *cells])
    header = ["all proteins" if band == ALL else f"Neff {band}" for band in bands]
    return Table(["model", "range", *header], rows)


def _published(table: pd.DataFrame) -> Table:
    rows = []
    for _, row in table.iterrows():
        ahead = (
            "" if pd.isna(row["ahead_by"]) else interval(row["ahead_by"], row["ahead_low"], row["ahead_high"])
        )
        rows.append(
            [row["method"], str(row["proteins"]), interval(row["mean"], row["low"], row["high"]), ahead]
        )
    return Table(["method", "proteins", "P@L", "ours ahead by"], rows)


def _ahead_text(ahead: pd.DataFrame) -> str:
    """How many cells (set × Neff band × range × cut-off) are won, which, and by how much the others are lost."""
    if ahead.empty:
        return "No classical method was measured."
    lost = ahead[ahead["verdict"] == "not ahead"]
    certain = int((ahead["verdict"] == "ahead").sum())
    lines = [
        f"Of {len(ahead)} cells (set × Neff band × range × cut-off), the mean of ours is above that of every classical "
        f"method in {len(ahead) - len(lost)}; in {certain} of these the 95 % interval of each difference lies above 0.",
        "P@L, L/2, L/5 in each cell: ++ the interval lies above zero, + the mean is above, − it is not.",
        _ahead_grid(ahead).to_markdown(),
    ]
    if len(lost):
        rows = [
            [
                *(row["set"], row["neff_band"], _range_name(row["range"]), CUT_NAMES[row["measure"]]),
                *(
                    row["nearest_method"],
                    interval(row["ahead_by"], row["low"], row["high"]),
                    f"{row['proteins']:.0f}",
                ),
            ]
            for _, row in lost.iterrows()
        ]
        header = ["not ahead: set", "Neff", "range", "cut-off", "of", "ours ahead by", "proteins"]
        lines.append(Table(header, rows).to_markdown())
    return "\n\n".join(lines)


def _ahead_grid(ahead: pd.DataFrame) -> Table:
    ranges = in_order_of_ranges(ahead)
    rows = []
    for (name, band), cells in ahead.groupby(["set", "neff_band"], sort=False):
        signs = []
        for range_name in ranges:
            verdicts = cells[cells["range"] == range_name].set_index("measure")["verdict"]
            signs.append(
                " / ".join(SIGNS[verdicts[measure]] if measure in verdicts else "–" for measure in PRECISIONS)
            )
        rows.append([name, band, *signs])
    return Table(["set", "Neff", *map(_range_name, ranges)], rows)


def short_text(report: Report) -> str:
    """What is printed: by range, long range by Neff band, distances, and whether ours is ahead everywhere."""
    lines = []
    for name in dict.fromkeys(report.precision["set"]):
        summary = report.precision[report.precision["set"] == name]
        lines += [f"{name}: mean precision, P@L / L/2 / L/5, by range", _by_range(summary).to_plain(), ""]
        lines += ["long range by Neff", _by_group(summary, "neff_band").to_plain(), ""]
        if len(report.distances):
            of_set = report.distances[report.distances["set"] == name]
            lines += ["distances", _distances(of_set, ALL).to_plain(), ""]
        if name in report.published:
            lines += [
                "beside published figures, long-range P@L",
                _published(report.published[name]).to_plain(),
                "",
            ]
    lines.append(_ahead_text(report.ahead).partition("\n")[0])
    return "\n".join(lines)


def _cell(table: pd.DataFrame, method: str, measure: str) -> pd.Series[float]:
    return table[(table["method"] == method) & (table["measure"] == measure)].iloc[0]


def _triple(table: pd.DataFrame, column: str, value: str) -> str:
    """`.51 / .66 / .79` of one method."""
    cells = table[table[column] == value].set_index("measure")["mean"]
    return " / ".join(number(cells.get(measure, float("nan"))) for measure in PRECISIONS)


def _name(of_method: pd.DataFrame) -> str:
    """The method's name, ours in bold."""
    first = of_method.iloc[0]
    return f"**{first['method']}**" if first["kind"] == OURS else str(first["method"])


def _range_name(name: str) -> str:
    return name.replace("_", " + ")
