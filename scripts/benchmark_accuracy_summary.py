"""From figures of proteins to means, confidence intervals and paired differences, in groups of proteins.

A range in which a protein has no native contact does not count for that protein. A mean is over the proteins that a
method covers; a difference between two methods is over those that both cover, the same protein against itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from benchmark_accuracy_methods import CLASSICAL, DISTANCE_MEASURES, OURS, PRECISIONS
from benchmark_accuracy_targets import CLASSES, LENGTH_EDGES, NEFF_EDGES, band_names

from msaformer.metrics import RANGES

NUM_RESAMPLES: Final = 5000
CONFIDENCE: Final = 0.95
GROUPINGS: Final = {
    "neff_band": band_names(NEFF_EDGES),
    "length_band": band_names(LENGTH_EDGES),
    "structure_class": CLASSES,
}
"""Column of the tables → its groups, in order."""
ALL: Final = "all"
_SEED: Final = 0

Floats = npt.NDArray[np.float64]


class Bootstrap:
    """Percentile intervals of a mean over proteins, drawn with replacement (Efron & Tibshirani 1993, chapter 13).

    One generator of fixed seed a number of proteins, so that a repeated run gives the same intervals.
    """

    def __init__(self) -> None:
        self._shares: dict[int, Floats] = {}

    def interval(self, values: Floats) -> tuple[float, float]:
        """The interval that holds 95 % of the means of `values` `[n]`; NaN below two values."""
        count = len(values)
        if count < 2:
            return float("nan"), float("nan")
        if count not in self._shares:
            rng = np.random.default_rng((_SEED, count))
            drawn = rng.multinomial(count, np.full(count, 1 / count), size=NUM_RESAMPLES)
            self._shares[count] = drawn / count
        means = self._shares[count] @ values
        low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return float(low), float(high)


def best_of_ours(precision: pd.DataFrame) -> str:
    """The model of ours with the highest mean long-range P@L over all sets.

    Raises ValueError when no protein has a long-range contact.
    """
    ours = precision[(precision["kind"] == OURS) & (precision["range"] == "long")]
    ours = ours[ours["num_contacts"] > 0]
    if ours.empty:
        raise ValueError("no protein has a native contact of long range, so that nothing can be compared")
    means = ours.groupby(["method", "set"], sort=False)["p_at_l"].mean().groupby("method", sort=False).mean()
    return str(means.idxmax())


def precision_summary(precision: pd.DataFrame, best: str) -> pd.DataFrame:
    """One row a set, group of proteins, range, cut-off and method: its mean, and how far `best` is ahead of it."""
    bootstrap = Bootstrap()
    counted = precision[precision["num_contacts"] > 0]
    rows = []
    for (name, range_name), of_range in counted.groupby(["set", "range"], sort=False):
        for grouping, group, chosen in groups(of_range):
            for measure in PRECISIONS:
                for row in _compare(chosen, measure, best, bootstrap):
                    place = {"set": name, "grouping": grouping, "group": group, "range": range_name}
                    rows.append(place | {"measure": measure} | row)
    return pd.DataFrame(rows)


def distance_summary(distances: pd.DataFrame, best: str) -> pd.DataFrame:
    """The same for what our models say of distances; one row a set, group, measure and model."""
    bootstrap = Bootstrap()
    rows = []
    for name, of_set in distances.groupby("set", sort=False):
        for grouping, group, chosen in groups(of_set):
            for measure in (*DISTANCE_MEASURES, "background_log_likelihood"):
                for row in _compare(chosen, measure, best, bootstrap):
                    place = {"set": name, "grouping": grouping, "group": group}
                    rows.append(place | {"measure": measure} | row)
    return pd.DataFrame(rows)


def groups(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """All proteins, then each group of each of `GROUPINGS` that has any: grouping, group, rows."""
    yield ALL, ALL, table
    for grouping, names in GROUPINGS.items():
        for name in names:
            chosen = table[table[grouping] == name]
            if len(chosen):
                yield grouping, name, chosen


def _compare(chosen: pd.DataFrame, measure: str, best: str, bootstrap: Bootstrap) -> Iterator[dict[str, Any]]:
    wide = chosen.pivot(index="id", columns="method", values=measure)
    kinds = dict(zip(chosen["method"], chosen["kind"], strict=True))
    for method in dict.fromkeys(chosen["method"]):
        values = wide[method].dropna()
        low, high = bootstrap.interval(values.to_numpy(np.float64))
        row = {
            "method": method,
            "kind": kinds[method],
            "proteins": len(values),
            "mean": values.mean(),
            "low": low,
            "high": high,
        }
        if best in wide and method != best:
            row |= _difference(wide[best] - wide[method], bootstrap)
        yield row


def _difference(differences: pd.Series[float], bootstrap: Bootstrap) -> dict[str, float]:
    both = differences.dropna().to_numpy(np.float64)
    low, high = bootstrap.interval(both)
    return {
        "both": len(both),
        "ahead_by": float(both.mean()) if len(both) else float("nan"),
        "ahead_low": low,
        "ahead_high": high,
    }


def ahead_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row a set, Neff band (and all), range and cut-off: by how much ours is ahead of the best classical method.

    `verdict`: "ahead" where the interval of the difference lies above zero for every classical method, "ahead, not
    certain" where all means are higher, else "not ahead".
    """
    cells = summary[(summary["kind"] == CLASSICAL) & summary["grouping"].isin([ALL, "neff_band"])]
    rows = []
    for place, cell in cells.groupby(["set", "group", "range", "measure"], sort=False):
        nearest = cell.loc[cell["ahead_by"].idxmin()] if cell["ahead_by"].notna().any() else cell.iloc[0]
        verdict = "not ahead"
        if (cell["ahead_low"] > 0).all():
            verdict = "ahead"
        elif (cell["ahead_by"] > 0).all():
            verdict = "ahead, not certain"
        rows.append(
            dict(zip(("set", "neff_band", "range", "measure"), place, strict=True))
            | {
                "verdict": verdict,
                "proteins": nearest["both"],
                "nearest_method": nearest["method"],
                "ahead_by": nearest["ahead_by"],
                "low": nearest["ahead_low"],
                "high": nearest["ahead_high"],
            }
        )
    return pd.DataFrame(rows)


def published_summary(
    precision: pd.DataFrame, published: pd.DataFrame, set_name: str, best: str
) -> pd.DataFrame:
    """Long-range P@L on the proteins that a file of others' figures has too: one row a method, theirs marked.

    `published` has a column `id` and one a method; the columns that are no figures, `L` and `N_used`, are left out.
    Raises ValueError when there is no `id`, or no protein in common.
    """
    if "id" not in published:
        raise ValueError("a file of published figures needs a column id, and one a method")
    theirs = published.set_index("id").drop(columns=["L", "N_used"], errors="ignore")
    chosen = precision[(precision["set"] == set_name) & (precision["range"] == "long")]
    measured = chosen.pivot(index="id", columns="method", values="p_at_l")
    ids = [name for name in theirs.index if name in measured.index]
    if not ids:
        raise ValueError(f"no protein of the published figures is in the set {set_name!r}")
    wide = measured.loc[ids].join(theirs.loc[ids].add_suffix(" (published)")).reset_index()
    long = wide.melt(id_vars="id", var_name="method", value_name="p_at_l")
    long["kind"] = np.where(
        long["method"].isin(theirs.add_suffix(" (published)").columns), "published", "measured"
    )
    return pd.DataFrame(_compare(long, "p_at_l", best, Bootstrap()))


def in_order_of_ranges(table: pd.DataFrame) -> list[str]:
    """The ranges that a table has, the shortest first."""
    return [name for name in RANGES if (table["range"] == name).any()]
