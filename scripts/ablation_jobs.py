"""Several commands at a time, each job's one after another, for `ablate.py`; a signal lets all of them save and end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from data_tools.stop_signals import stop_signals

_POLL_S: Final = 0.2


@dataclass(slots=True)
class Job:
    """What is still to be run of one thing."""

    name: str
    commands: list[list[str]]
    log: Path
    """Receives all that the commands say."""
    after: str | None = None
    """The job that must be done before."""
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start_next(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.commands.pop(0),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches it through this process, once
            )

    @property
    def exit_code(self) -> int | None:
        """Of the command that runs; None while it does."""
        assert self.process is not None
        return self.process.poll()


class Schedule:
    """Jobs that wait, run, are done or have failed."""

    def __init__(self, jobs: Iterable[Job], at_a_time: int) -> None:
        """`jobs` without commands are done already."""
        self._waiting = [job for job in jobs if job.commands]
        self._unfinished = {job.name for job in self._waiting}
        self._at_a_time = at_a_time
        self._running: list[Job] = []
        self.failed: list[str] = []

    def run(self) -> int:
        """Run all, or until SIGINT or SIGTERM, whose number is returned, after all that ran have ended; else 0."""
        with stop_signals() as received:
            while not received and self._start_what_can():
                self._settle(self._ended(received), is_stopped=bool(received))
            while self._running:
                self._settle(self._ended(received), is_stopped=True)
        if not received:
            for job in self._waiting:
                self._fail(job, f"left out, as {job.after} failed")
        return received[0] if received else 0

    def _start_what_can(self) -> bool:
        """Start jobs while there is room; return whether any runs."""
        for job in list(self._waiting):
            if len(self._running) < self._at_a_time and job.after not in self._unfinished:
                self._waiting.remove(job)
                job.start_next()
                self._running.append(job)
        return bool(self._running)

    def _ended(self, received: Sequence[int]) -> list[Job]:
        """Wait until a command ends; once a signal has come, ask all to end."""
        is_asked = False
        while all(job.exit_code is None for job in self._running):
            if received and not is_asked:
                is_asked = True
                for job in self._running:
                    assert job.process is not None
                    job.process.terminate()
            time.sleep(_POLL_S)
        return [job for job in self._running if job.exit_code is not None]

    def _settle(self, ended: Iterable[Job], *, is_stopped: bool) -> None:
        for job in ended:
            if job.exit_code == 0 and job.commands and not is_stopped:
                job.start_next()
                continue
            self._running.remove(job)
            if job.exit_code == 0 and not job.commands:
                self._unfinished.discard(job.name)
                print(f"{job.name}: done", file=sys.stderr)
            elif not is_stopped:
                self._fail(job, f"failed, see {job.log}")

    def _fail(self, job: Job, why: str) -> None:
        self.failed.append(job.name)
        print(f"{job.name}: {why}", file=sys.stderr)
