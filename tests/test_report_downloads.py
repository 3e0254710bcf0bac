"""What the report's page saves, in a real headless Chromium: tables equal to the program's own, pictures as vectors."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from chromium import NEEDS_CHROMIUM, save
from panel_cases import picked, write_full_page
from report_cases import SEQUENCE

from msaformer.report.contact_list import contact_list
from msaformer.report.exports import save_casp_rr, save_csv

pytestmark = NEEDS_CHROMIUM
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return write_full_page(tmp_path_factory.mktemp("panels") / "page.html")


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
