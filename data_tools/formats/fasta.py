"""A3M and aligned FASTA on bytes: the strict parser, and the A3M writer.

A3M: upper-case letters and `-` are the columns of the query; lower-case letters are insertions, counted in
`deletion_matrix` at the column that follows them (before the first column: column 0; after the last: dropped,
there is no cell for them); `.` is padding opposite an insertion and is skipped. A2M is read by the same rule.
Lower-case letters of the query are insertions like those of any other row.

Aligned FASTA: all rows have one width. Columns where the query has a gap are insertions: they are dropped,
and each row's residues there are counted in `deletion_matrix` at the next column kept (AlphaFold 2's rule for
Stockholm files). Rows that agree only when lower-case letters count as columns are read so, and case is
ignored: such files mark, but align, their insertions.

Whole blocks of rows go through `bytes.translate` and a few array operations. Only when a block does not fit
are its rows looked at one by one (`faults.py`), to name line, sequence and symbol.

Dimension key: N sequences, W columns of the file, L columns kept (the query's residues).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import BYTE_TO_TOKEN, GAP, decode
from data_tools.errors import AlignmentError, AlignmentFormatError
from data_tools.formats.faults import (
    BLANKS,
    LOWER_CASE,
    MAX_INSERTIONS,
    PADDING,
    check_insertions,
    check_padding,
    check_query,
    check_symbols,
    count_columns,
    too_many_insertions,
    unequal_columns,
)
from data_tools.formats.records import Records, is_consensus, is_set_aside, split_records

_BLOCK_ROWS: Final = 1024  # temporaries stay in the cache; whole files were measured slower, and unsteady
_INSERTED: Final = 64  # code of a lower-case letter; the codes of match columns are their tokens, below it
_END: Final = 65  # code of the NUL put after each sequence (a file with NUL inside was refused before)

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]


def _code_table() -> bytes:
    table = BYTE_TO_TOKEN.copy()
    table[list(LOWER_CASE)] = _INSERTED
    table[0] = _END
    return table.tobytes()


_CODES: Final = _code_table()


def parse_alignment(data: bytes, source: str) -> Alignment:
    """Parse the bytes of an A3M or aligned FASTA file; `source` names it in errors.

    Accepted: `#` lines before the first record, CR and CRLF, a UTF-8 byte order mark, blank lines, wrapped
    sequences, blanks in them, a final `*`, NUL at the end. Left out: HH-suite's annotation rows (`ss_pred`,
    `ss_conf`, `ss_dssp`, `sa_*`, `aa_*`), and `Consensus` unless it comes first, when it is the query. Raises
    AlignmentFormatError for anything else.

    >>> alignment = parse_alignment(b">query\\nMKV\\n>hit\\nM-aaV\\n", "doc.a3m")
    >>> alignment.query, alignment.deletion_matrix.tolist()
    ('MKV', [[0, 0, 0], [0, 0, 2]])
    """
    records = split_records(data, source)
    arrays = _read_rows(records.sequences)
    if arrays is None:
        arrays = _read_as_aligned(records)
    elif PADDING in b"".join(records.sequences):
        check_padding(records)
    return Alignment(records.names, *_drop_query_gaps(*arrays, records))


def format_a3m(alignment: Alignment) -> bytes:
    """Write an alignment as A3M; deleted residues become lower-case `x`, as only their number is known.

    Raises AlignmentError when a name cannot be read back: it holds a line end or NUL, or is one that the
    reader sets aside.
    """
    lines: list[bytes] = []
    for row, name in enumerate(alignment.names):
        header = name.encode("utf-8")
        if re.search(rb"[\n\r\x00]", header) or is_set_aside(header) or (row and is_consensus(header)):
            raise AlignmentError(f"sequence {row + 1}: A3M cannot hold the name {name!r}; rename it")
        letters = np.frombuffer(decode(alignment.tokens[row]).encode("ascii"), dtype=np.uint8)
        deletions = alignment.deletion_matrix[row].astype(np.int64)
        text = np.full(letters.size + int(deletions.sum()), ord("x"), dtype=np.uint8)
        text[np.arange(letters.size) + np.cumsum(deletions)] = letters
        lines += [b">" + header, text.tobytes()]
    return b"\n".join(lines) + b"\n"


def _read_rows(sequences: Sequence[bytes]) -> Arrays | None:
    """Read A3M rows into tokens and deletions `[N, W]`; None when anything in them does not fit."""
    depth, width = len(sequences), count_columns(sequences[0])
    if width == 0 or depth * width > sum(map(len, sequences)):  # some row is short: allocate nothing for it
        return None
    tokens = np.empty((depth, width), dtype=np.uint8)
    deletions = np.zeros((depth, width), dtype=np.uint16)
    for top in range(0, depth, _BLOCK_ROWS):
        rows = slice(top, top + _BLOCK_ROWS)
        if not _read_block(sequences[rows], tokens[rows], deletions[rows]):
            return None
    return tokens, deletions


def _read_block(
    sequences: Sequence[bytes], tokens: npt.NDArray[np.uint8], deletions: npt.NDArray[np.uint16]
) -> bool:
    """Fill `tokens` and `deletions` `[n, W]`; False when a symbol, row or run of insertions does not fit."""
    depth, width = tokens.shape
    text = b"\x00".join(sequences) + b"\x00"
    codes = np.frombuffer(text.translate(_CODES, BLANKS + PADDING), dtype=np.uint8)
    special = np.flatnonzero(codes >= _INSERTED)
    kinds = codes[special]
    if (kinds > _END).any():
        return False
    ends, inserted = special[kinds == _END], special[kinds == _INSERTED]
    columns_before = ends - np.searchsorted(inserted, ends) - np.arange(depth)
    if not np.array_equal(columns_before, width * np.arange(1, depth + 1)):
        return False
    tokens.reshape(-1)[:] = codes[codes < _INSERTED]
    if inserted.size == 0:
        return True
    # How many characters that are no insertions come before each: a row has W columns and its end.
    cells = inserted - np.arange(inserted.size)
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    runs = np.diff(starts, append=cells.size)
    rows, columns = np.divmod(cells[starts], width + 1)
    inside = columns < width
    deletions[rows[inside], columns[inside]] = runs[inside]
    return int(runs.max()) <= MAX_INSERTIONS


def _read_as_aligned(records: Records) -> Arrays:
    """Read rows that do not fit A3M as aligned FASTA with case ignored, or raise for what is wrong."""
    check_symbols(records)
    check_query(records)
    num_columns = [count_columns(sequence) for sequence in records.sequences]
    if min(num_columns) == max(num_columns):
        check_insertions(records)
    is_padded = any(PADDING in sequence for sequence in records.sequences)
    widths = {len(sequence.translate(None, BLANKS)) for sequence in records.sequences}
    arrays = None
    if not is_padded and len(widths) == 1:
        arrays = _read_rows([sequence.upper() for sequence in records.sequences])
    if arrays is None:
        raise unequal_columns(records, num_columns)
    return arrays


def _drop_query_gaps(
    tokens: npt.NDArray[np.uint8], deletions: npt.NDArray[np.uint16], records: Records
) -> Arrays:
    """Drop columns where the query has a gap; residues there are deletions before the next column kept."""
    kept = np.flatnonzero(tokens[0] != GAP)
    if kept.size == tokens.shape[1]:
        return tokens, deletions
    if kept.size == 0:
        raise AlignmentFormatError(
            f"{records.where(0)}: the query {records.label(0)} holds gaps only; put a real sequence first"
        )
    stop = int(kept[-1]) + 1
    is_dropped = tokens[0, :stop] == GAP
    starts = np.concatenate([[0], kept[:-1] + 1])
    summed = np.empty((len(tokens), kept.size), dtype=np.uint16)
    for top in range(0, len(tokens), _BLOCK_ROWS):
        rows = slice(top, top + _BLOCK_ROWS)
        residues = (tokens[rows, :stop] != GAP) & is_dropped
        block = np.add.reduceat(deletions[rows, :stop] + residues.astype(np.int64), starts, axis=1)
        if int(block.max()) > MAX_INSERTIONS:
            raise too_many_insertions(records, top + int(np.argmax(block.max(axis=1))))
        summed[rows] = block
    return np.ascontiguousarray(tokens[:, kept]), summed
