"""A rank that is lost ends all others in seconds, also those that torch's groups leave waiting.

Gloo notices that a connection is gone, but an operation whose message was half received then waits for the time limit
of its group all the same: half an hour. So each rank holds one more connection, to rank 0, over which nothing is said
but "I leave" at the end of a run. One that ends without a word, as at the death of its process, is the loss of a rank;
who finds one has a few seconds to end with an error of its own, and is ended then. The system asks idle connections
whether the other side is still there, so that a machine without power is found after two minutes.
"""

from __future__ import annotations

import logging
import os
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from msaformer.errors import PeerError
from msaformer.parallel.ranks import Ranks

_log = logging.getLogger(__name__)
_GRACE_S: Final = 10.0
_MEETING_S: Final = 30.0
_STRANGER_S: Final = 2.0
_SECRET_BYTES: Final = 8
_WELCOME: Final = b"+"
_LEAVE: Final = b"."
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}  # seconds, seconds, times
Say = Callable[[PeerError], None]


@contextmanager
def watch_ranks(ranks: Ranks, address: str, say: Say) -> Iterator[None]:
    """End this process with code 1 when another rank is lost within the block, and this one has not left by itself.

    All ranks must enter; `address` is that of rank 0. A rank has ten seconds to leave; `say` tells why it did not
    live on. One that cannot reach rank 0 says so, and neither is watched nor watches.
    """
    listener = _listen(address) if ranks.rank == 0 else None
    port = ranks.from_first(0 if listener is None else listener.getsockname()[1])
    secret = ranks.from_first(secrets.randbits(8 * _SECRET_BYTES - 1)).to_bytes(_SECRET_BYTES, "big")
    if listener is None:
        wanted, others = 1, _reach(address, port, secret)
    else:
        wanted = ranks.world_size - 1
        with listener:
            others = _take_all(listener, wanted, secret)
    if len(others) < wanted:
        _log.warning(
            "rank %d: %d of %d connections over port %d of %s failed: when a rank is lost, others may wait for it "
            "until parallel.timeout_s is over",
            *(ranks.rank, wanted - len(others), wanted, port, address),
        )
    watch = _Watch(ranks.rank, others, say)
    try:
        yield
        watch.take_leave()
    finally:
        watch.close()


class _Watch:
    """The connections of one rank, looked after by a thread."""

    def __init__(self, rank: int, others: list[socket.socket], say: Say) -> None:
        self._rank = rank
        self._others = others
        self._say = say
        self._left = threading.Event()
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="watch of the ranks", daemon=True)
        self._thread.start()

    def take_leave(self) -> None:
        """Tell the others that this rank ends as it should."""
        self._stop()
        for connection in self._others:
            with suppress(OSError):  # the other has left, too
                connection.sendall(_LEAVE)

    def close(self) -> None:
        """Let go of all: to the others a loss, unless this rank took leave."""
        self._stop()
        for connection in (self._wake, self._waker, *self._others):
            _hang_up(connection)  # data workers hold copies, which keep a connection that is closed alone
            connection.close()

    def _stop(self) -> None:
        self._left.set()
        self._waker.send(_LEAVE)
        self._thread.join()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for connection in (self._wake, *self._others):
                selector.register(connection, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    found = key.fileobj
                    assert isinstance(found, socket.socket)
                    if found is self._wake:
                        return
                    if not _has_left(found):
                        self._end()
                        return
                    selector.unregister(found)

    def _end(self) -> None:
        """Pass the loss on to the other ranks, and end this one unless it ends by itself in time."""
        for connection in self._others:
            _hang_up(connection)
        if self._left.wait(_GRACE_S):
            return
        self._say(
            PeerError(
                f"rank {self._rank}: another rank was lost; the first error of the job says why (this one still waited "
                f"for it {_GRACE_S:g} s later)"
            )
        )
        os._exit(1)


def _has_left(connection: socket.socket) -> bool:
    """What a connection has to say: that its rank leaves as it should, or nothing any more."""
    try:
        return connection.recv(1) == _LEAVE
    except OSError:
        return False


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the other side was first
        connection.shutdown(socket.SHUT_RDWR)


def _listen(address: str) -> socket.socket:
    try:
        return socket.create_server((address, 0))
    except OSError:  # a name of this machine that stands for none of its own addresses, as behind a gateway
        return socket.create_server(("", 0))


def _take_all(listener: socket.socket, number: int, secret: bytes) -> list[socket.socket]:
    """Connections of `number` ranks, which know `secret`; fewer when they do not come in time."""
    others: list[socket.socket] = []
    deadline = time.monotonic() + _MEETING_S
    while len(others) < number and (left := deadline - time.monotonic()) > 0:
        listener.settimeout(left)
        with suppress(OSError):
            connection = listener.accept()[0]
            if secrets.compare_digest(_first_bytes(connection), secret):
                others.append(_kept_alive(connection))
                connection.sendall(_WELCOME)
            else:  # a stranger
                connection.close()
    return others


def _first_bytes(connection: socket.socket) -> bytes:
    connection.settimeout(_STRANGER_S)
    with suppress(OSError), connection.makefile("rb") as stream:
        return stream.read(_SECRET_BYTES)
    return b""


def _reach(address: str, port: int, secret: bytes) -> list[socket.socket]:
    """The connection to rank 0; none when it cannot be reached or has given up."""
    with suppress(OSError), ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection((address, port), _MEETING_S))
        connection.sendall(secret)
        connection.settimeout(2 * _MEETING_S)  # rank 0 takes one after the other
        if connection.recv(1) == _WELCOME:
            stack.pop_all()
            return [_kept_alive(connection)]
    return []


def _kept_alive(connection: socket.socket) -> socket.socket:
    connection.settimeout(_MEETING_S)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection
