"""A contact map as text: what a cell says, and that the signs say what the cells do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pseudo_terminal import ESCAPE
from report_cases import chain_like_distances

from msaformer.cli.display_width import display_width
from msaformer.cli.map_cells import Cell, coarse, map_data
from msaformer.cli.terminal import RESET, Colours, Terminal
from msaformer.cli.terminal_map import BLUES, CELL_COLOURS, draw_map

MODES = {
    "true colour": (Colours.TRUE, True),
    "256 colours": (Colours.ANSI256, True),
    "16 colours": (Colours.ANSI16, True),
    "braille": (Colours.NONE, True),
    "ascii": (Colours.NONE, False),
}
LENGTHS = (1, 5, 158, 2000)


def terminal(mode: str, width: int = 80, height: int = 24) -> Terminal:
    colours, has_signs = MODES[mode]
    return Terminal(True, True, colours, has_signs, has_signs, width, height)


def made_up(length, *, seed=0, lost=()):
    """Scores that are mostly right, and distances; the residues `lost` are not resolved."""
    distances = chain_like_distances(length, seed=seed)
    noise = np.random.default_rng(seed).random((length, length))
    scores = np.where(distances < 8, 0.5, 0.0) + 0.5 * np.triu(noise, 1)
    scores = np.triu(scores, 1)
    for k in lost:
        distances[k] = distances[:, k] = np.nan
    return (scores + scores.T).astype(np.float32), distances


def data_of(length, *, with_truth=True, **options):
    scores, distances = made_up(length, **options)
    return map_data(scores, np.arange(1, length + 1), distances if with_truth else None)


@pytest.fixture(scope="module")
def maps():
    return {length: data_of(length) for length in LENGTHS}


@pytest.mark.parametrize(("rows", "columns"), [(40, 40), (7, 13), (90, 90), (1, 1)])
def test_each_cell_says_what_the_loop_over_its_pairs_does(rows, columns):
    length = 40
    data = data_of(length, lost=(3, 4, 5, 6, 30))
    grid = coarse(data, rows, columns)

    def residues(k, count):
        low = k * length // count
        return range(low, max((k + 1) * length // count, low + 1))

    for r in range(rows):
        for c in range(columns):
            pairs = [(i, j) for i in residues(r, rows) for j in residues(c, columns)]
            above = [(i, j) for i, j in pairs if i < j]
            assert grid.shades[r, c] == max((data.shades[pair] for pair in above), default=0)
            assert grid.has_best[r, c] == any(data.is_best[pair] for pair in above)
            if any(i == j for i, j in pairs):
                assert grid.cells[r, c] == Cell.DIAGONAL
                continue
            below = [(j, i) for i, j in pairs if i > j]
            best = [pair for pair in below if data.is_best[pair]]
            hits = sum(data.distances[pair] < 8 for pair in best)
            if best and len(best) - hits >= hits:
                expected = Cell.FALSE
            elif hits:
                expected = Cell.HIT
            elif any(data.distances[pair] < 8 for pair in below):
                expected = Cell.CONTACT
            else:
                unknown = sum(np.isnan(data.distances[pair]) for pair in below)
                expected = Cell.UNKNOWN if 2 * unknown > len(below) else Cell.NOTHING
            assert grid.cells[r, c] == expected, (r, c)


def test_without_a_structure_both_halves_are_the_prediction():
    grid = coarse(data_of(30, with_truth=False), 10, 10)
    assert np.array_equal(grid.shades, grid.shades.T)
    assert np.array_equal(grid.has_best, grid.has_best.T)
    assert set(np.unique(grid.cells)) == {Cell.NOTHING, Cell.DIAGONAL}


def test_residues_that_the_structure_lacks_are_unknown_and_never_false():
    scores, distances = made_up(30, lost=range(10, 20))
    scores[10:20] = scores[:, 10:20] = 1  # the best of all
    grid = coarse(map_data(scores, np.arange(30), distances), 30, 30)
    below = np.tril(np.ones((30, 30), dtype=bool), -1)
    of_lost = below & (np.isin(np.arange(30), range(10, 20))[:, None] | np.isin(np.arange(30), range(10, 20)))
    assert set(grid.cells[of_lost].tolist()) == {Cell.UNKNOWN}


def test_the_best_pairs_are_l_pairs_six_apart_or_more():
    data = data_of(40)
    first, second = np.nonzero(data.is_best)
    assert len(first) == 40
    assert (second - first).min() >= 6


def test_scores_that_are_no_probabilities_are_shaded_by_rank():
    scores = np.zeros((8, 8))
    for value, (i, j) in zip((-3.0, 90.0, 5.0), [(0, 6), (1, 7), (0, 7)], strict=True):
        scores[i, j] = scores[j, i] = value
    shades = map_data(scores, np.arange(8), are_probabilities=False).shades
    assert [shades[1, 7], shades[0, 7], shades[0, 6]] == pytest.approx([1, 2 / 3, 1 / 3])
    assert shades[6, 0] == shades[0, 6]


def test_pairs_that_are_not_listed_are_never_among_the_best():
    scores, _ = made_up(20)
    is_listed = np.zeros((20, 20), dtype=bool)
    is_listed[2, 12] = is_listed[12, 2] = True
    for are_probabilities in (True, False):
        data = map_data(scores, np.arange(20), are_probabilities=are_probabilities, is_listed=is_listed)
        assert np.argwhere(data.is_best).tolist() == [[2, 12]]
    assert np.argwhere(data.shades).tolist() == [[2, 12], [12, 2]]


def test_neighbours_in_the_sequence_count_where_they_are_of_two_chains():
    scores = np.zeros((8, 8), dtype=np.float32)
    scores[3, 4] = scores[4, 3] = 1
    assert map_data(scores, np.arange(8), chain_lengths=(4, 4)).is_best[3, 4]
    assert not map_data(scores, np.arange(8)).is_best[3, 4]


@pytest.mark.parametrize("width", [1, 2, 5, 20, 40, 80, 200])
@pytest.mark.parametrize("mode", MODES)
def test_no_line_is_wider_than_the_terminal_and_every_colour_is_put_back(mode, width, maps):
    for data in maps.values():
        for height in (24, 100):
            lines = draw_map(data, terminal(mode, width, height)).split("\n")
            for line in lines:
                assert display_width(ESCAPE.sub("", line)) <= max(width - 1, 1)
                codes = ESCAPE.findall(line)
                assert bool(codes) <= bool(MODES[mode][0])
                assert not codes or codes[-1] == RESET
            assert len(lines) <= 24 + (25 if height == 24 else 60) + 8 * 20 // width + 40


def test_half_blocks_hold_the_colours_of_two_rows_of_cells(maps):
    data = maps[158]
    lines = draw_map(data, terminal("true colour", 80, 24)).split("\n")[:24]
    seen = []
    for line in lines:
        rows = [[], []]
        for code, signs in re.findall(r"\x1b\[0;([0-9;]+)m(▀+)", line):
            numbers = list(map(int, code.split(";")))
            assert (numbers[:2], numbers[5:7]) == ([38, 2], [48, 2])
            rows[0] += [tuple(numbers[2:5])] * len(signs)
            rows[1] += [tuple(numbers[7:10])] * len(signs)
        seen += rows
    grid = coarse(data, 48, 48)
    for r, row in enumerate(seen):
        assert len(row) == 48
        for c, colour in enumerate(row):
            cell = Cell(int(grid.cells[r, c]))
            shade = BLUES[min(int(grid.shades[r, c] * 9), 8)]
            assert colour == (shade if cell is Cell.NOTHING else CELL_COLOURS[cell])[:3]


def test_braille_dots_are_the_best_pairs_above_and_the_contacts_below(maps):
    data = maps[158]
    lines = draw_map(data, terminal("braille", 80, 24)).split("\n")[:24]
    grid = coarse(data, 96, 96)
    order = {1: (0, 0), 2: (1, 0), 4: (2, 0), 8: (0, 1), 16: (1, 1), 32: (2, 1), 64: (3, 0), 128: (3, 1)}
    dots = np.zeros((96, 96), dtype=bool)
    for r, line in enumerate(lines):
        for c, sign in enumerate(line[4:]):
            for bit, (down, right) in order.items():
                dots[4 * r + down, 2 * c + right] = bool((ord(sign) - 0x2800) & bit)
    contact = np.isin(grid.cells, [Cell.CONTACT, Cell.HIT, Cell.DIAGONAL])
    assert np.array_equal(dots, grid.has_best | contact)


def test_a_map_without_colour_is_no_solid_rectangle(maps):
    for mode in ("braille", "ascii"):
        picture = draw_map(maps[158], terminal(mode))
        assert "▀" not in picture
        assert "█" not in picture
    assert draw_map(maps[158], terminal("ascii")).isascii()


def test_a_small_map_in_ascii_by_hand():
    scores = np.zeros((12, 12), dtype=np.float32)
    distances = np.full((12, 12), 20.0, dtype=np.float32)
    ranked = [
        (1, 9),
        (0, 8),
        (2, 10),
        (3, 11),
        (0, 7),
        (1, 8),
        (2, 9),
        (3, 10),
        (4, 11),
        (0, 6),
        (1, 7),
        (2, 8),
    ]
    for place, (i, j) in enumerate(ranked):
        scores[i, j] = scores[j, i] = 0.95 - 0.05 * place
    for i, j in ((1, 9), (0, 8), (5, 6)):
        distances[i, j] = distances[j, i] = 5.0
    distances[:, 5] = distances[5] = np.nan
    narrow = Terminal(True, True, Colours.NONE, False, False, 17, 24)
    picture = draw_map(map_data(scores, np.arange(101, 113), distances), narrow).split("\n")
    assert picture[:7] == [
        r"101 \\    :=##",
        r"      \\    :=##",
        r"        \\     :",
        r"    xx   ?\\",
        r"110 oxx  ?  \\",
        r"      xxx?    \\",
        r"    101      110",
    ]


def test_residue_numbers_at_the_axes_are_those_given(maps):
    data = data_of(100)
    shifted = map_data(data.shades, np.arange(351, 451))
    lines = draw_map(shifted, terminal("braille", 80, 60)).split("\n")
    assert lines[-2].split()[0] == "351"
    labels = [line[:4].strip() for line in lines if line[:4].strip()]
    assert labels[0] == "351"
    assert all(int(label) % 10 == 0 for label in labels[1:])
    step = int(labels[2]) - int(labels[1])
    row = next(k for k, line in enumerate(lines) if line.startswith("400"))
    assert row == (400 - 351) // 4  # dots: one a residue, four a line
    assert step in (10, 20, 50)


def test_the_legend_names_what_is_drawn(maps):
    legend = draw_map(data_of(158, lost=(3,)), terminal("true colour", 200)).split("\n")[-2:]
    text = [ESCAPE.sub("", line).strip() for line in legend]
    assert text[0] == "above the diagonal: probability 0 ████ 1"
    assert text[1] == (
        "below: █ contact █ predicted, true █ predicted, false █ not resolved (best L, |i-j| >= 6)"
    )
    assert "below" not in draw_map(data_of(158, with_truth=False), terminal("ascii", 200))
    assert "not resolved" not in draw_map(maps[158], terminal("ascii", 200))
