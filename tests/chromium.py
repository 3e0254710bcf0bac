"""Drives a headless Chromium over the report's page; every page is watched for complaints and requests."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil

import matplotlib.image
import numpy as np
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="needs the python package playwright"
    ),
]
"""Marks of a module whose tests drive it; `conftest.py` has the fixtures `playwright`, `browser` and `watched`."""
QUIET = (
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-quic", "--no-first-run"),
)
SOFTWARE_GL = "--enable-unsafe-swiftshader"


def launch(playwright, *arguments, **options):
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return playwright.chromium.launch(
        executable_path=CHROMIUM, chromium_sandbox=not is_root, args=[*QUIET, *arguments], **options
    )


class Watched:
    """Opens pages and remembers what they complained of and asked for."""

    def __init__(self, browser):
        self.browser, self.contexts, self.complaints, self.requests = browser, [], [], []

    def open(self, path, **options):
        return self.open_address(path.as_uri(), **options)

    def open_address(self, address, *, width=1360, height=1000, scheme="light", touch=False):
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            accept_downloads=True,
            has_touch=touch,
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: line.type == "error" and self.complaints.append(line.text))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        assert not page.locator("#failure").is_visible(), page.locator("#failure").text_content()
        return page

    def finish(self):
        for context in self.contexts:
            context.close()
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith(("file:", "blob:", "data:"))] == []


def pixels(page, selector):
    image = matplotlib.image.imread(io.BytesIO(page.locator(selector).screenshot()), format="png")
    return np.round(image[..., :3] * 255).astype(int)


def count_near(image, colour, tolerance=40):
    return int((np.abs(image - np.array(colour)).max(axis=-1) <= tolerance).sum())


def cell_position(page, row, column, length):
    """Where a cell of the whole map lies on screen; the map itself says where its plot is."""
    plot = page.locator("#map")
    box = plot.bounding_box()
    left, top, margins = (float(plot.get_attribute(f"data-{name}")) for name in ("left", "top", "margins"))
    side = (box["width"] - margins) / length
    return box["x"] + left + (column + 0.5) * side, box["y"] + top + (row + 0.5) * side


def save(page, button, tmp_path):
    with page.expect_download() as waiting:
        page.click(button)
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def choose(page, group, label):
    """Set one of the page's switches."""
    page.locator(f"#{group}").get_by_label(label, exact=True).check()
    page.wait_for_timeout(60)


def listed(page):
    """Pairs (i, j) of the list of contacts, in its order."""
    rows = page.locator("#contacts tbody tr").evaluate_all("rows => rows.map(row => row.dataset.pair)")
    return [tuple(map(int, row.split())) for row in rows]
