"""What a run tells: JSON lines, the trackers that the configuration asks for, lines on stderr. One process does it."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from data_tools.atomic import atomic_path
from msaformer.config import Config
from msaformer.training.trackers import open_trackers

_log = logging.getLogger(__name__)


def say(line: str) -> None:
    """Print a line to stderr, above the progress bar if there is one; nothing with --quiet."""
    if _log.isEnabledFor(logging.WARNING):
        tqdm.write(line, file=sys.stderr)


class RunLog:
    """Append one line a record to `OUTPUT/log.jsonl`, and give the same numbers to the trackers.

    After a resume the records of steps that are about to be repeated are dropped, so that each step stands once.
    Raises ConfigError when a tracker's package is missing.
    """

    def __init__(self, config: Config, first_step: int) -> None:
        self._trackers = open_trackers(config, first_step)
        self.path = config.training.output / "log.jsonl"
        kept = _records_up_to(self.path, first_step)
        self.earlier: list[dict[str, Any]] = [json.loads(line) for line in kept]
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")
        self._start = time.monotonic()

    def write(self, kind: str, step: int, **values: float) -> None:
        """Log numbers of `kind` ("train" or "validation") after optimizer step `step` (from 1)."""
        numbers = {name: value if math.isfinite(value) else None for name, value in values.items()}
        seconds = round(time.monotonic() - self._start, 1)
        record = {"kind": kind, "step": step, "seconds": seconds, **numbers}
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
        shown = {f"{kind}/{name}": value for name, value in values.items()}
        for tracker in self._trackers:
            tracker.log(shown, step)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        for tracker in self._trackers:
            tracker.close(failed=error is not None)


def _records_up_to(path: Path, first_step: int) -> list[str]:
    if not path.exists():
        return []
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            is_kept = record["step"] <= first_step
        except (ValueError, KeyError, TypeError):  # a line cut by a crash
            continue
        if is_kept:
            kept.append(line)
    return kept
