"""The lines of a Stockholm file cut into rows and markup (`StockholmText`)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from data_tools.errors import AlignmentFormatError
from data_tools.formats.blocks import BlockCollector, quoted
from data_tools.formats.notes import NoteTaker
from data_tools.formats.text import decode, normalize

HEADER: Final = b"# STOCKHOLM"
_HASH: Final = ord("#")


@dataclass(slots=True)
class StockholmText:
    """What the lines of a file say, before anything is read from its columns."""

    rows: BlockCollector
    file: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """`#=GF` by name."""
    columns: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """`#=GC` by name, a piece a block."""
    residues: dict[bytes, dict[bytes, list[bytes]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    """`#=GR` by name and sequence, a piece a block."""
    descriptions: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """`#=GS name DE`."""
    skipped: dict[bytes, list[int]] = field(default_factory=dict)
    """Lines of each kind of `#=GS` that is not kept."""
    lines: list[bytes] = field(default_factory=list)
    """All of the file."""
    first_lines: dict[tuple[bytes, ...], int] = field(default_factory=dict)
    """Of each markup; filled when `line_of` is first asked."""

    def line_of(self, *words: bytes) -> int:
        """1-based line where markup, such as `#=GR`, name and feature, first stands."""
        if not self.first_lines:
            for number, line in enumerate(self.lines, 1):
                found = tuple(line.split(None, 3)[: 2 if line.lstrip().startswith(b"#=GC") else 3])
                self.first_lines.setdefault(found, number)
        return self.first_lines[words]


def read_text(data: bytes, source: str, notes: NoteTaker) -> StockholmText:
    """Cut the bytes of a file up to `//`; only blank lines and comments may follow.

    Raises AlignmentFormatError when the file is truncated, holds a second alignment, or a line is none of its format.
    """
    lines = normalize(data, source, notes).split(b"\n")
    return _TextReader(source, notes).read(lines)


class _TextReader:
    def __init__(self, source: str, notes: NoteTaker) -> None:
        self._source = source
        self._notes = notes
        self._text = StockholmText(BlockCollector(source, notes))

    def read(self, lines: list[bytes]) -> StockholmText:
        rows = self._text.rows
        self._text.lines = lines
        start = self._after_header(lines)
        for number, line in enumerate(lines[start:], start + 1):
            words = line.split()
            if not words:
                rows.end_block()
            elif words[0][0] == _HASH:
                self._read_markup(number, line, words)
            elif words[0] == b"//":
                self._check_rest(lines, number)
                return self._text
            elif len(words) != 2:
                raise self._error(number, f"a name and a row of symbols are expected, not {quoted(line)}")
            else:
                rows.add(words[0], words[1], number)
        raise self._error(len(lines), "the file ends without '//': it is truncated; copy or make it again")

    def _after_header(self, lines: list[bytes]) -> int:
        """Number of the line `# STOCKHOLM 1.0`."""
        for index, line in enumerate(lines):
            if line.strip():
                if line.lstrip().startswith(HEADER):
                    return index + 1
                raise self._error(index + 1, f"the first line must be '# STOCKHOLM 1.0', not {quoted(line)}")
        raise AlignmentFormatError(f"{self._source}: the file holds no sequence; it is empty")

    def _read_markup(self, number: int, line: bytes, words: list[bytes]) -> None:
        text, kind = self._text, words[0]
        if kind == b"#=GR" and len(words) >= 4:
            text.residues[words[2]][words[1]].append(_rest(line, words, 3))
        elif kind == b"#=GC" and len(words) >= 3:
            text.columns[words[1]].append(_rest(line, words, 2))
        elif kind == b"#=GS" and len(words) >= 3:
            if words[2] == b"DE":
                text.descriptions[words[1]].append(_rest(line, words, 3))
            else:
                text.skipped.setdefault(words[2], []).append(number)
        elif kind == b"#=GF" and len(words) >= 2:
            text.file[decode(words[1])].append(decode(_rest(line, words, 2)))
        elif line.lstrip().startswith(HEADER):
            raise self._error(
                number, "a second alignment starts before '//' ends the first; is the file damaged?"
            )
        elif kind.startswith(b"#="):
            what = "is no complete #=GF, #=GC, #=GS or #=GR line"
            error = self._error(number, f"{quoted(line)} {what}; correct or remove it")
            self._notes.fault(
                error, line=number, record="", action="dropped", reason=f"{quoted(line)} {what}"
            )

    def _check_rest(self, lines: list[bytes], end: int) -> None:
        for number, line in enumerate(lines[end:], end + 1):
            text = line.strip()
            if text.startswith(HEADER):
                raise self._error(
                    number, "a second alignment starts here; one file holds one: cut it in two after '//'"
                )
            if text and text[0] != _HASH:
                raise self._error(number, f"text behind the end mark '//': {quoted(line)}; remove it")

    def _error(self, number: int, what: str) -> AlignmentFormatError:
        return AlignmentFormatError(f"{self._source}:{number}: {what}")


def _rest(line: bytes, words: list[bytes], count: int) -> bytes:
    """What follows the first `count` words; it may hold blanks."""
    if len(words) <= count + 1:
        return b"".join(words[count:])
    return line.split(None, count)[count].rstrip()
