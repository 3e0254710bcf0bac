"""Failed inputs are given another chance without doing the others again (`reopen`, `forget_failures`, `close_gaps`).

Examples keep the order of the inputs, so the shards from the first failed input on are taken apart into parts, from
the last to the first: at any moment the records name a run of whole shards, and the parts the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.parquet as pq

from data_tools.errors import StoreError
from data_tools.pipeline.assembly import read_sources
from data_tools.pipeline.folder import FAILURES, FINISHED, SOURCES, JobFolder, ShardRecord
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.parts import Provenance, Source, failure_path, part_path, write_part
from data_tools.pipeline.plan import Plan
from data_tools.store_manifest import MANIFEST, read_manifest


def reopen(folder: JobFolder, inputs: Sequence[Input], plan: Plan) -> None:
    """Turn a finished store back into the unfinished job that it was just before its end."""
    index_of = {one.id: index for index, one in enumerate(inputs)}
    sources = iter(read_sources(folder.store / SOURCES))
    folder.make_folders()
    for shard in read_manifest(folder.store):
        shard.check_size(folder.store)
        indices, provenances = [], []
        for example_id, line in zip(shard.ids, sources, strict=False):
            if line["id"] != example_id or example_id not in index_of:
                raise StoreError(
                    f"{folder.store / SOURCES}: {line['id']!r} where the manifest has {example_id!r}; say --overwrite"
                )
            indices.append(index_of[example_id])
            provenances.append(_provenance(line))
        labelled = sum(one.structure is not None for one in provenances)
        folder.write_record(ShardRecord(shard, indices, labelled, provenances))
    folder.begin(plan)  # only now: a job without records of its shards would do them again
    for name in (MANIFEST, FINISHED, SOURCES, FAILURES):
        (folder.store / name).unlink(missing_ok=True)


def forget_failures(folder: JobFolder) -> None:
    """Make the failed inputs of an unfinished job open again; `close_gaps` comes next."""
    for path in folder.parts.glob("*.json"):
        path.unlink()


def close_gaps(folder: JobFolder) -> None:
    """Take apart the shards from the first on that has an open input before its end."""
    start = 0
    for number, file in enumerate(folder.record_files()):
        record = folder.read_record(file)
        left_out = set(range(start, record.end)).difference(record.indices)
        if not all(failure_path(folder.parts, index).exists() for index in left_out):
            _take_apart(folder, number)
            return
        start = record.end


def _take_apart(folder: JobFolder, first: int) -> None:
    """Turn the shards from `first` on into parts again, the last one first."""
    for file in reversed(folder.record_files()[first:]):
        record = folder.read_record(file)
        record.shard.check_digest(folder.store)
        shard = folder.store / record.shard.file
        with pq.ParquetFile(shard) as parquet:
            for row, index in enumerate(record.indices):
                table = parquet.read_row_group(row, use_threads=False)
                write_part(table, record.provenances[row], part_path(folder.parts, index))
        file.unlink()
        shard.unlink()


def _provenance(line: dict[str, str]) -> Provenance:
    """As `assembly` wrote it; times of files are not kept, so their content is compared where it matters."""
    structure = None
    if line["structure"]:
        structure = Source(int(line["structure_bytes"]), 0, line["structure_sha256"])
    alignment = Source(int(line["alignment_bytes"]), 0, line["alignment_sha256"])
    return Provenance(alignment, structure, line["chain"], line["notes"])
