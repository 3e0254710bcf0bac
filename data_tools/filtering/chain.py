"""Filters one after the other, with what each took away: `filter_alignment`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from data_tools.alignment import Alignment
from data_tools.filtering.columns import columns_by_gaps, select_columns
from data_tools.filtering.depth import diverse_rows, first_rows, random_rows
from data_tools.filtering.redundancy import nonredundant_rows
from data_tools.filtering.rows import Denominator, Rows, check_fraction, rows_by_coverage, rows_by_identity

Selection = Literal["first", "random", "diverse"]
SELECTIONS: Final[tuple[Selection, ...]] = ("first", "random", "diverse")

RowFilter = Callable[[Alignment], Rows]


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """What to keep; None leaves a step out. Raises ValueError at birth for a value out of range."""

    min_coverage: float | None = None
    """Least fraction of the columns in which a row has a residue."""
    min_identity: float | None = None
    """Least identity to the query."""
    max_identity: float | None = None
    """Greatest identity to the query; the query itself stays."""
    redundancy: float | None = None
    """A row this identical, or more, to an earlier row kept is dropped."""
    max_column_gaps: float | None = None
    """Greatest fraction of the rows left with a gap in a column."""
    depth: int | None = None
    """Rows to keep at most, the query included."""
    select: Selection = "first"
    """Which of them: the first, a random sample, or the most diverse (`data_tools.filtering.depth`)."""
    seed: int = 0
    """Of the random sample."""
    denominator: Denominator = "aligned"
    """Of all identities."""

    def __post_init__(self) -> None:
        for name in ("min_coverage", "min_identity", "max_identity", "redundancy", "max_column_gaps"):
            value = getattr(self, name)
            if value is not None:
                check_fraction(name, value)
        if self.redundancy == 0:
            raise ValueError("redundancy must be above 0")
        if (self.min_identity or 0.0) > (1.0 if self.max_identity is None else self.max_identity):
            raise ValueError(f"min_identity {self.min_identity} is above max_identity, {self.max_identity}")
        if self.depth is not None and self.depth < 1:
            raise ValueError(f"depth must be at least 1, not {self.depth}")
        if self.select not in SELECTIONS:
            raise ValueError(f"select must be one of {', '.join(SELECTIONS)}, not {self.select!r}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, not {self.seed}")


@dataclass(frozen=True, slots=True)
class FilterStep:
    """What one filter took away."""

    name: str
    """As the field of `FilterSettings`."""
    rows_removed: int
    columns_removed: int


@dataclass(frozen=True, slots=True, eq=False)
class FilterResult:
    """The alignment that is left, and the steps in their order."""

    alignment: Alignment
    steps: tuple[FilterStep, ...]


def filter_alignment(
    alignment: Alignment, settings: FilterSettings, *, redundancy: RowFilter | None = None
) -> FilterResult:
    """Apply the filters that `settings` name, each to what the one before left.

    In this order: coverage, identity to the query, redundancy, gaps of columns, depth. `redundancy` replaces the
    redundancy filter of its own (`settings.redundancy` is then not looked at): a function that returns rows of the
    alignment given, row 0 first. Raises AlignmentError when no column is left.
    """
    steps = []
    for name, apply in _filters(settings, redundancy):
        before = alignment
        alignment = apply(alignment)
        lost = (before.depth - alignment.depth, before.length - alignment.length)
        steps.append(FilterStep(name, *lost))
    return FilterResult(alignment, tuple(steps))


def _filters(
    settings: FilterSettings, redundancy: RowFilter | None
) -> Iterator[tuple[str, Callable[[Alignment], Alignment]]]:
    """Names and functions of the filters asked for."""

    def rows(select: RowFilter) -> Callable[[Alignment], Alignment]:
        return lambda alignment: alignment.take_rows(select(alignment))

    minimum_coverage, gaps, limit = settings.min_coverage, settings.max_column_gaps, settings.redundancy
    if minimum_coverage is not None:
        yield "min_coverage", rows(lambda given: rows_by_coverage(given.tokens, minimum_coverage))
    bounds = {"min_identity": (settings.min_identity, 1.0), "max_identity": (0.0, settings.max_identity)}
    for name, (low, high) in bounds.items():
        if low is not None and high is not None:
            yield name, rows(_identity_filter(low, high, settings.denominator))
    if redundancy is not None:
        yield "redundancy", rows(redundancy)
    elif limit is not None:
        yield (
            "redundancy",
            rows(lambda given: nonredundant_rows(given.tokens, limit, denominator=settings.denominator)),
        )
    if gaps is not None:
        yield "max_column_gaps", lambda given: select_columns(given, columns_by_gaps(given.tokens, gaps))
    if settings.depth is not None:
        yield "depth", rows(_depth_filter(settings, settings.depth))


def _identity_filter(low: float, high: float, denominator: Denominator) -> RowFilter:
    return lambda alignment: rows_by_identity(alignment.tokens, low, high, denominator=denominator)


def _depth_filter(settings: FilterSettings, depth: int) -> RowFilter:
    def select(alignment: Alignment) -> Rows:
        if settings.select == "diverse":
            return diverse_rows(alignment.tokens, depth)
        if settings.select == "random":
            return random_rows(alignment.depth, depth, np.random.default_rng(settings.seed))
        return first_rows(alignment.depth, depth)

    return select
