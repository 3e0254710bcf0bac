"""Write a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file beside `path` to be written; it replaces `path` when the block ends without error.

    The temporary file has the suffix of `path` and is removed when the block raises. Raises OSError
    when the folder is missing or not writable.
    """
    target = Path(path)
    descriptor, name = tempfile.mkstemp(
        prefix=f".{target.stem[:40]}.", suffix=target.suffix, dir=target.parent
    )
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of writers of `path` who were killed; none may be at work."""
    name = re.compile(
        re.escape(f".{path.stem[:40]}.") + r"[a-z0-9_]{8}" + re.escape(path.suffix)
    )  # as mkstemp has it
    for found in path.parent.iterdir():
        if name.fullmatch(found.name):
            found.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
