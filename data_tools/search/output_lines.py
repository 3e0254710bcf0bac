"""The lines that a program writes while it runs: the last ones and the warnings, in bounded memory (`OutputLines`)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

TAIL_LINES: Final = 50  # enough for the message of any of our programs, little enough for an error to carry
MAX_LINE_BYTES: Final = 2_000  # of a longer line only the beginning is kept
MAX_WARNINGS: Final = 200  # a program can warn once a database entry

_LINE_END: Final = re.compile(rb"[\r\n]")  # progress bars return the carriage without a new line
_WARNING: Final = re.compile(rb"\bWARNING\b", re.IGNORECASE)
_UNPRINTABLE: Final = {code: f"\\x{code:02x}" for code in (*range(9), *range(10, 32), *range(0x7F, 0xA0))}


class OutputLines:
    """Cuts one or two streams of bytes into lines; keeps the last `TAIL_LINES` and the distinct warnings."""

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self._on_line = on_line
        self._tails: dict[str, deque[bytes]] = {}
        self._warnings: dict[bytes, None] = {}
        self._unfinished: dict[str, bytes] = {}

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines of stderr; of stdout where a program, as HMMER's do, writes its errors there."""
        lines = self._tails.get("stderr") or self._tails.get("stdout") or ()
        return tuple(printable(line) for line in lines)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each distinct line with the word WARNING, at most `MAX_WARNINGS`."""
        return tuple(printable(line) for line in self._warnings)

    def mute(self) -> None:
        """Call `on_line` no more: the program is being ended, and nothing shall raise in between."""
        self._on_line = None

    def feed(self, stream: str, chunk: bytes) -> None:
        """Take the next bytes of `stream`; an empty chunk ends it."""
        pieces = _LINE_END.split(chunk)
        pieces[0] = self._unfinished.pop(stream, b"") + pieces[0]
        if chunk:
            self._unfinished[stream] = pieces.pop()[:MAX_LINE_BYTES]
        self._take(stream, (piece[:MAX_LINE_BYTES] for piece in pieces if piece and not piece.isspace()))

    def _take(self, stream: str, lines: Iterable[bytes]) -> None:
        tail = self._tails.setdefault(stream, deque(maxlen=TAIL_LINES))
        for line in lines:
            tail.append(line)
            if _WARNING.search(line) and len(self._warnings) < MAX_WARNINGS:
                self._warnings[line] = None
            if self._on_line is not None:
                self._on_line(printable(line))


def printable(line: bytes) -> str:
    r"""Text that any terminal shows and that no byte is lost from: what is not UTF-8, and control codes, as `\xNN`.

    >>> printable(b"caf\xe9 \x1b[31m")
    'caf\\xe9 \\x1b[31m'
    """
    return line.decode("utf-8", "backslashreplace").rstrip().translate(_UNPRINTABLE)
