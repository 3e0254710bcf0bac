"""The report as a file: its parts, its policy, the vendored library, and what is refused."""

import base64
import hashlib
import json
import re
import zlib
from importlib import resources

import py3Dmol
import pytest
from page_parser import PageParser
from report_cases import (
    LENGTH,
    SEQUENCE,
    chain_like_distances,
    chain_like_positions,
    make_alignment,
    make_truth,
    prediction_from,
)
from tiny_structures import pdb, residue

from data_tools.errors import ChainMismatchError, StructureError
from data_tools.labels import label_distances
from data_tools.structure import read_chains
from msaformer.errors import PredictionError
from msaformer.report import packing, write_report
from msaformer.report.programs import (
    PROGRAMS,
    STYLES,
    VIEWER,
    VIEWER_LICENCE,
    VIEWER_VERSION,
    inline_parts,
    write_shared_parts,
)

VIEWER_SHA256 = "f7cc78921ae72e7623e89cdd111434f58c2efddd2ffda1cd212644b406fb8016"


@pytest.fixture
def distances():
    return chain_like_distances(LENGTH)


@pytest.fixture
def positions():
    return chain_like_positions(LENGTH)


@pytest.fixture
def prediction(distances):
    return prediction_from(distances, SEQUENCE)


def source_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def directives(policy):
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_the_policy_allows_exactly_the_page_s_own_programs(prediction, positions, tmp_path):
    path = tmp_path / "page.html"
    write_report(prediction, path, truth=make_truth(positions))
    text = path.read_bytes().decode("utf-8")
    assert "\r" not in text
    page = PageParser(text)
    programs = [script for fields, script in page.scripts if "type" not in fields]
    allowed = directives(page.policy)
    assert allowed["script-src"] == source_of(*programs)
    assert allowed["style-src"] == source_of(*page.styles)
    assert allowed["default-src"] == allowed["connect-src"] == "'none'"
    assert "unsafe" not in page.policy


def test_the_library_is_carried_packed_beside_its_licence_and_allowed_by_its_hash():
    with_viewer = PageParser("".join((parts := inline_parts(with_viewer=True)).library))
    (licence_fields, licence), (fields, packed) = with_viewer.scripts
    assert {licence_fields["type"], fields["type"]} == {
        "text/plain",
        "application/octet-stream",
    }  # neither runs
    assert "University of Pittsburgh" in licence
    library = zlib.decompress(base64.b64decode(packed))
    assert hashlib.sha256(library).hexdigest() == VIEWER_SHA256
    assert library.startswith(b"/*! For license information")
    assert source_of(library.decode()) in directives(parts.policy)["script-src"]
    assert len(packed) < 215_000
    assert inline_parts(with_viewer=False).library == ""
    assert source_of(library.decode()) not in inline_parts(with_viewer=False).policy


def test_pages_of_a_folder_share_files_named_by_what_they_hold(prediction, tmp_path):
    shared = write_shared_parts(tmp_path)
    for name in (shared.style, shared.viewer, shared.program):
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert re.fullmatch(rf"assets/(report|3Dmol)-{digest[:12]}\.(js|css)", name)
    assert "University of Pittsburgh" in (tmp_path / "assets" / VIEWER_LICENCE).read_text(encoding="utf-8")
    assert write_shared_parts(tmp_path) == shared
    write_report(prediction, tmp_path / "page.html", shared=shared)
    page = PageParser((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [fields["src"] for fields, _ in page.scripts if "src" in fields] == [shared.program]
    assert directives(page.policy)["script-src"] == "'self' file:"
    assert directives(page.policy)["connect-src"] == "'none'"
    assert (tmp_path / "page.html").stat().st_size < 20_000


def test_our_programs_are_short_ask_no_network_and_evaluate_nothing():
    assets = resources.files("msaformer.report") / "assets"
    for name in (*PROGRAMS, *STYLES, "page.html"):
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
    assert "University of Pittsburgh" in (assets / VIEWER_LICENCE).read_text(encoding="utf-8")
    assert f"v{VIEWER_VERSION}" in (assets / "3Dmol-min.js.LICENSE.txt").read_text(encoding="utf-8")


def test_the_viewer_is_left_out_of_a_page_without_structure(prediction, tmp_path):
    write_report(prediction, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert 'id="library"' not in text


def test_the_same_prediction_makes_the_same_page(prediction, tmp_path):
    for name in ("a.html", "b.html"):
        write_report(prediction, tmp_path / name, alignment=make_alignment())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_what_does_not_belong_together_is_refused_and_leaves_no_file(prediction, positions, tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(PredictionError, match="query is not the predicted sequence"):
        write_report(prediction, path, alignment=make_alignment(SEQUENCE[::-1]))
    with pytest.raises(PredictionError, match="mapped to 3 residues"):
        write_report(prediction, path, truth=make_truth(positions[:3]))
    with pytest.raises(StructureError, match="no such file"):
        write_report(prediction, path, structure_path=tmp_path / "none.pdb")
    (tmp_path / "other.pdb").write_text(pdb([atom for k in range(1, 9) for atom in residue(k, "TRP")]))
    with pytest.raises(ChainMismatchError, match=r"other\.pdb"):
        write_report(prediction, path, structure_path=tmp_path / "other.pdb")
    assert [file.name for file in tmp_path.iterdir()] == ["other.pdb"]


def test_hostile_texts_stay_data_in_the_page(distances, positions, tmp_path):
    attack = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028]]>"
    prediction = prediction_from(
        distances, SEQUENCE, name="<b>&amp;'\"{{data}}", model={attack: attack, "x" * 999: "y" * 100_000}
    )
    truth = make_truth(positions, chain=attack)
    write_report(prediction, tmp_path / "page.html", truth=truth)
    page = PageParser((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert page.title == "<b>&amp;'\"{{data}} · predicted contacts"
    assert not set(page.scripts[0][1]) & set("<>&")
    data = json.loads(page.scripts[0][1])
    assert data["name"] == "<b>&amp;'\"{{data}}"
    assert attack.replace("\u2028", "�") in data["model"]
    assert max(map(len, data["model"].values())) <= packing.MAX_TEXT


def test_labels_of_the_real_example_reach_the_page(tmp_path):
    source = resources.files("msaformer") / "example" / "dhfr.pdb.gz"
    with resources.as_file(source) as path:
        chain = read_chains(path)[0]
        labels = label_distances(chain.sequence, chain, source=path)
        prediction = prediction_from(labels.distances, chain.sequence, name="DHFR")
        write_report(prediction, tmp_path / "page.html", structure_path=path, chain="A")
    page = PageParser((tmp_path / "page.html").read_text(encoding="utf-8"))
    data = json.loads(page.scripts[0][1])
    assert set(data["truth"]["chainNames"]) == {"A"}
    text = zlib.decompress(base64.b64decode(data["structure"]["text"])).decode()
    assert {int(line[22:26]) for line in text.splitlines() if line.startswith("ATOM")} == {
        k + 1 for k, number in enumerate(chain.residue_numbers) if number
    }
    assert "HOH" not in text
    assert (tmp_path / "page.html").stat().st_size < 1_000_000
