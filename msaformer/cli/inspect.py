"""`msaformer inspect`: what an alignment holds, before anything is computed from it."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from data_tools.alignment import Alignment

NEFF_DEFINITION: Final = (
    "sum over the sequences of 1 / number of sequences at least 80 % identical to it, itself included; "
    "identity over all L columns, gaps compared as symbols"
)
LINE_WIDTH: Final = 100
THIN_COLUMN: Final = 0.5  # a column in which fewer sequences than this fraction have a residue


@dataclasses.dataclass(frozen=True)
class AlignmentSummary:
    """Figures of one alignment; fractions lie in [0, 1]. The figures of homologues are None when there are none."""

    file: str
    depth: int
    """N, the query included."""
    length: int
    """L."""
    neff: float
    neff_definition: str
    neff_per_sqrt_length: float
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


@click.command("inspect", short_help="Show depth, Neff, gaps and coverage of an alignment.")
@click.argument("alignment", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(alignment: Path, as_json: bool) -> None:
    """Show depth, Neff (with its definition), gaps and coverage of ALIGNMENT, an A3M or aligned FASTA file (or .gz)."""
    from data_tools.formats import read_alignment

    summary = summarize(read_alignment(alignment), str(alignment))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary), indent=2, ensure_ascii=False))
    else:
        click.echo(format_summary(summary))


def summarize(alignment: Alignment, file: str) -> AlignmentSummary:
    """Count what `AlignmentSummary` holds."""
    import numpy as np

    from data_tools.alphabet import GAP, UNKNOWN
    from data_tools.weights import effective_sequences, sequence_weights

    is_residue = alignment.tokens != GAP
    homologues = is_residue[1:]
    coverage = homologues.mean(axis=1)
    neff = effective_sequences(sequence_weights(alignment.tokens))
    identical = ((alignment.tokens[1:] == alignment.tokens[0]) & homologues).sum(axis=1)
    identities = identical / np.maximum(homologues.sum(axis=1), 1)
    quantiles = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
    has_homologues = alignment.depth > 1
    return AlignmentSummary(
        file=file,
        depth=alignment.depth,
        length=alignment.length,
        neff=neff,
        neff_definition=NEFF_DEFINITION,
        neff_per_sqrt_length=neff / alignment.length**0.5,
        gap_fraction=1.0 - float(is_residue.mean()),
        mean_coverage=float(coverage.mean()) if has_homologues else None,
        min_coverage=float(coverage.min()) if has_homologues else None,
        thin_columns=int((is_residue.mean(axis=0) < THIN_COLUMN).sum()),
        identity_to_query={name: float(np.quantile(identities, q)) for name, q in quantiles.items()}
        if has_homologues
        else None,
        num_deletions=int(alignment.deletion_matrix.sum(dtype=np.int64)),
        unknown_residues=int((alignment.tokens[0] == UNKNOWN).sum()),
    )


def format_summary(summary: AlignmentSummary) -> str:
    """The summary as aligned lines of text."""
    lines = {
        "file": summary.file,
        "sequences N": f"{summary.depth:,}",
        "residues L": f"{summary.length:,}"
        + (f" ({summary.unknown_residues} X)" if summary.unknown_residues else ""),
        "Neff": f"{summary.neff:,.1f}  ({summary.neff_per_sqrt_length:.2f} per √L)",
        "": summary.neff_definition,
        "gaps": f"{summary.gap_fraction:.1%} of all cells",
        "columns": f"{summary.thin_columns} of {summary.length} with a residue in fewer than half of the sequences",
        "insertions": f"{summary.num_deletions:,} residues without a column",
    }
    if summary.mean_coverage is not None and summary.min_coverage is not None and summary.identity_to_query:
        lines["coverage"] = (
            f"{summary.mean_coverage:.1%} of the query by a sequence (least {summary.min_coverage:.1%})"
        )
        quantiles = ", ".join(f"{name} {value:.0%}" for name, value in summary.identity_to_query.items())
        lines["identity"] = f"to the query: {quantiles}"
    else:
        lines["coverage"] = "the query has no homologues here: co-evolution is empty"
    wrapped = (
        textwrap.fill(
            text,
            LINE_WIDTH,
            break_long_words=False,
            break_on_hyphens=False,
            initial_indent=f"{label:<12} ",
            subsequent_indent=" " * 13,
        )
        for label, text in lines.items()
    )
    return "\n".join(wrapped)
