"""A folder of pages in a real headless Chromium, opened as files and from the server of `view --serve`."""

from __future__ import annotations

import shutil
import threading
from importlib import resources

import pytest
from chromium import NEEDS_CHROMIUM, count_near, pixels
from report_cases import SEQUENCE, chain_like_distances, prediction_from

from data_tools.labels import label_distances
from data_tools.structure import read_chains
from msaformer.cli import main
from msaformer.report.server import PageServer

pytestmark = NEEDS_CHROMIUM
BLUE = (0x00, 0x72, 0xB2)
HOSTILE = "<img src=x onerror=Alert(1)>\"'&"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Three targets: the bundled protein with its structure, one of a hostile name, and a plain one."""
    place = tmp_path_factory.mktemp("site")
    (place / "in").mkdir()
    (place / "structures").mkdir()
    with resources.as_file(resources.files("msaformer") / "example" / "dhfr.pdb.gz") as source:
        (place / "structures" / "dhfr.pdb.gz").write_bytes(source.read_bytes())
        chain = read_chains(source)[0]
        distances = label_distances(chain.sequence, chain, source=source).distances
    prediction_from(distances, chain.sequence, name="dhfr").save(place / "in" / "dhfr.npz")
    small = chain_like_distances(40)
    prediction_from(small, SEQUENCE, name=HOSTILE, neff=2.5).save(place / "in" / "x#y%20?z.npz")
    prediction_from(small, SEQUENCE, name="plain", neff=5000.0).save(place / "in" / "plain.npz")
    arguments = [str(place / "in"), "--structures", str(place / "structures"), "-o", str(place / "pages")]
    assert main(["report", *arguments]) == 0
    return place / "pages"


def names(page):
    return page.locator("tbody tr:visible th").all_inner_texts()


def test_the_table_sorts_filters_and_leads_to_pages_that_share_their_parts(watched, site):
    page = watched.open(site / "index.html")
    assert names(page) == ["dhfr", "plain", HOSTILE]  # as the files are named
    assert page.evaluate("Array.from(document.images, (image) => image.naturalWidth)") == [96, 40, 40]
    neff = page.get_by_role("button", name="Neff")
    neff.focus()
    page.keyboard.press("Enter")
    assert names(page) == ["plain", "dhfr", HOSTILE]
    assert page.get_by_role("columnheader", name="Neff").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert names(page) == [HOSTILE, "dhfr", "plain"]
    for _ in range(2):
        page.get_by_role("button", name="P@L", exact=True).click()
        assert names(page)[0] == "dhfr"  # those without a structure stay last
    page.locator("#filter").fill("aLERT")
    assert names(page) == [HOSTILE]
    assert page.locator("#live").inner_text() == "1 of 3 targets"
    page.locator("#filter").fill("nowhere")
    assert page.locator("#nothing").is_visible()
    page.locator("#filter").fill("")
    page.get_by_role("link", name=HOSTILE).click()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("h1").inner_text() == HOSTILE
    assert count_near(pixels(page, "#map"), (8, 48, 107), 60) > 20
    page.get_by_role("link", name="All targets").click()
    assert len(names(page)) == 3


def test_a_page_of_a_folder_loads_its_parts_as_a_file_and_from_the_server(watched, site):
    with PageServer(site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            check_dhfr(watched.open(site / "index.html"))
            check_dhfr(watched.open_address(server.url("index.html")))
        finally:
            server.shutdown()
            thread.join()
        served = f"http://127.0.0.1:{server.server_port}/{server.secret}/"
    inside = (site.as_uri() + "/", served, "data:", "blob:")
    assert [url for url in watched.requests if not url.startswith(inside)] == []
    watched.requests = [url for url in watched.requests if not url.startswith(served)]


def check_dhfr(page):
    page.get_by_role("link", name="dhfr").last.click()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert not page.locator("#failure").is_visible()
    structure = pixels(page, "#viewer canvas")
    assert ((structure[..., 2] > 110) & (structure[..., 0] < 60)).sum() > 300
    assert count_near(pixels(page, "#map"), BLUE) > 100


def test_a_page_whose_library_is_damaged_or_missing_says_so_and_shows_the_rest(watched, site, tmp_path):
    sources = site.parent / "in" / "dhfr.npz", site.parent / "structures" / "dhfr.pdb.gz"
    whole = tmp_path / "whole.html"
    assert main(["report", str(sources[0]), "--structure", str(sources[1]), "-o", str(whole)]) == 0
    head, tail = whole.read_text(encoding="utf-8").split('id="library">')
    whole.write_text(f'{head}id="library">{tail[:1000]}A{tail[1001:]}', encoding="utf-8")
    (tmp_path / "alone").mkdir()
    shared = tmp_path / "alone" / "dhfr.html"
    shared.write_bytes((site / "dhfr.html").read_bytes())
    shutil.copytree(
        site / "assets", tmp_path / "alone" / "assets", ignore=shutil.ignore_patterns("3Dmol-*.js")
    )
    for path in (whole, shared):
        page = watched.open(path)
        assert "viewer is missing" in page.locator("#viewer-message").inner_text()
        assert count_near(pixels(page, "#map"), BLUE) > 100
    watched.complaints = [text for text in watched.complaints if "ERR_FILE_NOT_FOUND" not in text]


def test_the_table_fits_a_phone(watched, site):
    page = watched.open(site / "index.html", width=360, height=740, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
