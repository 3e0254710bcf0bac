"""What a stream can show, colours and bars."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pseudo_terminal import pseudo_terminal

from msaformer.cli.bars import bar, with_bars
from msaformer.cli.display_width import display_width, shortened
from msaformer.cli.terminal import Colour, Colours, Terminal, paint, terminal_of

TRUE = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


class Stream(io.StringIO):
    """A stream with an encoding that says whether it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self, is_terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self.is_terminal = is_terminal
        self.encoding = encoding  # type: ignore[misc]

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        (TRUE, Colours.TRUE),
        ({"TERM": "xterm-256color"}, Colours.ANSI256),
        ({"TERM": "xterm-direct"}, Colours.TRUE),
        ({"TERM": "xterm"}, Colours.ANSI16),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, Colours.NONE),
        ({}, Colours.NONE),
        (TRUE | {"NO_COLOR": "1"}, Colours.NONE),
        (TRUE | {"NO_COLOR": ""}, Colours.TRUE),
        (TRUE | {"NO_COLOR": "1", "FORCE_COLOR": "1"}, Colours.NONE),
        (TRUE | {"FORCE_COLOR": "0"}, Colours.NONE),
        (TRUE | {"FORCE_COLOR": "2"}, Colours.ANSI256),
        (TRUE | {"CLICOLOR": "0"}, Colours.NONE),
        (TRUE | {"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, Colours.TRUE),
        ({"TERM": "dumb", "FORCE_COLOR": "true"}, Colours.ANSI16),
    ],
)
def test_variables_decide_the_colours_of_a_terminal(environment: dict[str, str], colours: Colours) -> None:
    assert terminal_of(Stream(True), environment).colours is colours


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        (TRUE, Colours.NONE),
        (TRUE | {"FORCE_COLOR": "1"}, Colours.ANSI16),
        (TRUE | {"CLICOLOR_FORCE": "1"}, Colours.TRUE),
        (TRUE | {"CLICOLOR_FORCE": "0"}, Colours.NONE),
    ],
)
def test_a_pipe_has_colours_only_when_forced_and_is_no_terminal_even_then(
    environment: dict[str, str], colours: Colours
) -> None:
    shown = terminal_of(Stream(False), environment)
    assert (shown.colours, shown.is_terminal, shown.can_redraw) == (colours, False, False)


@pytest.mark.parametrize(
    ("encoding", "kind", "has_blocks", "has_braille"),
    [
        ("utf-8", "xterm", True, True),
        ("ascii", "xterm", False, False),
        ("latin-1", "xterm", False, False),
        ("cp437", "xterm", False, False),
        ("utf-8", "linux", True, False),
        ("no such", "xterm", False, False),
    ],
)
def test_signs_are_used_only_where_the_encoding_has_them(
    encoding: str, kind: str, has_blocks: bool, has_braille: bool
) -> None:
    shown = terminal_of(Stream(True, encoding), {"TERM": kind})
    assert (shown.has_blocks, shown.has_braille) == (has_blocks, has_braille)


def test_a_dumb_terminal_is_a_terminal_that_cannot_be_drawn_over() -> None:
    shown = terminal_of(Stream(True), {"TERM": "dumb"})
    assert (shown.is_terminal, shown.can_redraw) == (True, False)


def test_the_size_is_the_variables_then_the_terminals_then_80_by_24(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (terminal_of(Stream(True), {}).width, terminal_of(Stream(True), {}).height) == (80, 24)
    shown = terminal_of(Stream(True), {"COLUMNS": "33", "LINES": "x"})
    assert (shown.width, shown.height) == (33, 24)
    with pseudo_terminal(monkeypatch, columns=123, lines=45):
        import sys

        shown = terminal_of(sys.stdout)
    assert (shown.width, shown.height, shown.is_terminal) == (123, 45, True)


def test_a_closed_stream_shows_nothing(tmp_path: Path) -> None:
    with (tmp_path / "closed").open("w", encoding="utf-8") as stream:
        pass
    assert not terminal_of(stream, TRUE).is_terminal


@pytest.mark.parametrize(
    ("colours", "code"),
    [
        (Colours.NONE, ""),
        (Colours.ANSI16, "\x1b[0;31;107m"),
        (Colours.ANSI256, "\x1b[0;38;5;166;48;5;231m"),
        (Colours.TRUE, "\x1b[0;38;2;213;94;0;48;2;255;255;255m"),
    ],
)
def test_colours_are_written_in_the_way_the_terminal_knows(colours: Colours, code: str) -> None:
    assert paint(colours, Colour(213, 94, 0, 166, 1), Colour(255, 255, 255, 231, 15)) == code


def plain(width: int = 80, *, blocks: bool = True) -> Terminal:
    return Terminal(True, True, Colours.NONE, blocks, blocks, width, 24)


def test_a_bar_is_filled_to_half_a_column() -> None:
    assert bar(0.0, 4, plain()) == "────"
    assert bar(0.625, 4, plain()) == "━━╸─"
    assert bar(1.0, 4, plain()) == "━━━━"
    assert bar(0.6, 5, plain(blocks=False)) == "###.."


def test_precisions_have_bars_on_a_terminal_with_room_only(monkeypatch: pytest.MonkeyPatch) -> None:
    table = "a b\n\nrange P@L\nshort 0.5\nlong  -"
    assert with_bars(table, "P@L", [0.5, float("nan")], None) == table
    for columns, drawn in ((80, "━" * 10 + "─" * 10), (20, "━━━━────"), (19, "")):
        with pseudo_terminal(monkeypatch, columns=columns, NO_COLOR="1"):
            lines = with_bars(table, "P@L", [0.5, float("nan")], None).split("\n")
        expected = ["range P@L  P@L", f"short 0.5  {drawn}"] if drawn else ["range P@L", "short 0.5"]
        assert lines == ["a b", "", *expected, "long  -"]


def test_a_text_is_cut_by_the_columns_it_takes() -> None:
    assert display_width("a蛋e\u0301") == 4
    assert shortened("dhfr", 4, plain()) == "dhfr"
    assert shortened("dhfr_x", 4, plain()) == "dhf…"
    assert shortened("蛋白質", 4, plain()) == "蛋…"
    assert shortened("dhfr_x", 4, plain(blocks=False)) == "dhf~"
