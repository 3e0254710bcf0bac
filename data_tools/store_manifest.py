"""The manifest of an example store: its shards, what they hold, and how to know that they are whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from data_tools.atomic import atomic_path
from data_tools.errors import StoreError
from data_tools.features import COEVOLUTION_MAPS

SCHEMA_VERSION: Final = 2
_READABLE_VERSIONS: Final = (1, 2)  # 1 has no backbone
MANIFEST: Final = "manifest.json"
SHARD_NAME: Final = re.compile(r"shard-\d{5,}\.parquet")  # plain, so a manifest cannot name files elsewhere


@dataclass(slots=True)
class Shard:
    """What the manifest says of one shard; the four lists have one entry per row."""

    file: str
    bytes: int = 0
    sha256: str = ""
    ids: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    neffs: list[float] = field(default_factory=list)

    def seal(self, folder: Path) -> None:
        """Record size and SHA-256 of the finished file."""
        self.bytes = (folder / self.file).stat().st_size
        self.sha256 = _sha256(folder / self.file)

    def check_size(self, folder: Path) -> None:
        """Raise StoreError when the file is gone or has another size than recorded."""
        file = folder / self.file
        try:
            size = file.stat().st_size
        except OSError as error:
            raise StoreError(f"{file}: cannot be read: {error.strerror}; rebuild the store") from error
        if size != self.bytes:
            raise StoreError(
                f"{file} is damaged: it has {size} bytes, the manifest says {self.bytes}; rebuild the store"
            )

    def is_whole(self, folder: Path) -> bool:
        """Is the file's content the one recorded? Raises StoreError when it cannot be read."""
        return _sha256(folder / self.file) == self.sha256

    def check_digest(self, folder: Path) -> None:
        """Raise StoreError when the file's content is not the one recorded."""
        if not self.is_whole(folder):
            raise self.digest_error(folder)

    def digest_error(self, folder: Path) -> StoreError:
        """What to raise when it is not whole."""
        return StoreError(
            f"{folder / self.file} is damaged: its SHA-256 is not the manifest's; rebuild the store"
        )


def write_manifest(shards: Sequence[Shard], folder: Path) -> None:
    """Write `manifest.json` into `folder`, atomically."""
    with atomic_path(folder / MANIFEST) as temporary:
        write_manifest_to(shards, temporary)


def write_manifest_to(shards: Sequence[Shard], file: Path) -> None:
    """Write the manifest of `shards` to `file`."""
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "coevolution_maps": list(COEVOLUTION_MAPS),
        "num_examples": sum(len(shard.ids) for shard in shards),
        "shards": [asdict(shard) for shard in shards],
    }
    file.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> list[Shard]:
    """Read and check `manifest.json` of `folder`.

    Raises StoreError when it is missing, damaged, or of another schema or other co-evolution maps.
    """
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
    except FileNotFoundError:
        if not folder.is_dir():
            raise StoreError(f"{folder}: no such folder; a store is made by `msaformer featurize`") from None
        raise StoreError(f"{folder} is no finished store: it has no {MANIFEST}; build it again") from None
    except (OSError, ValueError) as error:  # ValueError: no JSON, or no UTF-8
        raise StoreError(f"{file}: cannot be read: {error}; rebuild the store") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version not in _READABLE_VERSIONS:
        readable = " and ".join(map(str, _READABLE_VERSIONS))
        raise StoreError(
            f"{file}: schema version {version}, this program reads {readable}; rebuild the store"
        )
    maps, expected = manifest.get("coevolution_maps"), list(COEVOLUTION_MAPS)
    if maps != expected:
        raise StoreError(f"{file}: co-evolution maps {maps}, expected {expected}; rebuild the store")
    try:
        return _read_shards(manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{file}: the list of shards is damaged ({error}); rebuild the store") from error


def _read_shards(manifest: dict[str, Any]) -> list[Shard]:
    shards = [Shard(**entry) for entry in manifest["shards"]]
    for shard in shards:
        if not SHARD_NAME.fullmatch(shard.file):
            raise ValueError(f"{shard.file!r} is no shard name")
        if len({len(shard.ids), len(shard.lengths), len(shard.depths), len(shard.neffs)}) != 1:
            raise ValueError(f"{shard.file} has lists of different lengths")
    if sum(len(shard.ids) for shard in shards) != manifest["num_examples"]:
        raise ValueError(f"it does not add up to {manifest['num_examples']} examples")
    return shards


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror}; rebuild the store") from error
