"""Bytes of a file, decompressed when it is compressed, with a bound on what a small file may expand to.

Reading goes by the first bytes of a file, whatever it is called; writing goes by its suffix: gzip `.gz`, bzip2 `.bz2`,
xz `.xz`, Zstandard `.zst`.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, Final, cast

import zstandard

from data_tools.errors import DataToolsError

STANDARD_INPUT: Final = "-"
_CHUNK_BYTES: Final = 16 * 2**20
_FEED_BYTES: Final = 64 * 2**10
_ZSTD_FEED_BYTES: Final = (
    2**10
)  # its objects take no limit: 1 KiB expands to 33 MB at most (measured on zeros)
_MAX_WINDOW_BYTES: Final = 2**27  # 128 MiB: what `zstd -d` takes unless told otherwise
_MAX_XZ_MEMORY_BYTES: Final = 2**28  # `xz -9` needs 65 MiB
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_SKIPPABLE_ZSTD: Final = (
    b"\x2a\x4d\x18"  # bytes 2-4 of the frame that pzstd puts first; the first is 0x50-0x5f
)
_DAMAGE: Final = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def read_bytes(
    path: str | Path, *, limit: int, unreadable: type[DataToolsError], damaged: type[DataToolsError]
) -> bytes:
    """Read the file at `path`, or standard input for `-`, plain or compressed (gzip, bzip2, xz or Zstandard).

    Raises `unreadable` when the file cannot be opened, `damaged` when it is a damaged or truncated compressed file,
    is compressed otherwise, or holds more than `limit` bytes (checked while streaming).
    """
    compression = "compressed"
    try:
        with _open(path, unreadable) as stream:
            compression = _compression(stream, path, damaged)
            return _read_bounded(_chunks(stream, compression), path, limit, damaged)
    except FileNotFoundError as error:
        raise unreadable(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise unreadable(f"{path}: this is a folder; name a file in it") from error
    except EOFError as error:
        raise damaged(
            f"{path}: the {compression} file is truncated (it ends before its end mark); copy or download it again"
        ) from error
    except _DAMAGE as error:
        raise damaged(
            f"{path}: the {compression} file is damaged ({error}); copy or download it again"
        ) from error
    except ValueError as error:  # a NUL in the path
        raise unreadable(f"{path!r}: the path cannot be used: {error}") from error
    except OSError as error:
        if compression == "bzip2" and error.errno is None:  # what BZ2Decompressor raises for damage
            raise damaged(
                f"{path}: the bzip2 file is damaged ({error}); copy or download it again"
            ) from error
        raise unreadable(f"{path}: the file cannot be read: {error.strerror or error}") from error


@contextmanager
def open_to_write(path: str | Path, suffix: str) -> Iterator[IO[bytes]]:
    """Open `path` for writing, compressed as `suffix` says (`.gz`, `.bz2`, `.xz`, `.zst`, anything else: plain).

    The same bytes give the same file at any time: no name and no date are stored.
    """
    opener = _WRITERS.get(suffix.lower())
    with Path(path).open("wb") as file:
        if opener is None:
            yield file
            return
        with opener(file) as stream:
            yield stream


_WRITERS: Final[dict[str, Callable[[IO[bytes]], Any]]] = {
    ".gz": lambda file: gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6),
    ".bz2": partial(bz2.BZ2File, mode="wb"),
    ".xz": partial(lzma.LZMAFile, mode="wb"),
    ".zst": lambda file: zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False),
}
COMPRESSION_SUFFIXES: Final = tuple(_WRITERS)


@contextmanager
def _open(path: str | Path, unreadable: type[DataToolsError]) -> Iterator[BufferedReader]:
    if str(path) != STANDARD_INPUT:
        with Path(path).open("rb") as file:
            yield file
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise unreadable("-: nothing is piped into standard input; name a file, or pipe one in")
    stream = sys.stdin.buffer
    yield stream if isinstance(stream, BufferedReader) else BufferedReader(cast("RawIOBase", stream))


def _compression(stream: BufferedReader, path: str | Path, damaged: type[DataToolsError]) -> str:
    """Name of the compression, `plain` for none."""
    magic = stream.peek(6)[:6]
    for prefix, compression in _MAGIC.items():
        if magic.startswith(prefix):
            return compression
    if magic[1:4] == _SKIPPABLE_ZSTD and magic[0] >> 4 == 5:
        return "zstd"
    if magic.startswith(b"PK\x03\x04"):
        raise damaged(f"{path}: the file is a zip archive; run unzip on it")
    return "plain"


def _chunks(stream: BufferedReader, compression: str) -> Iterator[bytes]:
    """The content in pieces of bounded size; EOFError when the file ends before its end mark."""
    if compression == "plain":
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
    elif compression == "gzip":
        with gzip.GzipFile(fileobj=stream) as unzipped:
            while chunk := unzipped.read(_CHUNK_BYTES):
                yield chunk
    elif compression == "zstd":
        yield from _zstd_chunks(stream)
    else:
        yield from _member_chunks(stream, compression)


def _member_chunks(stream: BufferedReader, compression: str) -> Iterator[bytes]:
    """Content of a bzip2 or xz file: one stream after the other, nothing else between or behind them.

    The file objects of the standard library ignore what follows the first stream when it is damaged.
    """
    data = stream.read(_FEED_BYTES)
    while data:
        member = bz2.BZ2Decompressor() if compression == "bzip2" else _xz_decompressor()
        while not member.eof:
            yield member.decompress(data, _CHUNK_BYTES)
            data = b""
            if not member.eof and member.needs_input:
                data = stream.read(_FEED_BYTES)
                if not data:
                    raise EOFError
        data = member.unused_data or stream.read(_FEED_BYTES)
        while compression == "xz" and data and not data.strip(b"\x00"):  # xz pads its streams with zeros
            data = stream.read(_FEED_BYTES)
        if compression == "xz":
            data = data.lstrip(b"\x00")


def _xz_decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY_BYTES)


def _zstd_chunks(stream: BufferedReader) -> Iterator[bytes]:
    """Content of a Zstandard file, frame after frame; its own reader passes over a missing end in silence."""
    data = stream.read(_ZSTD_FEED_BYTES)
    while data:
        frame = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
        while True:
            yield frame.decompress(data)
            if frame.eof:
                break
            data = stream.read(_ZSTD_FEED_BYTES)
            if not data:
                raise EOFError
        data = frame.unused_data or stream.read(_ZSTD_FEED_BYTES)


def _read_bounded(
    content: Iterator[bytes], path: str | Path, limit: int, damaged: type[DataToolsError]
) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in content:
        size += len(chunk)
        if size > limit:
            raise damaged(
                f"{path}: holds more than {limit:,} bytes when decompressed, the most that is read; give a "
                "smaller file (of an alignment: fewer sequences, for example with hhfilter)"
            )
        chunks.append(chunk)
    return b"".join(chunks)
