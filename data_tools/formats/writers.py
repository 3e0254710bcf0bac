"""The text of an alignment in each format, in pieces, so that no whole file lies in memory.

Insertions are in lower case where the format knows them (A3M, A2M, Stockholm), and in columns of their own where rows
have one width (all but A3M and PSICOV). Letters that are not known are `x`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from data_tools.alignment import Alignment
from data_tools.errors import AlignmentError
from data_tools.formats.annotation_rows import is_set_aside
from data_tools.formats.colabfold import header_of_chains, unequal_lengths
from data_tools.formats.layout import Layout, unpadded_rows
from data_tools.formats.written_names import headers, identifiers, split_name

_CLUSTAL_HEADER: Final = b"CLUSTAL multiple sequence alignment\n"
_CLUSTAL_COLUMNS: Final = 60  # of a block, as Clustal has them
_LONGEST_ALIGNED_HEAD: Final = 60  # longer names are not padded to: one would widen all rows


def text_of(alignment: Alignment, format: str) -> Iterator[bytes]:
    """The bytes of a file of `format`; raises AlignmentError for what it cannot hold (see `losses.py` for the rest)."""
    return _WRITERS[format](alignment)


def is_annotation_row(name: str) -> bool:
    """Tell whether A3M holds a column annotation of this name, as a row of HH-suite's."""
    return is_set_aside(name.encode("utf-8"))


def _a3m(alignment: Alignment) -> Iterator[bytes]:
    chains = alignment.annotations.chains
    if chains:
        wrong = unequal_lengths(chains, alignment.length)
        if wrong is not None:
            raise AlignmentError(f"{wrong}; correct the chains, or write the alignment without them")
        yield header_of_chains(chains).encode("ascii") + b"\n"
    for name, text in alignment.annotations.columns.items():
        if is_annotation_row(name):
            yield b">%s\n%s\n" % (_word(name, "A3M").encode("utf-8"), _symbols(name, text, alignment))
    for header, row in zip(headers(alignment.names, "a3m"), unpadded_rows(alignment), strict=True):
        yield b">%s\n%s\n" % (header, row)


def _a2m(alignment: Alignment) -> Iterator[bytes]:
    rows = Layout.padded(alignment).rows(padding=".", is_upper=False)
    for header, row in zip(headers(alignment.names, "a2m"), rows, strict=True):
        yield b">%s\n%s\n" % (header, row)


def _fasta(alignment: Alignment) -> Iterator[bytes]:
    rows = Layout.padded(alignment).rows(padding="-", is_upper=True)
    for header, row in zip(headers(alignment.names, "fasta"), rows, strict=True):
        yield b">%s\n%s\n" % (header, row)


def _psicov(alignment: Alignment) -> Iterator[bytes]:
    for row in Layout.columns_only(alignment).rows(padding="-", is_upper=True):
        yield row + b"\n"


def _clustal(alignment: Alignment) -> Iterator[bytes]:
    names = identifiers(alignment.names, "clustal")
    layout = Layout.padded(alignment)
    pad = _head_width(names)
    rows = list(layout.rows(padding="-", is_upper=True))  # every block needs a piece of each
    yield _CLUSTAL_HEADER
    for start in range(0, layout.width, _CLUSTAL_COLUMNS):
        yield b"\n\n"
        for name, row in zip(names, rows, strict=True):
            yield _row(name, row[start : start + _CLUSTAL_COLUMNS], pad)


def _stockholm(alignment: Alignment) -> Iterator[bytes]:
    names = identifiers(alignment.names, "stockholm")
    layout = Layout.padded(alignment)
    annotations = alignment.annotations
    yield b"# STOCKHOLM 1.0\n"
    for tag, lines in annotations.file.items():
        for line in lines.split("\n"):
            yield f"#=GF {_word(tag, 'Stockholm')} {_line(tag, line)}\n".encode()
    for name in alignment.names:
        word, description = split_name(name)
        if description:
            yield f"#=GS {word} DE {description}\n".encode()
    yield b"\n"
    features = [_word(feature, "Stockholm") for feature in annotations.residues]
    pad = _head_width([*names, *(f"#=GR {name} {feature}" for name in names for feature in features)])
    for row, (name, symbols) in enumerate(zip(names, layout.rows(padding=".", is_upper=False), strict=True)):
        yield _row(name, symbols, pad)
        for feature in features:
            if row in annotations.residues[feature]:
                text = _symbols(feature, annotations.residues[feature][row], alignment)
                yield _row(f"#=GR {name} {feature}", layout.spread(text, "."), pad)
    columns = dict(annotations.columns)
    if layout.width > alignment.length:
        columns.setdefault("RF", "x" * alignment.length)
    for feature, marks in columns.items():
        text = _symbols(feature, marks, alignment)
        yield _row(f"#=GC {_word(feature, 'Stockholm')}", layout.spread(text, "."), pad)
    yield b"//\n"


def _row(head: str, symbols: bytes, pad: int) -> bytes:
    """A line: what stands before the symbols, at least one blank, the symbols."""
    return b"%s %s\n" % (head.ljust(pad).encode("utf-8"), symbols)


def _head_width(heads: list[str]) -> int:
    """Where the symbols of all rows start, but for rows of very long names."""
    return max((len(head) for head in heads if len(head) <= _LONGEST_ALIGNED_HEAD), default=0)


def _word(name: str, title: str) -> str:
    """A name of an annotation; raises AlignmentError unless it is one word."""
    if not _is_encodable(name) or name.encode("utf-8").split() != [name.encode("utf-8")] or "\x00" in name:
        raise AlignmentError(f"{title} cannot hold an annotation of the name {name!r}; rename it")
    return name


def _symbols(name: str, text: str, alignment: Alignment) -> bytes:
    """A text `[L]`; raises AlignmentError unless it is one printable ASCII symbol, no blank, a column."""
    if len(text) != alignment.length or not text.isascii() or not text.isprintable() or " " in text:
        raise AlignmentError(
            f"the annotation {name!r} cannot be written: it needs {alignment.length} printable ASCII symbols without "
            f"blanks, one a column, and has {len(text)} characters"
        )
    return text.encode("ascii")


def _line(name: str, text: str) -> str:
    """A line of text; raises AlignmentError when it would not be read back."""
    if text != text.strip() or any(letter in text for letter in "\r\x00") or not _is_encodable(text):
        raise AlignmentError(
            f"Stockholm cannot hold the annotation {name!r}: blanks at the ends of a line, CR, NUL or no Unicode"
        )
    return text


def _is_encodable(text: str) -> bool:
    """Tell whether a text is free of lone surrogates, which UTF-8 does not hold."""
    return text.encode("utf-8", "ignore").decode("utf-8") == text


_WRITERS: Final[dict[str, Callable[[Alignment], Iterator[bytes]]]] = {
    "a3m": _a3m,
    "a2m": _a2m,
    "fasta": _fasta,
    "stockholm": _stockholm,
    "clustal": _clustal,
    "psicov": _psicov,
}
