"""The report in a real headless Chromium: what a reader sees, points at, clicks and saves.

Every page is watched: no error on the console, no request but for the file itself and blobs it made.
"""

from __future__ import annotations

from importlib import resources

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from chromium import NEEDS_CHROMIUM, SOFTWARE_GL, Watched, cell_position, count_near, launch, pixels, save
from report_cases import (
    SEQUENCE,
    chain_like_distances,
    chain_like_positions,
    make_alignment,
    make_truth,
    prediction_from,
)

from data_tools.labels import label_distances
from data_tools.structure import read_chains
from msaformer.metrics import precision_table, top_pairs
from msaformer.report import write_report
from msaformer.report.truth import truth_of

pytestmark = NEEDS_CHROMIUM
BLUE, VERMILION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
OUTSIDE = 39  # the residue that has no place in the made-up chain
LOST = (11, 12, 13, 14)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The bundled protein with made-up predictions: (path of the page, prediction, truth)."""
    path = tmp_path_factory.mktemp("real") / "page.html"
    with resources.as_file(resources.files("msaformer") / "example" / "dhfr.pdb.gz") as source:
        chain = read_chains(source)[0]
        truth = truth_of(label_distances(chain.sequence, chain, source=source))
        prediction = prediction_from(truth.distances, chain.sequence, name="DHFR")
        alignment = make_alignment(chain.sequence, rows=700)
        write_report(prediction, path, truth=truth, structure_path=source, alignment=alignment)
    return path, prediction, truth


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Forty residues, four not resolved and one not in the chain, without 3D: (path, prediction, truth)."""
    path = tmp_path_factory.mktemp("made") / "page.html"
    truth = make_truth(chain_like_positions(40), lost=LOST, outside=(OUTSIDE,))
    prediction = prediction_from(chain_like_distances(40), SEQUENCE)
    write_report(prediction, path, truth=truth)
    return path, prediction, truth


def test_map_structure_and_coverage_are_drawn(watched, real):
    page = watched.open(real[0])
    picture = pixels(page, "#map")
    assert count_near(picture, BLUE) > 300
    assert count_near(picture, VERMILION) > 20
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    structure = pixels(page, "#viewer canvas")
    reddish = (structure[..., 0] > 120) & (structure[..., 2] < 80)
    bluish = (structure[..., 2] > 110) & (structure[..., 0] < 60)
    assert reddish.sum() > 100
    assert bluish.sum() > 300
    assert (structure.max(-1) - structure.min(-1) < 20).sum() > 5000  # grey cartoon on white
    rows = pixels(page, "#coverage")[40:-130, 80:-30].reshape(-1, 3)  # without axes and the strip of Neff
    assert len(np.unique(rows, axis=0)) > 50


def test_prediction_lies_above_the_diagonal(watched, made_up):
    path, prediction, _ = made_up
    page = watched.open(path)
    picture = pixels(page, "#map")
    box = page.locator("#map").bounding_box()
    first, second = top_pairs(prediction.contact_probs, min_separation=6)
    x, y = cell_position(page, first[0], second[0], 40)
    assert np.abs(picture[int(y - box["y"]), int(x - box["x"])] - (8, 48, 107)).max() < 60
    x, y = cell_position(page, first[-1], second[-1], 40)
    assert picture[int(y - box["y"]), int(x - box["x"])].min() > 220


def test_hovering_a_cell_tells_both_numberings_and_all_that_is_known(watched, made_up):
    path, prediction, truth = made_up
    page = watched.open(path)
    for row, column in ((4, 30), (30, 4)):  # either side of the diagonal
        page.mouse.move(*cell_position(page, row, column, 40))
        tip = page.locator("#tip").inner_text()
        for text in ("Phe 5", "Met 31", "A:105 – A:131", "26", f"{truth.distances[4, 30]:.1f}"[:-1]):
            assert text in tip
        assert f"{prediction.expected_distance[4, 30]:.1f}"[:-1] in tip
    page.mouse.move(*cell_position(page, LOST[0], 30, 40))
    assert "not resolved – A:131" in page.locator("#tip").inner_text()
    assert "unknown" in page.locator("#tip").inner_text()
    page.mouse.move(*cell_position(page, 4, OUTSIDE, 40))
    assert "A:105 – not in chain" in page.locator("#tip").inner_text()
    page.mouse.move(5, 5)
    assert not page.locator("#tip").is_visible()


def test_unresolved_residues_are_hatched_never_left_blank(watched, made_up):
    page = watched.open(made_up[0])
    picture = pixels(page, "#map")
    box = page.locator("#map").bounding_box()

    def patch(row, column):
        x, y = cell_position(page, row, column, 40)
        top, left = int(y - box["y"]), int(x - box["x"])
        return picture[top - 7 : top + 7, left - 7 : left + 7].reshape(-1, 3)

    assert len(np.unique(patch(30, LOST[1]), axis=0)) > 3
    assert patch(30, LOST[1]).min(axis=0).max() < 245


def test_the_score_is_the_precision_of_the_metrics_module(watched, made_up):
    path, prediction, truth = made_up
    page = watched.open(path)
    rows = {row.range: row for row in precision_table(prediction.contact_probs, truth.distances)}
    for separation, range_name in ((12, "medium_long"), (24, "long")):
        page.get_by_label(f"≥ {separation}").check()
        for stop, share in ((3, "p_at_l"), (2, "p_at_l2"), (1, "p_at_l5")):
            page.locator("#count").fill(str(stop))
            expected = getattr(rows[range_name], share)
            assert page.locator("#score-value").inner_text() == f"{np.floor(100 * expected + 0.5):.0f}\u202f%"
    cells = page.locator("#precision tbody tr").nth(2).locator("td").all_inner_texts()
    assert cells[1] == f"{np.floor(100 * rows['long'].p_at_l + 0.5):.0f}\u202f%"
    assert cells[4].endswith(f" of {rows['long'].num_contacts}")


def test_the_list_is_the_ranking_and_unknown_pairs_stand_in_it(watched, made_up):
    path, prediction, truth = made_up
    page = watched.open(path)
    listed = page.locator("#contacts tbody tr").evaluate_all("rows => rows.map(row => row.dataset.pair)")
    known, expected, judged = ~np.isnan(truth.distances), [], 0
    for i, j in zip(*top_pairs(prediction.contact_probs, min_separation=6), strict=True):
        judged += bool(known[i, j])
        if judged > 40:
            break
        expected.append(f"{i} {j}")
    assert listed == expected
    assert len(listed) > 40


def test_marks_can_be_hidden(watched, made_up):
    page = watched.open(made_up[0])
    before = count_near(pixels(page, "#map"), VERMILION)
    page.locator("#show-false").uncheck()
    page.wait_for_timeout(100)
    assert before > 20
    assert count_near(pixels(page, "#map"), VERMILION) == 0
    page.locator("#show-true").uncheck()
    assert "0 pairs" not in page.locator("#contacts-count").inner_text()  # the unknown ones stay


def test_clicking_a_contact_in_the_map_shows_it_in_the_structure(watched, real):
    path, prediction, truth = real
    page = watched.open(path)
    page.get_by_label("≥ 24").check()
    page.wait_for_timeout(200)
    before = pixels(page, "#viewer canvas")
    i, j = (int(k[0]) for k in top_pairs(prediction.contact_probs, min_separation=24))
    x, y = cell_position(page, j, i, prediction.length)
    page.mouse.click(x + 1, y + 1)
    page.wait_for_timeout(300)
    text = page.locator("#picked").inner_text()
    assert f"{i + 1} – {j + 1}" in text
    assert f"{truth.distances[i, j]:.1f} Å" in text
    after = pixels(page, "#viewer canvas")
    assert (np.abs(before - after).max(axis=-1) > 60).sum() > 300
    page.locator("#map").press("Escape")
    page.wait_for_timeout(300)
    assert (np.abs(before - pixels(page, "#viewer canvas")).max(axis=-1) > 60).sum() < 30


def test_a_click_beside_a_mark_takes_the_mark(watched, made_up):
    page = watched.open(made_up[0])
    page.locator("#count").fill("0")
    pairs = [
        tuple(map(int, text.split()))
        for text in page.locator("#contacts tbody tr").evaluate_all(
            "rows => rows.map(row => row.dataset.pair)"
        )
    ]
    i, j = pairs[0]
    x, y = cell_position(page, i, j, 40)  # above the diagonal, where nothing is marked
    beside = next(step for step in (9, -9) if (i, j + step // abs(step)) not in pairs)
    page.mouse.click(x + beside, y)
    assert f"{i + 1} – {j + 1}" in page.locator("#picked").inner_text()


def test_a_row_of_the_list_picks_its_contact(watched, made_up):
    page = watched.open(made_up[0])
    before = pixels(page, "#map")
    row = page.locator("#contacts tbody tr").nth(4)
    row.click()
    page.wait_for_timeout(100)
    ringed = np.abs(pixels(page, "#map") - before).max(axis=-1) > 100
    assert ringed[np.triu_indices_from(ringed)].sum() > 20  # on both sides of the diagonal
    assert ringed[np.tril_indices_from(ringed)].sum() > 20
    assert row.get_attribute("aria-selected") == "true"
    i, j = (int(k) + 1 for k in row.get_attribute("data-pair").split())
    assert f"{i} – {j}" in page.locator("#picked").inner_text()


def test_the_map_is_moved_by_wheel_drag_and_keys(watched, made_up):
    page = watched.open(made_up[0])

    def view():
        page.wait_for_timeout(60)
        return pixels(page, "#map")[6:-6, 6:-6]  # without the ring of the keyboard's focus

    whole = view()
    page.mouse.move(*cell_position(page, 10, 30, 40))
    page.mouse.wheel(0, -120)
    page.mouse.wheel(0, -120)
    page.mouse.move(5, 5)
    zoomed = view()
    assert (whole != zoomed).any()
    x, y = cell_position(page, 20, 20, 40)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 40, steps=3)
    page.mouse.up()
    page.mouse.move(5, 5)
    assert (view() != zoomed).any()
    page.locator("#map").press("0")
    assert (view() == whole).all()
    page.click("#zoom-in")
    assert (view() != whole).any()
    page.dblclick("#map")
    page.mouse.move(5, 5)
    page.locator("#map").press("Escape")
    assert (view() == whole).all()


def test_keys_walk_the_map_and_it_speaks(watched, made_up):
    page = watched.open(made_up[0])
    plot = page.locator("#map")
    plot.press("ArrowRight")
    plot.press("Shift+ArrowUp")
    live = page.locator("#live")
    assert "probability" in live.text_content()
    assert live.get_attribute("aria-live") == "polite"
    first = page.locator("#contacts tbody tr").first.get_attribute("data-pair")
    plot.press("n")
    i, j = (int(k) + 1 for k in first.split())
    assert f"{i} – {j}" in page.locator("#picked").inner_text()
    plot.press("n")
    plot.press("p")
    assert f"{i} – {j}" in page.locator("#picked").inner_text()


def test_downloads_hold_the_data(watched, made_up, tmp_path):
    path, prediction, truth = made_up
    page = watched.open(path)
    table = pd.read_csv(save(page, "#save-csv", tmp_path), keep_default_na=False)
    count = page.locator("#contacts tbody tr").count()
    assert len(table) == count
    i, j = table["i"].to_numpy() - 1, table["j"].to_numpy() - 1
    np.testing.assert_allclose(table["prob"], prediction.contact_probs[i, j], atol=1e-6)
    np.testing.assert_allclose(table["pred_distance"], prediction.expected_distance[i, j], atol=1e-3)
    known = table["distance"].astype(str) != ""
    assert known.to_numpy().tolist() == (~np.isnan(truth.distances[i, j])).tolist()
    true = truth.distances[i, j][known]
    np.testing.assert_allclose(table["distance"][known].astype(float), true, atol=1e-3)
    assert (table["is_contact"][known].astype(str) == np.where(true < 8, "True", "False")).all()
    assert table["auth_i"][known].astype(str).tolist() == [str(k + 101) for k in i[known]]
    lines = save(page, "#save-rr", tmp_path).read_text().splitlines()
    assert lines[:3] == ["PFRMAT RR", "TARGET toy", "AUTHOR msaformer"]
    assert lines[5] == SEQUENCE
    assert lines[-1] == "END"
    assert len(lines) == 7 + count
    png = save(page, "#save-png", tmp_path)
    assert matplotlib.image.imread(png).shape[0] > 300


def test_hostile_texts_show_as_text_and_nothing_runs(watched, tmp_path):
    attack = '</script><script>document.title="run"</script><img src=x onerror="document.title=1">'
    distances = chain_like_distances(40)
    prediction = prediction_from(
        distances,
        SEQUENCE,
        name="<img src=x onerror=alert(1)>",
        model={"name": attack, "note": "z" * 100_000},
    )
    write_report(prediction, tmp_path / "page.html", truth=make_truth(chain_like_positions(40), chain="<b>A"))
    page = watched.open(tmp_path / "page.html")
    assert page.locator("h1").inner_text() == "<img src=x onerror=alert(1)>"
    assert page.title() == "<img src=x onerror=alert(1)> · predicted contacts"
    assert page.locator("img, b:not(.bar b, .lede b)").count() == 0
    assert attack in page.locator("#identity").inner_text()
    page.mouse.move(*cell_position(page, 4, 30, 40))
    assert "<b>A:105" in page.locator("#tip").inner_text()


@pytest.mark.parametrize("length", [1, 5, 40])
def test_a_page_without_structure_and_alignment_still_works(watched, tmp_path, length):
    prediction = prediction_from(chain_like_distances(length), SEQUENCE[:length])
    write_report(prediction, tmp_path / "page.html")
    page = watched.open(tmp_path / "page.html")
    assert "No structure was given" in page.locator("#viewer-message").inner_text()
    assert not page.locator("#precision-card").is_visible()
    assert not page.locator("#coverage-card").is_visible()
    assert not page.locator("#show-true").is_visible()
    page.locator("#map").press("n")
    page.mouse.move(*cell_position(page, 0, length - 1, length))
    assert "Ala 1" in page.locator("#tip").inner_text()
    assert save(page, "#save-csv", tmp_path).read_text().startswith("i,j,aa_i")


def test_without_webgl_the_page_says_so_and_the_rest_works(playwright, real):
    browser = launch(
        playwright,
        "--disable-software-rasterizer",
        "--disable-3d-apis",
        ignore_default_args=[SOFTWARE_GL],
    )
    try:
        watch = Watched(browser)
        page = watch.open(real[0])
        assert "no WebGL" in page.locator("#viewer-message").inner_text()
        page.locator("#contacts tbody tr").first.click()
        assert "probability" in page.locator("#picked").inner_text()
        assert count_near(pixels(page, "#map"), BLUE) > 300
        watch.finish()
    finally:
        browser.close()


def test_an_old_browser_is_told_what_it_lacks(browser, made_up):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(made_up[0].as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    assert "DecompressionStream" in page.locator("#failure").inner_text()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(watched, real, scheme):
    page = watched.open(real[0], width=360, height=740, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    paper = pixels(page, "#map")[2, 2]
    assert (paper.min() > 200) == (scheme == "light")


def test_a_change_of_scheme_repaints_the_canvases(watched, real):
    page = watched.open(real[0])
    before = pixels(page, "#map")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    assert np.abs(pixels(page, "#map") - before).mean() > 50
    assert pixels(page, "#viewer canvas")[3, 3].max() < 60
