"""What the report promises, seen in a real headless Chromium for proteins of 60, 300, 1,000 and 2,000 residues.

Each page is opened once, with structure and alignment; without them; and without WebGL. Every page is watched: no error
on the console, no request but for the file itself and blobs it made. What each control does is tested in
`test_report_browser.py`; here, that it does so at every length, and that hostile files change nothing.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chromium import NEEDS_CHROMIUM, SOFTWARE_GL, Watched, cell_position, count_near, launch, pixels, save
from proof_cases import protein, rich_prediction, structure_file
from report_cases import make_alignment

from msaformer.cli import main
from msaformer.metrics import precision_table, top_pairs
from msaformer.prediction import Prediction
from msaformer.report import write_report
from msaformer.report.truth import Truth, read_truth

pytestmark = NEEDS_CHROMIUM
MAX_BYTES = {60: 800_000, 300: 1_100_000, 1000: 2_500_000, 2000: 7_000_000}
"""Of a page with everything, by L."""
DEPTH = 1500
LOST = (21, 22, 23)  # residues without coordinates
FIRST_NUMBER = 11  # the author's, of the first residue
BLUE, VERMILION, INK = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x17, 0x20, 0x2E)
DARKEST = (8, 48, 107)  # of the map, probability 1


@dataclasses.dataclass(frozen=True)
class Case:
    """One protein and its two pages."""

    prediction: Prediction
    truth: Truth
    full: Path
    """With structure and alignment."""
    bare: Path
    """Without either."""


@pytest.fixture(scope="module")
def case_of(tmp_path_factory):
    """Makes the case of a length, once."""
    made = {}

    def make(length):
        if length not in made:
            made[length] = make_case(length, tmp_path_factory.mktemp(f"L{length}"))
        return made[length]

    return make


def make_case(length, folder):
    sequence, positions = protein(length)
    structure = structure_file(
        folder / ("x.cif" if length == 300 else "x.pdb"),
        sequence,
        positions,
        lost=LOST,
        first_number=FIRST_NUMBER,
    )
    alignment = make_alignment(sequence, rows=DEPTH)
    weights = np.random.default_rng(length).random(DEPTH, dtype=np.float32)
    prediction = rich_prediction(
        sequence, positions, depth=DEPTH, neff=float(weights.sum()), sequence_weights=weights
    )
    truth = read_truth(prediction, structure)
    full, bare = folder / "full.html", folder / "bare.html"
    write_report(prediction, full, truth=truth, structure_path=structure, alignment=alignment)
    write_report(dataclasses.replace(prediction, sequence_weights=None), bare)
    return Case(prediction, truth, full, bare)


@pytest.fixture(scope="module")
def blind(playwright):
    """A browser without WebGL."""
    running = launch(
        playwright, "--disable-software-rasterizer", "--disable-3d-apis", ignore_default_args=[SOFTWARE_GL]
    )
    yield running
    running.close()


@pytest.mark.parametrize("length", MAX_BYTES)
def test_a_page_with_everything_is_drawn_linked_and_small(watched, case_of, length, tmp_path):
    case = case_of(length)
    assert case.full.stat().st_size <= MAX_BYTES[length]
    page = watched.open(case.full)
    check_pictures(page)
    check_hover(page, case)
    check_slider(page, case)
    check_map_to_structure(page, case)
    check_structure_to_map(page)
    check_keyboard(page)
    check_downloads(page, case, tmp_path)


@pytest.mark.parametrize("length", MAX_BYTES)
def test_a_page_without_structure_and_alignment_is_drawn_and_saved(watched, case_of, length, tmp_path):
    case = case_of(length)
    page = watched.open(case.bare)
    assert "No structure was given" in page.locator("#viewer-message").inner_text()
    assert not page.locator("#coverage-card").is_visible()
    assert count_near(pixels(page, "#map"), DARKEST, 60) > 30
    check_keyboard(page)
    i, j = listed(page)[0]
    assert f"{i + 1} – {j + 1}" in page.locator("#picked").inner_text()
    table = pd.read_csv(save(page, "#save-csv", tmp_path), keep_default_na=False)
    assert list(zip(table["i"] - 1, table["j"] - 1, strict=True)) == best_pairs(case.prediction, None, length)


@pytest.mark.parametrize("length", MAX_BYTES)
def test_a_page_without_webgl_says_so_and_shows_the_rest(blind, case_of, length):
    watch = Watched(blind)
    page = watch.open(case_of(length).full)
    assert "no WebGL" in page.locator("#viewer-message").inner_text()
    picture = pixels(page, "#map")
    assert count_near(picture, BLUE) > 50
    page.locator("#contacts tbody tr").first.click()
    assert "robability" in page.locator("#picked").inner_text()
    watch.finish()


ATTACK = '</script x><script>document.title="run"</script x><img src=x onerror="document.title=1">\'"&'
NASTY = f"{ATTACK}\x1b[31m\x07\u202edlrow\u2066{{{{data}}}}"


def hostile_page(folder, *, attack, nasty, name):
    """The page that `report` makes of files whose every text is one of these."""
    folder.mkdir()
    sequence, positions = protein(60)
    chain = attack.replace(" ", "/").replace('"', "").replace("'", "")  # what a word of mmCIF can hold
    structure_file(folder / "x.cif", sequence, positions, chain=chain)
    rows = [("query", sequence), (nasty, sequence), (f"{nasty}{'z' * 100_000}", "-" * 30 + sequence[30:])]
    (folder / "x.a3m").write_text("".join(f">{header}\n{row}\n" for header, row in rows), encoding="utf-8")
    theirs = folder / f"{name}.rr"
    words = "".join(letter for letter in nasty if letter >= " ")  # their reader refuses control characters
    header = f"PFRMAT RR\nTARGET {words}\nMETHOD {words}\nMODEL 1\n"
    theirs.write_text(f"{header}{sequence}\n1 40 0 8 0.9\nEND\n", encoding="utf-8")
    model = {"name": nasty, nasty: nasty, "version": f"{nasty}{'z' * 100_000}", "weights": attack}
    rich_prediction(sequence, positions, name=name, model=model, depth=3, neff=2.5).save(folder / "x.npz")
    files = ["--structure", folder / "x.cif", "--alignment", folder / "x.a3m", "--compare", theirs]
    assert main(["report", str(folder / "x.npz"), *map(str, files), "-o", str(folder / "page.html")]) == 0
    return folder / "page.html"


def test_hostile_texts_of_all_files_are_shown_and_change_nothing(watched, tmp_path):
    name = "<img src=x onerror=document.title=1>\"'&"
    hostile = hostile_page(tmp_path / "hostile", attack=ATTACK, nasty=NASTY, name=name)
    tame = hostile_page(tmp_path / "tame", attack="A", nasty="other", name="tame")
    assert hostile.stat().st_size - tame.stat().st_size < 10_000
    tags, heights = [], []
    for path in (tame, hostile):
        page = watched.open(path)
        page.locator("#contacts tbody tr").first.click()
        tags.append(page.evaluate("Array.from(document.querySelectorAll('*'), (one) => one.tagName).sort()"))
        heights.append(page.evaluate("document.documentElement.scrollHeight"))
    assert tags[0] == tags[1]  # no text became an element
    assert heights[1] < 1.5 * heights[0]
    assert page.title() == f"{name} · predicted contacts"
    assert page.locator("h1").inner_text() == name
    assert "document.title" in page.locator("#identity").inner_text()
    assert not set(page.evaluate("document.body.innerText")) & set("\x1b\x07\u202e\u2066")
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(*cell_position(page, 4, 50, 60))
    assert "</script/x>" in page.locator("#tip").inner_text()  # of the chain's name


def check_pictures(page):
    """Map and structure show true contacts in blue and false ones in vermilion; the alignment has many colours."""
    picture = pixels(page, "#map")
    assert count_near(picture, BLUE) > 50
    assert count_near(picture, VERMILION) > 20
    structure = pixels(page, "#viewer canvas")
    assert ((structure[..., 2] > 110) & (structure[..., 0] < 60)).sum() > 100
    assert ((structure[..., 0] > 120) & (structure[..., 2] < 80)).sum() > 20
    assert (structure.max(-1) - structure.min(-1) < 20).sum() > 5000  # a grey chain on white
    assert len(np.unique(pixels(page, "#coverage")[40:-130, 80:-30].reshape(-1, 3), axis=0)) > 50
    page.evaluate("scrollTo(0, 0)")  # where the map is


def check_hover(page, case):
    length = case.prediction.length
    page.mouse.move(*cell_position(page, 4, length - 5, length))
    tip = page.locator("#tip").inner_text()
    assert f"A:{FIRST_NUMBER + 4} – A:{FIRST_NUMBER + length - 5}" in tip
    assert f"{case.truth.distances[4, length - 5]:.1f}" in tip
    page.mouse.move(*cell_position(page, LOST[1], length - 5, length))
    assert "not resolved" in page.locator("#tip").inner_text()
    page.mouse.move(2, 2)


def check_slider(page, case):
    """The precision beside the slider is that of the metrics, for L and for L/5 pairs."""
    page.get_by_label("≥ 24").check()
    row = next(
        row
        for row in precision_table(case.prediction.contact_probs, case.truth.distances)
        if row.range == "long"
    )
    for stop, expected in ((3, row.p_at_l), (1, row.p_at_l5)):
        page.locator("#count").fill(str(stop))
        assert page.locator("#score-value").inner_text() == f"{np.floor(100 * expected + 0.5):.0f}\u202f%"
    page.locator("#count").fill("3")


def check_map_to_structure(page, case):
    length = case.prediction.length
    before = dark_pixels(page)
    i, j = best_pairs(case.prediction, case.truth, 1, min_separation=24)[0]
    page.mouse.click(*cell_position(page, i, j, length))
    assert f"{i + 1} – {j + 1}" in page.locator("#picked").inner_text()
    assert until(page, lambda: dark_pixels(page) > before + 400)  # the labels of both residues
    page.locator("#map").press("Escape")


def check_structure_to_map(page):
    """A click somewhere on the chain picks a residue, which the map then shows."""
    before = pixels(page, "#map")
    structure, box = pixels(page, "#viewer canvas"), page.locator("#viewer canvas").bounding_box()
    grey = (structure.max(-1) - structure.min(-1) < 25) & (structure.max(-1) < 225)
    rows, columns = np.nonzero(grey)
    for k in np.linspace(0, len(rows) - 1, 12).astype(int):
        page.mouse.click(box["x"] + columns[k], box["y"] + rows[k])
        if page.locator("#all-contacts").is_visible():
            break
    assert page.locator("#all-contacts").is_visible()
    assert until(page, lambda: num_changed(page, before) > 20)
    page.locator("#map").press("Escape")


def check_keyboard(page):
    plot = page.locator("#map")
    plot.press("ArrowRight")
    assert "probability" in page.locator("#live").text_content()
    plot.press("n")
    i, j = listed(page)[0]
    assert f"{i + 1} – {j + 1}" in page.locator("#picked").inner_text()
    before = pixels(page, "#map")
    plot.press("+")
    assert until(page, lambda: num_changed(page, before) > 100)
    plot.press("0")


def check_downloads(page, case, tmp_path):
    prediction, truth = case.prediction, case.truth
    table = pd.read_csv(save(page, "#save-csv", tmp_path), keep_default_na=False)
    pairs = best_pairs(prediction, truth, prediction.length, min_separation=24)
    assert list(zip(table["i"] - 1, table["j"] - 1, strict=True)) == pairs
    i, j = np.array(pairs).T
    np.testing.assert_allclose(table["prob"], prediction.contact_probs[i, j], atol=1e-6)
    np.testing.assert_allclose(table["pred_distance"], prediction.expected_distance[i, j], atol=1e-3)
    known = (table["distance"].astype(str) != "").to_numpy()
    assert np.array_equal(known, ~np.isnan(truth.distances[i, j]))
    np.testing.assert_allclose(
        table["distance"][known].astype(float), truth.distances[i, j][known], atol=1e-3
    )
    lines = save(page, "#save-rr", tmp_path).read_text().splitlines()
    rows = [line.split() for line in lines if line[0].isdigit()]
    assert [(int(row[0]) - 1, int(row[1]) - 1) for row in rows] == pairs
    assert (lines[0], lines[-1]) == ("PFRMAT RR", "END")
    assert save(page, "#save-png", tmp_path).read_bytes().startswith(b"\x89PNG")
    assert "<svg" in save(page, "#save-svg", tmp_path).read_text()[:200]


def until(page, claim):
    """Does `claim` come true? A busy machine draws late."""
    for _ in range(50):
        if claim():
            return True
        page.wait_for_timeout(100)
    return False


def num_changed(page, before):
    return int((np.abs(before - pixels(page, "#map")).max(axis=-1) > 60).sum())


def dark_pixels(page):
    """Of the structure, as its labels are."""
    return count_near(pixels(page, "#viewer canvas"), INK, 30)


def listed(page):
    """Pairs of the page's list, in order, counted from 0."""
    keys = page.locator("#contacts tbody tr").evaluate_all(
        "rows => rows.slice(0, 5).map(row => row.dataset.pair)"
    )
    return [tuple(map(int, key.split())) for key in keys]


def best_pairs(prediction, truth, count, *, min_separation=6):
    """The best pairs until `count` of them can be judged; all can where there is no truth."""
    pairs, judged = [], 0
    for i, j in zip(*top_pairs(prediction.contact_probs, min_separation=min_separation), strict=True):
        judged += truth is None or not np.isnan(truth.distances[i, j])
        if judged > count:
            break
        pairs.append((int(i), int(j)))
    return pairs
