"""What is made to go wrong in a training process, before it starts (`forked_ranks.start`)."""

from __future__ import annotations

import math
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from msaformer.training import checkpoint, run_state, stopping
from msaformer.training.ema import WeightAverage

FILE_CALLS: Final = ("mkdir", "open", "fsync", "rename", "rmdir", "replace", "unlink")
"""Of `os`: what a save does to the disk, beside the tensors, which safetensors writes itself."""


def after_step(step: int, action: Callable[[float], None]) -> None:
    """Do something at the end of optimizer step `step` (from 1); `action` is told how long the step took, in s."""
    plain = WeightAverage.update
    before = time.monotonic()

    def update(self: WeightAverage, parameters: Mapping[str, Tensor], done: int) -> None:
        nonlocal before
        plain(self, parameters, done)
        if done + 1 == step:
            action(time.monotonic() - before)
        before = time.monotonic()

    WeightAverage.update = update  # type: ignore[method-assign]


def signal_at(step: int, number: int) -> None:
    """Send this process alone a signal at the end of optimizer step `step`."""
    after_step(step, lambda lasted: os.kill(os.getpid(), number))


def time_is_up_at(step: int) -> None:
    """Let this process alone find at the end of optimizer step `step` that its time is up."""
    after_step(step, lambda lasted: setattr(stopping, "monotonic", lambda: math.inf))


def kill_within(step: int, share: float) -> None:
    """SIGKILL in the midst of whatever goes on when `share` of a step's time has passed since the end of `step`."""
    after_step(step, lambda lasted: threading.Timer(share * lasted, _kill).start())


def kill_in_save(step: int, call: int) -> None:
    """SIGKILL before the file call number `call` (from 0) of the save after `step`, at the latest at its end.

    Call -1 is amid the writing of the tensors.
    """
    plain, write_tensors, write_weights = (
        run_state.save_checkpoint,
        checkpoint.save_file,
        run_state.write_weights,
    )

    def half(tensors: dict[str, Tensor], path: Path) -> None:
        write_tensors(tensors, path)
        os.truncate(path, path.stat().st_size // 2)
        _kill()

    def save_checkpoint(state: checkpoint.Checkpoint, *arguments: Any) -> Path:
        if state.step == step:
            if call < 0:
                checkpoint.save_file = half
            _kill_at(call)
            run_state.write_weights = write_weights_and_end
        return plain(state, *arguments)

    def write_weights_and_end(*arguments: Any) -> None:
        write_weights(*arguments)
        _kill()

    run_state.save_checkpoint = save_checkpoint


def limit_file_size(step: int, size: int) -> None:
    """No file may grow beyond `size` bytes after optimizer step `step`, as on a full disk."""

    def limit(lasted: float) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    after_step(step, limit)


def _kill_at(call: int) -> None:
    """From now on, count the calls of the file system and SIGKILL this process before number `call`."""
    done = 0

    def counted(plain: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            if done == call:
                _kill()
            done += 1
            return plain(*arguments, **named)

        return step

    for name in FILE_CALLS:
        setattr(os, name, counted(getattr(os, name)))


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
