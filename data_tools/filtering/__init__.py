"""Select the sequences and columns of an alignment: coverage, identity, gaps, redundancy, depth.

Functions of `tokens` `[N, L]` that select rows return their numbers, int64, ascending unless said, with row 0, the
query, first and always kept: `alignment.take_rows(rows)`. Columns: `select_columns(alignment, columns)`, which
keeps the residues of the other columns as insertions and so the query's numbering. All in one: `filter_alignment`.

One word for all of them: a residue is whatever is no gap, X included, and X matches X only. The identity of two rows
has its denominator named: "aligned", the columns in which both have a residue (as hhfilter's `-id` and `-qid`), or
"length", all L columns, in which for redundancy gaps are symbols that match (as for `data_tools.weights`).
"""

from __future__ import annotations

from data_tools.filtering.chain import FilterResult, FilterSettings, FilterStep, filter_alignment
from data_tools.filtering.columns import columns_by_gaps, select_columns
from data_tools.filtering.depth import diverse_rows, first_rows, random_rows
from data_tools.filtering.redundancy import nonredundant_rows
from data_tools.filtering.rows import coverage, identity_to_query, rows_by_coverage, rows_by_identity

__all__ = [
    "FilterResult",
    "FilterSettings",
    "FilterStep",
    "columns_by_gaps",
    "coverage",
    "diverse_rows",
    "filter_alignment",
    "first_rows",
    "identity_to_query",
    "nonredundant_rows",
    "random_rows",
    "rows_by_coverage",
    "rows_by_identity",
    "select_columns",
]
