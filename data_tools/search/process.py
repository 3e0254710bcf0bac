"""Run one outside program to its end, whatever happens (`run`).

No shell; a list of arguments; standard input closed; a process group of its own, ended as a whole (SIGTERM, then
SIGKILL) on a time-out, an interrupt or any exception, and always reaped; its lines read while it runs, in bounded
memory. One thread does it all: the caller's, so `on_line` runs there, and what `on_line` raises ends the program.

Memory is limited by looking at what the group holds a few times a second, not by an address-space limit: search
programs map databases far larger than the memory, and those pages do not count. A jump between two looks can pass.
"""

from __future__ import annotations

import math
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

from data_tools.errors import ToolError, ToolFailedError, ToolNotFoundError
from data_tools.search.failures import raise_failure
from data_tools.search.output_lines import OutputLines
from data_tools.search.process_group import POLL_S, ProcessGroup
from data_tools.search.watcher import WATCHER

GRACE_S: Final = 2.0  # between SIGTERM and SIGKILL: a program may remove its temporary files
LOOK_S: Final = 0.2  # how often a running program's memory, and `stop_all`, are looked at
MAX_STDOUT_BYTES: Final = 16 * 2**20  # kept in memory; larger results belong in a file
_CHUNK: Final = 2**16  # what a pipe holds on Linux
_GIB: Final = 2**30

End = Literal["exited", "time", "memory", "stopped"]


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What became of a program that ended by itself."""

    argv: tuple[str, ...]
    """The exact list of arguments."""
    returncode: int
    """Exit code; −n after signal n."""
    wall_s: float
    """Seconds from start to end."""
    stdout: bytes
    """What it wrote on standard output, at most `MAX_STDOUT_BYTES`; empty when that went to a file."""
    stdout_truncated: bool
    """Whether it wrote more than that."""
    stderr_tail: tuple[str, ...]
    """Last lines of stderr, or of stdout when there were none."""
    warnings: tuple[str, ...]
    """Each distinct line with the word WARNING."""
    peak_memory_bytes: int
    """The most memory that was seen; a lower bound for programs of less than a second."""


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout_s: float | None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    stdout_path: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    max_memory_gb: float | None = None,
    check: bool = True,
) -> ProcessResult:
    """Run a program to its end; `env` is added to this process's environment, with `LC_ALL=C`.

    With `check=False` an exit code other than 0 is returned, a crash too. Raises ToolNotFoundError, ToolTimeoutError,
    ToolCrashedError (a signal) and ToolFailedError (its exit code, or more than `max_memory_gb` GiB), each with the
    command and its last lines; ToolError for arguments that cannot be passed, and when `stop_all` was called.
    """
    command = tuple(os.fspath(word) for word in argv)
    _check_arguments(command, timeout_s, max_memory_gb)
    lines = OutputLines(on_line)
    begun = time.monotonic()
    deadline = math.inf if timeout_s is None else begun + timeout_s
    with _standard_output(stdout_path) as output:
        process = _start(
            command, cwd, {**os.environ, "LC_ALL": "C", **(env or {})}, stdin is not None, output
        )
        group, talk = ProcessGroup(process), _Conversation(process, lines)
        try:
            with WATCHER.watching(group.pid):
                try:
                    talk.begin(stdin, group.pidfd)
                    end = _follow(group, talk, deadline, max_memory_gb)
                    if end != "exited":
                        lines.mute()
                        group.end(GRACE_S)
                except BaseException:
                    lines.mute()
                    group.end(GRACE_S)
                    raise
        finally:
            returncode = group.close()
            talk.close()
    wall_s = time.monotonic() - begun
    if returncode is None or end != "exited" or (check and returncode != 0):
        limit = max_memory_gb if end == "memory" else timeout_s
        raise_failure(command, returncode, lines.tail, end=end, limit=limit, wall_s=wall_s)
    return ProcessResult(
        argv=command,
        returncode=returncode,
        wall_s=wall_s,
        stdout=bytes(talk.stdout),
        stdout_truncated=talk.stdout_truncated,
        stderr_tail=lines.tail,
        warnings=lines.warnings,
        peak_memory_bytes=group.peak_memory_bytes,
    )


def stop_all() -> None:
    """End every program that is running now, in whichever thread: their `run` raises ToolError there.

    For the thread that got Ctrl-C while others wait for programs.
    """
    _StopRequests.count += 1


class _StopRequests:
    count = 0


def _check_arguments(command: tuple[str, ...], timeout_s: float | None, max_memory_gb: float | None) -> None:
    if not command or not command[0]:
        raise ToolError("no program to run: the list of arguments is empty")
    for position, word in enumerate(command):
        if not isinstance(word, str) or "\0" in word:
            raise ToolError(f"{command[0]}: argument {position} cannot be passed to a program: {word!r}")
    for name, value in (("timeout_s", timeout_s), ("max_memory_gb", max_memory_gb)):
        if value is not None and not (0 < value < math.inf):
            raise ValueError(f"{name} must be a positive number or None, not {value}")


@contextmanager
def _standard_output(path: Path | None) -> Iterator[int | IO[bytes]]:
    if path is None:
        yield subprocess.PIPE
    else:
        try:
            file = path.open("wb")
        except OSError as error:
            raise ToolError(f"{path}: standard output cannot be written there: {error.strerror}") from error
        with file:
            yield file


def _start(
    command: tuple[str, ...],
    cwd: Path | None,
    env: Mapping[str, str],
    writes_stdin: bool,
    output: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if writes_stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=env,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        if cwd is not None and not Path(cwd).is_dir():
            raise ToolError(
                f"{cwd}: the folder to run {command[0]} in does not exist", command=command
            ) from error
        if isinstance(error, FileNotFoundError | PermissionError) or error.strerror == "Exec format error":
            raise ToolNotFoundError(
                f"{command[0]} cannot be started: {error.strerror}; is it installed, executable, and for this machine?",
                command=command,
            ) from error
        raise ToolFailedError(f"{command[0]} cannot be started: {error.strerror}", command=command) from error


def _follow(group: ProcessGroup, talk: _Conversation, deadline: float, max_memory_gb: float | None) -> End:
    """Read what the program writes until it has exited or has to be ended."""
    stop_requests = _StopRequests.count
    next_look = time.monotonic()
    while not group.has_exited():
        now = time.monotonic()
        if now >= deadline:
            return "time"
        if _StopRequests.count != stop_requests:
            return "stopped"
        if now >= next_look:
            held = group.sample_memory(whole_group=max_memory_gb is not None)
            if max_memory_gb is not None and held > max_memory_gb * _GIB:
                return "memory"
            next_look = time.monotonic() + LOOK_S
        wake = min(deadline, next_look if group.pidfd is not None else now + POLL_S)
        talk.exchange(max(0.0, wake - now))
    return "exited"


class _Conversation:
    """The pipes of a running program."""

    def __init__(self, process: subprocess.Popen[bytes], lines: OutputLines) -> None:
        self.stdout = bytearray()
        self.stdout_truncated = False
        self._lines = lines
        self._to_write = memoryview(b"")
        self._selector: selectors.BaseSelector | None = None
        self._pipes = {
            name: pipe
            for name, pipe in (
                ("stdin", process.stdin),
                ("stdout", process.stdout),
                ("stderr", process.stderr),
            )
            if pipe is not None
        }

    def begin(self, stdin: bytes | None, pidfd: int | None) -> None:
        """Be ready to read, to write `stdin`, and to wake when the process exits."""
        self._to_write = memoryview(stdin or b"")
        self._selector = selectors.DefaultSelector()
        for name, pipe in self._pipes.items():
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(
                pipe, selectors.EVENT_WRITE if name == "stdin" else selectors.EVENT_READ, name
            )
        if pidfd is not None:
            self._selector.register(pidfd, selectors.EVENT_READ, "exit")

    def exchange(self, seconds: float) -> None:
        """Wait at most `seconds` for something to read or write, and do it."""
        assert self._selector is not None
        for key, _ in self._selector.select(seconds):
            if key.data == "stdin":
                self._write()
            elif key.data != "exit":
                self._read(key.data)

    def close(self) -> None:
        """Read what still stands in the pipes, and close them; whoever holds the other end is not waited for."""
        try:
            for name in ("stdout", "stderr"):
                for _ in range(2**20 // _CHUNK):  # the most that a pipe holds
                    if name not in self._pipes or not self._read(name):
                        break
                self._lines.feed(name, b"")
        finally:
            if self._selector is not None:
                self._selector.close()
            for pipe in self._pipes.values():
                pipe.close()

    def _read(self, name: str) -> bool:
        """Whether there was something, the end included."""
        chunk = self._pipes[name].read(_CHUNK)
        if chunk is None:
            return False
        if not chunk:
            self._drop(name)
            return True
        if name == "stdout":
            space = MAX_STDOUT_BYTES - len(self.stdout)
            self.stdout += chunk[:space]
            self.stdout_truncated |= len(chunk) > space
        self._lines.feed(name, chunk)
        return True

    def _write(self) -> None:
        try:
            written = os.write(self._pipes["stdin"].fileno(), self._to_write[:_CHUNK])
        except BrokenPipeError:  # it does not want to read on; its exit code tells whether that is a failure
            self._drop("stdin")
            return
        self._to_write = self._to_write[written:]
        if not self._to_write:
            self._drop("stdin")

    def _drop(self, name: str) -> None:
        pipe = self._pipes.pop(name)
        if self._selector is not None:
            self._selector.unregister(pipe)
        pipe.close()
