"""The accuracy benchmark, run as a user runs it: what it prints and writes is the precision of the maps themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_tools.alphabet import decode
from data_tools.features import featurize
from data_tools.formats import read_alignment
from data_tools.store import write_store
from msaformer.metrics import precision_table

SCRIPTS = Path(__file__).parent.parent / "scripts"
LENGTH, DEPTH = 40, 30
IDS = ("walk", "stroll")


@pytest.fixture(scope="module", autouse=True)
def scripts_are_importable() -> Iterator[None]:
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two proteins of 40 residues on a random walk, each with 29 random relatives."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("benchmark") / "data"
    (folder / "a3m").mkdir(parents=True)
    sequences = []
    for name in IDS:
        tokens = np.tile(rng.integers(0, 20, LENGTH), (DEPTH, 1)).astype(np.uint8)
        changed = rng.random(tokens.shape) < 0.5
        changed[0] = False
        tokens = np.where(changed, rng.integers(0, 20, tokens.shape), tokens).astype(np.uint8)
        records = [f">s{row}\n{decode(tokens[row])}\n" for row in range(DEPTH)]
        (folder / "a3m" / f"{name}.a3m").write_text("".join(records))
        sequences.append(decode(tokens[0]))
    lines = [f"{name},{LENGTH},{DEPTH}\n" for name in IDS]
    (folder / "index.csv").write_text("id,L,N\n" + "".join(lines))
    np.savez(
        folder / "coords.npz",
        id=np.array(IDS),
        offset=np.array([0, LENGTH, 2 * LENGTH]),
        seq=np.array("".join(sequences)),
        atoms=np.array(["N", "CA", "C", "O", "CB"]),
        xyz=rng.normal(0, 3.0, (2 * LENGTH, 5, 3)).cumsum(axis=0).astype(np.float32),
    )
    return folder


@pytest.fixture(scope="module")
def store(data: Path) -> Path:
    """The same two as an example store."""
    from build_store import make_example, read_proteins

    path = data.parent / "store"
    proteins = read_proteins(data / "coords.npz", list(IDS), data / "a3m")
    write_store((make_example(protein, None) for protein in proteins), path)
    return path


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """The script's exit code, stdout and stderr."""
    import benchmark_accuracy

    monkeypatch.setattr(sys, "argv", ["benchmark_accuracy.py", *words])
    code = benchmark_accuracy.main()
    found = capsys.readouterr()
    return code, found.out, found.err


def test_the_table_holds_the_precision_of_each_method(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (str(data), "--alignments", str(data / "a3m"), "--json", "--csv", str(tmp_path / "all.csv"))
    code, out, err = run(monkeypatch, capsys, *words)
    assert (code, err) == (0, "")
    table = pd.read_csv(tmp_path / "all.csv")
    assert {"mean_field_dca", "mutual_information_apc"} < set(table["method"])
    assert table["method"].nunique() == 3
    features = featurize(read_alignment(data / "a3m" / "walk.a3m"))
    with np.load(data / "coords.npz") as arrays:
        glycine = np.array([letter == "G" for letter in str(arrays["seq"])])
        atom = np.where(glycine[:, None], arrays["xyz"][:, 1], arrays["xyz"][:, 4])[:LENGTH]
    distances = np.linalg.norm(atom[:, None] - atom[None], axis=-1)
    ours = table[(table["method"] == "mean_field_dca") & (table["id"] == "walk")]
    for expected in precision_table(features.coevolution[:, :, 0], distances):
        found = ours[ours["range"] == expected.range].iloc[0]
        assert found["num_contacts"] == expected.num_contacts
        assert found["p_at_l2"] == pytest.approx(expected.p_at_l2, abs=1e-4)
    means = {
        (row["range"], row["method"]): row["mean"]
        for row in json.loads(out)["by_range"]
        if row["measure"] == "p_at_l"
    }
    of_dca = table[(table["method"] == "mean_field_dca") & (table["range"] == "short")]
    assert means["short", "mean_field_dca"] == pytest.approx(of_dca["p_at_l"].mean(), abs=1e-4)


def test_one_run_of_a_store_writes_every_table_and_figure_and_goes_on_from_its_cache(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, cache, output = tmp_path / "scores", tmp_path / "cache", tmp_path / "out"
    scores.mkdir()
    (scores / "walk.rr").write_text("1 40 0 8 0.9\n2 39 0 8 0.5\n")
    (tmp_path / "others.csv").write_text("id,L,Best\nwalk,40,0.5\nunheard,40,0.1\n")
    words = [
        f"mine={store}",
        *("--cache", str(cache), "--output", str(output), "--plmdca", "--plmdca-iterations", "3"),
        *("--scores", f"theirs={scores}", "--published", f"mine={tmp_path / 'others.csv'}"),
    ]
    code, out, err = run(monkeypatch, capsys, *words)
    assert (code, err) == (0, "")
    assert out.startswith("mine: mean precision")
    figures = {"scatter-mine.png", "depth-mine.png", "length-mine.png", "reliability-mine.png"}
    assert figures < {path.name for path in output.iterdir()}
    markdown = (output / "accuracy.md").read_text()
    assert "theirs: nothing on 1 of 2 proteins of mine" in markdown
    assert "theirs: lists fewer pairs than L in a range of 1 proteins" in markdown
    assert "Best (published)" in markdown
    proteins = pd.read_csv(output / "proteins.csv")
    assert set(proteins[proteins["method"] == "plmdca"]["id"]) == set(IDS)
    assert set(proteins[proteins["method"] == "theirs"]["id"]) == {"walk"}

    import benchmark_accuracy_methods

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(benchmark_accuracy_methods, "fit_potts_shallow", fail)
    monkeypatch.setattr(benchmark_accuracy_methods, "predict_features", fail)
    assert run(monkeypatch, capsys, *words) == (0, out, "")


def test_what_is_only_taken_from_the_cache_leaves_out_what_no_run_has_measured(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import benchmark_accuracy_methods
    import benchmark_accuracy_packages

    def fail(target: object) -> None:
        raise AssertionError("measured")

    network = benchmark_accuracy_methods.Method(
        "deepcon", benchmark_accuracy_methods.NETWORK, fail, "settings"
    )
    monkeypatch.setattr(benchmark_accuracy_packages, "deepcon", lambda: network)
    words = [
        str(store),
        "--cache",
        str(tmp_path / "cache"),
        "--plmdca",
        "--deepcon",
        "--cached-only",
        "--json",
    ]
    code, out, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    notes = json.loads(out)["notes"]
    assert {f"{name}: nothing on 2 of 2 proteins of store" for name in ("plmdca", "deepcon")} <= set(notes)


def test_a_package_that_is_not_installed_is_said_and_left_out(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import benchmark_accuracy_packages

    monkeypatch.setattr(benchmark_accuracy_packages.importlib.util, "find_spec", lambda name: None)
    code, out, err = run(monkeypatch, capsys, str(store), "--trrosetta", "--deepcon")
    assert code == 0
    assert "trrosetta" not in out
    assert err == (
        "left out: tr-rosetta-pytorch is not installed (pip install --no-deps tr-rosetta-pytorch)\n"
        "left out: deepcon is not installed (pip install --no-deps deepcon)\n"
    )


def test_an_interrupted_run_says_where_its_figures_are(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import benchmark_accuracy_methods

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark_accuracy_methods, "fit_potts_shallow", stop)
    words = (str(store), "--plmdca", "--cache", str(tmp_path / "cache"))
    code, out, err = run(monkeypatch, capsys, *words)
    assert (code, out) == (130, "")
    assert err == f"interrupted; what was measured is in {tmp_path / 'cache'}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a=STORE", "a=STORE"), "two data sets are named 'a'"),
        (("STORE", "--plmdca", "--cached-only"), "--cached-only needs the --cache"),
        (("STORE", "--limit", "0"), "--limit must be at least 1, not 0"),
        (("STORE", "--trrosetta", "6"), "--trrosetta takes 1 to 5 networks, not 6"),
        (("STORE", "--published", "x=y.csv"), "there is no data set 'x'"),
        (("STORE", "--scores", "folder"), "'folder' has no name: give NAME=PATH"),
        (("a=STORE", "b=STORE", "--alignments", "x"), "--alignments belongs to one DATA_DIR"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    words: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import benchmark_accuracy

    monkeypatch.setattr(sys, "argv", ["benchmark_accuracy.py", *words])
    with pytest.raises(SystemExit) as stopped:
        benchmark_accuracy.main()
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--scores", "mean_field_dca=."), "two methods are named 'mean_field_dca'"),
        (("--scores", "x=/no/such/folder"), "no folder of score files"),
        (("--limit", "1"), "no protein has a native contact of long range"),
    ],
)
def test_methods_that_cannot_be_told_apart_or_read_are_one_line(
    store: Path,
    words: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(monkeypatch, capsys, str(store), *words)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_folder_without_an_index_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "benchmark_accuracy.py"), str(tmp_path), "--alignments", "x"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
