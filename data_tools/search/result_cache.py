"""A folder of alignments found, by the key of all that they depend on; several batches may share it.

FOLDER/KE/KEY.a3m      the alignment
FOLDER/KE/KEY.sha256   SHA-256 of it, written after it
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path

from data_tools.atomic import atomic_path
from data_tools.search.query import Query
from data_tools.search.results import publish_alignment

_LOGGER = logging.getLogger(__name__)


class ResultCache:
    """The folder; it is made when something is put into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, key: str, query: Query, output: Path) -> bool:
        """Write the alignment of `key` to `output`, its first row named as `query`; False when there is none."""
        alignment, digest = self._paths(key)
        try:
            expected = digest.read_text(encoding="ascii").strip()
            found = file_sha256(alignment)
        except FileNotFoundError:
            return False
        if found != expected:
            _LOGGER.warning("%s is damaged: its SHA-256 is not %s; it is searched again", alignment, expected)
            return False
        publish_alignment(alignment, query, output)
        return True

    def put(self, key: str, written: Path) -> None:
        """Keep the alignment at `written` as that of `key`."""
        alignment, digest = self._paths(key)
        alignment.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(alignment) as temporary:
            shutil.copyfile(written, temporary)
            found = file_sha256(temporary)
        with atomic_path(digest) as temporary:
            temporary.write_text(f"{found}\n", encoding="ascii")

    def _paths(self, key: str) -> tuple[Path, Path]:
        folder = self._folder / key[:2]
        return folder / f"{key}.a3m", folder / f"{key}.sha256"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
