"""`msaformer label`: a structure in the numbering of a query: distances, orientations and a report of the mapping."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from msaformer.cli.messages import one_line

if TYPE_CHECKING:
    import numpy.typing as npt

    from data_tools.labels import Labels, MappingReport
    from data_tools.structure import GlyRule
    from msaformer.metrics import RangePrecision

MOST_LISTED: Final = 12  # mismatches and ranges of positions in the text; --json has all

EPILOG: Final = """\b
OUT.npz holds, for the L residues of the query (NaN where not resolved; read with numpy.load):
  query            its letters, one string
  distances        [L, L] Å between contact atoms
  ca_distances     [L, L] Å between Cα
  backbone         [L, 4, 3] Å, N, Cα, C, Cβ (the ideal Cβ for Gly)
  chain_index      [L] place in the chain's full sequence, from 0; -1 = none
  residue_numbers  [L] the author's number and insertion code, "" = none
  omega theta phi  [L, L] radians, with --orientations (trRosetta)
  report           the report as JSON, one string

\b
Example, on files that come with the package:
  D=$(python -c "import msaformer.example as e; print(e.ALIGNMENT.parent)")
  msaformer label $D/dhfr.a3m $D/dhfr.pdb.gz --orientations -o dhfr.labels.npz
"""


@click.command("label", short_help="Map a structure onto a query: distances and a report.", epilog=EPILOG)
@click.argument("alignment", type=click.Path(path_type=Path))
@click.argument("structure", type=click.Path(path_type=Path))
@click.option(
    "--chain", metavar="ID", help="Chain, by author or label id; the best match to the query if left out."
)
@click.option(
    "--model", type=int, metavar="N", help="Number of the model in the file; the first if left out."
)
@click.option(
    "--gly",
    type=click.Choice(["ca", "virtual-cb"]),
    default="ca",
    show_default=True,
    help="Contact atom of Gly: its Cα, or the ideal Cβ (then also where another residue's Cβ is missing).",
)
@click.option(
    "--min-identity",
    type=click.FloatRange(0, 1),
    default=None,
    metavar="F",
    help="Refuse a chain less identical than this fraction to the query.  [default: 0.9]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.npz",
    help="Write the labels; without it only the report is printed.",
)
@click.option("--orientations", "with_orientations", is_flag=True, help="Also ω, θ and φ of all pairs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--dry-run", is_flag=True, help="Print the report, write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.npz when it is there.")
def command(
    alignment: Path,
    structure: Path,
    chain: str | None,
    model: int | None,
    gly: GlyRule,
    min_identity: float | None,
    output: Path | None,
    with_orientations: bool,
    as_json: bool,
    dry_run: bool,
    overwrite: bool,
) -> None:
    """Map STRUCTURE (mmCIF, BinaryCIF or PDB) onto the query of ALIGNMENT, and say how well they agree.

    ALIGNMENT is any alignment file, or the FASTA file of a sequence. A residue is placed by SEQRES and the alignment
    of SEQRES with the query, never by the numbers of the author. With -o the labels are written.
    """
    from data_tools.formats import read_alignment
    from data_tools.labels import MIN_IDENTITY, label_distances, mapping_report
    from data_tools.structure import read_chains, select_chain

    _check_output(output, overwrite=overwrite, with_orientations=with_orientations)
    given = read_alignment(alignment)
    query = given.query
    chains = read_chains(structure, model=model, gly=gly)
    found = select_chain(chains, query, chain, source=structure)
    least = MIN_IDENTITY if min_identity is None else min_identity
    labels = label_distances(
        query,
        found,
        source=structure,
        min_identity=least,
        present=chains,
        residue_index=given.residue_index,
    )
    report = mapping_report(query, labels)
    arrays = label_arrays(query, labels, report, with_orientations=with_orientations)
    if output is not None and not dry_run:
        _write(arrays, output)
    contacts = _count_contacts(labels)
    if as_json:
        tree = to_json(report, contacts, {"alignment": str(alignment), "structure": str(structure)})
        tree |= {"output": None if output is None else str(output), "dry_run": dry_run}
        click.echo(json.dumps(tree, indent=2, ensure_ascii=False))
        return
    click.echo(format_report(structure, report, contacts))
    if output is not None:
        click.echo(f"{'would write' if dry_run else 'written':<12} {output}: {', '.join(arrays)}")


def label_arrays(
    query: str, labels: Labels, report: MappingReport, *, with_orientations: bool
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the `.npz` file, as the help of the command lists them."""
    import numpy as np

    from data_tools.orientations import orientations

    arrays: dict[str, npt.NDArray[Any]] = {
        "query": np.array(query),
        "distances": labels.distances,
        "ca_distances": labels.ca_distances,
        "backbone": labels.backbone,
        "chain_index": labels.chain_index,
        "residue_numbers": np.array(labels.residue_numbers),
    }
    if with_orientations:
        angles = orientations(labels.backbone)
        arrays |= {"omega": angles.omega, "theta": angles.theta, "phi": angles.phi}
    return arrays | {"report": np.array(json.dumps(report.as_json(), ensure_ascii=False))}


def to_json(
    report: MappingReport, contacts: Sequence[RangePrecision], files: dict[str, str]
) -> dict[str, Any]:
    """The report as a tree."""
    ranges = [
        {"range": row.range, "num_contacts": row.num_contacts, "num_pairs": row.num_pairs} for row in contacts
    ]
    return files | report.as_json() | {"contacts": ranges}


def format_report(structure: Path, report: MappingReport, contacts: Sequence[RangePrecision]) -> str:
    """The report as aligned lines of text."""
    from msaformer.metrics import CONTACT_ANGSTROM

    label = "" if report.chain == report.label_chain else f" (label {report.label_chain})"
    stated = "modelled, no SEQRES" if report.sequence_from_atoms else "in SEQRES"
    missing = {
        "not in the chain": report.not_in_chain,
        "not modelled": report.not_modelled,
        "without contact atom": report.without_contact_atom,
    }
    parts = [f"{name} {_ranges(positions)}" for name, positions in missing.items() if positions]
    counts = [f"{row.range} {row.num_contacts:,} of {row.num_pairs:,} pairs" for row in contacts[:3]]
    lines = {
        "structure": f"{structure}, chain {report.chain}{label}, model {report.model}",
        "mapped": f"{report.aligned} of the query's {report.query_length} residues ({report.coverage:.1%}) to the "
        f"chain's {report.chain_length} ({stated})",
        "identity": f"{report.identity:.1%}, {len(report.mismatches)} mismatches{_mismatches(report)}",
        "unresolved": "; ".join([f"{len(report.unresolved)} residues", *parts]),
        "atoms": report.contact_rule,
        "contacts": f"{', '.join(counts)} (closer than {CONTACT_ANGSTROM:g} Å)",
    }
    return "\n".join(f"{name:<12} {one_line(text)}" for name, text in lines.items())


def _mismatches(report: MappingReport) -> str:
    """`: N23P (author 23), …`, the query's residue first."""
    texts = [
        f"{one.query_residue}{one.position}{one.chain_residue}"
        + (f" (author {one.author_number})" if one.author_number else " (not modelled)")
        for one in report.mismatches
    ]
    return f": {_shortened(texts)}" if texts else ""


def _ranges(positions: Sequence[int]) -> str:
    """1-based positions as ranges.

    >>> _ranges([1, 2, 3, 7])
    '1-3, 7'
    """
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][-1] == position - 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return _shortened([str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs])


def _shortened(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:MOST_LISTED], *(["…"] if len(texts) > MOST_LISTED else [])])


def _count_contacts(labels: Labels) -> tuple[RangePrecision, ...]:
    import numpy as np

    from msaformer.metrics import precision_table

    return precision_table(np.zeros_like(labels.distances), labels.distances)


def _check_output(output: Path | None, *, overwrite: bool, with_orientations: bool) -> None:
    if output is None:
        if with_orientations:
            raise click.UsageError("--orientations writes arrays; name the file with -o OUT.npz")
        return
    if output.suffix != ".npz":
        raise click.UsageError(f"-o {output}: the file is written as .npz; give it this suffix")
    if output.exists() and not overwrite:
        raise click.UsageError(f"-o {output}: the file is there already; name another or use --overwrite")


def _write(arrays: dict[str, Any], path: Path) -> None:
    import numpy as np

    from data_tools.atomic import atomic_path

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
