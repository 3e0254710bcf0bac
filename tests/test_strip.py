"""Strips of values along an alignment's columns."""

from __future__ import annotations

import numpy as np
import pytest
from pseudo_terminal import ESCAPE

from msaformer.cli.strip import LABEL, Track, draw_strips, ruler
from msaformer.cli.terminal import RESET, Colours, Terminal


def terminal(width: int, *, signs: bool = True, colours: Colours = Colours.NONE) -> Terminal:
    return Terminal(True, True, colours, signs, signs, width, 24)


def test_bars_by_hand() -> None:
    values = np.array([0.0, 0.01, 0.25, 0.5, 0.75, 1.0])
    lines = draw_strips([Track("Neff", "0 to 9", values)], terminal(80)).split("\n")
    assert lines == [f"{'Neff':<{LABEL}}    ▄█", f"{'0 to 9':<{LABEL}} ▁▄███", f"{'':<{LABEL}}1   5"]
    plain = draw_strips([Track("Neff", "0 to 9", values)], terminal(80, signs=False)).split("\n")
    assert plain == [f"{'Neff':<{LABEL}} .:=*#", f"{'':<{LABEL}}1   5"]


def test_a_column_is_the_mean_of_its_residues() -> None:
    values = np.random.default_rng(0).random(14)
    means = [np.mean(values[0:3]), np.mean(values[3:7]), np.mean(values[7:10]), np.mean(values[10:14])]
    wide = np.concatenate([np.full(7, value) for value in means])
    pooled = draw_strips([Track("x", "", values)], terminal(5, signs=False)).split("\n")[1]
    expected = draw_strips([Track("x", "", wide)], terminal(5, signs=False)).split("\n")[1]
    assert pooled == expected


@pytest.mark.parametrize("width", [1, 8, 20, 40, 80, 200])
@pytest.mark.parametrize("length", [1, 5, 158, 2000])
def test_no_line_is_wider_than_the_terminal(width: int, length: int) -> None:
    values = np.linspace(0, 1, length)
    for colours, signs in ((Colours.NONE, False), (Colours.NONE, True), (Colours.TRUE, True)):
        tracks = [Track("occupancy", "0 to 1", values), Track("Neff", "0 to 9,999", values)]
        for line in draw_strips(tracks, terminal(width, signs=signs, colours=colours)).split("\n"):
            assert len(ESCAPE.sub("", line)) <= max(width - 1, 1)
            assert not ESCAPE.findall(line) or ESCAPE.findall(line)[-1] == RESET


def test_numbers_stand_where_their_columns_are() -> None:
    assert ruler(1, 1) == "1"
    assert ruler(5, 5) == "1   5"
    assert ruler(30, 30) == "1   5    10   15   20   25"
    line = ruler(158, 86)
    for number in (20, 100, 140):
        assert line[(number - 1) * 86 // 158 :].startswith(str(number))
