"""What is made to go wrong in a training process, before it starts (`forked_ranks.start`)."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from msaformer.training import checkpoint, run_state
from msaformer.training.ema import WeightAverage

FILE_CALLS: Final = ("mkdir", "open", "fsync", "rename", "rmdir", "replace", "unlink")
"""Of `os`: what a save does to the disk, beside the tensors, which safetensors writes itself."""


def signal_at(step: int, number: int) -> None:
    """Send this process alone a signal at the end of optimizer step `step` (from 1)."""
    plain = WeightAverage.update

    def update(self: WeightAverage, parameters: Mapping[str, Tensor], done: int) -> None:
        plain(self, parameters, done)
        if done + 1 == step:
            os.kill(os.getpid(), number)

    WeightAverage.update = update  # type: ignore[method-assign]


def kill_in_save(step: int, call: int) -> None:
    """SIGKILL before the file call number `call` (from 0) of the save after `step`, or when that save is done.

    Call -1 is amid the writing of the tensors.
    """
    plain = run_state.save_checkpoint
    write_tensors = checkpoint.save_file
    weights = run_state.write_weights

    def half(tensors: dict[str, Tensor], path: Path) -> None:
        write_tensors(tensors, path)
        os.truncate(path, path.stat().st_size // 2)
        _kill()

    def save_checkpoint(state: checkpoint.Checkpoint, *arguments: Any) -> Path:
        if state.step == step:
            if call < 0:
                checkpoint.save_file = half  # type: ignore[assignment]
            _count_calls(call)
        return plain(state, *arguments)

    def write_weights(*arguments: Any) -> None:
        weights(*arguments)
        if len(arguments) and _counted:
            _kill()

    run_state.save_checkpoint = save_checkpoint
    run_state.write_weights = write_weights


def limit_file_size(step: int, size: int) -> None:
    """No file may grow beyond `size` bytes after optimizer step `step`, as on a full disk."""
    plain = WeightAverage.update

    def update(self: WeightAverage, parameters: Mapping[str, Tensor], done: int) -> None:
        plain(self, parameters, done)
        if done + 1 == step:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    WeightAverage.update = update  # type: ignore[method-assign]


_counted: list[str] = []


def _count_calls(kill_at: int) -> None:
    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if len(_counted) == kill_at:
                _kill()
            _counted.append(name)
            return call(*arguments, **named)

        return step

    for name in FILE_CALLS:
        setattr(os, name, counted(name, getattr(os, name)))


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
