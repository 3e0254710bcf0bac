"""The report in a headless Chromium: chains, residues picked in map and structure, keys, fingers, paper, words."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from chromium import NEEDS_CHROMIUM, cell_position, choose, listed, pixels
from report_pages import LENGTH, write_compared, write_of_two_chains

from msaformer.metrics import precision_table, top_pairs
from msaformer.report import write_report

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """(path, prediction, truth, second prediction's scores)."""
    path = tmp_path_factory.mktemp("compared") / "page.html"
    return path, *write_compared(path)


@pytest.fixture(scope="module")
def of_two_chains(tmp_path_factory):
    return write_of_two_chains(tmp_path_factory.mktemp("dimer"))


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
    at_once = page.evaluate(
        BEFORE_PRINT
    )  # when the screen's rules still hold; and a browser waits for no frame
    assert min(at_once) > 245
    page.wait_for_timeout(300)
    assert pixels(page, "#map")[3, 3].min() > 245
    page.emulate_media(media="print", color_scheme="dark")
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
    assert "25\u202f% to 30\u202f%" in text
    assert page.locator("#summary").get_by_text("Most of them join residues").count() == 1
