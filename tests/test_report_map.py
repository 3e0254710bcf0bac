"""The report's map in a headless Chromium: layers, tracks along its axes, choice of pairs, a second prediction."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import NEEDS_CHROMIUM, cell_position, choose, count_near, listed, pixels
from report_pages import LENGTH, LOST, write_compared

from msaformer.metrics import precision_table, top_pairs
from msaformer.pair_scores import PairScores
from msaformer.report import write_report
from msaformer.report.payload import packed_ranks

pytestmark = NEEDS_CHROMIUM
BLUES = ("ffffff", "deebf7", "c6dbef", "9ecae1", "6baed6", "4292c6", "2171b5", "08519c", "08306b")
VIRIDIS = (
    *("440154", "482878", "3e4989", "31688e", "26828e", "1f9e89"),
    *("35b779", "6ece58", "b5de2b", "fde725"),
)
PURPLES = ("fcfbfd", "dadaeb", "bcbddc", "9e9ac8", "807dba", "6a51a3", "54278f", "3f007d")
BROWNS = ("fffff2", "fff3bf", "fee391", "fec44f", "fe9929", "ec7014", "cc4c02", "8c2d04")
PUOR = ("2d004b", "542788", "8073ac", "b2abd2", "f2f0f5", "fdb863", "e08214", "b35806", "7f3b08")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """(path, prediction, truth, second prediction's scores)."""
    path = tmp_path_factory.mktemp("compared") / "page.html"
    return path, *write_compared(path)


def shade(stops, share):
    """Colour at `share` of a ramp."""
    rgb = np.array([[int(stop[k : k + 2], 16) for k in (0, 2, 4)] for stop in stops])
    return [
        np.interp(np.clip(share, 0, 1) * (len(stops) - 1), np.arange(len(stops)), rgb[:, k]) for k in range(3)
    ]


def test_each_layer_shows_its_own_numbers_and_each_choice_of_what_lies_below(watched, compared):
    path, prediction, truth, second = compared
    page = watched.open(path)
    error = np.abs(prediction.expected_distance - truth.distances)
    layers = {
        "Probability": (BLUES, prediction.contact_probs),
        "Distance": (VIRIDIS, (prediction.expected_distance - 2) / 20),
        "Spread": (PURPLES, prediction.distance_std / 6),
        "Error": (BROWNS, error / 10),
        "Difference": (PUOR, (prediction.contact_probs - second + 1) / 2),
    }

    def colour_at(picture, row, column):
        return _patch(page, picture, row, column, reach=0)[0]

    cells = [(2, 30), (5, 21), (8, 36), (1, 9), (16, 33)]
    for name, (stops, share) in layers.items():
        choose(page, "layer", name)
        picture = pixels(page, "#map")
        for row, column in cells:
            expected = shade(stops, share[row, column])
            assert np.abs(colour_at(picture, row, column) - expected).max() < 14, (name, row, column)
    choose(page, "layer", "Error")
    hatched = pixels(page, "#map")
    assert np.ptp(_patch(page, hatched, LOST[1], 30), axis=0).max() > 10  # unknown is no error of 0
    choose(page, "layer", "Probability")
    for name, values in (("Second", second), ("Mirror", prediction.contact_probs)):
        choose(page, "lower", name)
        picture = pixels(page, "#map")
        unmarked = [pair for pair in cells if pair not in listed(page)[:60]]
        assert unmarked
        for row, column in unmarked[:2]:
            found = _patch(page, picture, column, row).max(
                axis=0
            )  # a mark of the second's leaves the corners
            assert np.abs(found - shade(BLUES, values[row, column])).max() < 25, name


def _patch(page, picture, row, column, reach=5):
    box = page.locator("#map").bounding_box()
    x, y = cell_position(page, row, column, LENGTH)
    top, left = int(y - box["y"]), int(x - box["x"])
    return picture[top - reach : top + reach + 1, left - reach : left + reach + 1].reshape(-1, 3)


def test_scores_without_a_scale_are_compared_by_rank(watched, compared, tmp_path):
    prediction, second = compared[1], compared[3]
    everywhere = np.ones_like(second, dtype=bool)
    scores = PairScores("x", "direct coupling", np.log(second + 1e-6), everywhere, are_probabilities=False)
    write_report(prediction, tmp_path / "page.html", compare=scores)
    page = watched.open(tmp_path / "page.html")
    tops = [
        set(list(zip(*(k.tolist() for k in top_pairs(map_, min_separation=6)), strict=True))[:LENGTH])
        for map_ in (prediction.contact_probs, second)
    ]
    assert page.locator("#rival-value").inner_text() == str(len(tops[0] & tops[1]))
    ranks = packed_ranks(scores.scores) / 200
    picture = pixels(page, "#map")
    unmarked = [(i, j) for i in range(LENGTH) for j in range(i + 7, LENGTH) if (i, j) not in tops[1]][::50]
    for i, j in unmarked:
        found = _patch(page, picture, j, i, reach=1).mean(axis=0)
        assert np.abs(found - shade(BLUES, ranks[i, j])).max() < 25, (i, j)
    choose(page, "lower", "Contacts")
    choose(page, "layer", "Difference")
    picture = pixels(page, "#map")
    for pairs, warmer in ((tops[0] - tops[1], True), (tops[1] - tops[0], False)):
        i, j = max(pairs, key=lambda pair: abs(prediction.contact_probs[pair] - second[pair]))
        red, _, blue = _patch(page, picture, i, j, reach=0)[0]
        assert (red > blue) == warmer


def test_helices_strands_and_unknown_residues_lie_along_both_axes(watched, compared):
    page = watched.open(compared[0])
    picture = pixels(page, "#map")
    box = page.locator("#map").bounding_box()
    below = int(cell_position(page, LENGTH - 0.5, 0, LENGTH)[1] - box["y"]) + 1
    left = int(cell_position(page, 0, -0.5, LENGTH)[0] - box["x"]) - 13
    helix, strand = (0xA2, 0x55, 0x9B), (0x00, 0x82, 0x5F)

    def along(first, last, is_below):
        start, end = (
            cell_position(page, *((0, k) if is_below else (k, 0)), LENGTH)[0 if is_below else 1]
            - box["x" if is_below else "y"]
            for k in (first - 0.5, last + 0.5)
        )
        rows, columns = slice(below, below + 12), slice(int(start), int(end))
        return picture[rows, columns] if is_below else picture[columns, left : left + 12]

    for is_below in (True, False):
        assert count_near(along(0, 5, is_below), helix) > 60  # HHHHHH--EEE
        assert count_near(along(0, 5, is_below), strand) == 0
        assert count_near(along(8, 10, is_below), strand) > 60
        assert count_near(along(8, 10, is_below), helix) == 0
        assert len(np.unique(along(11, 13, is_below).reshape(-1, 3), axis=0)) > 3  # stripes


def test_the_tip_tells_every_number_of_a_pair(watched, compared):
    path, prediction, truth, second = compared
    page = watched.open(path)
    page.mouse.move(*cell_position(page, 15, 30, LENGTH))
    tip = page.locator("#tip").inner_text()
    error = prediction.expected_distance[15, 30] - truth.distances[15, 30]
    for text in (
        *("Ser 16", "Met 36", "16 – 36", "22 – 37", "A:115A – A:131", "15"),
        f"{prediction.expected_distance[15, 30]:.1f}"[:-1],
        f"{truth.distances[15, 30]:.1f} Å",
        f"{'−' if error < 0 else '+'}{abs(error):.1f}"[:-1],
        "other",
        f"{second[15, 30]:.3g}"[:3],
    ):
        assert text in tip, text


def test_pairs_are_chosen_by_probability_and_any_separation_and_the_score_is_theirs(watched, compared):
    path, prediction, truth, second = compared
    page = watched.open(path)
    known, probs = ~np.isnan(truth.distances), prediction.contact_probs
    row = next(
        row for row in precision_table(second, truth.distances) if row.range == "medium_long"
    )  # both live, side by side
    choose(page, "separation", "≥ 12")
    assert page.locator("#rival-value").inner_text() == f"{np.floor(100 * row.p_at_l + 0.5):.0f}\u202f%"
    choose(page, "mode", "Probability")
    page.locator("#count").fill("30")
    choose(page, "separation", "≥ 6")
    first, second_residue = np.nonzero(np.triu(probs >= 0.3, k=6))
    expected = set(zip(first.tolist(), second_residue.tolist(), strict=True))
    assert set(listed(page)) == expected
    judged = [pair for pair in expected if known[pair]]
    right = sum(truth.distances[pair] < 8 for pair in judged)
    natives = np.triu(np.nan_to_num(truth.distances, nan=99) < 8, k=6).sum()
    text = page.locator("#score-text").inner_text()
    assert f"{right} of {len(judged)} " in text
    assert f"{100 * right / natives:.0f}\u202f% of {natives} contacts" in text
    choose(page, "separation", "Other")
    page.locator("#separation-low").fill("8")
    page.locator("#separation-high").fill("10")
    window = np.triu(np.ones_like(known), k=8) & ~np.triu(np.ones_like(known), k=11)
    assert set(listed(page)) == set(
        zip(*(k.tolist() for k in np.nonzero(window & (probs >= 0.3))), strict=True)
    )
    choose(page, "mode", "Strongest")
    page.locator("#count").fill("1")  # L/5 = 8 pairs of known distance
    best = list(
        zip(*(k.tolist() for k in top_pairs(probs, min_separation=8, max_separation=10)), strict=True)
    )
    best = [pair for pair in best if known[pair]][:8]
    assert [pair for pair in listed(page) if known[pair]] == best
    page.locator("#separation-low").fill("1")  # pairs that the page knows to a half step of probability only
    page.locator("#separation-high").fill("3")
    page.wait_for_timeout(60)
    best = list(zip(*(k.tolist() for k in top_pairs(probs, min_separation=1, max_separation=3)), strict=True))
    eighth = [probs[pair] for pair in best if known[pair]][7]
    found = [pair for pair in listed(page) if known[pair]]
    assert len(found) == 8
    assert min(probs[pair] for pair in found) >= eighth - 1 / 200
    assert page.locator("#score-value").inner_text().startswith("≈")


def test_missed_contacts_are_marked_hollow_and_exact(watched, compared):
    path, _, truth, _ = compared
    page = watched.open(path)
    page.locator("#count").fill("1")
    shown, before = set(listed(page)), pixels(page, "#map")
    page.locator("#show-missed").check()
    page.wait_for_timeout(60)
    first, second = np.nonzero(np.triu(np.nan_to_num(truth.distances, nan=99) < 8, k=6))
    missed = set(zip(first.tolist(), second.tolist(), strict=True)) - shown
    assert set(listed(page)) - shown == missed
    row = page.locator("#contacts tbody tr:has(.mark.missed)").first
    assert "≈" not in row.inner_text()
    i, j = (int(k) for k in row.get_attribute("data-pair").split())
    after = pixels(page, "#map")
    changed = (np.abs(after - before).max(axis=-1) > 60).astype(int)
    x, y = cell_position(page, j, i, LENGTH)
    box = page.locator("#map").bounding_box()
    top, left = int(y - box["y"]), int(x - box["x"])
    assert changed[top - 9 : top + 10, left - 9 : left + 10].sum() > 20
    assert changed[top - 2 : top + 3, left - 2 : left + 3].sum() == 0  # hollow
