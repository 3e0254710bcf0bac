"""Runs commands on a real pseudo-terminal, and reads what is seen there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
SWITCHES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "COLUMNS", "LINES")


class Screen:
    """What was written to the terminal."""

    def __init__(self) -> None:
        self.raw = ""

    @property
    def text(self) -> str:
        """Without escape codes; what was drawn over is in it still."""
        return ESCAPE.sub("", self.raw).replace("\r\n", "\n")

    @property
    def lines(self) -> list[str]:
        """What is seen in the end: a carriage return goes back, ESC [ K erases to the end of the line."""
        seen = [""]
        column = 0
        for part in re.split(r"(\x1b\[[0-9;]*[A-Za-z]|\r\n|\r|\n)", self.raw):
            if part == "\r\n" or part == "\n":
                seen.append("")
                column = 0
            elif part == "\r":
                column = 0
            elif part == "\x1b[K":
                seen[-1] = seen[-1][:column]
            elif not part.startswith("\x1b"):
                seen[-1] = seen[-1][:column] + part + seen[-1][column + len(part) :]
                column += len(part)
        return seen


@contextmanager
def opened(columns: int, lines: int, screen: Screen) -> Iterator[int]:
    """The descriptor of a terminal of this size, read until it is closed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    chunks: list[bytes] = []

    def read() -> None:
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            chunks.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield slave
    finally:
        os.close(slave)
        reader.join(timeout=30)
        os.close(master)
        screen.raw = b"".join(chunks).decode("utf-8", "surrogateescape")


def set_environment(setenv: Callable[[str, str], None], environment: dict[str, str]) -> None:
    for name, value in ({"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment).items():
        setenv(name, value)


@contextmanager
def pseudo_terminal(
    monkeypatch: pytest.MonkeyPatch,
    *,
    columns: int = 80,
    lines: int = 24,
    encoding: str = "utf-8",
    with_stdout: bool = True,
    **environment: str,
) -> Iterator[Screen]:
    """Make stdout and stderr of this process a terminal; `Screen` is filled at the end."""
    screen = Screen()
    with monkeypatch.context() as patch, opened(columns, lines, screen) as slave:
        for name in SWITCHES:
            patch.delenv(name, raising=False)
        set_environment(patch.setenv, environment)
        with open(slave, "w", encoding=encoding, closefd=False) as stream:
            patch.setattr(sys, "stderr", stream)
            if with_stdout:
                patch.setattr(sys, "stdout", stream)
            yield screen
