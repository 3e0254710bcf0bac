"""The folder of a job: what lies in it, what may be done with it, and what a killed run left (`JobFolder`).

    STORE/shard-00000.parquet       finished shards
    STORE/.job/plan.json            there while the job is unfinished; see `data_tools.pipeline.plan`
    STORE/.job/parts/               see `data_tools.pipeline.parts`
    STORE/.job/shards/              a record for each finished shard, written after it; see `ShardRecord`
    STORE/.job/lock
    STORE/sources.tsv, failures.tsv, featurize.json, manifest.json    written at the end, in this order

Every step leaves a state from which the next run goes on: a part is removed only when the record of its shard is on
disk, and the plan goes first when `.job` is removed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from data_tools.atomic import atomic_path
from data_tools.errors import PipelineError, StoreError
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.parts import Provenance, failure_path, part_path, read_failure, read_part_provenance
from data_tools.pipeline.plan import Plan, read_plan
from data_tools.store_manifest import MANIFEST, SHARD_NAME, Shard

JOB: Final = ".job"
SOURCES: Final = "sources.tsv"
FAILURES: Final = "failures.tsv"
FINISHED: Final = "featurize.json"
_OWN_FILES: Final = (MANIFEST, SOURCES, FAILURES, FINISHED)


class Status(Enum):
    """What a folder holds, as seen by a plan; the value says it in words."""

    NEW = "nothing yet"
    UNFINISHED = "an unfinished job of these inputs"
    COMPLETE = "the finished store of these inputs"
    OTHER_JOB = "an unfinished job of other inputs or options"
    OTHER_STORE = "a finished store of other inputs or options"
    OTHER_FILES = "other files"


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A finished shard: what the manifest will say of it, and which inputs it holds."""

    shard: Shard
    indices: list[int]
    """Inputs of its rows."""
    num_labelled: int
    provenances: list[Provenance]

    @property
    def end(self) -> int:
        """All inputs before this one are in this shard or earlier ones, or failed."""
        return self.indices[-1] + 1

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ShardRecord:
        """The inverse of `dataclasses.asdict`."""
        provenances = [Provenance.from_json(one) for one in values["provenances"]]
        return cls(Shard(**values["shard"]), values["indices"], values["num_labelled"], provenances)


class JobFolder:
    """Paths and state of the job whose store is at `store`; whoever changes it holds the lock."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.job = store / JOB
        self.lock = self.job / "lock"
        self.plan = self.job / "plan.json"
        self.parts = self.job / "parts"
        self.records = self.job / "shards"

    def status(self, plan: Plan) -> Status:
        """What the folder holds; nothing is changed."""
        if not self.store.exists():
            return Status.NEW
        if not self.store.is_dir():
            raise StoreError(f"{self.store} is a file, not a folder; choose another place for the store")
        saved = read_plan(self.plan)
        if saved is not None:
            return Status.UNFINISHED if saved == plan.to_json() else Status.OTHER_JOB
        if (self.store / MANIFEST).exists():
            finished = read_plan(self.store / FINISHED) or {}
            return Status.COMPLETE if finished.get("plan") == plan.to_json() else Status.OTHER_STORE
        names = {path.name for path in self.store.iterdir()}
        return Status.OTHER_FILES if names - {JOB, FAILURES} else Status.NEW

    def refuse_unless_ours(self, plan: Plan, *, retry_failed: bool = False) -> None:
        """Raise StoreError or PipelineError when the folder holds what only `--overwrite` may remove."""
        status = self.status(plan)
        if status is Status.OTHER_JOB:
            plan.check_same(read_plan(self.plan) or {}, self.store)
        if status is Status.OTHER_FILES:
            raise StoreError(f"{self.store} is not empty; choose another folder, or say --overwrite")
        if status is Status.OTHER_STORE:
            what = "retried" if retry_failed else "touched"
            raise StoreError(
                f"{self.store} is not empty: it holds {status.value}, which is not {what}; choose another folder, "
                "or say --overwrite"
            )

    def begin(self, plan: Plan) -> None:
        """Make the job's folders and save its plan; whatever is finished of the same plan stays."""
        self.make_folders()
        plan.save(self.plan)
        sync(self.job)

    def make_folders(self) -> None:
        """Make what `begin` needs; without a plan it is no job yet."""
        for folder in (self.parts, self.records):
            folder.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Remove the store, the job and their tables, and nothing else; the manifest goes first."""
        for name in _OWN_FILES:
            (self.store / name).unlink(missing_ok=True)
        self.plan.unlink(missing_ok=True)
        for folder in (self.records, self.parts):
            shutil.rmtree(folder, ignore_errors=True)
        for path in self.store.iterdir():
            if SHARD_NAME.fullmatch(path.name):
                path.unlink()

    def remove_leftovers(self) -> None:
        """Remove what a killed run left half done: temporary files and shards without a record."""
        for folder in (self.job, self.parts, self.records):
            for path in folder.iterdir():
                if path.name.startswith(".") or SHARD_NAME.fullmatch(path.name) or path.name in _OWN_FILES:
                    path.unlink()
        num_records = len(self.record_files())
        for path in self.store.iterdir():
            if SHARD_NAME.fullmatch(path.name) and int(path.stem.removeprefix("shard-")) >= num_records:
                path.unlink()

    @contextmanager
    def published(self, name: str) -> Iterator[Path]:
        """Yield a file to be written that appears in the store as `name`, whole, when the block ends without error.

        Until then it lies in the job's folder, where no reader of the store's files meets it.
        """
        with atomic_path(self.job / name) as temporary:
            yield temporary
        (self.job / name).replace(self.store / name)

    def record_files(self) -> list[Path]:
        """Records of shards 0, 1, …, as far as they go."""
        files: list[Path] = []
        while (file := self.records / f"shard-{len(files):05d}.json").exists():
            files.append(file)
        return files

    def read_record(self, file: Path) -> ShardRecord:
        """Read one record; raises PipelineError when it is damaged."""
        try:
            return ShardRecord.from_json(json.loads(file.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(f"{file}: damaged ({error}); say --overwrite to begin again") from error

    def write_record(self, record: ShardRecord) -> None:
        """Write the record of a shard that is in place, so that its parts are not needed any more."""
        sync(self.store)
        with atomic_path(self.records / f"{Path(record.shard.file).stem}.json") as temporary:
            temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
        sync(self.records)

    def settled(self, inputs: Sequence[Input], start: int) -> dict[int, bool]:
        """Inputs from `start` on that need no work: True for a part, False for a failure.

        Parts of inputs whose files have changed since, and damaged ones, are removed.
        """
        found: dict[int, bool] = {}
        for path in sorted(self.parts.iterdir()):
            index = int(path.stem)
            is_part = path.suffix == ".arrow"
            if index < start:
                if is_part:
                    path.unlink()  # its shard is recorded
            elif _is_current(path, is_part, inputs[index]):
                found[index] = is_part
            else:
                path.unlink()
        return found

    def failures(self) -> Iterator[tuple[int, str]]:
        """Index and message of each failed input, in their order."""
        for path in sorted(self.parts.glob("*.json")):
            yield int(path.stem), read_failure(path)[0]

    def has_part(self, index: int) -> bool:
        """Has this input been settled on disk?"""
        return part_path(self.parts, index).exists() or failure_path(self.parts, index).exists()

    def remove(self) -> None:
        """Remove the job, its plan first: without it nobody takes the rest for a job."""
        self.plan.unlink(missing_ok=True)
        sync(self.job)
        shutil.rmtree(self.job, ignore_errors=True)


def sync(folder: Path) -> None:
    """Have the names in a folder reach the disk before what comes next."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_current(path: Path, is_part: bool, one: Input) -> bool:
    try:
        provenance = read_part_provenance(path) if is_part else read_failure(path)[1]
    except (PipelineError, ValueError, KeyError, TypeError):
        return False  # cut short by a crash of the machine: made again
    return provenance.is_current(one)
