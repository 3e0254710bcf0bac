"""Read the log of a training run, `log.jsonl`, also while the run is writing it (no torch).

A record has `kind` ("train" or "validation"), `step` (from 1), and numbers by name; null stands for a number that was
not finite.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msaformer.errors import LogError

KINDS: Final = ("train", "validation")
Record = Mapping[str, Any]


def read_training_log(path: str | Path) -> list[Record]:
    """Return the records in their order; a last line without its end is left out, as a running job writes it.

    Raises LogError naming the line that is no record, and when there is none at all.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise LogError(f"{path}: cannot be read ({error.strerror}); give the log.jsonl of a run") from error
    lines = content.split(b"\n")
    records = [
        _record(line, f"{path}:{number}") for number, line in enumerate(lines[:-1], start=1) if line.strip()
    ]
    if lines[-1].strip():
        with contextlib.suppress(LogError):  # cut short while it is written
            records.append(_record(lines[-1], str(path)))
    if not records:
        raise LogError(f"{path}: holds no record yet; is it the log.jsonl of a run?")
    return records


def series(records: Iterable[Record], kind: str, name: str) -> tuple[list[int], list[float]]:
    """Steps and values of the number `name` in the records of `kind`; NaN where a record has null."""
    found = [record for record in records if record["kind"] == kind and name in record]
    values = [math.nan if record[name] is None else float(record[name]) for record in found]
    return [int(record["step"]) for record in found], values


def _record(line: bytes, place: str) -> Record:
    try:
        record = json.loads(line)
    except ValueError as error:  # also of bytes that are no UTF-8
        raise LogError(f"{place}: not a line of JSON; give the log.jsonl of a run") from error
    is_record = (
        isinstance(record, dict)
        and record.get("kind") in KINDS
        and isinstance(record.get("step"), int)
        and all(
            value is None or isinstance(value, int | float) for key, value in record.items() if key != "kind"
        )
    )
    if not is_record:
        raise LogError(f"{place}: not a record with kind, step and numbers; give the log.jsonl of a run")
    return record
