"""What a job is to do, as one digest: an unfinished job goes on only with the same inputs and options (`Plan`)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from data_tools.atomic import atomic_path
from data_tools.errors import PipelineError
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.task import Options
from data_tools.store_manifest import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides what the store will hold, but for the content of the files."""

    program: str
    """Name and version of what makes the examples."""
    schema_version: int
    options: Options
    num_inputs: int
    inputs_sha256: str
    """Of ids, absolute paths and chains, in order."""

    @classmethod
    def of(cls, inputs: Sequence[Input], options: Options, program: str) -> Plan:
        """The plan to featurize `inputs`."""
        digest = hashlib.sha256()
        for one in inputs:
            digest.update(json.dumps(astuple(absolute(one))).encode() + b"\n")
        return cls(program, SCHEMA_VERSION, options, len(inputs), digest.hexdigest())

    def to_json(self) -> dict[str, Any]:
        """As `json` writes it."""
        return asdict(self)

    def save(self, file: Path) -> None:
        """Write the plan, atomically."""
        with atomic_path(file) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")

    def check_same(self, saved: dict[str, Any], folder: Path) -> None:
        """Raise PipelineError, saying what differs, when a job was begun in `folder` by another plan."""
        own = self.to_json()
        for name in ("program", "schema_version", "options", "num_inputs", "inputs_sha256"):
            if saved.get(name) != own[name]:
                what = (
                    "other inputs"
                    if name == "inputs_sha256"
                    else f"{name} {saved.get(name)}, now {own[name]}"
                )
                raise PipelineError(
                    f"{folder} holds an unfinished job with {what}; run that one again to finish it, or say --overwrite"
                )


def read_plan(file: Path) -> dict[str, Any] | None:
    """What `Plan.save` wrote; None when there is no such file. Raises PipelineError when it is damaged."""
    try:
        saved = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise PipelineError(f"{file}: damaged ({error}); say --overwrite to begin again") from error
    if not isinstance(saved, dict):
        raise PipelineError(f"{file}: damaged; say --overwrite to begin again")
    return saved


def absolute(one: Input) -> Input:
    """The input with paths that hold on any machine that sees the files."""
    structure = None if one.structure is None else os.path.abspath(one.structure)
    return Input(one.id, os.path.abspath(one.alignment), structure, one.chain)
