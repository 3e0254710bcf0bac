"""Run every method on every protein of `benchmark_accuracy.py`, keep the figures as tables, and write these."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from benchmark_accuracy_cache import measured
from benchmark_accuracy_methods import Figures, Method, NotCoveredError, calibration_of
from benchmark_accuracy_summary import (
    ALL,
    GROUPINGS,
    ahead_table,
    best_of_ours,
    distance_summary,
    precision_summary,
    published_summary,
)
from benchmark_accuracy_targets import (
    Target,
    TargetSet,
    background_log_likelihood,
    distance_counts,
    read_targets,
)
from benchmark_accuracy_text import Report, to_markdown
from tqdm import tqdm

from data_tools.atomic import atomic_path
from msaformer.calibration import Calibration, pooled

Key = tuple[str, str, str, str]  # model, set, range, Neff band or `ALL`


@dataclass
class Measured:
    """Figures of proteins, as they come in."""

    methods: Sequence[Method]
    precision_rows: list[dict[str, Any]] = field(default_factory=list)
    distance_rows: list[dict[str, Any]] = field(default_factory=list)
    calibrations: dict[Key, list[Calibration]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, dict[str, npt.NDArray[np.int64]]] = field(default_factory=lambda: defaultdict(dict))
    """By set and protein: `distance_counts`."""
    missing: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Proteins of a set that a method has nothing on, by method and set."""

    def add_target(self, target: Target) -> None:
        """Keep what the background distogram needs of a protein."""
        self.counts[target.set_name][target.example.id] = distance_counts(target.distances)

    def add(self, labels: Mapping[str, Any], method: Method, figures: Figures) -> None:
        """Take the figures of one protein by one method."""
        row = {**labels, "method": method.name, "kind": method.kind}
        for name, values in figures.ranges.items():
            self.precision_rows.append({**row, "range": name, **values, "seconds": figures.seconds})
        if figures.distances:
            self.distance_rows.append({**row, **figures.distances})
        for name, bins in figures.calibration.items():
            for band in (ALL, labels["neff_band"]):
                self.calibrations[method.name, labels["set"], name, band].append(calibration_of(bins))

    @property
    def precision(self) -> pd.DataFrame:
        """One row a protein, method and range."""
        return pd.DataFrame(self.precision_rows)

    @property
    def distances(self) -> pd.DataFrame:
        """One row a protein and model, the background's likelihood beside the model's."""
        table = pd.DataFrame(self.distance_rows)
        if len(table):
            of_protein = self._backgrounds()
            places = zip(table["set"], table["id"], strict=True)
            table["background_log_likelihood"] = [of_protein[place] for place in places]
        return table

    def _backgrounds(self) -> dict[tuple[str, str], float]:
        found = {}
        for name, counts in self.counts.items():
            total = np.sum(list(counts.values()), axis=0)
            for protein, own in counts.items():
                found[name, protein] = background_log_likelihood(own, total - own)
        return found

    def seconds(self) -> pd.DataFrame:
        """CPU time of each method and set, a protein and in all, where it was first measured."""
        table = self.precision
        once = table[table["range"] == table["range"].iloc[0]]
        means = once.groupby(["set", "method"], sort=False)["seconds"].agg(["mean", "sum", "size"])
        return means.reset_index()

    def report(self, published: Mapping[str, pd.DataFrame]) -> Report:
        """Sum up; `published` are others' figures, by set. Raises ValueError as `published_summary` does."""
        precision, distances = self.precision, self.distances
        best = best_of_ours(precision)
        summary = precision_summary(precision, best)
        order = {name: place for place, name in enumerate((ALL, *GROUPINGS["neff_band"]))}
        keys = sorted(self.calibrations, key=lambda key: order[key[3]])  # stable: all, then by band
        return Report(
            best=best,
            precision=summary,
            ahead=ahead_table(summary),
            distances=distance_summary(distances, best) if len(distances) else distances,
            calibration={key: pooled(self.calibrations[key]) for key in keys},
            published={
                name: published_summary(precision, table, name, best) for name, table in published.items()
            },
            notes=self._notes(),
        )

    def _notes(self) -> list[str]:
        notes = [f"{method.name}: {method.note}" for method in self.methods if method.note]
        notes += [
            f"{method}: nothing on {count} of {len(self.counts[name])} proteins of {name}"
            for (method, name), count in self.missing.items()
        ]
        table = self.precision
        is_short = table["num_ranked"] < np.minimum(table["length"], table["num_pairs"])
        for method, count in table[is_short].groupby("method", sort=False)["id"].nunique().items():
            notes.append(
                f"{method}: lists fewer pairs than L in a range of {count} proteins; precision is of those it lists"
            )
        return notes


def measure_all(
    sets: Iterable[TargetSet],
    methods: Sequence[Method],
    cache: Path | None,
    cached_only: set[str],
    stack: ExitStack,
) -> Measured:
    """Every method on every protein, one protein at a time; of the methods `cached_only` nothing new is measured.

    Progress is drawn on a terminal only.
    """
    found = Measured(methods)
    for target_set in sets:
        count, targets = read_targets(target_set, stack)
        hidden = not sys.stderr.isatty()
        for target in tqdm(
            targets, total=count, desc=target_set.name, unit="protein", file=sys.stderr, disable=hidden
        ):
            labels = target.labels()
            found.add_target(target)
            for method in methods:
                try:
                    figures = measured(method, target, cache, cached_only=method.name in cached_only)
                except NotCoveredError:
                    found.missing[method.name, target_set.name] += 1
                    continue
                found.add(labels, method, figures)
    return found


def write_tables(report: Report, found: Measured, *, output: Path | None, csv: Path | None) -> None:
    """Write the CSV file of every protein, and the folder of tables and figures, each file whole or not at all."""
    precision = found.precision
    if csv is not None:
        _write_csv(precision, csv)
    if output is None:
        return
    output.mkdir(parents=True, exist_ok=True)
    _write_csv(precision, output / "proteins.csv")
    _write_csv(report.precision, output / "summary.csv")
    _write_csv(report.ahead, output / "ahead.csv")
    _write_csv(found.seconds(), output / "seconds.csv")
    if len(report.distances):
        _write_csv(found.distances, output / "proteins-distances.csv")
        _write_csv(report.distances, output / "summary-distances.csv")
    if report.calibration:
        _write_csv(_calibration_table(report.calibration), output / "calibration.csv")
    for name, table in report.published.items():
        _write_csv(table, output / f"published-{name}.csv")
    with atomic_path(output / "accuracy.md") as temporary:
        temporary.write_text(to_markdown(report), encoding="utf-8")
    # matplotlib takes a second to load
    from benchmark_accuracy_figures import write_figures

    write_figures(report, precision, output)


def _calibration_table(calibrations: Mapping[Key, Calibration]) -> pd.DataFrame:
    """One row a bin."""
    rows = []
    for key, found in calibrations.items():
        place = dict(zip(("method", "set", "range", "neff_band"), key, strict=True))
        for low, said, came, count in zip(
            found.edges, found.mean_prob, found.fraction, found.counts, strict=False
        ):
            row = {"expected_error": found.expected_error, "from_probability": low, "pairs": count}
            rows.append(place | row | {"mean_probability": said, "fraction_of_contacts": came})
    return pd.DataFrame(rows)


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f")
