"""Bytes of a file, decompressed when it is gzip, with a bound on what a small file may expand to."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO, Final

from data_tools.errors import AlignmentError, AlignmentFormatError

MAX_DECOMPRESSED_BYTES: Final = 4 * 2**30  # 4 GiB: 10 x the largest alignments in use; a bomb stops here
_CHUNK_BYTES: Final = 16 * 2**20
_GZIP_MAGIC: Final = b"\x1f\x8b"
_OTHER_COMPRESSIONS: Final = {
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\x00": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"PK\x03\x04": ("zip", "unzip"),
}


def read_bytes(path: str | Path, *, limit: int = MAX_DECOMPRESSED_BYTES) -> bytes:
    """Read the file at `path`; gzip is known by its first bytes, whatever the file is called.

    Raises AlignmentError when the file cannot be opened, AlignmentFormatError when it is a damaged or
    truncated gzip file, is compressed otherwise, or holds more than `limit` bytes (checked while streaming).
    """
    try:
        with Path(path).open("rb") as stream:
            magic = stream.peek(6)[:6]
            if magic.startswith(_GZIP_MAGIC):
                return _read_gzip(stream, path, limit)
            for prefix, (compression, remedy) in _OTHER_COMPRESSIONS.items():
                if magic.startswith(prefix):
                    raise AlignmentFormatError(
                        f"{path}: the file is compressed with {compression}, not gzip; run {remedy} on it"
                    )
            return _read_bounded(stream, path, limit)
    except FileNotFoundError as error:
        raise AlignmentError(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise AlignmentError(f"{path}: this is a folder; name an alignment file in it") from error
    except OSError as error:
        raise AlignmentError(f"{path}: the file cannot be read: {error.strerror or error}") from error


def _read_gzip(stream: IO[bytes], path: str | Path, limit: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=stream) as decompressed:
            return _read_bounded(decompressed, path, limit)
    except EOFError as error:
        raise AlignmentFormatError(
            f"{path}: the gzip file is truncated (it ends before its end mark); copy or download it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise AlignmentFormatError(
            f"{path}: the gzip file is damaged ({error}); copy or download it again"
        ) from error


def _read_bounded(stream: IO[bytes] | gzip.GzipFile, path: str | Path, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise AlignmentFormatError(
                f"{path}: the file holds more than {limit:,} bytes when decompressed, the most that is read; "
                "thin the alignment out (for example with hhfilter) if it is one"
            )
        chunks.append(chunk)
    return b"".join(chunks)
