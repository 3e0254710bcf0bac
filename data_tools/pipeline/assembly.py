"""Parts become shards, in the order of the inputs, and shards a store (`Assembler`).

Where a shard ends depends on its rows alone (`data_tools.store.ShardWriter`), so the same inputs make the same files
however the work was divided or interrupted.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from data_tools.pipeline.folder import FAILURES, FINISHED, SOURCES, JobFolder, ShardRecord
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.messages import one_line
from data_tools.pipeline.parts import Provenance, part_path, provenance_of, read_part
from data_tools.pipeline.plan import Plan
from data_tools.store import ShardWriter
from data_tools.store_manifest import MANIFEST, Shard, write_manifest_to

SOURCE_COLUMNS: Final = (
    *("id", "alignment", "alignment_bytes", "alignment_sha256"),
    *("structure", "structure_bytes", "structure_sha256", "chain", "notes"),
)
FAILURE_COLUMNS: Final = ("input", "error", "id")


class Assembler:
    """Writes the shards that have become complete, and at the end the rest; one example in memory at a time."""

    def __init__(self, folder: JobFolder, inputs: Sequence[Input]) -> None:
        self._folder = folder
        self._inputs = inputs
        self._shards: list[Shard] = []
        self._writer: ShardWriter | None = None
        self._begun: list[tuple[int, Provenance, bool]] = []
        self.num_labelled = 0
        self.next = 0
        """All inputs before this one are in shards, or failed."""
        for file in folder.record_files():
            record = folder.read_record(file)
            self._count(record)
            self.next = record.end

    @property
    def num_examples(self) -> int:
        """Examples in finished shards."""
        return sum(len(shard.ids) for shard in self._shards)

    def advance(self, settled: dict[int, bool]) -> None:
        """Take over the inputs from `next` on that are settled, and remove them from `settled`."""
        while self.next in settled:
            if settled.pop(self.next):
                self._add(self.next)
            self.next += 1

    def finish(self, plan: Plan) -> None:
        """Write the last shard, the tables and, last of all, the manifest; without any example, only the failures."""
        self._end_shard()
        folder = self._folder
        num_failed = self._write_failures()
        if not self._shards:
            return
        self._write_sources()
        counts = {
            "num_examples": self.num_examples,
            "num_labelled": self.num_labelled,
            "num_failed": num_failed,
        }
        with folder.published(FINISHED) as temporary:
            text = json.dumps({"plan": plan.to_json(), **counts}, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8")
        with folder.published(MANIFEST) as temporary:
            write_manifest_to(self._shards, temporary)

    def discard(self) -> None:
        """Drop the shard that is being written; its parts stay."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None

    def _add(self, index: int) -> None:
        table = read_part(part_path(self._folder.parts, index))
        if self._writer is None:
            self._writer = ShardWriter(self._folder.job, len(self._shards))
        self._writer.add(table)
        is_labelled = bool(table["has_distances"][0].as_py())
        self._begun.append((index, provenance_of(table.schema), is_labelled))
        if self._writer.is_full:
            self._end_shard()

    def _end_shard(self) -> None:
        if self._writer is None:
            return
        shard = self._writer.close()
        (self._folder.job / shard.file).replace(self._folder.store / shard.file)
        indices = [index for index, _, _ in self._begun]
        labelled = sum(is_labelled for _, _, is_labelled in self._begun)
        record = ShardRecord(shard, indices, labelled, [provenance for _, provenance, _ in self._begun])
        self._folder.write_record(record)
        self._writer, self._begun = None, []
        self._count(record)
        for index in indices:
            part_path(self._folder.parts, index).unlink()

    def _count(self, record: ShardRecord) -> None:
        self._shards.append(record.shard)
        self.num_labelled += record.num_labelled

    def _write_failures(self) -> int:
        num_failed = 0
        with self._folder.published(FAILURES) as temporary, temporary.open("w", encoding="utf-8") as opened:
            print(*FAILURE_COLUMNS, sep="\t", file=opened)
            for index, message in self._folder.failures():
                num_failed += 1
                one = self._inputs[index]
                print(one_line(one.alignment), one_line(message), one.id, sep="\t", file=opened)
        if num_failed == 0:
            (self._folder.store / FAILURES).unlink()
        return num_failed

    def _write_sources(self) -> None:
        with self._folder.published(SOURCES) as temporary, temporary.open("w", encoding="utf-8") as opened:
            print(*SOURCE_COLUMNS, sep="\t", file=opened)
            for file in self._folder.record_files():
                record = self._folder.read_record(file)
                for index, provenance in zip(record.indices, record.provenances, strict=True):
                    print(*_source_line(self._inputs[index], provenance), sep="\t", file=opened)


def _source_line(one: Input, provenance: Provenance) -> tuple[str | int, ...]:
    alignment, structure = provenance.alignment, provenance.structure
    labelled_by: tuple[str | int, ...] = ("", "", "")
    if structure is not None:
        labelled_by = (one_line(str(one.structure)), structure.size, structure.sha256)
    return (
        *(one.id, one_line(one.alignment), alignment.size, alignment.sha256),
        *(*labelled_by, one_line(provenance.chain) if provenance.chain else "", provenance.notes),
    )


def read_sources(file: Path) -> list[dict[str, str]]:
    """Lines of `sources.tsv`, in the order of the store."""
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))
