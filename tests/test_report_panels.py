"""The report's panels in a real headless Chromium: alignment, weights, calibration, distances, attention, downloads.

Every page is watched: no error on the console, no request but for the file itself and blobs it made.
"""

from __future__ import annotations

import dataclasses
import io
import xml.etree.ElementTree as ElementTree

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from chromium import CHROMIUM, SOFTWARE_GL, Watched, cell_position, count_near, launch, pixels, save
from report_cases import SEQUENCE, chain_like_positions, make_alignment, make_truth, prediction_from

from data_tools.labels import pairwise_distances
from data_tools.neff import column_neff
from data_tools.weights import sequence_weights
from msaformer.prediction import AttentionMaps
from msaformer.report import write_report
from msaformer.report.contact_list import contact_list
from msaformer.report.coverage import identity_bands, identity_to_query
from msaformer.report.exports import save_casp_rr, save_csv
from msaformer.report.pair_list import listed_pairs
from msaformer.report.payload_calibration import calibration_part

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the python package playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium"),
]
GOLD = (0xB8, 0x86, 0x0B)  # of picked residues
ATTACK = '</script><img src=x onerror="document.title=1">\u202e"=1+1'
SVG = "{http://www.w3.org/2000/svg}"


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


def attention_of(length):
    probs = np.random.default_rng(1).random((3, length, length)).astype(np.float32) ** 6
    probs /= probs.sum(axis=-1, keepdims=True)
    return AttentionMaps(np.array([[0, 1], [0, 3], [11, 0]], dtype=np.int32), probs)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Two chains with all that a page can hold and hostile names: (path, prediction, truth, alignment)."""
    path = tmp_path_factory.mktemp("panels") / "page.html"
    positions = chain_like_positions(40)
    prediction = dataclasses.replace(
        prediction_from(pairwise_distances(positions), SEQUENCE, name="<b>=cmd|'toy'"),
        chain_lengths=(25, 15),
        attention=attention_of(40),
    )
    names = ["=A"] * 25 + ["B,\"'"] * 15
    numbers = ["" if k == 11 else str(k - 5) for k in range(40)]
    truth = make_truth(positions, lost=(11,), chain_names=tuple(names), residue_numbers=tuple(numbers))
    alignment = make_alignment(rows=30)
    hostile = ("query", *(ATTACK + "z" * 100_000 for _ in range(29)))
    alignment = dataclasses.replace(alignment, names=hostile)
    write_report(prediction, path, truth=truth, alignment=alignment)
    return path, prediction, truth, alignment


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A prediction that knows its sequences' weights, and nothing else."""
    path = tmp_path_factory.mktemp("bare") / "page.html"
    weights = np.full(9, 0.5, dtype=np.float32)
    prediction = prediction_from(pairwise_distances(chain_like_positions(40)), SEQUENCE)
    write_report(dataclasses.replace(prediction, depth=9, sequence_weights=weights), path)
    return path


def picked(page, row=0):
    """Pick a contact of the list; returns its residues, counted from 0."""
    line = page.locator("#contacts tbody tr").nth(row)
    line.click()
    return tuple(int(k) for k in line.get_attribute("data-pair").split())


def column_position(page, column):
    """Where a column lies on screen; the margins are those of coverage.js."""
    box = page.locator("#coverage").bounding_box()
    return box["x"] + 58 + (column + 0.5) * (box["width"] - 58 - 14) / 40, box["y"] + 60


def bars(page, selector):
    """Heights of a chart's bars, from left to right."""
    return np.array(
        page.locator(selector).evaluate_all("bars => bars.map((bar) => +bar.getAttribute('height'))")
    )


def test_a_panel_is_shown_where_it_has_data_and_nowhere_else(watched, full, bare, tmp_path):
    path, prediction, _, alignment = full
    unjudged = tmp_path / "unjudged.html"
    write_report(prediction, unjudged, alignment=alignment)
    cards = ["#coverage-card", "#calibration-card", "#weights-card", "#attention-card"]
    cases = {path: [True] * 4, unjudged: [True, False, True, True], bare: [False, False, True, False]}
    for shown, expected in cases.items():
        page = watched.open(shown)
        assert [page.locator(card).is_visible() for card in cards] == expected
        tops = page.locator("main section").evaluate_all(
            "cards => cards.map((card) => card.getBoundingClientRect().top)"
        )
        assert tops[-1] == max(tops)  # the foot stays the last
    assert page.locator("#weights-card table").count() == 0
    assert page.locator("#distogram").is_visible()
    assert "weights" in page.locator("#identity").inner_text()


def test_panels_of_one_residue_and_one_sequence_are_drawn(watched, tmp_path):
    positions = chain_like_positions(1)
    attention = AttentionMaps(np.zeros((1, 2), dtype=np.int32), np.ones((1, 1, 1), dtype=np.float32))
    prediction = prediction_from(pairwise_distances(positions), "A", attention=attention)
    path = tmp_path / "page.html"
    write_report(prediction, path, truth=make_truth(positions), alignment=make_alignment("A", rows=1))
    page = watched.open(path)
    assert not page.locator("#calibration-card").is_visible()  # no pair to judge
    page.locator("#coverage").press("Home")
    text = page.locator("#coverage-column").inner_text()
    assert (
        text.replace("\u202f", " ") == "Ala 1 (A:101) · 1 of 1 sequences, gaps 0 % · Neff 1 of 1 · Ala 100 %"
    )
    assert "half of Neff in 1 of 1 sequences" in page.locator("#weights-card .tag").inner_text()
    page.locator("#attention-card button").click()
    assert page.locator("#attention-card button").get_attribute("aria-pressed") == "true"
    for button in ("#save-svg", "#save-png", "#coverage-card .save"):
        assert save(page, button, tmp_path).stat().st_size > 500


def test_a_column_tells_what_it_holds_and_picks_its_residue(watched, full):
    path, _, _, alignment = full
    page = watched.open(path)
    readout = page.locator("#coverage-column")
    assert "Point at a column" in readout.inner_text()
    page.locator("#coverage").scroll_into_view_if_needed()
    counts = (alignment.tokens != 21).sum(axis=0)
    column = next(k for k in range(26, 39) if len({*counts[k - 1 : k + 2]}) == 3)  # of the second chain
    page.mouse.move(*column_position(page, column))
    neff = column_neff(alignment.tokens, sequence_weights(alignment.tokens))[column]
    text = readout.inner_text()
    assert f"{counts[column]} of 30 sequences, gaps {round(100 * (1 - counts[column] / 30))}" in text
    assert f"Neff {neff:.1f}".removesuffix(".0") in text
    assert (
        f" {column - 24} (" in text.split("·")[0]
    )  # numbers of the second chain, which begins at residue 26
    percents = [int(share.split()[1].split("\u202f")[0]) for share in text.split("·")[-1].split(",")]
    assert percents == sorted(percents, reverse=True)
    page.mouse.move(5, 5)
    before = count_near(pixels(page, "#coverage"), GOLD)
    page.mouse.click(*column_position(page, column))
    page.mouse.move(5, 5)
    assert readout.inner_text() == text
    one = count_near(pixels(page, "#coverage"), GOLD) - before
    assert one > 100
    picked(page)
    assert count_near(pixels(page, "#coverage"), GOLD) - before > 1.5 * one
    page.locator("#coverage").press("Home")
    page.locator("#coverage").press("ArrowRight")
    assert readout.inner_text().startswith("Cys 2")
    page.locator("#coverage").press("Enter")
    page.mouse.move(5, 5)
    assert readout.inner_text().startswith("Cys 2")


def test_bands_of_identity_count_sequences_and_their_weight(watched, full):
    path, _, _, alignment = full
    page = watched.open(path)
    rows = page.locator("#coverage-bands .band:not(.head)").all_inner_texts()
    weights = sequence_weights(alignment.tokens)
    for text, band in zip(rows, identity_bands(identity_to_query(alignment.tokens), weights), strict=True):
        assert str(band.sequences) in text.split("\n")[1]
        assert f"{band.weight:.1f}".removesuffix(".0") in text
    assert [text.split("\n")[0].replace("\u202f", "") for text in rows][::5] == ["≥ 90%", "< 20%"]


def test_hostile_names_of_sequences_show_as_text_and_do_not_swell_the_page(watched, full):
    path, _, _, alignment = full
    page = watched.open(path)
    assert path.stat().st_size < 300_000
    names = page.locator("#weights-card .name").all_inner_texts()
    assert len(names) == 8
    assert any(name.startswith('</script><img src=x onerror="document.title=1">�"=1+1zz') for name in names)
    assert page.locator("img").count() == 0
    assert "<b>=cmd" in page.title()
    weights = np.sort(sequence_weights(alignment.tokens))[::-1]
    half = int(np.searchsorted(np.cumsum(weights, dtype=np.float64), weights.sum(dtype=np.float64) / 2)) + 1
    assert f"half of Neff in {half} of 30" in page.locator("#weights-card .tag").inner_text()


def test_calibration_shows_each_range(watched, full):
    path, prediction, truth, _ = full
    page = watched.open(path)
    card = page.locator("#calibration-card")
    for row in calibration_part(prediction, truth.distances)["ranges"]:
        card.get_by_label(row["name"].title(), exact=True).check()
        assert f"{row['pairs']} pairs · ECE {row['error']:.3f}" in card.locator(".tag").inner_text()
        assert card.locator("circle.dot").count() == sum(1 for count in row["counts"] if count)
        assert (bars(page, "#calibration-card .count") > 0).tolist() == [
            bool(count) for count in row["counts"]
        ]
        assert "few pairs" in card.locator(".hint").inner_text()


def test_the_distribution_of_the_picked_pair_is_drawn(watched, full):
    path, prediction, truth, _ = full
    page = watched.open(path)
    assert "Pick a pair" in page.locator("#distogram").inner_text()
    i, j = picked(page, 3)
    heights, probs = bars(page, "#distogram .bin"), prediction.distogram_probs[i, j]
    np.testing.assert_allclose(heights / heights.max(), probs / probs.max(), atol=0.01)
    assert page.locator("#distogram .bin.near").count() == int((prediction.bin_edges <= 8).sum())
    text = page.locator("#distogram").inner_text()
    assert f"P(d < 8 Å) {prediction.contact_probs[i, j]:.2f}" in text
    assert f"{truth.distances[i, j]:.1f} Å" in text
    listed = set(zip(*listed_pairs(prediction, truth), strict=True))
    other = next((i, i + 2) for i in range(40) if (i, i + 2) not in listed)
    page.locator("#map").scroll_into_view_if_needed()
    page.locator("#count").fill("0")
    page.mouse.click(*cell_position(page, *other, 40))
    assert page.locator("#distogram .bin").count() == 0
    assert "not of this one" in page.locator("#distogram").inner_text()


def test_a_head_is_laid_on_the_map_and_taken_off(watched, full):
    path, prediction, _, _ = full
    page = watched.open(path)
    heads = page.locator("#attention-card button")
    assert heads.all_inner_texts() == ["block 0 · head 1", "block 0 · head 3", "block 11 · head 0"]
    before = pixels(page, "#map")
    heads.nth(1).focus()
    page.keyboard.press("Enter")
    assert heads.nth(1).get_attribute("aria-pressed") == "true"
    page.wait_for_timeout(100)
    laid = pixels(page, "#map")
    box = page.locator("#map").bounding_box()
    probs = prediction.attention.probs[1]
    shades = []
    for i, j in ((30, 3), (20, 9), (3, 30), (35, 10), (28, 2), (9, 31)):
        x, y = cell_position(page, i, j, 40)
        shades.append((probs[i, j], -int(laid[int(y - box["y"]), int(x - box["x"])].sum())))
    assert sorted(shades) == sorted(
        shades, key=lambda pair: pair[1]
    )  # darker where it attends more, on both sides
    heads.nth(1).click()
    assert heads.nth(1).get_attribute("aria-pressed") == "false"
    page.mouse.move(5, 5)
    page.wait_for_timeout(100)
    assert (pixels(page, "#map") == before).all()


def test_csv_and_rr_are_the_program_s_own(watched, full, tmp_path):
    path, prediction, truth, _ = full
    page = watched.open(path)
    page.locator("#count").fill("7")
    table = pd.read_csv(save(page, "#save-csv", tmp_path), keep_default_na=False, dtype=str)
    contacts = contact_list(prediction, truth)
    save_csv(contacts, tmp_path / "own.csv")
    own = pd.read_csv(tmp_path / "own.csv", keep_default_na=False, dtype=str)
    assert table.columns.tolist() == own.columns.tolist()
    own = own.set_index(["i", "j"]).loc[list(zip(table["i"], table["j"], strict=True))].reset_index()
    texts = [column for column in own.columns if column != "pred_std"]
    assert len(table) > 100
    assert "" in {*table["distance"]}  # pairs of a residue without coordinates
    pd.testing.assert_frame_equal(table[texts], own[texts])
    np.testing.assert_allclose(table["pred_std"].astype(float), own["pred_std"].astype(float), atol=1.01e-3)
    assert {"'=A", "B,\"'"} == {*table["chain_i"], *table["chain_j"]} - {""}
    assert "-5" in {*table["auth_i"]}
    lines = save(page, "#save-rr", tmp_path).read_text(encoding="ascii").splitlines()
    save_casp_rr(contacts, tmp_path / "own.rr")
    own_lines = (tmp_path / "own.rr").read_text(encoding="ascii").splitlines()
    head = own_lines.index(SEQUENCE) + 1
    assert lines[:head] == own_lines[:head]
    assert set(lines[head:]) <= set(own_lines[head:])
    assert len(lines) == head + len(table) + 1


def test_the_svg_is_the_map_as_vectors_and_hostile_text_is_escaped(watched, full, tmp_path):
    path = full[0]
    page = watched.open(path, height=1100)
    picked(page)
    svg = save(page, "#save-svg", tmp_path)
    root = ElementTree.parse(svg).getroot()
    assert root.find(f"{SVG}title").text == "<b>=cmd|'toy': predicted contacts"
    assert next(element.text for element in root.iter(f"{SVG}text")) == "<b>=cmd|'toy'"
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *(
            "svg",
            "title",
            "defs",
            "clipPath",
            "path",
            "g",
            "text",
            "image",
            "pattern",
            "linearGradient",
            "stop",
        )
    }
    for image in root.iter(f"{SVG}image"):
        assert image.get("href").startswith("data:image/png;base64,")
    png = matplotlib.image.imread(save(page, "#save-png", tmp_path))
    width, height = int(root.get("width")), int(root.get("height"))
    assert png.shape[:2] == (2 * height, 2 * width)
    page.set_viewport_size({"width": width, "height": height})
    page.goto(svg.as_uri())
    drawn = matplotlib.image.imread(io.BytesIO(page.screenshot()), format="png")[..., :3]
    small = png[..., :3].reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    assert np.abs(drawn - small).mean() < 0.02
    assert (np.abs(drawn - small).max(axis=-1) > 0.5).mean() < 0.01


def test_plots_of_panels_are_saved_as_they_look_without_the_style_sheet(watched, full, tmp_path):
    page = watched.open(full[0], scheme="dark")
    picked(page)
    for card, shape in (("calibration-card", "circle"), ("weights-card", "polyline"), ("distogram", "rect")):
        root = ElementTree.parse(save(page, f"#{card} .save", tmp_path)).getroot()
        shapes = list(root.iter(f"{SVG}{shape}"))
        drawn = page.locator(f"#{card} svg {shape}")
        assert len(shapes) == drawn.count() + (shape == "rect")  # and the ground
        last = drawn.last.evaluate("element => getComputedStyle(element).fill")
        assert (shapes[-1].get("fill"), shapes[-1].get("class")) == (last, None)
    alignment = ElementTree.parse(save(page, "#coverage-card .save", tmp_path)).getroot()
    assert len(list(alignment.iter(f"{SVG}image"))) == 1
    texts = {element.text: element for element in alignment.iter(f"{SVG}text")}
    assert {"chain =A", "sequences", "Neff"} <= set(texts)
    assert texts["Neff"].get("transform").startswith("matrix(")
    turn = [float(number) for number in texts["Neff"].get("transform")[7:].split(",")[:4]]
    np.testing.assert_allclose(turn, [0, -1, 1, 0], atol=1e-9)  # upwards


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panels_fit_a_phone_and_follow_the_scheme(watched, full, scheme):
    page = watched.open(full[0], width=360, height=740, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = page.evaluate(
        "[...document.querySelectorAll('.card')].filter((card) => card.scrollWidth > card.clientWidth + 1)"
        ".map((card) => card.id)"
    )
    assert wide == []
    other = "light" if scheme == "dark" else "dark"
    page.emulate_media(color_scheme=other)
    page.wait_for_timeout(200)
    fresh = watched.open(full[0], width=360, height=740, scheme=other)
    for canvas in ("#coverage", "#attention-card canvas >> nth=0", "#calibration-card svg"):
        assert np.abs(pixels(page, canvas) - pixels(fresh, canvas)).mean() < 1, canvas
