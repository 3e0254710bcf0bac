"""The progress line: what it says, that it gets out of the way, and that hostile names are only shown."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from pseudo_terminal import Screen, pseudo_terminal

from msaformer.cli.display_width import display_width
from msaformer.cli.messages import print_error, progress_is_shown
from msaformer.cli.progress import REFRESH_S, Progress

HOSTILE = "a\x1b[2J\x1b]0;title\x07b\u202ec\nd\x9b31m"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_line_says_how_many_which_one_what_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    with pseudo_terminal(monkeypatch, columns=80):
        several, single = Progress(3, clock=clock), Progress(1, clock=clock)
        for progress in (several, single):
            progress.begin("dhfr")
            progress.stage("features", 158)
        clock.now += 4
        assert several.line() == "0/3  dhfr  features 4 s"
        assert single.line() == "dhfr  features 4 s"
        several.done()
        several.begin("other")
        clock.now += 60
        assert several.line() == "1/3  other  reading 60 s  40 residues/s"


@pytest.mark.parametrize("columns", [1, 10, 20, 40, 80])
def test_the_line_leaves_out_the_end_of_a_long_name(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    with pseudo_terminal(monkeypatch, columns=columns):
        progress = Progress(12, clock=Clock())
        progress.begin("蛋" * 500)
        line = progress.line()
    assert display_width(line) <= max(columns - 1, 1)
    if columns >= 40:
        assert line.startswith("0/12  蛋蛋")
        assert line.endswith("…  reading 0 s")


def drawn(monkeypatch: pytest.MonkeyPatch, **options: str) -> Screen:
    """A line is drawn at least twice, with an error between."""
    with pseudo_terminal(monkeypatch, **options) as screen:
        with Progress(2) as progress:
            progress.begin(HOSTILE)
            time.sleep(2.5 * REFRESH_S)
            print_error("broken")
            progress.done()
            time.sleep(2.5 * REFRESH_S)
        time.sleep(1.5 * REFRESH_S)  # nothing more is drawn
    return screen


def test_the_line_makes_way_for_what_is_said_and_is_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = drawn(monkeypatch)
    assert "0/2  a" in screen.text
    assert "1/2  a" in screen.text
    assert screen.lines == ["error: broken", ""]


def test_a_name_cannot_command_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = drawn(monkeypatch, NO_COLOR="1").raw
    assert raw.count("\x1b") == raw.count("\r\x1b[K")
    for letter in ("\x07", "\u202e", "\x9b"):
        assert letter not in raw
    assert "a�[2J�]0;title�b�c d�31m" in raw


def test_a_terminal_that_cannot_be_drawn_over_gets_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, TERM="dumb").raw == "error: broken\r\n"


def test_a_pipe_gets_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "stderr").open("w", encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        with Progress(2) as progress:
            progress.begin("a")
            time.sleep(1.5 * REFRESH_S)
    assert (tmp_path / "stderr").read_bytes() == b""


def test_silence_and_dumb_terminals_have_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("msaformer")
    monkeypatch.setattr(logger, "level", logging.WARNING)
    with pseudo_terminal(monkeypatch):
        assert progress_is_shown()
        logger.setLevel(logging.ERROR)  # what -q does
        assert not progress_is_shown()
        logger.setLevel(logging.WARNING)
    with pseudo_terminal(monkeypatch, TERM="dumb"):
        assert not progress_is_shown()


def test_the_blocks_of_a_network_are_counted_while_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch import nn

    class Trunk(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(nn.Identity() for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.blocks:
                x = block(x)
                seen.append(progress.line())
            return x

    network = nn.ModuleDict({"trunk": Trunk()})
    seen: list[str] = []
    with pseudo_terminal(monkeypatch):
        progress = Progress(1, clock=Clock())
        progress.begin("x")
        with progress.following(network):
            network["trunk"](torch.zeros(1))
            network["trunk"](torch.zeros(1))  # recycled
        network["trunk"](torch.zeros(1))
    assert seen[:4] == [f"x  network {k} 0 s" for k in ("1/2", "2/2", "1/2", "2/2")]
    assert seen[4:] == seen[3:4] * 2
