"""The example store: examples for training in a folder of Parquet shards with a manifest.

    STORE/manifest.json          written last: a folder without it is an unfinished store
    STORE/shard-00000.parquet    at most 64 examples or about 64 MB; one row and row group per example, zstd

The rows are described in `data_tools.store_rows`. The manifest (`data_tools.store_manifest`) holds the schema
version, the names of the co-evolution maps and, for each shard, its file name, size, SHA-256 and the ids,
lengths, depths and Neffs of its rows.

Opening checks the manifest and the sizes of all shards. The SHA-256 of a shard is checked once, when it is first
read (of all shards at once with `verify=True`), so that damage is reported and never trained on. A reader that would
rather do without the examples of a damaged shard opens the store with `check_sizes=False` and catches StoreError.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from data_tools.atomic import atomic_path
from data_tools.errors import StoreError
from data_tools.store_manifest import MANIFEST, SHARD_NAME, Shard, read_manifest, write_manifest
from data_tools.store_rows import KNOWN_COLUMNS, ROW_SCHEMA, Example, from_row, to_row

__all__ = ["Example", "ShardWriter", "Store", "StoreWriter", "open_store", "write_store"]

_MAX_SHARD_EXAMPLES: Final = 64
_MAX_SHARD_BYTES: Final = 64 * 2**20  # before compression
_ZSTD_LEVEL: Final = 3
_MAX_OPEN_SHARDS: Final = 64  # well below the usual limit of 1,024 open files


class ShardWriter:
    """Writes shard `number` into `folder`, a row group per example; the file is there whole or not at all."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._shard = Shard(f"shard-{number:05d}.parquet")
        self._num_bytes = 0
        self._open = ExitStack()
        temporary = self._open.enter_context(atomic_path(folder / self._shard.file))
        self._parquet = pq.ParquetWriter(
            temporary,
            ROW_SCHEMA,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            use_dictionary=False,
            write_statistics=False,
        )
        self._open.callback(self._parquet.close)

    @property
    def is_full(self) -> bool:
        """Has it as many examples, or bytes before compression, as a shard may have?"""
        return len(self._shard.ids) >= _MAX_SHARD_EXAMPLES or self._num_bytes >= _MAX_SHARD_BYTES

    def add(self, table: pa.Table) -> None:
        """Append the one row of `table`, which has the columns of `ROW_SCHEMA`."""
        self._parquet.write_table(table, row_group_size=1)
        row = table.select(["id", "length", "depth", "neff"]).to_pylist()[0]
        self._shard.ids.append(row["id"])
        self._shard.lengths.append(row["length"])
        self._shard.depths.append(row["depth"])
        self._shard.neffs.append(row["neff"])
        self._num_bytes += table.nbytes

    def close(self) -> Shard:
        """Finish the file and return what the manifest says of it."""
        self._open.close()  # closes the Parquet file, then moves it to its name
        self._shard.seal(self._folder)
        return self._shard

    def discard(self) -> None:
        """Drop the unfinished file."""
        self._open.__exit__(_DiscardedError, _DiscardedError(), None)


class _DiscardedError(Exception):
    """Given to the context of an unfinished file, so that it is removed."""


class StoreWriter:
    """Writes a store one example at a time, in bounded memory; a context manager.

    Each shard appears whole or not at all, and the manifest comes last, when the block ends without error.
    After an error the shards already written are removed. `overwrite=True` first removes the manifest and the
    shards of an earlier store at the same place, and nothing else.

    Raises StoreError when the folder is not empty (without `overwrite`) or cannot be written.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self._path = Path(path)
        self._overwrite = overwrite
        self._ids: set[str] = set()
        self._shards: list[Shard] = []
        self._writer: ShardWriter | None = None

    def __enter__(self) -> StoreWriter:
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._make_room()
        except OSError as error:
            raise StoreError(f"cannot write a store at {self._path}: {error}") from error
        return self

    def add(self, example: Example) -> None:
        """Append one example; raises StoreError when its id was added before or it cannot be stored."""
        if example.id in self._ids:
            raise StoreError(f"{self._path}: two examples have the id {example.id!r}")
        table = pa.Table.from_pylist([to_row(example)], schema=ROW_SCHEMA)
        if self._writer is None:
            self._writer = ShardWriter(self._path, len(self._shards))
        self._writer.add(table)
        self._ids.add(example.id)
        if self._writer.is_full:
            self._end_shard()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._end_shard()
                write_manifest(self._shards, self._path)
                return
        except BaseException:
            self._discard()
            raise
        self._discard()

    def _make_room(self) -> None:
        if not self._overwrite and any(self._path.iterdir()):
            raise StoreError(
                f"{self._path} is not empty; choose another folder, or have the store in it overwritten"
            )
        (self._path / MANIFEST).unlink(missing_ok=True)
        for old in self._path.iterdir():
            if SHARD_NAME.fullmatch(old.name):
                old.unlink()

    def _end_shard(self) -> None:
        if self._writer is not None:
            self._shards.append(self._writer.close())
            self._writer = None

    def _discard(self) -> None:
        if self._writer is not None:
            self._writer.discard()
        for shard in self._shards:
            (self._path / shard.file).unlink(missing_ok=True)


def write_store(examples: Iterable[Example], path: str | Path, *, overwrite: bool = False) -> None:
    """Write all `examples`, in order, to a store at `path`; see `StoreWriter`."""
    with StoreWriter(path, overwrite=overwrite) as writer:
        for example in examples:
            writer.add(example)


class Store:
    """The examples of a store, read one at a time by index; made by `open_store`.

    `ids`, `lengths` (L), `depths` (N) and `neffs` are known without reading any example. A store may be
    pickled and used after a fork: each process opens the shards for itself.
    """

    def __init__(self, path: Path, shards: list[Shard]) -> None:
        self._path = path
        self._shards = shards
        self._rows = [(number, row) for number, shard in enumerate(shards) for row in range(len(shard.ids))]
        self.ids: tuple[str, ...] = tuple(name for shard in shards for name in shard.ids)
        self.lengths: tuple[int, ...] = tuple(length for shard in shards for length in shard.lengths)
        self.depths: tuple[int, ...] = tuple(depth for shard in shards for depth in shard.depths)
        self.neffs: tuple[float, ...] = tuple(neff for shard in shards for neff in shard.neffs)
        self._index = {name: number for number, name in enumerate(self.ids)}
        self._is_whole: dict[int, bool] = {}  # of the shards whose SHA-256 has been compared
        self._files: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Example:
        """Read example `index`; a negative index counts from the end.

        Raises IndexError out of range, StoreError when the shard is damaged or gone.
        """
        number, row = self._rows[index]
        shard = self._shards[number]
        file = self._path / shard.file
        try:
            table = self._shard_file(number).read_row_group(row, use_threads=False)
        except (OSError, IndexError, pa.ArrowException) as error:
            raise StoreError(f"{file}: cannot be read: {error}; rebuild the store") from error
        if table.schema.names not in KNOWN_COLUMNS or table.num_rows != 1:
            raise StoreError(f"{file}: its columns are not those of this schema; rebuild the store")
        example = from_row(table.to_pylist()[0])
        if example.id != shard.ids[row]:
            raise StoreError(
                f"{file}: row {row} is {example.id!r}, the manifest says {shard.ids[row]!r}; rebuild it"
            )
        return example

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    def index_of(self, example_id: str) -> int:
        """Index of the example with this id; raises StoreError when there is none."""
        try:
            return self._index[example_id]
        except KeyError:
            raise StoreError(f"{self._path} has no example {example_id!r}") from None

    @property
    def path(self) -> Path:
        """Folder of the store."""
        return self._path

    @property
    def shard_sizes(self) -> tuple[int, ...]:
        """Number of examples in each shard, in order."""
        return tuple(len(shard.ids) for shard in self._shards)

    @property
    def content_sha256(self) -> str:
        """Identity of the content, wherever the store lies: a hash of its shards' hashes."""
        return hashlib.sha256("".join(shard.sha256 for shard in self._shards).encode()).hexdigest()

    def verify(self) -> None:
        """Check the SHA-256 of all shards now; raises StoreError at the first that differs."""
        for number in range(len(self._shards)):
            self._verify_shard(number)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}

    def _verify_shard(self, number: int) -> None:
        shard = self._shards[number]
        if number not in self._is_whole:
            self._is_whole[number] = shard.is_whole(self._path)
        if not self._is_whole[number]:
            raise shard.digest_error(self._path)

    def _shard_file(self, number: int) -> pq.ParquetFile:
        if self._process != os.getpid():  # a forked child opens its own
            self._files, self._process = OrderedDict(), os.getpid()
        if number not in self._files:
            self._verify_shard(number)
            self._files[number] = pq.ParquetFile(self._path / self._shards[number].file, memory_map=True)
            if len(self._files) > _MAX_OPEN_SHARDS:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(number)
        return self._files[number]


def open_store(path: str | Path, *, verify: bool = False, check_sizes: bool = True) -> Store:
    """Open the store at `path`, checking its manifest and the sizes of its shards; `verify` their SHA-256.

    Raises StoreError when the folder is no store, is unfinished, damaged, or of another schema. Without `check_sizes`
    a shard that is gone or cut is found when it is read.
    """
    folder = Path(path)
    shards = read_manifest(folder)
    for shard in shards if check_sizes else ():
        shard.check_size(folder)
    store = Store(folder, shards)
    if verify:
        store.verify()
    return store
