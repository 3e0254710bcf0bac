"""The structure in a notebook: what the view holds, and that it draws in a browser without a network."""

import dataclasses
import json
import re

import numpy as np
import py3Dmol
import pytest
from chromium import CHROMIUM, SOFTWARE_GL, count_near, launch, pixels
from report_cases import prediction_from

from data_tools.errors import ChainNotFoundError
from data_tools.structure import read_chains
from msaformer import example
from msaformer.errors import PredictionError
from msaformer.metrics import top_pairs
from msaformer.report import read_truth, viewer
from msaformer.report.viewer import contact_ends, library_html, view_structure

BLUE, VERMILION = (0, 114, 178), (213, 94, 0)
ATTACK = "REMARK </script><script>window.attacked = true</script><!--\u2028 <script>\n"


@pytest.fixture(scope="module")
def prediction():
    """Made up of the real distances, so that some pairs are true and some false."""
    sequence = read_chains(example.STRUCTURE)[0].sequence
    blank = np.full((len(sequence),) * 2, 9.0, dtype=np.float32)
    truth = read_truth(prediction_from(blank, sequence), example.STRUCTURE)
    return prediction_from(truth.distances, sequence, name="dhfr")


@pytest.fixture(scope="module")
def truth(prediction):
    return read_truth(prediction, example.STRUCTURE)


def test_contacts_lie_between_contact_atoms_in_the_colour_of_their_truth(prediction, truth):
    first, second = top_pairs(prediction.contact_probs, min_separation=12, known=~np.isnan(truth.distances))
    ends = contact_ends(prediction, truth, 60, 12)
    expected = {"#0072B2": [], "#D55E00": []}
    for i, j in zip(first[:60], second[:60], strict=True):
        colour = "#0072B2" if truth.distances[i, j] < 8 else "#D55E00"
        expected[colour].append([truth.contact_atoms[i], truth.contact_atoms[j]])
    assert list(map(len, expected.values())) == [len(ends[colour]) for colour in expected]
    for colour, pairs in expected.items():
        np.testing.assert_allclose(ends[colour], pairs, atol=6e-4)
        apart = [np.linalg.norm(np.subtract(*pair)) for pair in ends[colour]]
        assert all((distance < 8) == (colour == "#0072B2") for distance in apart)


def test_a_view_has_one_shape_a_colour_and_can_be_styled_on(prediction):
    view = view_structure(prediction, example.STRUCTURE, top="L/2", width=300)
    assert isinstance(view, py3Dmol.view)
    view.setStyle({"stick": {}})
    page = view.write_html()
    shapes = re.findall(r'addShape\(\{color: "(#\w+)"\}\).*?of (\[\[\[.*?\]\]\])\)', page, flags=re.DOTALL)
    assert [colour for colour, _ in shapes] == ["#0072B2", "#D55E00"]
    assert sum(len(json.loads(ends)) for _, ends in shapes) == prediction.length // 2
    assert page.index("addModel(") < page.index("cartoon") < page.index("stick")
    assert "width: 300px" in page


def test_what_does_not_fit_is_refused(prediction, truth):
    with pytest.raises(ChainNotFoundError, match="B"):
        view_structure(prediction, example.STRUCTURE, chain="B")
    with pytest.raises(PredictionError, match="top='all'"):
        view_structure(prediction, example.STRUCTURE, top="all")


def page_of(*parts):
    """A page as a notebook saves it, with a loader of modules that would swallow the library."""
    loader = "var swallowed; function define() { swallowed = true; } define.amd = {};"
    return "<!doctype html><meta charset=utf-8><script>" + loader + "</script>" + "\n".join(parts)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium program")
    with playwright.sync_playwright() as driver:
        browser = launch(driver, SOFTWARE_GL)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens HTML with the network shut; a page may ask for nothing and complain of nothing."""
    complaints, requests = [], []

    def open_page(html):
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        page = browser.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
        page.route("**/*", lambda route: route.continue_() if local(route.request.url) else route.abort())
        page.on("request", lambda request: local(request.url) or requests.append(request.url))
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_page
    assert (complaints, requests) == ([], [])


def local(url):
    return url.startswith(("file:", "blob:", "data:"))


def wait_until_drawn(page):
    page.wait_for_selector('[id^="3dmolviewer_"] canvas', timeout=60_000)
    page.wait_for_timeout(300)


@pytest.mark.browser
def test_a_saved_notebook_draws_without_a_network_and_a_hostile_structure_does_nothing(
    prediction, open_page, monkeypatch
):
    written = viewer.structure_text

    def hostile(path, truth):
        harmless = written(path, truth)
        return dataclasses.replace(harmless, text=ATTACK + harmless.text)

    monkeypatch.setattr(viewer, "structure_text", hostile)
    page = open_page(page_of(library_html(), view_structure(prediction, example.STRUCTURE).write_html()))
    wait_until_drawn(page)
    image = pixels(page, '[id^="3dmolviewer_"]')
    assert count_near(image, BLUE, 60) > 300
    assert count_near(image, VERMILION, 60) > 100
    assert count_near(image, (255, 255, 255), 2) < image.shape[0] * image.shape[1] * 0.95
    assert page.evaluate("[window.attacked, window.swallowed, typeof $3Dmol]") == [None, None, "object"]
    assert page.locator('[id^="msaformer_note_"]').count() == 0


@pytest.mark.browser
def test_a_view_before_the_library_says_what_is_missing_and_draws_when_it_comes(prediction, open_page):
    html = view_structure(prediction, example.STRUCTURE, top=5).write_html()
    alone = open_page(page_of(html))
    alone.wait_for_timeout(200)
    said = " ".join(alone.locator("p:visible").first.text_content().split())
    assert "not in this notebook yet: run msaformer.report.init_notebook() in a cell" in said
    assert alone.locator("canvas").count() == 0
    later = open_page(page_of(html, library_html()))
    wait_until_drawn(later)
    assert later.locator('[id^="msaformer_note_"]').count() == 0
