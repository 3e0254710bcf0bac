r"""ColabFold's A3M of a complex: chains side by side in the columns, paired rows first, then those of each chain.

The first line is `#76,120<TAB>1,2`: chains of 76 and 120 columns, the second twice in the complex. The query is the
chains joined, under the name `101<TAB>102`. A row with residues in two chains or more is paired; then come, chain by
chain, the chain's own sequence under its number and the rows found for it, with gaps in all other chains. (So does
ColabFold itself tell them apart when it reads the file again, `unserialize_msa` in its `batch.py`.)

N sequences, L columns of all chains.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment, Insertions
from data_tools.alphabet import GAP
from data_tools.annotations import Annotations, ChainSegment
from data_tools.errors import AlignmentError

_NUMBERS: Final = r"[0-9]{1,9}(?:,[0-9]{1,9})*"
_HEADER: Final = re.compile(rf"#({_NUMBERS})\t({_NUMBERS})")


def chains_of_header(line: str) -> tuple[ChainSegment, ...]:
    r"""Chains that the first line of a file names; empty when it is another comment.

    >>> chains_of_header("#76,120\t1,2")
    (ChainSegment(length=76, cardinality=1), ChainSegment(length=120, cardinality=2))
    """
    found = _HEADER.fullmatch(line)
    if not found:
        return ()
    lengths, cardinalities = ([int(number) for number in group.split(",")] for group in found.groups())
    if len(lengths) != len(cardinalities) or min(*lengths, *cardinalities) < 1:
        return ()
    return tuple(map(ChainSegment, lengths, cardinalities))


def header_of_chains(chains: tuple[ChainSegment, ...]) -> str:
    r"""The first line of a ColabFold A3M.

    >>> header_of_chains((ChainSegment(76, 1), ChainSegment(120, 2)))
    '#76,120\t1,2'
    """
    lengths = ",".join(str(chain.length) for chain in chains)
    return f"#{lengths}\t" + ",".join(str(chain.cardinality) for chain in chains)


def unequal_lengths(chains: tuple[ChainSegment, ...], length: int) -> str | None:
    """What is wrong when the chains do not fill the `length` columns; None when they do."""
    total = sum(chain.length for chain in chains)
    if total == length:
        return None
    added = " + ".join(str(chain.length) for chain in chains)
    return f"the chains of the first line have {added} = {total} columns, the query has {length}"


def chain_columns(alignment: Alignment) -> tuple[slice, ...]:
    """The columns of each chain, in order; all columns when the alignment names no chains.

    Raises AlignmentError when the lengths do not add up to the alignment's.
    """
    chains = alignment.annotations.chains or (ChainSegment(alignment.length, 1),)
    wrong = unequal_lengths(chains, alignment.length)
    if wrong is not None:
        raise AlignmentError(f"{wrong}; correct the lengths or leave the line out")
    ends = np.cumsum([chain.length for chain in chains]).tolist()
    return tuple(slice(end - chain.length, end) for end, chain in zip(ends, chains, strict=True))


def paired_rows(alignment: Alignment) -> npt.NDArray[np.int64]:
    """Rows with residues in two chains or more, the query first; none but the query when there is one chain."""
    is_paired = _has_residues(alignment).sum(axis=1) > 1
    is_paired[0] = True
    return np.flatnonzero(is_paired)


def split_chains(alignment: Alignment) -> tuple[Alignment, ...]:
    r"""One alignment for each chain: its part of the query, then the rows with residues in it, in their order.

    Left out are rows without a residue in the chain, and ColabFold's repetition of the chain's own sequence. The
    name of a paired row has a part for each chain, between tabs, and is taken apart. Insertions between two
    chains belong to the second, or to the first where the row has no residue in the second.

    >>> from data_tools.formats import parse_alignment
    >>> text = b"#2,3\t1,1\n>101\t102\nMKVLA\n>a\tb\nMRVL-\n>101\nMK---\n>c\nM----\n>102\n--VLA\n"
    >>> [chain.names for chain in split_chains(parse_alignment(text, "doc.a3m"))]
    [('101', 'a', 'c'), ('102', 'b')]
    """
    columns, has_residues = chain_columns(alignment), _has_residues(alignment)
    return tuple(_take_chain(alignment, number, columns, has_residues) for number in range(len(columns)))


def _has_residues(alignment: Alignment) -> npt.NDArray[np.bool_]:
    """`[N, chains]`, whether the row has a residue in the chain."""
    is_residue = alignment.tokens != GAP
    return np.stack([is_residue[:, columns].any(axis=1) for columns in chain_columns(alignment)], axis=1)


def _take_chain(
    alignment: Alignment, number: int, columns: tuple[slice, ...], has_residues: npt.NDArray[np.bool_]
) -> Alignment:
    own = columns[number]
    tokens = alignment.tokens[:, own]
    is_paired = has_residues.sum(axis=1) > 1
    names = [
        _chain_name(name, number, len(columns)) if paired else name
        for name, paired in zip(alignment.names, is_paired, strict=True)
    ]
    rows = np.flatnonzero(has_residues[:, number])
    if len(columns) > 1:
        is_repeated = np.array([names[row] == names[0] for row in rows])
        is_repeated &= (tokens[rows] == tokens[0]).all(axis=1)
        is_repeated[0] = False
        rows = rows[~is_repeated]
    annotations = alignment.annotations
    texts = {name: text[own] for name, text in annotations.columns.items()}
    residues = {
        name: {new: of_rows[row][own] for new, row in enumerate(rows.tolist()) if row in of_rows}
        for name, of_rows in annotations.residues.items()
    }
    return Alignment(
        names=tuple(names[row] for row in rows),
        tokens=np.ascontiguousarray(tokens[rows]),
        deletion_matrix=np.ascontiguousarray(alignment.deletion_matrix[rows, own]),
        insertions=_take_insertions(alignment, rows, own, has_residues[rows, number + 1 : number + 2]),
        annotations=Annotations(annotations.file, texts, residues, annotations.chains[number : number + 1]),
        report=alignment.report,
    )


def _chain_name(name: str, number: int, num_chains: int) -> str:
    parts = name.split("\t")
    return parts[number] if len(parts) == num_chains else name


def _take_insertions(
    alignment: Alignment, rows: npt.NDArray[np.int64], own: slice, is_in_next: npt.NDArray[np.bool_]
) -> Insertions | None:
    """Letters of `rows` `[n]` in the columns `own`; `is_in_next` `[n, 1]`, or `[n, 0]` for the last chain."""
    if alignment.insertions is None:
        return None
    counts = np.column_stack([alignment.deletion_matrix, alignment.insertions.trailing]).astype(np.int64)
    starts = (np.cumsum(counts) - counts.ravel()).reshape(counts.shape)
    takes_boundary = ~is_in_next[:, 0] if is_in_next.shape[1] else np.ones(len(rows), dtype=np.bool_)
    trailing = np.where(takes_boundary, counts[rows, own.stop], 0)
    pieces = [
        alignment.insertions.letters[starts[row, own.start] : starts[row, own.stop] + after]
        for row, after in zip(rows, trailing, strict=True)
    ]
    return Insertions(np.concatenate(pieces), trailing.astype(np.int32))
