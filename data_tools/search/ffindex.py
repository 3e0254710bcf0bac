"""ffindex: many small files in one, as HH-suite's and MMseqs2's databases are kept.

    NAME.ffdata    the entries one after the other, each followed by a NUL byte
    NAME.ffindex   one line an entry: key TAB offset TAB length (the NUL counts), sorted bytewise by key

HH-suite finds an entry by bisection and maps the data into memory without asking how long the file is: an index
out of order hides entries, and a half-copied data file makes it hang. So an index is checked as a whole before use.
Checking streams (an index may have tens of millions of lines); reading maps the data and keeps only the index.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data_tools.errors import DatabaseError

# HH-suite 3.3 has 32 bytes for a key and its NUL. Measured: with keys of 32 or 33 bytes hhblits finds nothing and says
# nothing, above it and cstranslate crash (soedinglab/hh-suite#293 gives 32 as the limit).
MAX_KEY_BYTES: Final = 31
KeyOrder = Literal["bytewise", "any"]

_COLUMNS: Final = {"key": pa.binary(), "offset": pa.int64(), "length": pa.int64()}
_BLOCK_BYTES: Final = 16 * 2**20  # of an index, checked at a time


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What a sound index says about its data."""

    num_entries: int
    """At least one."""
    end: int
    """Bytes that the data file must have: the largest offset + length."""
    keys_sha256: str
    """Of all keys, in order; two indices of the same keys agree in it."""
    lengths_sum: int
    """Bytes in all entries, their NULs included."""


class FFWriter:
    """Writes DATA and INDEX entry by entry; a context manager. The index is written, sorted, when the block ends.

    Only the index is kept in memory. Raises DatabaseError for a key that HH-suite cannot use or that is there
    already, OSError when the files cannot be written.
    """

    def __init__(self, data: Path, index: Path) -> None:
        self._data_path, self._index_path = data, index
        self._entries: dict[bytes, tuple[int, int]] = {}
        self._offset = 0
        self._data: BinaryIO

    def __enter__(self) -> FFWriter:
        self._data = self._data_path.open("xb")
        return self

    def add(self, key: str, content: bytes) -> None:
        """Append one entry; its NUL is added."""
        name = key.encode("utf-8")
        check_key(key)
        if name in self._entries:
            raise DatabaseError(f"{self._data_path}: two entries have the key {key!r}; rename one")
        self._data.write(content + b"\x00")
        self._entries[name] = (self._offset, len(content) + 1)
        self._offset += len(content) + 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data.close()
        if error is None:
            with self._index_path.open("xb") as index:
                for name in sorted(self._entries):
                    offset, length = self._entries[name]
                    index.write(b"%s\t%d\t%d\n" % (name, offset, length))


class FFReader:
    """The entries of DATA by key, from a file mapped into memory; a context manager.

    Opening checks the index (see `check_index`) and that the data file is long enough for it.
    """

    def __init__(self, data: Path, index: Path) -> None:
        self._data_path = data
        check_index(index, data)
        table = pa.Table.from_batches(list(_batches(index)))
        self._keys = table["key"].combine_chunks()
        self._offsets, self._lengths = table["offset"].to_numpy(), table["length"].to_numpy()

    def __enter__(self) -> FFReader:
        with self._data_path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self

    def __exit__(self, *_: object) -> None:
        self._map.close()

    def __len__(self) -> int:
        return len(self._keys)

    def keys(self) -> Iterator[str]:
        """All keys, in the order of the index."""
        return (key.as_py().decode("utf-8", "replace") for key in self._keys)

    def __getitem__(self, key: str) -> bytes:
        """The content of an entry without its NUL; raises KeyError."""
        wanted = key.encode("utf-8")
        low, high = 0, len(self._keys)
        while low < high:
            middle = (low + high) // 2
            if self._keys[middle].as_py() < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self._keys) or self._keys[low].as_py() != wanted:
            raise KeyError(key)
        return self.at(low)

    def at(self, number: int) -> bytes:
        """The content of entry `number` of the index, without its NUL; raises DatabaseError when that is missing."""
        start, length = int(self._offsets[number]), int(self._lengths[number])
        content = self._map[start : start + length]
        if not content.endswith(b"\x00"):
            key = self._keys[number].as_py().decode("utf-8", "replace")
            raise DatabaseError(f"{self._data_path}: entry {key!r} does not end in a NUL byte; {_REBUILD}")
        return content[:-1]

    def lengths(self) -> dict[str, int]:
        """Bytes of every entry, its NUL included."""
        return dict(zip(self.keys(), self._lengths.tolist(), strict=True))


_REBUILD: Final = (
    "index and data do not belong together or are damaged: copy both again or rebuild the database"
)


def check_key(key: str) -> None:
    """Raise DatabaseError for a key that HH-suite cannot use."""
    size = len(key.encode("utf-8"))
    if not 0 < size <= MAX_KEY_BYTES:
        raise DatabaseError(
            f"the key {key[:80]!r} has {size} bytes; HH-suite takes 1 to {MAX_KEY_BYTES}: shorten the name"
        )
    if any(letter.isspace() or not letter.isprintable() for letter in key):
        raise DatabaseError(f"the key {key!r} holds blanks or control characters; rename it")


def check_index(index: Path, *data: Path, order: KeyOrder = "bytewise") -> IndexSummary:
    """Check an index against the size of its data file, in one pass and bounded memory.

    Raises DatabaseError naming file, line and remedy: a line that is not key, offset, length; keys out of order,
    twice or too long (with `order="bytewise"`); an entry outside the data file; no line at all.
    """
    size = sum(file.stat().st_size for file in data)
    letters, sizes = hashlib.sha256(), hashlib.sha256()
    num_entries, end, lengths_sum = 0, 0, 0
    last: bytes | None = None
    for batch in _batches(index):
        names, offsets, lengths = batch["key"], batch["offset"], batch["length"]
        ends = pc.add(offsets, lengths)
        if _is_faulty(names, offsets, lengths, ends, size, last if order == "bytewise" else None, order):
            raise _fault(index, data[0], size, order)
        letters.update(_letters(names))
        sizes.update(pc.binary_length(names).to_numpy().tobytes())
        num_entries += len(names)
        end = max(end, pc.max(ends).as_py())
        lengths_sum += pc.sum(lengths).as_py()
        last = names[-1].as_py()
    if not num_entries:
        raise DatabaseError(f"{index}: the index is empty; {_REBUILD}")
    if not _ends_a_line(index):
        raise DatabaseError(f"{index}: the last line is cut (it has no line end); {_REBUILD}")
    return IndexSummary(
        num_entries, end, hashlib.sha256(letters.digest() + sizes.digest()).hexdigest(), lengths_sum
    )


def _ends_a_line(file: Path) -> bool:
    with file.open("rb") as opened:
        opened.seek(-1, os.SEEK_END)
        return opened.read(1) == b"\n"


def _letters(names: pa.Array) -> memoryview:
    """The bytes of all keys in a row, as they lie in memory."""
    if names.buffers()[2] is None:  # all are empty
        return memoryview(b"")
    offsets = np.frombuffer(names.buffers()[1], dtype=np.int32)[names.offset : names.offset + len(names) + 1]
    return memoryview(names.buffers()[2])[int(offsets[0]) : int(offsets[-1])]


def _is_faulty(
    names: pa.Array,
    offsets: pa.Array,
    lengths: pa.Array,
    ends: pa.Array,
    size: int,
    last: bytes | None,
    order: str,
) -> bool:
    """Whether anything in a block is wrong; which line it is is looked for afterwards."""
    if names.null_count or offsets.null_count or lengths.null_count:
        return True
    outside = pc.max(ends).as_py() > size or pc.min(offsets).as_py() < 0 or pc.min(lengths).as_py() < 1
    if outside or order == "any":
        return bool(outside)
    sizes = pc.binary_length(names)
    if pc.max(sizes).as_py() > MAX_KEY_BYTES or pc.min(sizes).as_py() < 1:
        return True
    if last is not None and last >= names[0].as_py():
        return True
    rising = pc.less(names.slice(0, len(names) - 1), names.slice(1))
    return len(names) > 1 and not pc.all(rising).as_py()


def _batches(index: Path) -> Iterator[pa.RecordBatch]:
    options: Sequence[object] = (
        pyarrow.csv.ReadOptions(column_names=list(_COLUMNS), block_size=_BLOCK_BYTES),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(column_types=_COLUMNS, null_values=[], strings_can_be_null=False),
    )
    if index.stat().st_size == 0:
        return
    try:
        with pyarrow.csv.open_csv(index, *options) as reader:
            yield from (batch for batch in reader if batch.num_rows)
    except pa.ArrowInvalid as error:
        raise _fault(index, None, 0, "any", str(error)) from error


def _fault(index: Path, data: Path | None, size: int, order: KeyOrder, seen: str = "") -> DatabaseError:
    """The first line of an index that is wrong, and how."""
    last = b""
    with index.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{index}:{number}"
            fields = line.rstrip(b"\n").split(b"\t")
            if len(fields) != 3 or not (fields[1].isdigit() and fields[2].isdigit()):
                return DatabaseError(
                    f"{where}: {line[:80]!r} is no line of an index (key, offset, length); {_REBUILD}"
                )
            key, offset, length = fields[0], int(fields[1]), int(fields[2])
            name = key[:80].decode("utf-8", "replace")
            if data is not None and (length < 1 or offset + length > size):
                return DatabaseError(
                    f"{data}: the file has {size:,} bytes, but entry {name!r} ({where}) ends at {offset + length:,}: "
                    "it was copied or unpacked only in part; copy it again"
                )
            if order == "bytewise" and not 0 < len(key) <= MAX_KEY_BYTES:
                return DatabaseError(
                    f"{where}: the key {name!r} has {len(key)} bytes; HH-suite loses entries above {MAX_KEY_BYTES}: "
                    "rebuild the database with shorter names"
                )
            if order == "bytewise" and number > 1 and key <= last:
                what = "is there twice" if key == last else f"comes after {last.decode('utf-8', 'replace')!r}"
                return DatabaseError(
                    f"{where}: the key {name!r} {what}; the index must be sorted bytewise "
                    "(LC_ALL=C sort), or entries are not found"
                )
            last = key
    return DatabaseError(f"{index}: no index of an ffindex database ({seen}); {_REBUILD}")
