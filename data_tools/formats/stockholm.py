"""Stockholm: the parser. Rows in one block or in many, markup before, between and behind them.

Columns: the query is the first sequence; see `column_rows.py`. With `match_columns="rf"` a column is kept where
`#=GC RF` marks it (any symbol but a gap) and the query has a residue: the query's other residues are insertions.

Kept of the markup: `#=GF` (`Annotations.file`), `#=GC` (`Annotations.columns`), `#=GR` (`Annotations.residues`), both
at the columns kept, and `#=GS name DE`, which follows the name after a blank. Other `#=GS` are noted as skipped.
HMMER's `/start-end` stays in the name.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.annotations import Annotations
from data_tools.errors import AlignmentFormatError
from data_tools.formats.blocks import quoted
from data_tools.formats.column_rows import ColumnArrays, ColumnRows, read_columns
from data_tools.formats.notes import NoteTaker
from data_tools.formats.stockholm_text import StockholmText, read_text
from data_tools.formats.text import decode

MatchColumns = Literal["query", "rf"]
_UNMARKED: Final = b"-._~ "  # of RF: columns that no residue of the reference has


def parse_stockholm(
    data: bytes, source: str, notes: NoteTaker, *, match_columns: MatchColumns = "query"
) -> Alignment:
    """Parse the bytes of a Stockholm file; `source` names it in errors.

    Raises AlignmentFormatError for a file that is truncated (no `//`), holds several alignments or breaks the format.

    >>> text = b"# STOCKHOLM 1.0\\nquery MK.V\\nhit   M-aV\\n//\\n"
    >>> alignment = parse_stockholm(text, "doc.sto", NoteTaker("doc.sto", "stockholm", repair=False))
    >>> alignment.query, alignment.deletion_matrix.tolist()
    ('MKV', [[0, 0, 0], [0, 0, 1]])
    """
    text = read_text(data, source, notes)
    rows = text.rows.rows()
    marked = _marked_columns(text, rows) if match_columns == "rf" else None
    arrays = read_columns(rows, notes, marked=marked)
    _note_skipped(text, rows, notes)
    annotations = _annotations(text, rows, arrays, notes)
    return Alignment(
        names=tuple(_full_name(text, text.rows.names[row]) for row in arrays.rows),
        tokens=arrays.tokens,
        deletion_matrix=arrays.deletion_matrix,
        insertions=arrays.insertions,
        annotations=annotations,
        report=notes.report(),
    )


def _note_skipped(text: StockholmText, rows: ColumnRows, notes: NoteTaker) -> None:
    for feature, lines in text.skipped.items():
        what = f"{len(lines):,} lines '#=GS {decode(feature)}'; of #=GS only DE is kept"
        notes.note(lines[0], "", "skipped", what)
    names = set(text.rows.names)
    for name in text.descriptions.keys() - names:
        notes.note(text.line_of(b"#=GS", name, b"DE"), decode(name), "skipped", "#=GS DE of no sequence")
    for feature, by_name in text.residues.items():
        for name in by_name.keys() - names:
            what = f"#=GR {decode(feature)} of no sequence"
            notes.note(text.line_of(b"#=GR", name, feature), decode(name), "skipped", what)


def _full_name(text: StockholmText, name: bytes) -> str:
    """The name, and its description after a blank."""
    parts = text.descriptions.get(name)
    return decode(name) if parts is None else decode(b" ".join([name, *filter(None, parts)]))


def _marked_columns(text: StockholmText, rows: ColumnRows) -> npt.NDArray[np.bool_]:
    """Columns `[W]` that RF marks."""
    if b"RF" not in text.columns:
        raise AlignmentFormatError(
            f"{rows.source}: match columns are to come from '#=GC RF', and there is no such line; take those of "
            "the query"
        )
    marks = np.frombuffer(b"".join(text.columns[b"RF"]), dtype=np.uint8)
    if marks.size != rows.width:
        raise _unequal_markup(rows, text, (b"#=GC", b"RF"), marks.size)[0]
    return ~np.isin(marks, np.frombuffer(_UNMARKED, dtype=np.uint8))


def _annotations(
    text: StockholmText, rows: ColumnRows, arrays: ColumnArrays, notes: NoteTaker
) -> Annotations:
    columns = {}
    for feature, pieces in text.columns.items():
        joined = b"".join(pieces)
        if len(joined) == rows.width:
            columns[decode(feature)] = _at_columns(joined, rows.width, arrays)
        else:
            _drop_markup(rows, text, (b"#=GC", feature), len(joined), notes)
    residues = {feature: _residue_texts(feature, text, rows, arrays, notes) for feature in text.residues}
    return Annotations(
        file={name: "\n".join(lines) for name, lines in text.file.items()},
        columns=columns,
        residues={decode(feature): texts for feature, texts in residues.items() if texts},
    )


def _residue_texts(
    feature: bytes, text: StockholmText, rows: ColumnRows, arrays: ColumnArrays, notes: NoteTaker
) -> dict[int, str]:
    """Row of the alignment to its text `[L]`."""
    whole: list[tuple[int, bytes]] = []
    for row, at in enumerate(arrays.rows.tolist()):
        name = text.rows.names[at]
        pieces = text.residues[feature].get(name)
        if pieces is None:
            continue
        joined = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if len(joined) == rows.width:
            whole.append((row, joined))
        else:
            _drop_markup(rows, text, (b"#=GR", name, feature), len(joined), notes)
    length = arrays.columns.size
    picked = _at_columns(b"".join(joined for _, joined in whole), rows.width, arrays)
    return {row: picked[at * length : (at + 1) * length] for at, (row, _) in enumerate(whole)}


def _drop_markup(
    rows: ColumnRows, text: StockholmText, words: tuple[bytes, ...], found: int, notes: NoteTaker
) -> None:
    error, line = _unequal_markup(rows, text, words, found)
    reason = f"has {found} columns, the query has {rows.width}"
    notes.fault(error, line=line, record=decode(b" ".join(words)), action="dropped", reason=reason)


def _unequal_markup(
    rows: ColumnRows, text: StockholmText, words: tuple[bytes, ...], found: int
) -> tuple[AlignmentFormatError, int]:
    """Describe markup that has not one symbol a column; also its line."""
    line = text.line_of(*words)
    shown = quoted(b" ".join(words))
    error = AlignmentFormatError(
        f"{rows.source}:{line}: {shown} has {found} columns in all blocks together, the query has {rows.width}; "
        "correct or remove it"
    )
    return error, line


def _at_columns(texts: bytes, width: int, arrays: ColumnArrays) -> str:
    """Texts of W symbols each, at the columns kept, one behind the other."""
    table = np.frombuffer(texts, dtype=np.uint8).reshape(-1, width)
    if arrays.columns.size < width:
        table = table[:, arrays.columns]
    return table.tobytes().decode("latin-1")
