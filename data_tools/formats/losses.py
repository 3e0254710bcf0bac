"""What a format cannot hold of an alignment, in words (`find_losses`)."""

from __future__ import annotations

import numpy as np

from data_tools.alignment import Alignment
from data_tools.formats.writers import is_annotation_row
from data_tools.formats.written_names import split_name


def find_losses(alignment: Alignment, format: str) -> tuple[str, ...]:
    """Say, a sentence each, what is gone after writing `alignment` in `format` and reading it again.

    >>> from data_tools.formats import parse_alignment
    >>> find_losses(parse_alignment(b">query x\\nMK\\n>hit\\nMaK\\n", "doc.a3m"), "psicov")
    ('the names of 2 sequences are not written', '1 residues of insertions are not written')
    """
    losses = [*_of_names(alignment, format), *_of_insertions(alignment, format)]
    annotations = alignment.annotations
    if annotations.file and format != "stockholm":
        losses.append(f"annotations of the file are not written: {', '.join(annotations.file)}")
    columns = [
        name
        for name in annotations.columns
        if format != "stockholm" and not (format == "a3m" and is_annotation_row(name))
    ]
    if columns:
        losses.append(f"annotations of the columns are not written: {', '.join(columns)}")
    if annotations.residues and format != "stockholm":
        losses.append(f"annotations of residues are not written: {', '.join(annotations.residues)}")
    if annotations.chains and format != "a3m":
        losses.append(f"the lengths and copies of {len(annotations.chains)} chains are not written")
    return tuple(losses)


def _of_names(alignment: Alignment, format: str) -> list[str]:
    if format == "psicov":
        return [f"the names of {alignment.depth:,} sequences are not written"]
    parts = [split_name(name) for name in alignment.names]
    if format == "clustal":
        described = sum(rest != "" for _, rest in parts)
        return [f"what follows the first word of {described:,} names is not written"] if described else []
    changed = sum(
        f"{word} {rest}".rstrip(" ") != name
        for (word, rest), name in zip(parts, alignment.names, strict=True)
    )
    if format == "stockholm" and changed:
        return [f"the blanks behind the first word of {changed:,} names are written as one space"]
    return []


def _of_insertions(alignment: Alignment, format: str) -> list[str]:
    insertions = alignment.insertions
    counted = int(alignment.deletion_matrix.sum(dtype=np.int64))
    of_query = int(alignment.deletion_matrix[0].sum(dtype=np.int64))
    if insertions is not None:
        counted += int(insertions.trailing.sum(dtype=np.int64))
        of_query += int(insertions.trailing[0])
    if format == "psicov":
        return [f"{counted:,} residues of insertions are not written"] if counted else []
    losses = []
    if counted and insertions is None:
        losses.append(
            f"the letters of {counted:,} residues of insertions are not known: they are written as x"
        )
    if of_query and format in ("fasta", "clustal"):
        losses.append(f"{of_query:,} residues that the query has outside the columns become columns")
    if of_query and format == "stockholm":
        losses.append(
            f"{of_query:,} residues that the query has outside the columns become columns, unless it is read with "
            "match columns from RF"
        )
    return losses
