"""Rows that a file writes in blocks, a piece of each row in each block, collected by name (Stockholm, Clustal)."""

from __future__ import annotations

from array import array

from data_tools.errors import AlignmentFormatError
from data_tools.formats.column_rows import ColumnRows, label
from data_tools.formats.notes import NoteTaker
from data_tools.formats.text import decode


class BlockCollector:
    """Takes the rows of a file one by one and the ends of its blocks; the first block says which names there are.

    Rows of a later block may be in another order, and may be absent: `read_columns` says what that means.
    """

    def __init__(self, source: str, notes: NoteTaker) -> None:
        self.names: list[bytes] = []
        self._source = source
        self._notes = notes
        self._blocks: list[list[bytes]] = []
        self._lines: list[array[int]] = []
        self._index: dict[bytes, int] = {}
        """Row of each name; filled when the first block ends."""
        self._block: list[bytes] = []
        self._block_lines: array[int] = array("q")
        self._first_line = 0
        """Line of a block that does not begin with the first row."""

    def add(self, name: bytes, symbols: bytes, number: int) -> None:
        """Take the row of line `number`."""
        row = len(self._block)
        if not self._blocks:
            self.names.append(name)
        elif row == len(self.names) or self.names[row] != name:
            self._place(name, symbols, number)
            return
        self._block.append(symbols)
        self._block_lines.append(number)

    def end_block(self) -> None:
        """Close a block; nothing happens when it has no row."""
        if not self._block:
            return
        if not self._blocks:
            self._index = {name: row for row, name in enumerate(self.names)}
            self._refuse_repeated()
        self._fill(len(self.names))
        self._blocks.append(self._block)
        self._lines.append(self._block_lines)
        self._block, self._block_lines = [], array("q")

    def rows(self) -> ColumnRows:
        """All rows; raises AlignmentFormatError when there is none."""
        self.end_block()
        if not self._blocks:
            raise AlignmentFormatError(f"{self._source}: the file holds no sequence")
        return ColumnRows(self._source, list(map(decode, self.names)), self._blocks, self._lines)

    def _place(self, name: bytes, symbols: bytes, number: int) -> None:
        """Put a row that is not in the order of the first block where it belongs."""
        row, record = self._index.get(name), decode(name)
        if row is None:
            error = self._error(name, number, "is not in the first block; is the file complete?")
            reason = "not in the first block"
            self._notes.fault(error, line=number, record=record, action="dropped", reason=reason)
            return
        if not self._block:
            self._first_line = number
        self._fill(row + 1)
        if self._block[row]:
            raise self._twice(name, number)
        self._block[row], self._block_lines[row] = symbols, number

    def _fill(self, num_rows: int) -> None:
        """Make the block at least `num_rows` long, by rows that are absent."""
        absent = num_rows - len(self._block)
        self._block.extend([b""] * absent)
        self._block_lines.extend([self._block_lines[0] if self._block_lines else self._first_line] * absent)

    def _refuse_repeated(self) -> None:
        if len(self._index) < len(self.names):
            name = next(name for row, name in enumerate(self.names) if self._index[name] != row)
            raise self._twice(name, self._block_lines[self._index[name]])

    def _twice(self, name: bytes, number: int) -> AlignmentFormatError:
        remedy = "give each sequence a name of its own, and put a blank line between blocks"
        return self._error(name, number, f"is twice in one block; {remedy}")

    def _error(self, name: bytes, number: int, what: str) -> AlignmentFormatError:
        return AlignmentFormatError(f"{self._source}:{number}: sequence {label(decode(name))} {what}")


def quoted(line: bytes) -> str:
    """The beginning of a line, as errors show it."""
    return repr(decode(line.strip()[:40]))
