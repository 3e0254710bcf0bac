"""The figures of one alignment that `msaformer inspect` shows: `summarize` and `format_summary`."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import TYPE_CHECKING, Any, Final

from data_tools.pipeline.messages import one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from data_tools.alignment import Alignment

NEFF_DEFINITION: Final = (
    "sum over the sequences of 1 / number of sequences at least 80 % identical to it, itself included; "
    "identity over all L columns, gaps compared as symbols"
)
NEFF_DEFINITIONS: Final = {
    "neff80": NEFF_DEFINITION,
    "neff62": "as neff80 at 62 %",
    "neff_per_sqrt_length": "neff80 / √L",
    "neff_henikoff": "exp of the mean entropy of the columns' amino acids, sequences with Henikoff's weights",
    "neff_hhsuite": "mean over the columns of HH-suite's diversity of the sequences that cover it (NEFF of hhmake)",
    "column_neff": "sum of the 80 % weights of the sequences with a residue in a column; quantiles over the columns",
}
QUANTILES: Final = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
LINE_WIDTH: Final = 100
THIN_COLUMN: Final = 0.5  # a column in which fewer sequences than this fraction have a residue


@dataclasses.dataclass(frozen=True)
class AlignmentSummary:
    """Figures of one alignment; fractions lie in [0, 1]. The figures of homologues are None when there are none."""

    file: str
    format: str
    """As `read_alignment(format=...)` takes it."""
    depth: int
    """N, the query included."""
    length: int
    """L."""
    neff: float
    """The same as `neff80`."""
    neff_definition: str
    neff_per_sqrt_length: float
    neff80: float
    neff62: float
    neff_henikoff: float
    neff_hhsuite: float | None
    """None unless asked for."""
    neff_definitions: dict[str, str]
    """What each of them is."""
    column_neff: dict[str, float]
    """Quantiles over the columns."""
    gap_fraction: float
    """Of all N x L cells."""
    mean_coverage: float | None
    """Of the query by a sequence: the fraction of columns in which it has a residue. Without the query."""
    min_coverage: float | None
    thin_columns: int
    """Columns in which fewer than half of the sequences have a residue."""
    identity_to_query: dict[str, float] | None
    """Quantiles over the sequences, of the fraction of identical residues among the columns the sequence covers."""
    num_deletions: int
    """Residues that have no column (insertions relative to the query)."""
    unknown_residues: int
    """X in the query."""
    chains: list[dict[str, int]]
    """Length and cardinality of each chain of a complex; empty when the file names none."""
    annotations: list[str]
    """Names of what the file says of columns and residues."""
    reader: dict[str, int]
    """How often the reader set aside, skipped, mended or dropped something."""


def summarize(
    alignment: Alignment, file: str, weights: npt.NDArray[np.floating[Any]], *, with_hhsuite: bool = False
) -> AlignmentSummary:
    """Count what `AlignmentSummary` holds; `weights` `[N]` are those at 80 %.

    HH-suite's Neff takes seconds for deep alignments.
    """
    from data_tools import neff
    from data_tools.alphabet import GAP, UNKNOWN
    from data_tools.filtering import coverage, identity_to_query
    from data_tools.weights import effective_sequences

    tokens = alignment.tokens
    is_residue = tokens != GAP
    neff80 = effective_sequences(weights)
    of_homologues = coverage(tokens)[1:]
    has_homologues = alignment.depth > 1
    notes = alignment.annotations
    return AlignmentSummary(
        file=file,
        format=alignment.report.format,
        depth=alignment.depth,
        length=alignment.length,
        neff=neff80,
        neff_definition=NEFF_DEFINITION,
        neff_per_sqrt_length=neff.neff_per_sqrt_length(neff80, alignment.length),
        neff80=neff80,
        neff62=neff.neff62(tokens),
        neff_henikoff=neff.neff_henikoff(tokens),
        neff_hhsuite=neff.neff_hhsuite(tokens) if with_hhsuite else None,
        neff_definitions=NEFF_DEFINITIONS,
        column_neff=_quantiles(neff.column_neff(tokens, weights)),
        gap_fraction=1.0 - float(is_residue.mean()),
        mean_coverage=float(of_homologues.mean()) if has_homologues else None,
        min_coverage=float(of_homologues.min()) if has_homologues else None,
        thin_columns=int((is_residue.mean(axis=0) < THIN_COLUMN).sum()),
        identity_to_query=_quantiles(identity_to_query(tokens)[1:]) if has_homologues else None,
        num_deletions=int(alignment.deletion_matrix.sum(dtype="int64")),
        unknown_residues=int((tokens[0] == UNKNOWN).sum()),
        chains=[dataclasses.asdict(chain) for chain in notes.chains],
        annotations=[*notes.columns, *notes.residues],
        reader=dict(alignment.report.counts),
    )


def _quantiles(values: npt.NDArray[np.floating[Any]]) -> dict[str, float]:
    import numpy as np

    return {name: float(np.quantile(values, quantile)) for name, quantile in QUANTILES.items()}


def format_summary(summary: AlignmentSummary) -> str:
    """The summary as aligned lines of text; names of files are hostile."""
    file = one_line(summary.file)
    lines = [
        ("file", f"{file} ({summary.format})" if summary.format else file),
        ("sequences N", f"{summary.depth:,}"),
        ("residues L", f"{summary.length:,}{_in_parentheses(summary)}"),
        ("Neff", f"{summary.neff:,.1f}  ({summary.neff_per_sqrt_length:.2f} per √L)"),
        ("", summary.neff_definition),
        (
            "",
            f"at 62 %: {summary.neff62:,.1f}; of the entropy, Henikoff weights: {summary.neff_henikoff:.2f}",
        ),
    ]
    if summary.neff_hhsuite is not None:
        lines.append(("", f"HH-suite's: {summary.neff_hhsuite:.2f}"))
    column = summary.column_neff
    lines += [
        ("", "by column: " + ", ".join(f"{name} {value:,.1f}" for name, value in column.items())),
        ("gaps", f"{summary.gap_fraction:.1%} of all cells"),
        (
            "columns",
            f"{summary.thin_columns} of {summary.length} with a residue in fewer than half of the sequences",
        ),
        ("insertions", f"{summary.num_deletions:,} residues without a column"),
        *_homologue_lines(summary),
    ]
    if summary.chains:
        parts = (f"{chain['length']} columns x {chain['cardinality']}" for chain in summary.chains)
        lines.append(("chains", ", ".join(parts)))
    if summary.annotations:
        lines.append(("annotations", ", ".join(map(one_line, summary.annotations))))
    if summary.reader:
        lines.append(("reader", ", ".join(f"{action} {count:,}" for action, count in summary.reader.items())))
    return "\n".join(_wrapped(label, text) for label, text in lines)


def _in_parentheses(summary: AlignmentSummary) -> str:
    return f" ({summary.unknown_residues} X)" if summary.unknown_residues else ""


def _homologue_lines(summary: AlignmentSummary) -> list[tuple[str, str]]:
    if summary.mean_coverage is None or summary.min_coverage is None or summary.identity_to_query is None:
        return [("coverage", "the query has no homologues here: co-evolution is empty")]
    quantiles = ", ".join(f"{name} {value:.0%}" for name, value in summary.identity_to_query.items())
    least = f"(least {summary.min_coverage:.1%})"
    return [
        ("coverage", f"{summary.mean_coverage:.1%} of the query by a sequence {least}"),
        ("identity", f"to the query: {quantiles}"),
    ]


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(
        text,
        LINE_WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
        initial_indent=f"{label:<12} ",
        subsequent_indent=" " * 13,
    )
