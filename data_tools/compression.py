"""Bytes of a file, decompressed when it is gzip, with a bound on what a small file may expand to."""

from __future__ import annotations

import gzip
import zlib
from io import BufferedReader
from pathlib import Path
from typing import IO, Final, cast

from data_tools.errors import DataToolsError

_CHUNK_BYTES: Final = 16 * 2**20
_GZIP_MAGIC: Final = b"\x1f\x8b"
_OTHER_COMPRESSIONS: Final = {
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\x00": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"PK\x03\x04": ("zip", "unzip"),
}


def read_bytes(
    path: str | Path, *, limit: int, unreadable: type[DataToolsError], damaged: type[DataToolsError]
) -> bytes:
    """Read the file at `path`; gzip is known by its first bytes, whatever the file is called.

    Raises `unreadable` when the file cannot be opened, `damaged` when it is a damaged or truncated gzip file, is
    compressed otherwise, or holds more than `limit` bytes (checked while streaming).
    """
    try:
        with Path(path).open("rb") as stream:
            return _read_bounded(_plain(stream, path, damaged), path, limit, damaged)
    except FileNotFoundError as error:
        raise unreadable(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise unreadable(f"{path}: this is a folder; name a file in it") from error
    except EOFError as error:
        raise damaged(
            f"{path}: the gzip file is truncated (it ends before its end mark); copy or download it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise damaged(f"{path}: the gzip file is damaged ({error}); copy or download it again") from error
    except OSError as error:
        raise unreadable(f"{path}: the file cannot be read: {error.strerror or error}") from error


def _plain(stream: BufferedReader, path: str | Path, damaged: type[DataToolsError]) -> IO[bytes]:
    """The stream itself, or what decompresses it."""
    magic = stream.peek(6)[:6]
    if magic.startswith(_GZIP_MAGIC):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    for prefix, (compression, remedy) in _OTHER_COMPRESSIONS.items():
        if magic.startswith(prefix):
            raise damaged(f"{path}: the file is compressed with {compression}, not gzip; run {remedy} on it")
    return stream


def _read_bounded(stream: IO[bytes], path: str | Path, limit: int, damaged: type[DataToolsError]) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise damaged(
                f"{path}: holds more than {limit:,} bytes when decompressed, the most that is read; give a "
                "smaller file (of an alignment: fewer sequences, for example with hhfilter)"
            )
        chunks.append(chunk)
    return b"".join(chunks)
