"""What `msaformer evaluate` prints: tables for one file and for several, JSON and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from msaformer.cli.messages import one_line

if TYPE_CHECKING:
    from msaformer.distance_metrics import DistanceScores
    from msaformer.pair_scores import PairScores
    from msaformer.prediction import Prediction
    from msaformer.report.score_comparison import Comparison, RangeScore
    from msaformer.report.truth import Truth

SHORT_NOTE: Final = (
    "* of fewer pairs, all that the file lists of the range; what it does not list costs recall only"
)
_WIDEST_NAME: Final = 32
CSV_COLUMNS: Final = (
    *("file", "name", "method", "length", "depth", "neff", "range", "p_at_l", "p_at_l2", "p_at_l5"),
    *("recall_at_l", "num_contacts", "num_pairs", "num_ranked", "expected_calibration_error"),
    *("distance_error", "lddt"),
)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One file and its scores."""

    file: str
    scores: PairScores
    comparison: Comparison
    prediction: Prediction | None
    """The same as a prediction of ours, where it is one."""
    distances: DistanceScores | None
    """Of a prediction of ours."""


def structure_line(structure: str, truth: Truth) -> str:
    """Which structure, and how well it fits the query."""
    chains = one_line(", ".join(truth.chains))
    return (
        f"{one_line(structure)}, chain{'s' if len(truth.chains) > 1 else ''} {chains}: "
        f"{truth.identity:.1%} identical to the query ({truth.mismatches} mismatches), "
        f"{truth.num_unresolved} residues of the query unresolved"
    )


def one_table(evaluated: Evaluated, structure: str, truth: Truth) -> str:
    """The scores of one file, the ranges in the last lines."""
    lines = [
        f"{one_line(evaluated.scores.name)}: {_identity(evaluated)}",
        structure_line(structure, truth),
        *_calibration(evaluated),
        *_distances(evaluated),
        "",
        f"{'range':<12} {'separation':>10} {'P@L':>7} {'P@L/2':>7} {'P@L/5':>7} {'recall':>7} {'contacts':>9} "
        f"{'pairs':>8}",
    ]
    for row in evaluated.comparison.ranges:
        lines.append(
            f"{_range_name(row):<12} {_separation(row):>10} {_precisions(row, evaluated.scores.length)} "
            f"{_number(row.recall_at_l):>7} {row.precision.num_contacts:>9,} {row.num_ranked:>8,}"
        )
    return "\n".join(lines)


def many_tables(files: Sequence[Evaluated], structure: str, truth: Truth) -> str:
    """The scores of several files, one line a range and file, in the last lines."""
    names = [_shown_name(one.file) for one in files]
    width = max(map(len, (*names, "file")))
    lines = [structure_line(structure, truth)]
    for name, one in zip(names, files, strict=True):
        lines += [
            f"{name:<{width}}  {_identity(one)}",
            *(f"{'':{width}}  {line}" for line in (*_calibration(one), *_distances(one))),
        ]
    lines += [
        "",
        f"{'range':<12} {'file':<{width}} {'P@L':>7} {'P@L/2':>7} {'P@L/5':>7} {'recall':>7} {'pairs':>8}",
    ]
    for rows in zip(*(one.comparison.ranges for one in files), strict=True):
        for name, one, row in zip(names, files, rows, strict=True):
            lines.append(
                f"{_range_name(row):<12} {name:<{width}} {_precisions(row, one.scores.length)} "
                f"{_number(row.recall_at_l):>7} {row.num_ranked:>8,}"
            )
    return "\n".join(lines)


def bar_shares(files: Sequence[Evaluated]) -> list[float]:
    """P@L of the last lines of either table, in their order."""
    return [
        row.precision.p_at_l
        for rows in zip(*(one.comparison.ranges for one in files), strict=True)
        for row in rows
    ]


def is_any_short(files: Sequence[Evaluated]) -> bool:
    """Whether `SHORT_NOTE` has to be said."""
    return any(
        row.is_short(count)
        for one in files
        for row in one.comparison.ranges
        for count in _counts(one.scores.length)
    )


def to_json(files: Sequence[Evaluated], structure: str, truth: Truth) -> dict[str, Any]:
    """The scores as a tree, of one file flat, of several with a list `files`; what is not a number is null."""
    of_structure = {
        "structure": structure,
        "chain": ",".join(truth.chains),
        "identity": truth.identity,
        "mismatches": truth.mismatches,
        "unresolved_residues": truth.num_unresolved,
    }
    trees = [_file_tree(one) for one in files]
    if len(trees) == 1:
        ranges = trees[0].pop("ranges")
        return trees[0] | of_structure | {"ranges": ranges}
    return of_structure | {"files": trees}


def to_csv(files: Sequence[Evaluated]) -> str:
    """One line a file and range, with a header; what is not a number is empty."""
    from msaformer.report.exports import safe_cell

    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in files:
        tree = _file_tree(one)
        distances = tree["distances"] or {}
        tree |= {"distance_error": distances.get("error"), "lddt": distances.get("lddt")}
        of_file = {key: value for key, value in tree.items() if key in CSV_COLUMNS}
        for row in tree["ranges"]:
            cells = of_file | row
            writer.writerow(
                {
                    key: safe_cell(one_line(value)) if isinstance(value, str) else value
                    for key, value in cells.items()
                }
            )
    return text.getvalue().rstrip("\n")


def _file_tree(one: Evaluated) -> dict[str, Any]:
    prediction = one.prediction
    return {
        "file": one.file,
        "name": one.scores.name,
        "method": one.scores.method,
        "length": one.scores.length,
        "depth": None if prediction is None else prediction.depth,
        "neff": None if prediction is None else prediction.neff,
        "model": None if prediction is None else dict(prediction.model),
        "num_listed": one.comparison.num_listed,
        "expected_calibration_error": _or_none(one.comparison.expected_calibration_error),
        "distances": None
        if one.distances is None
        else {key: _or_none(value) for key, value in dataclasses.asdict(one.distances).items()},
        "ranges": [
            {
                "range": row.precision.range,
                "p_at_l": _or_none(row.precision.p_at_l),
                "p_at_l2": _or_none(row.precision.p_at_l2),
                "p_at_l5": _or_none(row.precision.p_at_l5),
                "recall_at_l": _or_none(row.recall_at_l),
                "num_contacts": row.precision.num_contacts,
                "num_pairs": row.precision.num_pairs,
                "num_ranked": row.num_ranked,
            }
            for row in one.comparison.ranges
        ],
    }


def _identity(one: Evaluated) -> str:
    """What was scored, in a line."""
    if one.prediction is not None:
        return (
            f"L = {one.scores.length}, N = {one.prediction.depth:,}, Neff = {one.prediction.neff:,.1f}, "
            f"{one_line(one.scores.method)}"
        )
    return (
        f"L = {one.scores.length}, {one_line(one.scores.method)}, {one.comparison.num_listed:,} pairs listed"
    )


def _calibration(one: Evaluated) -> list[str]:
    error = one.comparison.expected_calibration_error
    if error is None or math.isnan(error):
        return []
    return [
        f"probabilities are off by {error:.3f} on average (expected calibration error of listed pairs 6 or more apart)"
    ]


def _distances(one: Evaluated) -> list[str]:
    from msaformer.distance_metrics import MAX_ERROR_ANGSTROM

    scores = one.distances
    if scores is None or math.isnan(scores.error):
        return []
    spread = scores.spread_correlation
    worth = "" if math.isnan(spread) else f"; spread and error correlate by {spread:.2f}"
    return [
        f"distances are off by {scores.error:.2f} Angstrom on average where truly below {MAX_ERROR_ANGSTROM:g}, "
        f"lDDT {scores.lddt:.2f}{worth}"
    ]


def _precisions(row: RangeScore, length: int) -> str:
    values = (row.precision.p_at_l, row.precision.p_at_l2, row.precision.p_at_l5)
    cells = [
        _number(value) + "*" * row.is_short(count)
        for value, count in zip(values, _counts(length), strict=True)
    ]
    return " ".join(f"{cell:>7}" for cell in cells)


def _counts(length: int) -> tuple[int, int, int]:
    return max(length, 1), max(length // 2, 1), max(length // 5, 1)


def _range_name(row: RangeScore) -> str:
    from msaformer.metrics import INTER_CHAIN

    return "inter-chain" if row.precision.range == INTER_CHAIN else row.precision.range.replace("_", "+")


def _separation(row: RangeScore) -> str:
    from msaformer.metrics import RANGES

    if row.precision.range not in RANGES:
        return "any"
    low, high = RANGES[row.precision.range]
    return f">= {low}" if high is None else f"{low}-{high}"


def _shown_name(file: str) -> str:
    name = one_line(file)
    return name if len(name) <= _WIDEST_NAME else f"…{name[1 - _WIDEST_NAME :]}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _or_none(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
