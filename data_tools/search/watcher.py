"""Ends the programs that were running when this Python was killed outright (SIGKILL, out of memory).

Nothing in a killed process can clean up, so a small process of its own does: it is started with the first program,
is told on its standard input which process groups run (`+123`) and which are done (`-123`), and when that input ends,
kills those still running and exits. It costs one Python of about 10 MB, and no time of the caller's.

The lower half of the file is what that process runs; it needs nothing but the standard library.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

STOPPED_S: Final = 5.0  # it has nothing left to do then


class Watcher:
    """The process that is told about running groups; started when first needed, one for each Python process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def watching(self, group: int) -> Iterator[None]:
        """Have `group` killed if this Python dies within the block."""
        self._tell(f"+{group}\n")
        try:
            yield
        finally:
            self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    bufsize=0,
                    start_new_session=True,
                )
            if self._process.stdin is not None:
                with suppress(BrokenPipeError):  # somebody killed it: then nothing more can be promised
                    self._process.stdin.write(line.encode())

    def close(self) -> None:
        """Let the process end; the next program starts another."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOPPED_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def forget(self) -> None:
        """In a forked child: the process is the parent's, and must see only the parent's end of the pipe."""
        process, self._process = self._process, None
        self._lock = threading.Lock()
        if process is not None:
            process.returncode = 0  # not ours to wait for
            if process.stdin is not None:
                process.stdin.close()


WATCHER: Final = Watcher()
atexit.register(WATCHER.close)
os.register_at_fork(after_in_child=WATCHER.forget)


def kill_when_input_ends(lines: Iterable[str]) -> None:
    """Follow `+group` and `-group` lines to their end, then kill the groups that were not taken off."""
    running: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line[0] == "+":
            running.add(group)
        else:
            running.discard(group)
    for group in running:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    kill_when_input_ends(sys.stdin)
