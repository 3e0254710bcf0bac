"""Parts, the files in which the workers of a job leave what they made, and what is known of its origin.

    parts/00000012.arrow    the example of input 12: one row of `ROW_SCHEMA`, its provenance in the metadata
    parts/00000013.json     input 13 failed, and why

A part is there whole or not at all, so that a job can be stopped at any moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from data_tools.atomic import atomic_path
from data_tools.errors import PipelineError
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.messages import one_line

_PROVENANCE: Final = b"provenance"
_ABSENT: Final = -1  # size of a file that is not there


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was when it was read, to find later that it has changed."""

    size: int
    """Bytes; -1 for a file that was not there."""
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: str) -> Source:
        """The file at `path` as it is now."""
        size, mtime_ns = _size_and_time(path)
        return cls(size, mtime_ns, "" if size == _ABSENT else _sha256(path))

    def is_unchanged(self, path: str) -> bool:
        """Is the file at `path` still the same? Its content is read only when size or time differ."""
        size, mtime_ns = _size_and_time(path)
        if (size, mtime_ns) == (self.size, self.mtime_ns):
            return True
        return size == self.size and _sha256(path) == self.sha256


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an example came from, or what failed to become one."""

    alignment: Source
    structure: Source | None
    chain: str = ""
    """Author name of the chain that gave the distances."""
    notes: str = ""
    """What reading left out or mended, as `action count`, several joined by `, `."""

    @classmethod
    def of(cls, one: Input) -> Provenance:
        """The files of an input as they are now."""
        structure = None if one.structure is None else Source.of(one.structure)
        return cls(Source.of(one.alignment), structure)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Provenance:
        """The inverse of `dataclasses.asdict`."""
        structure = values["structure"]
        return cls(
            Source(**values["alignment"]),
            None if structure is None else Source(**structure),
            values["chain"],
            values["notes"],
        )

    def is_current(self, one: Input) -> bool:
        """Are the input's files still what they were?"""
        if (one.structure is None) != (self.structure is None):
            return False
        if self.structure is not None and not self.structure.is_unchanged(str(one.structure)):
            return False
        return self.alignment.is_unchanged(one.alignment)


def write_part(table: pa.Table, provenance: Provenance, path: Path) -> None:
    """Write the one row of an example, atomically."""
    described = table.replace_schema_metadata({_PROVENANCE: json.dumps(asdict(provenance))})
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as opened,
        pa.ipc.new_file(opened, described.schema, options=options) as writer,
    ):
        writer.write_table(described)


def read_part(path: Path) -> pa.Table:
    """The one row of an example; raises PipelineError when the file is damaged."""
    try:
        with pa.OSFile(str(path), "rb") as opened, pa.ipc.open_file(opened) as reader:
            return reader.read_all()
    except (OSError, pa.ArrowException) as error:
        raise PipelineError(f"{path}: cannot be read: {one_line(error)}; delete it and run again") from error


def read_part_provenance(path: Path) -> Provenance:
    """Where the example of a part came from; its arrays are not read. Raises PipelineError like `read_part`."""
    try:
        with pa.OSFile(str(path), "rb") as opened, pa.ipc.open_file(opened) as reader:
            return provenance_of(reader.schema)
    except (OSError, pa.ArrowException) as error:
        raise PipelineError(f"{path}: cannot be read: {one_line(error)}; delete it and run again") from error


def provenance_of(schema: pa.Schema) -> Provenance:
    """Where the example of a part came from, by the part's schema."""
    return Provenance.from_json(json.loads(schema.metadata[_PROVENANCE]))


def write_failure(message: str, provenance: Provenance, path: Path) -> None:
    """Write why an input failed, atomically."""
    content = {"error": message, "provenance": asdict(provenance)}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def read_failure(path: Path) -> tuple[str, Provenance]:
    """Message and provenance of a failed input."""
    content = json.loads(path.read_bytes())
    return content["error"], Provenance.from_json(content["provenance"])


def part_path(parts: str | Path, index: int) -> Path:
    """File of the example of input `index`."""
    return Path(parts) / f"{index:08d}.arrow"


def failure_path(parts: str | Path, index: int) -> Path:
    """File that says why input `index` failed."""
    return Path(parts) / f"{index:08d}.json"


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:  # it fails when it is read, with the reason
        return _ABSENT, 0
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else (_ABSENT, 0)


def _sha256(path: str) -> str:
    try:
        with open(path, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:  # likewise
        return ""
