"""What stands before the first record of an A3M or FASTA file: comments, ColabFold's chains, and nothing else."""

from __future__ import annotations

import re
from typing import Final

from data_tools.annotations import ChainSegment
from data_tools.errors import AlignmentFormatError
from data_tools.formats.colabfold import chains_of_header
from data_tools.formats.notes import NoteTaker
from data_tools.formats.text import decode

MAX_HEAD_LINES: Final = 1_000_000  # real files have one or two
_LONGEST_CHAINS: Final = 65_536  # bytes of ColabFold's line
_SHOWN: Final = 40  # letters of a line in errors and notes
_FIRST_RECORD: Final = re.compile(rb"^[ \t]*>", re.MULTILINE)
_OTHER_FORMATS: Final = {b"# STOCKHOLM": "a Stockholm", b"CLUSTAL": "a Clustal", b"HMMER": "an HMM"}


def read_head(data: bytes, source: str, notes: NoteTaker) -> tuple[int, int, tuple[ChainSegment, ...]]:
    """Offset and line of the first `>`, and the chains of ColabFold's `#` line when the first line is one.

    Only blank lines and `#` lines may come before the first record; other text raises AlignmentFormatError, or is
    dropped in repair mode. A file of another format is refused in both.
    """
    first = _FIRST_RECORD.search(data)
    offset = len(data) if first is None else first.end() - 1
    num_lines = data.count(b"\n", 0, offset)
    if num_lines > MAX_HEAD_LINES:
        raise AlignmentFormatError(
            f"{source}: {num_lines:,} lines before the first record, at most {MAX_HEAD_LINES:,} are read; is this "
            "an alignment?"
        )
    chains: tuple[ChainSegment, ...] = ()
    start = 0
    for line in range(1, num_lines + 2):
        end = data.find(b"\n", start, offset)
        text = data[start : offset if end < 0 else end].strip()
        start = end + 1
        if not text:
            continue
        if line == 1 and len(text) <= _LONGEST_CHAINS:
            chains = chains_of_header(text.decode("latin-1"))
        if not chains or line > 1:
            _judge(text, f"{source}:{line}", line, notes, is_followed=first is not None)
    return offset, num_lines + 1, chains


def _judge(text: bytes, where: str, line: int, notes: NoteTaker, *, is_followed: bool) -> None:
    """Note a comment; raise for other text, or note that it is dropped when a record follows."""
    for mark, article_and_name in _OTHER_FORMATS.items():
        if text.startswith(mark):
            raise AlignmentFormatError(
                f"{where}: this is {article_and_name} file; convert it to A3M or aligned FASTA"
            )
    shown = repr(decode(text[:_SHOWN]))
    if text.startswith(b"#"):
        notes.note(line, "", "skipped", f"the comment {shown}")
        return
    error = AlignmentFormatError(
        f"{where}: text before the first record: {shown}; an A3M or FASTA file starts with '>' and a name"
    )
    if not is_followed:
        raise error
    notes.fault(
        error, line=line, record="", action="dropped", reason=f"text before the first record: {shown}"
    )
