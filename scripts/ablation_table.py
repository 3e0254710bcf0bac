"""The table of `ablate.py`: means over proteins, and each ablation beside the base on the same proteins.

A difference is that of the same protein, ablation minus base, and its interval is of the mean under resampling of the
proteins (`Bootstrap`). It tells what other proteins would say of these two networks; what another seed would say, the
ablation `seed` tells.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from ablation_list import BASE, Ablation
from ablation_scores import MEASURES
from benchmark_accuracy_summary import Bootstrap

from data_tools.atomic import atomic_path

NEFF_SPLIT: Final = 100.0  # sequences; the deeper third of what we train on
FASTEST: Final = 0.1
ALL, DEEP, SHALLOW = "all", f"Neff ≥ {NEFF_SPLIT:g}", f"Neff < {NEFF_SPLIT:g}"


@dataclass(frozen=True, slots=True)
class Run:
    """One ablation that is done."""

    ablation: Ablation
    change: str
    scores: pd.DataFrame
    """A row a protein, `id` the index: length, neff, and `MEASURES`; NaN where a range has no contact."""
    parameters: int
    steps: int
    step_seconds: float
    """Of the fastest tenth of the log, so that what else the machine did tells little."""


def read_run(ablation: Ablation, output: Path, scores: Path) -> Run:
    """A run from its log and its scores."""
    content = json.loads(scores.read_text(encoding="utf-8"))
    records = [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [record for record in records if record["kind"] == "train"]
    change = " ".join((ablation.set, f"after {ablation.after}" if ablation.after else "")).strip()
    return Run(
        ablation=ablation,
        change=change,
        scores=pd.DataFrame(content["scores"]).set_index("id").astype(float),
        parameters=content["parameters"],
        steps=steps[-1]["step"],
        step_seconds=float(np.quantile([record["step_seconds"] for record in steps], FASTEST)),
    )


def table(runs: Iterable[Run]) -> pd.DataFrame:
    """A row an ablation and group of proteins: number, means, and differences from the base with their interval."""
    runs = list(runs)
    base = next((run for run in runs if run.ablation.name == BASE), None)
    rows = []
    for run in runs:
        for group in (ALL, DEEP, SHALLOW):
            mine = _of_group(run.scores, group)
            row: dict[str, Any] = {
                "name": run.ablation.name,
                "change": run.change,
                "question": run.ablation.question,
                "group": group,
                "proteins": len(mine),
                "steps": run.steps,
                "step_seconds": run.step_seconds,
                "parameters": run.parameters,
            }
            for measure in MEASURES:
                row[measure] = mine[measure].mean()
                if base is not None and run is not base:
                    row |= _difference(mine[measure], _of_group(base.scores, group)[measure])
            rows.append(row)
    return pd.DataFrame(rows)


def write_tables(frame: pd.DataFrame, folder: Path) -> None:
    """`ablations.csv`, with everything, and `ablations.md`, to be read."""
    with atomic_path(folder / "ablations.csv") as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g")
    with atomic_path(folder / "ablations.md") as temporary:
        temporary.write_text(markdown(frame), encoding="utf-8")


def markdown(frame: pd.DataFrame) -> str:
    """The table of all proteins, with the two bands of Neff for long range."""
    by_group = {group: rows.set_index("name") for group, rows in frame.groupby("group", sort=False)}
    every = by_group[ALL]
    head = (
        *(
            "ablation",
            "long P@L",
            "from base [95 %]",
            "P@L/5",
            "medium P@L",
            "cross-entropy",
            "from base [95 %]",
        ),
        *(f"long P@L, {DEEP}", SHALLOW, "s a step", "10⁶ weights"),
    )
    lines = [_row(head), _row(["---"] * len(head))]
    for name, row in every.iterrows():
        cells = [
            f"{name}: {row['question']}" + (f" `{row['change']}`" if row["change"] else ""),
            *(f"{row['long_p_at_l']:.3f}", _interval(row, "long_p_at_l")),
            *(f"{row['long_p_at_l5']:.3f}", f"{row['medium_p_at_l']:.3f}"),
            *(f"{row['contact_loss']:.4f}", _interval(row, "contact_loss", digits=4)),
            *(f"{by_group[group].loc[name, 'long_p_at_l']:.3f}" for group in (DEEP, SHALLOW)),
            *(f"{row['step_seconds']:.2f}", f"{row['parameters'] / 1e6:.2f}"),
        ]
        lines.append(_row(cells))
    counts = ", ".join(f"{group}: {rows['proteins'].iloc[0]}" for group, rows in by_group.items())
    steps = ", ".join(f"{count:,}" for count in sorted(set(every["steps"])))
    return "\n".join([*lines, "", f"Proteins {counts}; {steps} steps each.", ""])


def _of_group(scores: pd.DataFrame, group: str) -> pd.DataFrame:
    if group == ALL:
        return scores
    return scores[(scores["neff"] >= NEFF_SPLIT) == (group == DEEP)]


def _difference(mine: pd.Series, base: pd.Series) -> dict[str, float]:
    both = (mine - base).dropna()  # aligned by id
    low, high = Bootstrap().interval(both.to_numpy(np.float64))
    name = str(mine.name)
    return {f"{name}_difference": both.mean(), f"{name}_low": low, f"{name}_high": high}


def _interval(row: Mapping[Any, Any], measure: str, digits: int = 3) -> str:
    difference = row.get(f"{measure}_difference", math.nan)
    if math.isnan(difference):
        return "–"
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    return f"{difference:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
