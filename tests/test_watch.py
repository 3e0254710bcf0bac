"""A rank that is lost ends the others in seconds, whatever they wait for; one that leaves ends nobody."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import time
from pathlib import Path

import pytest
import watch_job
from forked_ranks import free_port, start_server
from watch_job import Deed

from msaformer.parallel import watch

GRACE_S = 0.5
LIMIT_S = 60.0


def run(deed: Deed, size: int, folder: Path, kill: int | None = None) -> tuple[list[int | None], list[str]]:
    """Exit codes, and what each rank said; `kill` is a rank that is killed when it is at work."""
    start_server()
    context, port = multiprocessing.get_context("forkserver"), free_port()
    ranks = [
        context.Process(target=watch_job.run, args=(rank, size, port, folder, deed, GRACE_S))
        for rank in range(size)
    ]
    deadline = time.monotonic() + LIMIT_S
    try:
        for process in ranks:
            process.start()
        if kill is not None:
            while not (folder / f"{kill}.sent").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            ranks[kill].kill()
        for process in ranks:
            process.join(max(0.0, deadline - time.monotonic()))
        codes = [process.exitcode for process in ranks]
    finally:
        for process in ranks:
            process.kill()
            process.join()
    return codes, [(folder / f"{rank}.txt").read_text() for rank in range(size)]


@pytest.mark.parametrize("attempt", range(3))
def test_a_rank_killed_amid_a_message_ends_the_one_that_receives_it(attempt: int, tmp_path: Path) -> None:
    """Two times in three the receiver waits in torch for the rest of the message."""
    codes, said = run(watch_job.send_for_ever, 2, tmp_path, kill=1)
    assert codes == [1, -signal.SIGKILL], said
    assert said[0].startswith("error: rank 0: another rank was lost")
    assert said[0].count("\n") == 1


def test_a_loss_that_no_group_notices_ends_all_ranks(tmp_path: Path) -> None:
    codes, said = run(watch_job.be_lost_unnoticed, 3, tmp_path)
    assert codes == [1, 1, 0], said
    for rank in range(2):
        assert said[rank] == (
            f"error: rank {rank}: another rank was lost; the first error of the job says why (this one still waited "
            "for it 0.5 s later)\n"
        )


def test_ranks_that_leave_earlier_than_others_end_nobody(tmp_path: Path) -> None:
    assert run(watch_job.leave_early, 3, tmp_path) == ([0, 0, 0], ["", "", ""])


def test_a_stranger_is_not_taken_for_a_rank() -> None:
    secret = b"12345678"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        strangers = [socket.create_connection(listener.getsockname()) for _ in range(2)]
        strangers[0].sendall(b"12345679")
        strangers[1].close()
        rank = socket.create_connection(listener.getsockname())
        rank.sendall(secret)
        (taken,) = watch._take_all(listener, 1, secret)
        assert taken.getpeername() == rank.getsockname()
        assert (rank.recv(1), strangers[0].recv(1)) == (b"+", b"")
        for connection in (taken, rank, *strangers):
            connection.close()


def test_ranks_that_cannot_be_reached_go_on_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "_MEETING_S", 0.1)
    port = free_port()

    class First:
        rank, world_size = 0, 3

        def from_first(self, number: int) -> int:
            return number

    class Second(First):
        rank = 1

        def from_first(self, number: int) -> int:
            return port

    for ranks in (First(), Second()):
        with watch.watch_ranks(ranks, "127.0.0.1", pytest.fail):  # type: ignore[arg-type]
            pass
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("rank 0: 2 of 2 connections over port ")
    assert second == (
        f"rank 1: 1 of 1 connections over port {port} of 127.0.0.1 failed: when a rank is lost, others may wait for it "
        "until parallel.timeout_s is over"
    )
