"""A3M, A2M and aligned FASTA on bytes: the parser, strict or with repair (`repair.py`).

A3M: upper-case letters and `-` are the columns of the query; lower-case letters are insertions, counted in
`deletion_matrix` at the column that follows them (before the first column: column 0; after the last: in
`Insertions.trailing`, there is no cell for them), and kept in `Alignment.insertions`. `.` is padding opposite an
insertion and is skipped. A2M is read by the same rule. Lower-case letters of the query are insertions like those of
any other row.

Aligned FASTA: all rows have one width, every letter and gap is a column, case is ignored. Columns where the query has
a gap are insertions: they are dropped, and each row's residues there become insertions before the next column kept
(AlphaFold 2's rule for Stockholm files).

Where no format is named, a file is A3M when it fits, else aligned FASTA when all rows have one width: such files
mark, but align, their insertions.

Whole blocks of rows go through `bytes.translate` and a few array operations (`rows.py`). Only when they do not fit
are they looked at one by one (`faults.py`), to name line, sequence and symbol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP
from data_tools.annotations import Annotations, ChainSegment
from data_tools.errors import AlignmentFormatError
from data_tools.formats.annotation_rows import column_texts
from data_tools.formats.colabfold import unequal_lengths
from data_tools.formats.faults import (
    PADDING,
    TOO_MANY_INSERTIONS,
    Fault,
    count_columns,
    count_width,
    gaps_only,
    padding_faults,
    raise_fault,
)
from data_tools.formats.notes import NoteTaker
from data_tools.formats.records import Records, split_records
from data_tools.formats.repair import drop_rows, repair_records
from data_tools.formats.rows import Rows, drop_query_gaps, read_rows
from data_tools.formats.text import decode

FastaFormat = Literal["a3m", "a2m", "fasta"]


def parse_a3m(data: bytes, source: str, notes: NoteTaker, *, format: FastaFormat | None = None) -> Alignment:
    """Parse the bytes of an A3M, A2M or aligned FASTA file; `source` names it in errors.

    Accepted: `#` lines before the first record (ColabFold's names the chains), CR and CRLF, a UTF-8 byte order
    mark, blank lines, wrapped sequences, blanks in them, a final `*`, NUL at the end. Left out: HH-suite's
    annotation rows (`ss_pred`, `ss_conf`, `ss_dssp`, `sa_*`, `aa_*`; those of one character a column become
    `Annotations.columns`), and `Consensus` unless it comes first, when it is the query. The report names them.
    Raises AlignmentFormatError for anything else, or repairs it when `notes.repair` (see `repair.py`).

    >>> notes = NoteTaker("doc.a3m", "a3m", repair=False)
    >>> alignment = parse_a3m(b">query\\nMKV\\n>hit\\nM-aaV\\n", "doc.a3m", notes)
    >>> alignment.query, alignment.deletion_matrix.tolist()
    ('MKV', [[0, 0, 0], [0, 0, 2]])
    """
    records = split_records(data, source, notes)
    rows, is_aligned = _read(records.sequences, format)
    if rows is None or (not is_aligned and padding_faults(records)) or (rows.tokens[0] == GAP).all():
        if not notes.repair:
            raise_fault(records, format)
            raise gaps_only(records)
        records, is_aligned = repair_records(records, notes, format)
        rows = read_rows(_upper(records.sequences) if is_aligned else records.sequences)
        assert rows is not None, "repaired rows can be read"
    if is_aligned:
        records = replace(records, sequences=_upper(records.sequences))
    notes.format = format or _name_format(records, is_aligned)
    records, rows, kept, width = _choose_columns(records, rows, notes)
    chains = _check_chains(records, kept.size, notes)
    texts = _set_aside(records, kept, width, notes)
    return Alignment(
        names=records.names,
        tokens=rows.tokens,
        deletion_matrix=rows.deletion_matrix,
        insertions=rows.insertions,
        annotations=Annotations(columns=texts, chains=chains),
        report=notes.report(),
    )


def _read(sequences: Sequence[bytes], format: FastaFormat | None) -> tuple[Rows | None, bool]:
    """Rows read as `format`, and whether that is aligned FASTA; None in place of rows that do not fit."""
    rows = None if format == "fasta" else read_rows(sequences)
    if rows is not None or format in ("a3m", "a2m"):
        return rows, False
    if format is None:
        columns = {count_columns(text) for text in sequences}
        if len(columns) == 1 or count_columns(sequences[0]) == 0:  # A3M with another fault
            return None, False
    if any(PADDING in text for text in sequences) or len(set(map(count_width, sequences))) != 1:
        return None, True
    return read_rows(_upper(sequences)), True


def _upper(sequences: Sequence[bytes]) -> list[bytes]:
    return [text.upper() for text in sequences]


def _name_format(records: Records, is_aligned: bool) -> FastaFormat:
    """Name the format that a file turned out to have; what could be either is A3M."""
    if is_aligned:
        return "fasta"
    return "a2m" if records.is_padded else "a3m"


def _choose_columns(
    records: Records, rows: Rows, notes: NoteTaker
) -> tuple[Records, Rows, npt.NDArray[np.intp], int]:
    """Drop columns where the query has a gap; residues there become insertions before the next column kept."""
    width = rows.tokens.shape[1]
    kept = np.flatnonzero(rows.tokens[0] != GAP)
    if kept.size == width:
        return records, rows, kept, width
    if kept.size == 0:
        raise gaps_only(records)
    chosen = drop_query_gaps(rows, kept, records.sequences)
    if isinstance(chosen, Rows):
        return records, chosen, kept, width
    faults = {int(row): Fault(TOO_MANY_INSERTIONS) for row in chosen}
    if not notes.repair:
        row = next(iter(faults))
        raise records.error(row, faults[row].reason)
    all_rows = np.arange(len(rows.tokens))
    records = drop_rows(records, faults, records.lines(), notes)
    chosen = drop_query_gaps(rows.take(np.delete(all_rows, chosen)), kept, records.sequences)
    assert isinstance(chosen, Rows)
    return records, chosen, kept, width


def _check_chains(records: Records, length: int, notes: NoteTaker) -> tuple[ChainSegment, ...]:
    """The chains of ColabFold's first line, when they fill the columns."""
    wrong = unequal_lengths(records.chains, length) if records.chains else None
    if wrong is None:
        return records.chains
    error = AlignmentFormatError(f"{records.source}:1: {wrong}; correct the lengths or remove the line")
    notes.fault(error, line=1, record="", action="dropped", reason=wrong)
    return ()


def _set_aside(records: Records, kept: npt.NDArray[np.intp], width: int, notes: NoteTaker) -> dict[str, str]:
    """Note HH-suite's annotation rows; return the text of those that annotate columns."""
    if not records.set_aside:
        return {}
    parts = [records.parts[index] for index in records.set_aside]
    texts = column_texts(parts, kept, width)
    for line, part in zip(records.lines()[records.set_aside], parts, strict=True):
        name = decode(part.split(None, 1)[0])
        what = (
            "kept as an annotation of the columns" if name in texts else "it has no character for each column"
        )
        notes.note(int(line), name, "set-aside", f"an annotation row of HH-suite; {what}")
    return texts
