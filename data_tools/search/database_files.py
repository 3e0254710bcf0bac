"""What the search databases of all programs share: files that are there, their identity, and a build that is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from data_tools.errors import DatabaseError

_HASHED_ENDS: Final = 2**20  # bytes at either end of a file that is too long to be hashed as a whole


def check_file(file: Path, missing: str) -> int:
    """Size of a file; raises DatabaseError when it is missing (`missing` says what to do), empty or not readable."""
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
    except FileNotFoundError:
        raise DatabaseError(f"{file}: there is no such file; {missing}") from None
    except IsADirectoryError:
        raise DatabaseError(f"{file}: this is a folder, a file is expected; {missing}") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DatabaseError(
            f"{file}: cannot be read: {reason}; check its permissions and the disk"
        ) from error
    if size == 0:
        raise DatabaseError(f"{file}: the file is empty; copy it again or rebuild the database")
    return size


def fingerprint(files: Sequence[Path], hashed: Sequence[Path]) -> str:
    """SHA-256 over the sizes and times of `files` and the content of `hashed` among them.

    The path does not count, so a database that is moved with its times keeps its fingerprint.
    """
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        if file in hashed:
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def ends_sha256(file: Path) -> bytes:
    """SHA-256 of the first and last MiB of a file that may be too long to hash."""
    with file.open("rb") as opened:
        digest = hashlib.sha256(opened.read(_HASHED_ENDS))
        opened.seek(max(0, file.stat().st_size - _HASHED_ENDS))
        digest.update(opened.read(_HASHED_ENDS))
    return digest.digest()


@contextmanager
def build_folder(prefix: Path) -> Iterator[Path]:
    """A hidden folder beside `prefix` for a database that is being built; it is removed at the end.

    Raises DatabaseError when the folder of `prefix` is missing or cannot be written.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{prefix.name[:40]}.", dir=prefix.parent))
    except FileNotFoundError as error:
        raise DatabaseError(f"{prefix.parent}: there is no such folder; make it first") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DatabaseError(f"{prefix.parent}: cannot write a database there: {reason}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_existing(prefix: Path, suffixes: Sequence[str], *, overwrite: bool) -> None:
    """Raise DatabaseError when a file of the database to be built exists, unless it may be replaced."""
    if overwrite:
        return
    for suffix in suffixes:
        file = Path(f"{prefix}{suffix}")
        if file.exists():
            raise DatabaseError(f"{file} exists already; choose another prefix, or have it overwritten")


def move_into_place(folder: Path, prefix: Path, suffixes: Sequence[str]) -> None:
    """Move the files of a finished database from `folder` to `prefix`; the last suffix makes it whole.

    That file of an earlier database goes first, so no reader takes files of both for a database; parts of the
    earlier one that the new one does not have are removed.
    """
    Path(f"{prefix}{suffixes[-1]}").unlink(missing_ok=True)
    for suffix in suffixes:
        built, target = folder / f"{prefix.name}{suffix}", Path(f"{prefix}{suffix}")
        if built.exists():
            _sync(built)
            built.replace(target)
        else:
            target.unlink(missing_ok=True)


def all_failed(failures: Mapping[str, str]) -> DatabaseError:
    """The error of a build in which no input was good."""
    name, message = next(iter(failures.items()))
    return DatabaseError(
        f"none of the {len(failures)} inputs can be put into a database; the first, {name}: {message}"
    )


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())
