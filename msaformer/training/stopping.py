"""Why a run stops before its last step: a signal has come, or the time for this piece of it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from msaformer.config import TrainingConfig

TIME_IS_UP: Final = 1
"""Stands where a signal's number may: all ranks obey the largest, and SIGINT and SIGTERM have larger ones."""


class Interrupted(Exception):  # noqa: N818 - not an error: the run was asked to stop, and has saved
    """The run stopped before its last step, after writing a checkpoint.

    `exit_code`: 0 when the time was up, as was agreed, else that of the signal.
    """

    def __init__(self, number: int, step: int, training: TrainingConfig) -> None:
        if number == TIME_IS_UP:
            done = f"step {step} of {training.steps}, as training.max_minutes={training.max_minutes:g} asks"
        else:
            done = f"step {step}"
        super().__init__(f"stopped after {done}; --resume goes on from there")
        self.exit_code = 0 if number == TIME_IS_UP else 128 + number


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Whether this process asks all ranks to stop; called at any time."""

    signals: Sequence[int]
    """Numbers of the signals received; grows."""
    until: float
    """When the time is up, by `time.monotonic`."""

    def __call__(self) -> int:
        """The number of the first signal, else TIME_IS_UP or 0."""
        if self.signals:
            return self.signals[0]
        return TIME_IS_UP if monotonic() >= self.until else 0
