"""The benchmark, run as a user runs it, on tiny sizes: are both sides there, and do they agree?"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import CHROMIUM

SCRIPTS = Path(__file__).parent.parent / "scripts"
COMPARED = {
    "a3m",
    "stockholm",
    "weights",
    "row_attention",
    "dca",
    "structure",
    "featurize",
    "process",
    "axial",
    "data",
    "plan",
    "longest",
    "evoformer_block",
    "gpu_blocks",
} | ({"axial_layer"} if (SCRIPTS.parent / ".benchmark" / "esm").is_dir() else set())
HAS_BROWSER = CHROMIUM is not None and importlib.util.find_spec("playwright") is not None
if HAS_BROWSER and importlib.util.find_spec("plotly") is not None:
    COMPARED |= {"report"}
ALONE = {"predict"} | ({"report"} if HAS_BROWSER else set())


def benchmark(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "benchmark.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    done = benchmark("--quick", "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_part_is_reported_with_all_keys(report: dict[str, Any]) -> None:
    assert report["machine"].keys() == {"platform", "cores", "threads", "python", "numpy", "torch"}
    assert {figure["part"] for figure in report["figures"]} == COMPARED | ALONE
    for figure in report["figures"]:
        assert figure.keys() == {"part", "name", "unit", "ours", "peer", "ratio", "target", "met"}
        assert figure["ours"] >= 0 or "overhead" in figure["name"]  # a difference of two times


def test_both_sides_compute_the_same(report: dict[str, Any]) -> None:
    judged = {figure["part"]: figure["met"] for figure in report["figures"] if not figure["unit"]}
    assert judged == dict.fromkeys(COMPARED | ALONE - {"predict"}, True)


def test_times_of_both_sides_stand_beside_their_ratio(report: dict[str, Any]) -> None:
    for figure in report["figures"]:
        if figure["ratio"] is not None:
            quotient = figure["peer"] / figure["ours"]
            assert figure["ratio"] == pytest.approx(quotient) or figure["ratio"] == pytest.approx(
                1 / quotient
            )
    assert {figure["part"] for figure in report["figures"] if figure["peer"] is not None} == COMPARED


def test_prediction_is_measured_in_time_and_memory(report: dict[str, Any]) -> None:
    peaks = [
        figure for figure in report["figures"] if figure["part"] == "predict" and figure["unit"] == "MiB"
    ]
    assert len(peaks) == 1
    assert all(100 < figure["ours"] < 6 * 1024 and figure["met"] for figure in peaks)


def test_the_report_is_skipped_in_words_where_there_is_no_browser(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import benchmark_browser
    from benchmark_report import benchmark_report

    monkeypatch.setattr(benchmark_browser, "chromium", lambda: None)
    assert list(benchmark_report(quick=True)) == []
    assert capsys.readouterr().err == ("report: skipped: needs chromium and the Python package playwright\n")


def test_the_made_up_protein_is_compact_and_its_prediction_of_middling_skill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmark_report_data import made_up_protein

    from msaformer.metrics import precision_table
    from msaformer.report.truth import read_truth

    protein = made_up_protein(200, tmp_path)
    truth = read_truth(protein.prediction, protein.structure)
    far = np.triu_indices(200, k=6)
    assert (truth.identity, truth.num_unresolved) == (1.0, 0)
    assert 1 < (truth.distances[far] < 8).sum() / 200 < 5  # as proteins have
    assert np.nanmin(truth.distances[np.triu_indices(200, k=2)]) > 2.5  # no atom within another
    assert 0.5 < precision_table(protein.prediction.contact_probs, truth.distances)[2].p_at_l < 1
    assert protein.alignment.query == protein.prediction.sequence


def test_one_part_alone_prints_its_table() -> None:
    done = benchmark("--quick", "--only", "weights")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[2:]
    assert lines[0].split() == ["part", "figure", "ours", "peer", "unit", "ratio", "target", "met"]
    assert {line.split()[0] for line in lines[1:]} == {"weights"}


def test_a_wrong_number_of_threads_is_refused() -> None:
    done = benchmark("--threads", "0")
    assert done.returncode == 2
    assert "--threads must be at least 1" in done.stderr


def test_the_plain_parser_and_the_synthetic_file_agree_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from benchmark_peers import parse_a3m_plainly, synthetic_a3m

    tokens, deletions = parse_a3m_plainly(">q\nAC-\n>b\nkAcdC\n-yy\n")
    assert tokens.tolist() == [[0, 1, 21], [0, 1, 21]]
    assert deletions.tolist() == [[0, 0, 0], [1, 2, 0]]
    file = synthetic_a3m(2000, 100, seed=0)
    assert file.deletion_matrix.sum() / 2000 == pytest.approx(14, rel=0.05)
    assert np.mean(file.tokens == 21) == pytest.approx(0.23, rel=0.05)
