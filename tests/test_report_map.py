"""The report's map in a headless Chromium: layers, choice of pairs, a second prediction, chains, residues, paper."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from chromium import CHROMIUM, SOFTWARE_GL, Watched, cell_position, launch, pixels
from report_cases import SEQUENCE, chain_like_distances, chain_like_positions, make_truth, prediction_from
from tiny_structures import Atom, pdb

from msaformer.metrics import precision_table, top_pairs
from msaformer.pair_scores import PairScores
from msaformer.report import write_report

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the python package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium"),
]
LENGTH = 40
LOST = (11, 12, 13)
BLUES = ("ffffff", "deebf7", "c6dbef", "9ecae1", "6baed6", "4292c6", "2171b5", "08519c", "08306b")
VIRIDIS = (
    *("440154", "482878", "3e4989", "31688e", "26828e", "1f9e89"),
    *("35b779", "6ece58", "b5de2b", "fde725"),
)
PURPLES = ("fcfbfd", "dadaeb", "bcbddc", "9e9ac8", "807dba", "6a51a3", "54278f", "3f007d")
BROWNS = ("fffff2", "fff3bf", "fee391", "fec44f", "fe9929", "ec7014", "cc4c02", "8c2d04")
PUOR = ("2d004b", "542788", "8073ac", "b2abd2", "f2f0f5", "fdb863", "e08214", "b35806", "7f3b08")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        running = launch(playwright, SOFTWARE_GL)
        yield running
        running.close()


@pytest.fixture
def watched(browser):
    watch = Watched(browser)
    yield watch
    watch.finish()


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two predictions of forty residues with a truth: (path, prediction, truth, second prediction's scores).

    The query has five insertions after its 20th residue, the structure's residue 16 is called 15A.
    """
    path = tmp_path_factory.mktemp("compared") / "page.html"
    numbers = [str(k + 101) for k in range(LENGTH)]
    numbers[15] = "115A"
    numbers = ["" if k in LOST else number for k, number in enumerate(numbers)]
    truth = make_truth(chain_like_positions(LENGTH), lost=LOST, residue_numbers=tuple(numbers))
    index = np.arange(LENGTH) + np.where(np.arange(LENGTH) >= 20, 5, 0)
    distances = chain_like_distances(LENGTH)
    prediction = prediction_from(distances, SEQUENCE, residue_index=index.astype(np.int32))
    scores = dataclasses.replace(
        PairScores.of(prediction_from(distances, SEQUENCE, seed=5, noise=4)), method="other"
    )
    write_report(prediction, path, truth=truth, compare=scores)
    return path, prediction, truth, scores.scores


@pytest.fixture(scope="module")
def of_two_chains(tmp_path_factory):
    """Path of a page of a made-up dimer with its structure."""
    folder = tmp_path_factory.mktemp("dimer")
    positions = chain_like_positions(45) + np.float32(1)
    names = dict(zip("ACDEFGHIKLMNPQRSTVWY", _MONOMERS, strict=True))
    sequence = (SEQUENCE * 2)[:45]
    atoms = []
    for k, position in enumerate(positions):
        chain, number = ("H", k + 1) if k < 25 else ("K", k - 24)
        for name, offset in _BACKBONE.items():
            if name != "CB" or sequence[k] != "G":
                x, y, z = (position + offset).tolist()
                atoms.append(Atom(number, names[sequence[k]], name, x, chain=chain, y=y, z=z))
    (folder / "dimer.pdb").write_text(pdb(atoms))
    distances = np.sqrt(((positions[:, None] - positions) ** 2).sum(-1))
    prediction = prediction_from(distances, sequence, chain_lengths=(25, 20))
    write_report(prediction, folder / "page.html", structure_path=folder / "dimer.pdb")
    return folder / "page.html"


_BACKBONE = {  # Å from the place of the residue; near enough to be drawn as a ribbon
    "N": np.array((-1.2, 0.3, 0.1)),
    "CA": np.zeros(3),
    "C": np.array((1.2, 0.4, -0.2)),
    "O": np.array((1.5, 1.4, 0.3)),
    "CB": np.array((0.2, -1.0, 1.1)),
}
_MONOMERS = (
    *("ALA", "CYS", "ASP", "GLU", "PHE", "GLY", "HIS", "ILE", "LYS", "LEU"),
    *("MET", "ASN", "PRO", "GLN", "ARG", "SER", "THR", "VAL", "TRP", "TYR"),
)


def shade(stops, share):
    """Colour at `share` of a ramp."""
    rgb = np.array([[int(stop[k : k + 2], 16) for k in (0, 2, 4)] for stop in stops])
    return [
        np.interp(np.clip(share, 0, 1) * (len(stops) - 1), np.arange(len(stops)), rgb[:, k]) for k in range(3)
    ]


def choose(page, group, label):
    page.locator(f"#{group}").get_by_label(label, exact=True).check()
    page.wait_for_timeout(60)


def listed(page):
    rows = page.locator("#contacts tbody tr").evaluate_all("rows => rows.map(row => row.dataset.pair)")
    return [tuple(map(int, row.split())) for row in rows]


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


def test_chains_are_told_apart_and_pairs_between_them_have_no_separation(watched, of_two_chains):
    page = watched.open(of_two_chains)
    assert "2 chains (H, K)" in page.locator("#summary").inner_text()
    picture = pixels(page, "#map")
    box = page.locator("#map").bounding_box()
    x, y = cell_position(page, 10, 25, 45)
    edge = int(x - box["x"] - 0.5 * (box["width"] - 66) / 45)
    line = picture[int(y - box["y"]) - 20 : int(y - box["y"]) + 20, edge - 1 : edge + 2]
    assert line.max(axis=-1).min(axis=1).max() < 150  # an unbroken line
    choose(page, "separation", "≥ 24")
    assert any(j - i < 24 for i, j in listed(page))
    page.locator("#only-inter").check()
    pairs = listed(page)
    assert pairs
    assert all(i < 25 <= j for i, j in pairs)
    page.mouse.move(*cell_position(page, 3, 40, 45))
    tip = page.locator("#tip").inner_text()
    assert "H:4 – K:16" in tip
    assert "different chains" in tip


def test_a_residue_clicked_in_the_structure_is_picked_everywhere(watched, of_two_chains):
    page = watched.open(of_two_chains)
    before, structure = pixels(page, "#map"), pixels(page, "#viewer canvas")
    canvas = page.locator("#viewer canvas").bounding_box()
    drawn = np.argwhere(structure.max(axis=-1) < 215)
    middle = drawn[np.abs(drawn - drawn.mean(axis=0)).sum(axis=1).argsort()][::40]
    for hit in middle:
        page.mouse.click(canvas["x"] + int(hit[1]), canvas["y"] + int(hit[0]))
        page.wait_for_timeout(250)
        if page.locator("#all-contacts").is_visible():
            break
    name = page.locator("#picked .pair").inner_text()
    chain, number = name[-2], int(name.split()[1])
    index = number - 1 + (25 if chain == "K" else 0)
    assert all(index in pair for pair in listed(page))
    page.mouse.move(5, 5)
    page.wait_for_timeout(150)
    changed = np.abs(pixels(page, "#map") - before).max(axis=-1) > 25
    box = page.locator("#map").bounding_box()
    x, y = cell_position(page, index, index, 45)
    assert changed[:, int(x - box["x"])].mean() > 0.5  # its column
    assert changed[int(y - box["y"])].mean() > 0.5  # its row
    assert np.abs(pixels(page, "#viewer canvas") - structure).max(axis=-1).max() > 60
    page.keyboard.press("Escape")
    assert not page.locator("#all-contacts").is_visible()
    page.wait_for_timeout(300)
    bare, canvas = pixels(page, "#viewer canvas"), page.locator("#viewer canvas").bounding_box()
    page.mouse.move(canvas["x"] + int(hit[1]) + 3, canvas["y"] + int(hit[0]))
    page.mouse.move(canvas["x"] + int(hit[1]), canvas["y"] + int(hit[0]))
    for _ in range(10):  # a busy machine draws late
        page.wait_for_timeout(300)
        labelled = np.abs(pixels(page, "#viewer canvas") - bare).max(axis=-1) > 60
        if labelled.any():
            break
    assert 500 < labelled.sum() < 20_000  # the residue's name
    x, y = cell_position(page, 44, 30, 45)
    page.mouse.click(x, y + 24)  # on the axis below
    assert page.locator("#picked .pair").inner_text().startswith("Met 6 (K)")  # residue 31 is the sixth of K
    page.locator("#contacts tbody tr").first.click()  # a pair takes the residue's place
    assert " – " in page.locator("#picked").inner_text()
    assert not page.locator("#all-contacts").is_visible()


def test_the_list_is_walked_with_keys(watched, compared):
    page = watched.open(compared[0])
    rows = page.locator("#contacts tbody tr")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert rows.nth(2).get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert rows.nth(2).get_attribute("aria-selected") == "false"


def test_two_fingers_move_the_map_and_one_scrolls_the_page(watched, compared):
    page = watched.open(compared[0], width=390, height=800, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#map").scroll_into_view_if_needed()
    fingers = page.context.new_cdp_session(page)
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + 200, box["y"] + 150
    whole = pixels(page, "#map")
    fingers.send(
        "Input.synthesizePinchGesture", {"x": x, "y": y, "scaleFactor": 2.5, "gestureSourceType": "touch"}
    )
    page.wait_for_timeout(100)
    assert (np.abs(pixels(page, "#map") - whole).max(axis=-1) > 40).mean() > 0.05
    assert page.evaluate("visualViewport.scale") == 1
    start = page.evaluate("scrollY")
    for kind, moved in (
        ("touchStart", 0),
        *(("touchMove", 15 * step) for step in range(1, 11)),
        ("touchEnd", 0),
    ):
        points = [] if kind == "touchEnd" else [{"x": x, "y": y - moved}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(16)
    page.wait_for_timeout(100)
    assert page.evaluate("scrollY") > start + 50
    page.click("#zoom-all")
    page.locator("#map").scroll_into_view_if_needed()
    i, j = listed(page)[0]
    page.touchscreen.tap(*cell_position(page, j, i, LENGTH))
    assert page.locator("#contacts tbody tr").first.get_attribute("aria-selected") == "true"


BEFORE_PRINT = """() => {
  dispatchEvent(new Event("beforeprint"));
  const copy = document.createElement("canvas").getContext("2d");
  copy.drawImage(document.querySelector("#viewer canvas"), 0, 0);
  return [...copy.getImageData(3, 3, 1, 1).data].slice(0, 3);
}"""


def test_paper_is_light_shows_every_part_and_nothing_overlaps(watched, of_two_chains):
    page = watched.open(of_two_chains, scheme="dark", width=720)
    dark = pixels(page, "#map")
    page.emulate_media(media="print", color_scheme="dark")
    at_once = page.evaluate(BEFORE_PRINT)  # a browser waits for no frame
    assert min(at_once) > 245
    page.wait_for_timeout(300)
    assert pixels(page, "#map")[3, 3].min() > 245
    assert pixels(page, "#viewer canvas")[3, 3].min() > 245
    boxes = [card.bounding_box() for card in page.locator(".card:visible").all()]
    assert len(boxes) >= 5
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] <= below["y"]
    scroll = page.locator("#contacts").evaluate("box => box.scrollHeight - box.clientHeight")
    assert scroll <= 0
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_timeout(300)
    assert np.abs(pixels(page, "#map")[3, 3] - dark[3, 3]).max() == 0
    assert page.pdf().count(b"/Type /Page\n") >= 2


def test_a_stranger_is_told_what_it_is_how_far_to_trust_it_and_where(watched, compared, tmp_path):
    path, prediction, truth, _ = compared
    page = watched.open(path)
    text = page.locator("#summary").inner_text()
    long = next(
        row for row in precision_table(prediction.contact_probs, truth.distances) if row.range == "long"
    )
    assert "40 residues" in text
    assert "2,842 sequences" in text
    assert f"{np.floor(100 * long.p_at_l + 0.5):.0f}\u202f%" in text
    assert f"guessing would find {100 * long.num_contacts / long.num_pairs:.1f}" in text
    lone = dataclasses.replace(prediction, neff=12.0, depth=15)
    write_report(lone, tmp_path / "page.html")
    page = watched.open(tmp_path / "page.html")
    text = page.locator("#summary").inner_text()
    first, second = top_pairs(prediction.contact_probs, min_separation=24)
    best = prediction.contact_probs[first, second][:LENGTH]
    assert f"{best.sum():.0f} of the {len(best)} strongest long-range pairs" in text
    assert "very shallow (Neff 12 for 40 residues)" in text
    assert "16\u202f% to 21\u202f%" in text
    assert page.locator("#summary").get_by_text("Most of them join residues").count() == 1
