"""The text of a FASTA-like file cut into records, with what is needed to find a line again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from data_tools.errors import AlignmentFormatError

_SET_ASIDE: Final = (b"ss_pred", b"ss_conf", b"ss_dssp", b"sa_", b"aa_")  # HH-suite's annotation rows
_LABEL_LETTERS: Final = 60  # of a name, in an error
_OTHER_FORMATS: Final = {b"# STOCKHOLM": "a Stockholm", b"CLUSTAL": "a Clustal", b"HMMER": "an HMM"}


@dataclass(frozen=True, slots=True)
class Records:
    """The sequences of a file, query first."""

    source: str
    """Name of the file in errors."""
    first_line: int
    """Line of the first `>`."""
    parts: list[bytes]
    """Text of every record of the file after its `>`."""
    kept: list[int]
    """Which of `parts` are sequences of the alignment."""
    sequences: list[bytes]
    """`[N]`, as in the file, line ends included, without a final `*`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Headers `[N]`: UTF-8, or Latin-1 one by one where that fails, so no byte is lost."""
        headers = [self.parts[index].partition(b"\n")[0] for index in self.kept]
        try:
            names = b"\n".join(headers).decode("utf-8").split("\n")
        except UnicodeDecodeError:
            names = [_decode(header) for header in headers]
        return tuple(name.strip() for name in names)

    def label(self, row: int) -> str:
        """First word of a sequence's header, quoted, cut when long."""
        name = next(iter(_decode(self.parts[self.kept[row]].partition(b"\n")[0]).split()), "")
        return repr(name if len(name) <= _LABEL_LETTERS else name[: _LABEL_LETTERS - 3] + "...")

    def where(self, row: int, offset: int | None = None) -> str:
        """`source:line` of a sequence's header, or of the byte at `offset` in the sequence."""
        line = self.first_line + sum(part.count(b"\n") + 1 for part in self.parts[: self.kept[row]])
        if offset is not None:
            line += 1 + self.sequences[row].count(b"\n", 0, offset)
        return f"{self.source}:{line}"


def split_records(data: bytes, source: str) -> Records:
    """Cut a file into records and choose those that are sequences of the alignment.

    Raises AlignmentFormatError when there is none, for text before the first, and for NUL inside the file.
    """
    data = _normalize(data, source)
    start, line = _first_record(data, source)
    data = b"\n" + data[start:]
    parts = data.split(b"\n>")[1:]
    if data.count(b">") > len(parts):  # in headers, or after blanks
        parts = re.sub(rb"\n[ \t]+>", b"\n>", data).split(b"\n>")[1:]
    if not parts:
        raise AlignmentFormatError(f"{source}: the file holds no sequence; A3M starts with '>' and a name")
    kept = [index for index, part in enumerate(parts) if not part.startswith(_SET_ASIDE)]
    consensus = {index for index in kept[1:] if is_consensus(parts[index])}
    if consensus:
        kept = [index for index in kept if index not in consensus]
    if not kept:
        raise AlignmentFormatError(f"{source}: annotation rows only, no query; put its sequence first")
    sequences = [parts[index].partition(b"\n")[2] for index in kept]
    if b"*" in data:
        sequences = [sequence.rstrip(b" \t\n").removesuffix(b"*") for sequence in sequences]
    return Records(source, line, parts, kept, sequences)


def is_set_aside(header: bytes) -> bool:
    """Tell whether a record is an annotation row of HH-suite, no sequence."""
    return header.startswith(_SET_ASIDE)


def is_consensus(header: bytes) -> bool:
    """Tell whether a record is HH-suite's `Consensus`, which is kept only as the query."""
    return header.startswith(b"Consensus") and header[9:10] in (b"", b" ", b"\t", b"\n")


def _normalize(data: bytes, source: str) -> bytes:
    """Strip byte order mark and trailing NULs; turn CR and CRLF into LF; refuse NUL inside."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\x00" in data:
        data = data.rstrip(b"\x00\n \t")
        at = data.find(b"\x00")
        if at >= 0:
            line = data.count(b"\n", 0, at) + 1
            raise AlignmentFormatError(
                f"{source}:{line}: a NUL byte inside the file; if it is a database of "
                "many alignments, take it apart first (`ffindex_unpack` or `mmseqs unpackdb`)"
            )
    return data


def _first_record(data: bytes, source: str) -> tuple[int, int]:
    """Offset and line of the first `>`; only blank lines and `#` lines may come before it."""
    start, line = 0, 1
    while start < len(data) and not data.startswith(b">", start):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        text = data[start:end].strip()
        if text.startswith(b">"):
            break
        for mark, article_and_name in _OTHER_FORMATS.items():
            if text.startswith(mark):
                raise AlignmentFormatError(
                    f"{source}:{line}: this is {article_and_name} file; convert it to A3M or aligned FASTA"
                )
        if text and not text.startswith(b"#"):
            raise AlignmentFormatError(
                f"{source}:{line}: text before the first record: {_decode(text[:40])!r}; an A3M or FASTA "
                "file starts with '>' and a name"
            )
        start, line = end + 1, line + 1
    return start, line


def _decode(header: bytes) -> str:
    try:
        return header.decode("utf-8")
    except UnicodeDecodeError:
        return header.decode("latin-1")
