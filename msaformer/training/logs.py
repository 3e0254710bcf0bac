"""The log of a run: JSON lines and TensorBoard, both to be plotted while it runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

from data_tools.atomic import atomic_path


class RunLog:
    """Append one line a record to `OUTPUT/log.jsonl` and the same numbers to `OUTPUT/tensorboard`.

    After a resume the records of steps that are about to be repeated are dropped, so that each step stands once.
    """

    def __init__(self, output: Path, first_step: int) -> None:
        self.path = output / "log.jsonl"
        kept = _records_up_to(self.path, first_step)
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(output / "tensorboard"), purge_step=first_step + 1)
        self._start = time.monotonic()

    def write(self, kind: str, step: int, **values: float) -> None:
        """Log numbers of `kind` ("train" or "validation") after optimizer step `step` (from 1)."""
        record = {"kind": kind, "step": step, "seconds": round(time.monotonic() - self._start, 1), **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()


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
