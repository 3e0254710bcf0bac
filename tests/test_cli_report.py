"""`msaformer report`: one page, a folder of pages with its table, files matched by name, and what is refused."""

from __future__ import annotations

import doctest
import math
import re
from pathlib import Path

import pytest
from Bio.Data.IUPACData import protein_letters_1to3
from cli_cases import Terminal, files_in
from page_parser import PageParser
from report_cases import SEQUENCE, chain_like_distances, prediction_from
from tiny_structures import pdb, residue

from data_tools.pipeline import inputs
from msaformer.cli import main
from msaformer.metrics import precision_table, top_pairs
from msaformer.prediction import Prediction, load_prediction
from msaformer.report import sources
from msaformer.report.truth import read_truth

NAMES = {letter: name.upper() for letter, name in protein_letters_1to3.items()}


def saved(folder: Path, name: str, /, **changes: object) -> Path:
    """A prediction of forty residues in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    prediction_from(chain_like_distances(40), SEQUENCE, **({"name": name} | changes)).save(path)
    return path


def structure_text() -> str:
    """A chain of the forty residues, a line of atoms."""
    return pdb([atom for k, letter in enumerate(SEQUENCE) for atom in residue(k + 1, NAMES[letter])])


def alignment_text() -> str:
    return f">q\n{SEQUENCE}\n>a\n{SEQUENCE[:20]}{'-' * 20}\n"


def page_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    folder = tmp_path / "predictions"
    for name in ("one", "two.v2"):
        saved(folder, name)
    (folder / "one.csv").write_text("of predict")
    return folder


def test_the_examples_of_names_hold() -> None:
    assert doctest.testmod(sources).failed == 0
    assert doctest.testmod(inputs).failed == 0


def test_one_prediction_is_one_file_that_holds_everything(
    predictions: Path, tmp_path: Path, terminal: Terminal
) -> None:
    page = tmp_path / "new" / "page.html"
    assert main(["report", str(predictions / "one.npz"), "-o", str(page)]) == 0
    assert terminal.read() == (f"{page}\n", "")
    assert files_in(page.parent) == {"page.html"}
    assert not re.search(r"\b(src|href)=(?!\"data:,)", page_of(page))


def test_a_folder_holds_a_page_each_a_table_and_what_they_share(
    predictions: Path, tmp_path: Path, terminal: Terminal
) -> None:
    out = tmp_path / "pages"
    assert main(["report", str(predictions), "-o", str(out)]) == 0
    assert terminal.read() == (f"{out}/index.html\n", "")
    pages = {name for name in files_in(out) if not name.startswith("assets/")}
    assert pages == {"index.html", "one.html", "two.v2.html"}
    assert len(files_in(out / "assets")) == 4
    assert sum((out / name).stat().st_size for name in ("one.html", "two.v2.html")) < 60_000
    before = {name: (out / name).read_bytes() for name in files_in(out)}
    assert main(["report", str(predictions), "-o", str(out)]) == 0
    assert {name: (out / name).read_bytes() for name in files_in(out)} == before


def test_one_prediction_in_a_folder_has_a_table_too(predictions: Path, tmp_path: Path) -> None:
    (tmp_path / "is.html").mkdir()
    for out in ("pages", "is.html"):
        assert main(["report", str(predictions / "one.npz"), "-o", str(tmp_path / out)]) == 0
        assert {"index.html", "one.html"} < files_in(tmp_path / out)


def test_single_file_pages_share_nothing(predictions: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages"
    assert main(["report", str(predictions), "--single-file", "-o", str(out)]) == 0
    assert files_in(out) == {"index.html", "one.html", "two.v2.html"}
    assert "assets/" not in page_of(out / "one.html")


def test_files_of_the_folders_belong_to_the_prediction_of_their_name(
    predictions: Path, tmp_path: Path
) -> None:
    for folder, name, text in (
        ("structures", "one.pdb", structure_text()),
        ("structures", "one.v2.pdb", "no structure"),
        ("alignments", "two.v2.a3m", alignment_text()),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    flags = [f"--{name}={tmp_path / name}" for name in ("structures", "alignments")]
    saved(tmp_path / "other", "one")
    out = tmp_path / "pages"
    assert (
        main(["report", str(predictions), *flags, "--compare", str(tmp_path / "other"), "-o", str(out)]) == 0
    )
    one, two = page_of(out / "one.html"), page_of(out / "two.v2.html")
    assert ['"structure":null' in page for page in (one, two)] == [False, True]
    assert ['"compare":null' in page for page in (one, two)] == [False, True]
    assert ['id="library"' in page for page in (one, two)] == [True, False]
    assert ['"coverage":null' in page or '"alignment":null' in page for page in (one, two)] == [True, False]


def test_the_table_says_of_each_target_what_its_files_say(predictions: Path, tmp_path: Path) -> None:
    structures, out = tmp_path / "structures", tmp_path / "pages"
    structures.mkdir()
    (structures / "one.pdb").write_text(structure_text())
    assert main(["report", str(predictions), "--structures", str(structures), "-o", str(out)]) == 0
    table = PageParser(page_of(out / "index.html"))
    prediction = load_prediction(predictions / "one.npz")
    truth = read_truth(prediction, structures / "one.pdb")
    scores = next(
        row for row in precision_table(prediction.contact_probs, truth.distances) if row.range == "long"
    )
    best = prediction.contact_probs[top_pairs(prediction.contact_probs, min_separation=24)][:40]
    rows = [row for row in table.rows if row]  # without the head
    values = [[None if value == "" else float(value) for value in row] for row in rows]
    assert values[0] == pytest.approx([40, 2842, 871.25, float(best.mean()), scores.p_at_l, scores.p_at_l5])
    assert values[1][-2:] == [None, None]
    assert table.links == ["one.html", "one.html", "two.v2.html", "two.v2.html"]


def test_hostile_names_are_text_in_the_table_and_links_lead_to_their_pages(tmp_path: Path) -> None:
    attack = "<script>alert(1)<&\"'"  # a name holds no slash
    path = saved(tmp_path / "in", "plain", name=attack)
    odd = path.rename(path.with_name('a#b?c%2e"<i>\u202e é.npz'))
    out = tmp_path / "out"
    assert main(["report", str(odd), "-o", str(out)]) == 0
    table = PageParser(page_of(out / "index.html"))
    assert attack in table.text
    assert table.tags.count("script") == 1
    assert "i" not in table.tags
    assert set(table.links) == {"a%23b%3Fc%252e%22%3Ci%3E%E2%80%AE%20%C3%A9.html"}
    assert (out / 'a#b?c%2e"<i>\u202e é.html').is_file()


def test_what_fails_is_listed_and_does_not_stop_the_rest(
    predictions: Path, tmp_path: Path, terminal: Terminal
) -> None:
    (predictions / "bad.npz").write_bytes(b"no prediction")
    structures, out = tmp_path / "structures", tmp_path / "pages"
    structures.mkdir()
    (structures / "one.pdb").write_text(pdb([atom for k in range(1, 9) for atom in residue(k, "TRP")]))
    arguments = ["report", str(predictions), "--structures", str(structures), "-o", str(out)]
    assert main(arguments) == 3
    lines = terminal.read()[1].splitlines()
    assert len(lines) == 2
    assert "bad.npz" in lines[0]
    assert str(predictions / "one.npz") in lines[1]  # the prediction is named beside the structure at fault
    assert "one.pdb" in lines[1]
    failures = [line.split("\t")[0] for line in (out / "failures.tsv").read_text().splitlines()]
    assert failures == ["input", str(predictions / "bad.npz"), str(predictions / "one.npz")]
    assert not (out / "one.html").exists()
    assert PageParser(page_of(out / "index.html")).links[0] == "two.v2.html"
    for name in ("bad.npz", "two.v2.npz"):
        (predictions / name).unlink()
    assert main(arguments) == 1
    (structures / "one.pdb").write_text(structure_text())
    assert main(arguments) == 0
    assert not (out / "failures.tsv").exists()


def test_a_comparison_may_be_a_file_of_another_program(tmp_path: Path, terminal: Terminal) -> None:
    path, scores = saved(tmp_path, "one"), tmp_path / "theirs.rr"
    scores.write_text("1 30 0 8 0.9\n2 31 0 8 0.4\n")
    arguments = ["report", str(path), "--compare", str(scores), "-o", str(tmp_path / "page.html")]
    assert main(arguments) == 0
    assert '"compare":null' not in page_of(tmp_path / "page.html")
    terminal.read()
    scores.write_text("1 300 0 8 0.9\n")
    assert main(arguments) == 1
    terminal.shows_one_error("theirs.rr")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.npz", "-o", "x.html"], ["none.npz", "no such file"]),
        (["one.a3m", "-o", "x.html"], ["one.a3m", "not a prediction"]),
        (["empty", "-o", "x.html"], ["empty", "no prediction (.npz)"]),
        (["one.npz", "--structure", "other.pdb", "-o", "x.html"], ["other.pdb"]),
        (["one.npz", "--structure", "one.pdb", "--chain", "Q", "-o", "x.html"], ["'Q'", "A"]),
        (["one.npz", "--alignment", "other.a3m", "-o", "x.html"], ["query is not the predicted sequence"]),
        (["one.npz", "--compare", "two.npz", "-o", "x.html"], ["two.npz"]),
        (["one.npz", "--alignments", "twice", "-o", "x.html"], ["one.a3m", "one.sto", "same id"]),
        (["one.npz", "--compare", "twice", "-o", "x.html"], ["one.a3m", "one.sto", "compared"]),
        (["one.npz", "--structures", "empty", "-o", "x.html"], ["empty", "no structure", "'one'"]),
        (["one.npz", "-o", "one.a3m/x.html"], ["one.a3m"]),
    ],
)
def test_an_error_is_one_line_and_leaves_no_file(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: Terminal,
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, "one")
    prediction_from(chain_like_distances(5), SEQUENCE[:5], name="two").save(tmp_path / "two.npz")
    Path("one.a3m").write_text(alignment_text())
    Path("other.a3m").write_text(f">q\n{SEQUENCE[::-1]}\n")
    Path("one.pdb").write_text(structure_text())
    Path("other.pdb").write_text(pdb([atom for k in range(1, 9) for atom in residue(k, "TRP")]))
    Path("empty").mkdir()
    Path("twice").mkdir()
    for name in ("one.a3m", "one.sto"):
        Path("twice", name).touch()
    before = files_in(tmp_path)
    assert main(["report", *arguments]) == 1
    terminal.shows_one_error(*words)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one.npz", "--chain", "A", "-o", "x.html"], ["--structure"]),
        (["one.npz", "--structures", ".", "--chain", "A", "-o", "x.html"], ["--structure"]),
        (["one.npz", "two.npz", "-o", "x.html"], ["x.html", "2 predictions", "folder"]),
        (["one.npz", "two.npz", "--structure", "one.npz", "-o", "x"], ["2 predictions", "--structures DIR"]),
        (["one.npz", "two.npz", "--alignment", "one.npz", "-o", "x"], ["2 predictions", "--alignments DIR"]),
        (["one.npz", "two.npz", "--compare", "one.npz", "-o", "x"], ["2 predictions", "--compare DIR"]),
        (["one.npz", "--alignment", "one.npz", "--alignments", ".", "-o", "x"], ["--alignments", "both"]),
        (["one.npz", "deeper/ONE.npz", "-o", "x"], ["deeper/ONE.npz", "rename one"]),
        (["deeper/Index.npz", "-o", "x"], ["Index.npz", "index.html"]),
        (["one.npz", "--structure", "none.pdb", "-o", "x"], ["none.pdb"]),
        (["one.npz", "--structures", "one.npz", "-o", "x"], ["one.npz"]),
        (["one.npz", "-o", "two.npz"], ["two.npz", "folder"]),
        (["one.npz"], ["--output"]),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: Terminal,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deeper").mkdir()
    for name in ("one.npz", "two.npz", "deeper/ONE.npz", "deeper/Index.npz"):
        Path(name).touch()
    before = files_in(tmp_path)
    assert main(["report", *arguments]) == 2
    terminal.shows_one_error(*words)
    assert files_in(tmp_path) == before


def test_a_row_without_long_range_pairs_has_no_precision(tmp_path: Path) -> None:
    from msaformer.report.index_page import index_row

    prediction: Prediction = prediction_from(chain_like_distances(1), "A")
    row = index_row(prediction, "x.html")
    assert [math.isnan(value) for value in (row.expected_precision, row.p_at_l, row.p_at_l5)] == [True] * 3
    assert row.thumbnail.startswith(b"\x89PNG")
