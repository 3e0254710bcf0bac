"""The report's panels in a real headless Chromium: alignment, weights, calibration, distances, attention.

Every page is watched: no error on the console, no request but for the file itself and blobs it made.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from chromium import NEEDS_CHROMIUM, cell_position, count_near, pixels, save
from panel_cases import picked, write_full_page
from report_cases import SEQUENCE, chain_like_positions, make_alignment, make_truth, prediction_from

from data_tools.labels import pairwise_distances
from data_tools.neff import column_neff
from data_tools.weights import sequence_weights
from msaformer.prediction import AttentionMaps
from msaformer.report import write_report
from msaformer.report.coverage import identity_bands, identity_to_query
from msaformer.report.pair_list import listed_pairs
from msaformer.report.payload_calibration import calibration_part

pytestmark = NEEDS_CHROMIUM
GOLD = (0xB8, 0x86, 0x0B)  # of picked residues


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return write_full_page(tmp_path_factory.mktemp("panels") / "page.html")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A prediction that knows its sequences' weights, and nothing else."""
    path = tmp_path_factory.mktemp("bare") / "page.html"
    weights = np.full(9, 0.5, dtype=np.float32)
    prediction = prediction_from(pairwise_distances(chain_like_positions(40)), SEQUENCE)
    write_report(dataclasses.replace(prediction, depth=9, sequence_weights=weights), path)
    return path


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
