"""A private folder for a program's files (`private_folder`), and the check of where its result shall go."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from data_tools.errors import ToolError

VARIABLE: Final = "MSAFORMER_TMP"
MIN_FREE_BYTES: Final = 64 * 2**20  # less is a full disk for every program of this package


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield an empty folder that nobody else can read; it is removed when the block ends, whatever happens in it.

    It lies in the folder named by `MSAFORMER_TMP`, else where temporary files go on this system. Raises ToolError when
    that folder is missing, not writable, or full.
    """
    parent = Path(os.environ.get(VARIABLE) or tempfile.gettempdir())
    try:
        free = shutil.disk_usage(parent).free
        if free < MIN_FREE_BYTES:
            raise ToolError(
                f"{parent}: only {free / 1e6:.0f} MB free for temporary files; set {VARIABLE} to another folder"
            )
        folder = Path(tempfile.mkdtemp(prefix="msaformer-", dir=parent)).resolve()
    except OSError as error:
        raise ToolError(
            f"{parent}: no temporary folder can be made there: {error.strerror}; set {VARIABLE}"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_output(path: Path) -> None:
    """Raise ToolError, before a search of hours, when its result could not be written to `path`."""
    if not path.parent.is_dir():
        raise ToolError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise ToolError(f"{path} is a folder; name the file to write")
    if not os.access(path.parent, os.W_OK):
        raise ToolError(f"{path}: the folder {path.parent} is not writable")
