"""A program that was started in a process group of its own: wait for it, measure it, end it with all it started.

The group, not the process, is what is ended: programs start others (mmseqs runs shell scripts, wrappers run the real
program), and those would live on. The order at the end is: the first process has exited but is not reaped, so that its
id, which is the group's, belongs to nobody else; the rest of the group is killed; then it is reaped. A process that
moves to a session of its own escapes; none of the programs of this package does so.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

POLL_S: Final = 0.01  # where the system cannot tell that a process exited (no pidfd)
KILLED_S: Final = (
    5.0  # a killed process is gone at once, unless the kernel itself hangs (a dead network disk)
)
_PROC: Final = Path("/proc")
_RSS_KEYS: Final = (
    "RssAnon:",
    "RssShmem:",
)  # what a program holds; pages of mapped database files can be dropped
_LINUX: Final = sys.platform == "linux"


class ProcessGroup:
    """The group of a process started with `start_new_session=True`; not thread-safe, one owner."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self.pidfd = _open_pidfd(process.pid)
        """Readable once the process has exited; None where the system has no such thing."""
        self._process = process
        self._sampled_peak = 0

    def has_exited(self) -> bool:
        """Whether the first process has ended; it is not reaped by asking."""
        if self._process.returncode is not None:
            return True
        if _LINUX:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._process.poll() is not None

    def wait(self, seconds: float) -> bool:
        """Wait for the first process to exit; whether it has."""
        deadline = time.monotonic() + seconds
        while not self.has_exited():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self.pidfd is not None:
                poll = select.poll()  # select.select takes no descriptor above 1,023
                poll.register(self.pidfd, select.POLLIN)
                poll.poll(left * 1000)
            else:
                time.sleep(min(POLL_S, left))
        return True

    def end(self, grace_s: float) -> None:
        """Ask all to end, wait `grace_s` for the first process, then kill all that are left."""
        try:
            self._signal(signal.SIGTERM)
            self.wait(grace_s)
        finally:  # a second Ctrl-C does not wait
            self._signal(signal.SIGKILL)
            self.wait(KILLED_S)

    def close(self) -> int | None:
        """Kill what is left of the group and reap the first process: its exit code, −n after signal n.

        None when even a killed process does not go, which the kernel alone can cause.
        """
        self._signal(signal.SIGKILL)
        gone = self.wait(KILLED_S)
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
        if gone and self._process.returncode is None:
            _, status, usage = os.wait4(self.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._note_peak(usage.ru_maxrss * (1024 if _LINUX else 1))
        if gone:
            _wait_until_empty(self.pid)
        return self._process.returncode

    def sample_memory(self, *, whole_group: bool) -> int:
        """Bytes that the first process, or the whole group, holds now, mapped files not counted; 0 if unknown."""
        if not _LINUX:
            return 0
        held = sum(_held_bytes(pid) for pid in (_members(self.pid) if whole_group else [self.pid]))
        self._sampled_peak = max(self._sampled_peak, held)
        return held

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory seen: the kernel's figure where it is the program's own, else the largest sample."""
        return self._sampled_peak

    def _note_peak(self, kernel_peak: int) -> None:
        # Linux hands the size of the process that started a program on to the program, so a figure is the program's
        # own only above that size.
        import resource

        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if _LINUX else 1)
        if kernel_peak > own:
            self._sampled_peak = max(self._sampled_peak, kernel_peak)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:  # once reaped, the number may be another group's
            with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
                os.killpg(self.pid, number)


def _open_pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox that forbids it
        return None


def _wait_until_empty(group: int) -> None:
    """Give what was killed a moment to be gone, so that nothing writes any more when the caller goes on."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        if _LINUX and not _members(group):
            return
        time.sleep(POLL_S)


def _members(group: int) -> list[int]:
    """Ids of the living processes of a group."""
    found = []
    for entry in os.listdir(_PROC):
        if not entry.isdigit():
            continue
        try:
            text = (_PROC / entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended meanwhile
            continue
        state, _, process_group = text.rpartition(")")[2].split()[:3]
        if int(process_group) == group and state not in "ZX":
            found.append(int(entry))
    return found


def _held_bytes(pid: int) -> int:
    try:
        text = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(_RSS_KEYS))
