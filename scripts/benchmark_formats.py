"""Parts of `benchmark.py` for the readers of alignment formats, against plain parsers of the AlphaFold style.

Dimension key: N sequences, W columns of the file, L residues of the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from benchmark_measure import Figure, alternate, difference, speed

_COLUMNS_OF_BLOCK = 200  # as jackhmmer wraps its alignments
_QUERY_SHARE = 0.25  # of the columns: the others are insertions of some sequence
_GAP_SHARE = 0.23  # of a sequence's cells in the columns of the query
_INSERTED_SHARE = 0.03  # of its cells in the other columns


def benchmark_stockholm(quick: bool) -> Iterator[Figure]:
    """Stockholm of 14 MB to arrays, wrapped at 200 columns and in one block."""
    import numpy as np

    from data_tools.alphabet import decode
    from data_tools.formats import parse_alignment

    depth, width = (40, 700) if quick else (10_000, 1_400)
    for label, columns, at_least in (("many blocks", _COLUMNS_OF_BLOCK, 3.0), ("one block", width, 5.0)):
        text = synthetic_stockholm(depth, width, columns, seed=0)
        ours, peer = alternate(
            partial(parse_alignment, text.encode(), "synthetic"),
            partial(parse_stockholm_plainly, text),
            repeats=5,
        )
        yield from speed("stockholm", label, ours, peer, at_least=None if quick else at_least)
        deletions = np.array(peer.result.deletion_matrix)
        wrong = int(np.sum(ours.result.deletion_matrix != deletions))
        totals = abs(int(ours.result.deletion_matrix.sum(dtype=np.int64)) - int(deletions.sum()))
        pairs = zip(peer.result.sequences, map(decode, ours.result.tokens), strict=True)
        letters = sum(theirs != own for theirs, own in pairs)
        yield difference("stockholm", f"{label}: cells of the deletion matrix that differ", wrong, at_most=0)
        yield difference("stockholm", f"{label}: difference of deletion totals", totals, at_most=0)
        yield difference("stockholm", f"{label}: sequences that differ", letters, at_most=0)


@dataclass(frozen=True, slots=True)
class PlainAlignment:
    """Lists of Python objects, as the parser of AlphaFold 2's pipeline returns them."""

    sequences: list[str]
    deletion_matrix: list[list[int]]


def parse_stockholm_plainly(text: str) -> PlainAlignment:
    """Rows joined by name over the blocks, then one character at a time: columns are the query's residues."""
    joined: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "//")):
            continue
        name, row = line.split()
        if name not in joined:
            joined[name] = ""
        joined[name] += row
    sequences: list[str] = []
    deletion_matrix: list[list[int]] = []
    query = ""
    kept: list[int] = []
    for number, sequence in enumerate(joined.values()):
        if number == 0:
            query = sequence
            kept = [column for column, letter in enumerate(query) if letter != "-"]
        sequences.append("".join(sequence[column] for column in kept))
        deletion_vector: list[int] = []
        num_deleted = 0
        for of_row, of_query in zip(sequence, query, strict=True):
            if of_row != "-" or of_query != "-":
                if of_query == "-":
                    num_deleted += 1
                else:
                    deletion_vector.append(num_deleted)
                    num_deleted = 0
        deletion_matrix.append(deletion_vector)
    return PlainAlignment(sequences, deletion_matrix)


def synthetic_stockholm(depth: int, width: int, columns_of_block: int, seed: int) -> str:
    """Random rows `[N, W]` with names as long as UniRef's; gaps are `-` throughout, as the plain parser needs."""
    import numpy as np

    from data_tools.alphabet import AMINO_ACIDS

    rng = np.random.default_rng(seed)
    is_column = rng.random(width) < _QUERY_SHARE
    is_column[[0, width - 1]] = True
    has_residue = rng.random((depth, width)) < np.where(is_column, 1 - _GAP_SHARE, _INSERTED_SHARE)
    has_residue[0] = is_column
    letters = rng.choice(np.frombuffer(AMINO_ACIDS.encode(), np.uint8), (depth, width))
    table = np.where(has_residue, letters, np.uint8(ord("-")))
    names = [f"UniRef90_A0A{row:07d}/1-{width}" for row in range(depth)]
    pad = max(map(len, names))
    lines = ["# STOCKHOLM 1.0", "#=GF ID synthetic", ""]
    for start in range(0, width, columns_of_block):
        rows = table[:, start : start + columns_of_block]
        lines += [
            f"{name.ljust(pad)} {row.tobytes().decode()}" for name, row in zip(names, rows, strict=True)
        ]
        lines.append("")
    return "\n".join([*lines, "//", ""])
