"""The report's data and its file, without a browser (which test_report_browser.py has)."""

import base64
import dataclasses
import hashlib
import html.parser
import json
import re
import zlib
from importlib import resources

import numpy as np
import py3Dmol
import pytest
from report_cases import (
    LENGTH,
    SEQUENCE,
    chain_like_distances,
    make_alignment,
    make_labels,
    prediction_from,
)
from tiny_structures import pdb, residue

from data_tools.errors import ChainMismatchError, StructureError
from data_tools.labels import label_distances
from data_tools.structure import read_chains
from msaformer.errors import PredictionError
from msaformer.metrics import top_pairs
from msaformer.report import packing, payload, write_report
from msaformer.report.coverage import alignment_coverage
from msaformer.report.page import PROGRAMS, VIEWER, VIEWER_VERSION, render_page
from msaformer.report.viewer import view_structure

VIEWER_SHA256 = "f7cc78921ae72e7623e89cdd111434f58c2efddd2ffda1cd212644b406fb8016"


@pytest.fixture
def distances():
    return chain_like_distances(LENGTH)


@pytest.fixture
def prediction(distances):
    return prediction_from(distances, SEQUENCE)


def unpack(text, dtype=np.uint8):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=dtype)


class PageParser(html.parser.HTMLParser):
    """Collects what the page's elements are, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.policy, self.title, self._inside = [], [], "", "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        fields = dict(attrs)
        self.tags.append(tag)
        self._inside = (tag, fields)
        if fields.get("http-equiv") == "Content-Security-Policy":
            self.policy = fields["content"]
        if tag == "script":
            self.scripts.append([fields, ""])

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside and self._inside[0] == "script":
            self.scripts[-1][1] += data
        if self._inside and self._inside[0] == "title":
            self.title += data


def test_packed_triangles_unpack_to_the_map(prediction, distances):
    labels = make_labels(distances)
    packed = payload.build_payload(prediction, labels=labels)
    upper = np.triu_indices(LENGTH, k=1)
    assert np.abs(unpack(packed["prob"]) / 255 - prediction.contact_probs[upper]).max() <= 0.5 / 255 + 1e-6
    steps = unpack(packed["expected"]) * packed["distanceStep"]
    assert np.abs(steps - prediction.expected_distance[upper]).max() <= packed["distanceStep"] / 2 + 1e-5
    assert np.array_equal(unpack(packed["truth"]["distances"]) < 40, distances[upper] < 8)
    for i, j in ((0, 1), (3, 17), (LENGTH - 2, LENGTH - 1)):  # the page's own formula for the place of a pair
        cell = i * (2 * LENGTH - i - 1) // 2 + (j - i - 1)
        assert unpack(packed["prob"])[cell] == round(float(prediction.contact_probs[i, j]) * 255)


def test_packing_a_distance_never_moves_it_across_eight_angstrom():
    below, above = np.nextafter(np.float32(8), np.float32(0)), np.nextafter(np.float32(8), np.float32(9))
    values = np.array([0, 7.9, below, 8.0, above, 8.1, 50.9, 999, np.nan], dtype=np.float32)
    assert payload.packed_distances(values).tolist() == [0, 39, 39, 40, 40, 40, 254, 254, 255]


@pytest.mark.parametrize("separation", payload.SEPARATIONS)
@pytest.mark.parametrize("lost", [(), (0, 7, 8, 33)])
def test_the_listed_pairs_hold_whatever_the_reader_can_ask_for(prediction, distances, separation, lost):
    labels = make_labels(distances, lost=lost)
    known = ~np.isnan(labels.distances)
    listed = list(zip(*payload.shown_pairs(prediction, known), strict=True))
    ranked = zip(*top_pairs(prediction.contact_probs, min_separation=separation), strict=True)
    judged, expected = 0, []
    for pair in ranked:
        judged += bool(known[pair])
        if judged > 3 * LENGTH:
            break
        expected.append(pair)
    assert [pair for pair in listed if pair[1] - pair[0] >= separation][: len(expected)] == expected


def test_listed_numbers_are_exact(prediction, distances):
    labels = make_labels(distances, lost=(5,))
    packed = payload.build_payload(prediction, labels=labels)["pairs"]
    data, count = zlib.decompress(base64.b64decode(packed["data"])), packed["count"]
    first, second = (np.frombuffer(data, "<u2", count, offset=2 * k * count) for k in (0, 1))
    prob, expected, true = (np.frombuffer(data, "<f4", count, offset=4 * (k + 1) * count) for k in (0, 1, 2))
    assert np.array_equal(prob, prediction.contact_probs[first, second])
    assert np.array_equal(expected, prediction.expected_distance[first, second])
    assert np.array_equal(true, labels.distances[first, second], equal_nan=True)
    assert np.isnan(true[(first == 5) | (second == 5)]).all()


def test_unresolved_residues_are_marked_unknown_and_have_no_coordinates(prediction, distances):
    truth = payload.build_payload(prediction, labels=make_labels(distances, lost=(3, 4)))["truth"]
    assert [k for k, known in enumerate(truth["known"]) if not known] == [3, 4]
    assert truth["numbers"][2:6] == ["103", "", "", "106"]
    assert truth["atoms"][3] is None
    assert truth["unresolved"] == 2


def test_residues_outside_the_chain_have_no_number(prediction, distances):
    labels = make_labels(distances)
    index = labels.chain_index.copy()
    index[0] = -1
    truth = payload.build_payload(prediction, labels=dataclasses.replace(labels, chain_index=index))["truth"]
    assert truth["numbers"][:2] == [None, "102"]
    assert truth["atoms"][0] is None


def test_a_precision_that_does_not_exist_is_null():
    prediction = prediction_from(np.zeros((3, 3)), "ACD")
    packed = payload.build_payload(prediction, labels=make_labels(np.zeros((3, 3), np.float32), "ACD"))
    assert {row["p_at_l"] for row in packed["truth"]["precision"]} == {None}
    packing.to_json(packed)  # has no NaN to refuse


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x1bc", "a�b�c"),
        ("x\u202ey", "x�y"),
        ("\ud800", "�"),
        ("é ü", "é ü"),
        ("z" * 300, "z" * 199 + "…"),
    ],
)
def test_texts_from_outside_are_made_fit_to_show(text, shown):
    assert packing.plain_text(text) == shown


def test_hostile_texts_stay_data_in_the_page(distances, tmp_path):
    attack = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028]]>"
    prediction = prediction_from(
        distances, SEQUENCE, name="<b>&amp;'\"{{data}}", model={attack: attack, "x" * 999: "y" * 100_000}
    )
    labels = make_labels(distances, author_name=attack)
    write_report(prediction, tmp_path / "page.html", labels=labels)
    page = PageParser((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert page.title == "<b>&amp;'\"{{data}} · predicted contacts"
    assert not set(page.scripts[0][1]) & set("<>&")
    data = json.loads(page.scripts[0][1])
    assert data["name"] == "<b>&amp;'\"{{data}}"
    assert attack.replace("\u2028", "�") in data["model"]
    assert max(map(len, data["model"].values())) <= packing.MAX_TEXT


def test_the_policy_allows_exactly_the_page_s_own_programs(prediction, distances, tmp_path):
    path = tmp_path / "page.html"
    write_report(prediction, path, labels=make_labels(distances))
    text = path.read_bytes().decode("utf-8")
    assert "\r" not in text
    page = PageParser(text)
    programs = [script for fields, script in page.scripts if fields.get("type") != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in programs]
    directives = dict(part.strip().split(" ", 1) for part in page.policy.split(";"))
    assert directives["script-src"] == " ".join(f"'sha256-{digest}'" for digest in digests)
    assert directives["default-src"] == directives["connect-src"] == "'none'"
    assert "unsafe-eval" not in page.policy


def test_our_programs_are_short_ask_no_network_and_evaluate_nothing():
    assets = resources.files("msaformer.report") / "assets"
    for name in (*PROGRAMS, "style.css", "page.html"):
        text = (assets / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 300, name
        assert not re.search(
            r"https?:|//cdn|\beval\(|new Function|innerHTML|\bfetch\(|XMLHttpRequest|@import", text
        ), name
        assert "</script" not in text or name == "page.html"


def test_the_viewer_is_the_one_we_vendored_and_py3dmol_uses():
    assets = resources.files("msaformer.report") / "assets"
    content = (assets / VIEWER).read_bytes()
    assert hashlib.sha256(content).hexdigest() == VIEWER_SHA256
    assert b"</script" not in content.lower()
    assert b"<!--" not in content
    assert py3Dmol.__version__ == VIEWER_VERSION
    assert "University of Pittsburgh" in (assets / "3Dmol-LICENSE.txt").read_text(encoding="utf-8")
    assert f"v{VIEWER_VERSION}" in (assets / "3Dmol-min.js.LICENSE.txt").read_text(encoding="utf-8")


def test_the_viewer_is_left_out_of_a_page_without_structure(prediction, tmp_path):
    write_report(prediction, tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < 100_000
    assert "$3Dmol=" not in render_page("x", "{}", with_viewer=False)
    assert len(render_page("x", "{}", with_viewer=True)) > 500_000


def test_the_same_prediction_makes_the_same_page(prediction, tmp_path):
    for name in ("a.html", "b.html"):
        write_report(prediction, tmp_path / name, alignment=make_alignment())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_what_does_not_belong_together_is_refused_and_leaves_no_file(prediction, distances, tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(PredictionError, match="query is not the predicted sequence"):
        write_report(prediction, path, alignment=make_alignment(SEQUENCE[::-1]))
    with pytest.raises(PredictionError, match="mapped to 3 residues"):
        write_report(prediction, path, labels=make_labels(distances[:3, :3], "ACD"))
    with pytest.raises(StructureError, match="no such file"):
        write_report(prediction, path, structure_path=tmp_path / "none.pdb")
    (tmp_path / "other.pdb").write_text(pdb([atom for k in range(1, 9) for atom in residue(k, "TRP")]))
    with pytest.raises(ChainMismatchError, match=r"other\.pdb"):
        write_report(prediction, path, structure_path=tmp_path / "other.pdb")
    assert [file.name for file in tmp_path.iterdir()] == ["other.pdb"]


def test_coverage_sorts_by_identity_and_counts_the_whole_alignment():
    alignment = make_alignment(rows=30)
    full, few = alignment_coverage(alignment), alignment_coverage(alignment, max_rows=7)
    assert len(full.identity) == full.depth == few.depth == 30
    assert full.identity[0] == 1
    assert (np.diff(full.identity) <= 0).all()
    assert len(few.identity) == 7
    assert few.identity[-1] == full.identity[-1]
    assert full.counts.tolist() == [sum(row[k] != 21 for row in alignment.tokens) for k in range(LENGTH)]
    assert np.array_equal(full.counts, few.counts)
    assert full.counts.tolist() == full.covered.sum(axis=0).tolist()


def test_the_notebook_view_draws_true_and_false_contacts(prediction, distances):
    labels = make_labels(distances, lost=(int(top_pairs(prediction.contact_probs, min_separation=6)[0][0]),))
    script = view_structure(prediction, labels, "ATOM", num_pairs=10)._make_html()
    first, second = top_pairs(prediction.contact_probs, min_separation=6, known=~np.isnan(labels.distances))
    hits = int((distances[first[:10], second[:10]] < 8).sum())
    assert (script.count("#0072B2"), script.count("#D55E00")) == (hits, 10 - hits)
    with pytest.raises(PredictionError, match="labels have 3"):
        view_structure(prediction, make_labels(distances[:3, :3], "ACD"), "")


def test_labels_of_the_real_example_reach_the_page(tmp_path):
    source = resources.files("msaformer") / "example" / "dhfr.pdb.gz"
    with resources.as_file(source) as path:
        chain = read_chains(path)[0]
        labels = label_distances(chain.sequence, chain, source=path)
        prediction = prediction_from(labels.distances, chain.sequence, name="DHFR")
        write_report(prediction, tmp_path / "page.html", structure_path=path, chain="A")
    page = PageParser((tmp_path / "page.html").read_text(encoding="utf-8"))
    data = json.loads(page.scripts[0][1])
    assert data["truth"]["chain"] == "A"
    text = unpack(data["structure"]).tobytes().decode()
    assert {int(line[22:26]) for line in text.splitlines() if line.startswith("ATOM")} == {
        k + 1 for k, number in enumerate(chain.residue_numbers) if number
    }
    assert "HOH" not in text
    assert (tmp_path / "page.html").stat().st_size < 1_000_000
