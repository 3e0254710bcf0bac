"""Stop long work between two steps when SIGINT or SIGTERM comes (`stop_signals`)."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_signals(second_after_s: float = 0.0) -> Iterator[list[int]]:
    """A list that receives SIGINT or SIGTERM, to save and stop between two steps; a second one stops at once.

    One that comes within `second_after_s` of the first is taken for the same: launchers pass on to each process
    what the terminal or scheduler has sent it already.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main thread may catch signals
        yield received
        return

    first_at = 0.0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal first_at
        if not received:
            first_at = time.monotonic()
            received.append(number)
        elif time.monotonic() - first_at >= second_after_s:
            raise KeyboardInterrupt

    watched = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in watched}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
