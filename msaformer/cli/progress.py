"""How far a command is: one line on stderr, drawn over again, on a terminal only.

The line is taken off before anything else is written to the terminal (`hidden`, which `messages` and the log use), and
at the end however it comes. The cursor is never hidden, so nothing has to be put back when a process is killed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol, Self, TextIO

from data_tools.pipeline.messages import one_line
from msaformer.cli.bars import bar
from msaformer.cli.display_width import display_width, shortened
from msaformer.cli.terminal import ERASE_LINE, terminal_of

REFRESH_S: Final = 0.2
BAR: Final = 16  # columns
_lock: Final = threading.RLock()
_shown: list[Progress] = []
"""The one that is drawn now, if any."""


class Network(Protocol):
    """What a torch module has of which a trunk's blocks can be found; torch itself is not imported here."""

    def get_submodule(self, target: str) -> Any: ...


class Progress:
    """Targets done of all, the name of the present one, what it is at, and residues a second.

    As a context it draws from another thread, so that seconds go on while a network runs; without a terminal, or when
    `is_wanted` is false, nothing happens.
    """

    def __init__(
        self,
        total: int,
        *,
        is_wanted: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._terminal = terminal_of(self._stream)
        self.is_drawn = is_wanted and self._terminal.can_redraw
        self._clock = clock
        self._start = self._target_start = clock()
        self._done, self._residues, self._residues_done = 0, 0, 0
        self._spent_s = 0.0  # on those that are done
        self._name = self._stage = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawing, daemon=True)

    def __enter__(self) -> Self:
        if self.is_drawn:
            _shown.append(self)
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.is_drawn:
            self._ended.set()
            self._thread.join()
            _shown.remove(self)
            self._write(ERASE_LINE)

    def begin(self, name: str) -> None:
        """The next target; the one before is done."""
        with _lock:
            self._name, self._stage, self._residues = one_line(name), "reading", 0
            self._target_start = self._clock()

    def stage(self, what: str, residues: int | None = None) -> None:
        """What the present target is at, and its length once it is known."""
        with _lock:
            self._stage = what
            self._residues = self._residues if residues is None else residues

    def done(self) -> None:
        """The present target is done, or has failed."""
        with _lock:
            self._done += 1
            self._residues_done += self._residues
            self._residues = 0
            self._spent_s = self._clock() - self._start

    @contextmanager
    def following(self, network: Network) -> Iterator[None]:
        """Tell, while this lasts, which block of the Evoformer of `network` is at work."""
        blocks: Any = network.get_submodule("trunk.blocks")
        total, finished = len(blocks), 0

        def one_more(*_: object) -> None:
            nonlocal finished
            finished = finished % total + 1
            self.stage(f"network {finished}/{total}")

        def first(*_: object) -> None:
            self.stage(f"network 0/{total}")

        hooks = [blocks[0].register_forward_pre_hook(first)] if self.is_drawn else []
        hooks += [block.register_forward_hook(one_more) for block in blocks] if self.is_drawn else []
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def line(self) -> str:
        """What is drawn, without colours; never wider than the terminal."""
        with _lock:
            parts = [f"{self._stage} {self._clock() - self._target_start:.0f} s"]
            if self._total > 1:
                parts.insert(0, f"{self._done}/{self._total}")
                if self._residues_done and self._spent_s > 0:
                    parts.append(f"{self._residues_done / self._spent_s:,.0f} residues/s")
            room = self._terminal.width - 1
            rest = sum(map(len, parts)) + 2 * len(parts)
            name = shortened(self._name, max(room - rest, 1), self._terminal)
            parts.insert(1 if self._total > 1 else 0, name)
            return shortened("  ".join(parts), room, self._terminal)

    def erase(self) -> None:
        """Take the line off until it is drawn again."""
        self._write(ERASE_LINE)

    def _keep_drawing(self) -> None:
        while not self._ended.wait(REFRESH_S):
            with _lock:
                self._write(ERASE_LINE + self._with_bar(self.line()))

    def _with_bar(self, line: str) -> str:
        room = self._terminal.width - 1 - display_width(line)
        if self._total < 2 or room < BAR + 1:
            return line
        return f"{bar(self._done / self._total, BAR, self._terminal)} {line}"

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a terminal that is gone is no reason to fail
            self._stream.write(text)
            self._stream.flush()


@contextmanager
def hidden() -> Iterator[None]:
    """Take the progress line off while something else is written."""
    with _lock:
        for progress in _shown:
            progress.erase()
        yield
