"""The parts of the accuracy benchmark: bands, background, intervals, differences, cache, covariance, tables by hand."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_tools.features import MSAFeatures
from data_tools.store import Example

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture(scope="module", autouse=True)
def scripts_are_importable() -> Iterator[None]:
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


def target(length: int = 30, name: str = "p") -> Any:
    from benchmark_accuracy_targets import Target

    rng = np.random.default_rng(length)
    features = MSAFeatures(
        tokens=np.zeros((1, length), np.uint8),
        deletion_matrix=np.zeros((1, length), np.uint16),
        weights=np.ones(1, np.float32),
        profile=np.full((length, 22), 1 / 22, np.float32),
        residue_index=np.arange(length, dtype=np.int32),
        coevolution=np.zeros((length, length, 2), np.float32),
    )
    upper = np.triu(rng.random((length, length)) * 20, 1).astype(np.float32)
    distances = upper + upper.T
    return Target("set", Example(name, features, distances), distances)


def test_an_edge_belongs_to_the_band_above() -> None:
    from benchmark_accuracy_targets import band, band_names

    assert band_names((30, 100)) == ("< 30", "30-100", ">= 100")
    assert [band(value, (30, 100)) for value in (29.9, 30, 99.9, 100)] == [
        "< 30",
        "30-100",
        "30-100",
        ">= 100",
    ]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("HHH" + "-" * 17, "mainly alpha"),  # 15 % and 0 %
        ("HHHEE" + "-" * 15, "alpha and beta"),  # 15 % and 10 %
        ("HHEE" + "-" * 16, "mainly beta"),  # 10 % and 10 %
        ("HHE" + "-" * 17, "little of either"),
        ("HHH" + "-" * 17 + " " * 20, "mainly alpha"),  # residues that are not resolved do not count
        (" " * 20, "unknown"),
    ],
)
def test_the_class_of_a_structure_is_that_of_its_shares(
    states: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import benchmark_accuracy_targets

    monkeypatch.setattr(benchmark_accuracy_targets, "secondary_structure", lambda backbone, sequence: states)
    backbone = np.zeros((len(states), 4, 3), np.float32)
    assert benchmark_accuracy_targets.structure_class(backbone, "A" * len(states)) == expected
    assert benchmark_accuracy_targets.structure_class(None, "A") == "unknown"


def test_the_background_is_the_share_of_each_bin_at_the_same_separation() -> None:
    from benchmark_accuracy_targets import background_log_likelihood, distance_counts

    distances = np.full((9, 9), np.nan, np.float32)
    distances[0, 6], distances[0, 7], distances[0, 8] = 2.0, 2.0, 25.0  # separations 6 and 7 share a row
    counts = distance_counts(distances)
    assert counts.sum() == 3
    assert counts[0, 0] == 2
    assert counts[1, -1] == 1
    others = np.zeros_like(counts)
    others[0, 0] = 37  # of 37 bins: (37 + 1) / (37 + 37)
    expected = (2 * math.log(38 / 74) + math.log(1 / 37)) / 3
    assert background_log_likelihood(counts, others) == pytest.approx(expected)
    assert math.isnan(background_log_likelihood(np.zeros_like(counts), others))


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    from benchmark_accuracy_summary import Bootstrap

    values = np.repeat([0.0, 1.0], 50)  # standard error 0.5 / sqrt(100)
    low, high = Bootstrap().interval(values)
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.05, 0.5 + 1.96 * 0.05), abs=0.01)
    assert Bootstrap().interval(values) == (low, high)
    assert Bootstrap().interval(np.full(7, 0.25)) == pytest.approx((0.25, 0.25))
    assert all(map(math.isnan, Bootstrap().interval(np.ones(1))))


def precision_rows(values: dict[str, list[float]], contacts: list[int]) -> pd.DataFrame:
    kinds = {"ours": "ours", "dca": "classical", "mi": "classical"}
    rows = []
    for method, of_method in values.items():
        for number, (value, count) in enumerate(zip(of_method, contacts, strict=True)):
            labels = {"set": "s", "id": f"p{number}", "neff_band": "< 30", "length_band": "< 100"}
            cuts = dict.fromkeys(("p_at_l", "p_at_l2", "p_at_l5"), value)
            rows.append(
                labels
                | {"structure_class": "unknown", "method": method, "kind": kinds[method], "range": "long"}
                | {"num_contacts": count, **cuts}
            )
    return pd.DataFrame(rows)


def test_a_difference_is_of_the_same_proteins_and_without_contacts_none_counts() -> None:
    from benchmark_accuracy_summary import ALL, best_of_ours, precision_summary

    nothing = float("nan")
    table = precision_rows({"ours": [0.5, 0.7, 0.9, 0.0], "dca": [0.4, nothing, 0.6, 1.0]}, [5, 5, 5, 0])
    assert best_of_ours(table) == "ours"
    summary = precision_summary(table, "ours")
    whole = summary[(summary["grouping"] == ALL) & (summary["measure"] == "p_at_l")].set_index("method")
    assert whole.loc["ours", "mean"] == pytest.approx(0.7)
    assert whole.loc["ours", "proteins"] == 3
    assert whole.loc["dca", "mean"] == pytest.approx(0.5)
    assert whole.loc["dca", ["proteins", "both"]].tolist() == [2, 2]
    assert whole.loc["dca", "ahead_by"] == pytest.approx(0.2)  # of 0.1 and 0.3
    assert whole.loc["dca", "ahead_low"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("dca", "mi", "verdict", "nearest"),
    [
        ([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], "ahead", "mi"),
        ([0.1, 0.2, 0.9], [0.2, 0.3, 0.4], "ahead, not certain", "dca"),
        ([0.9, 0.9, 0.9], [0.2, 0.3, 0.4], "not ahead", "dca"),
        ([0.5, 0.6, 0.7], [0.2, 0.3, 0.4], "not ahead", "dca"),  # a tie is not ahead
    ],
)
def test_ahead_is_ahead_of_every_classical_method(
    dca: list[float], mi: list[float], verdict: str, nearest: str
) -> None:
    from benchmark_accuracy_summary import ahead_table, precision_summary

    table = precision_rows({"ours": [0.5, 0.6, 0.7], "dca": dca, "mi": mi}, [5, 5, 5])
    ahead = ahead_table(precision_summary(table, "ours"))
    assert set(ahead["neff_band"]) == {"all", "< 30"}
    assert set(ahead["verdict"]) == {verdict}
    assert set(ahead["nearest_method"]) == {nearest}


def test_published_figures_are_compared_on_the_proteins_both_have() -> None:
    from benchmark_accuracy_summary import published_summary

    table = precision_rows({"ours": [0.5, 0.7, 0.9]}, [5, 5, 5])
    published = pd.DataFrame({"id": ["p0", "p2", "q"], "L": [50, 60, 70], "Theirs": [0.6, 0.7, 0.1]})
    found = published_summary(table, published, "s", "ours").set_index("method")
    assert found.index.tolist() == ["ours", "Theirs (published)"]
    assert found.loc["ours", "mean"] == pytest.approx(0.7)
    assert found.loc["Theirs (published)", "ahead_by"] == pytest.approx(0.05)
    with pytest.raises(ValueError, match="no protein of the published figures"):
        published_summary(table, published.tail(1), "s", "ours")
    with pytest.raises(ValueError, match="column id"):
        published_summary(table, published.drop(columns="id"), "s", "ours")


def test_the_cache_keeps_a_protein_by_alignment_structure_and_settings(tmp_path: Path) -> None:
    from benchmark_accuracy_cache import measured
    from benchmark_accuracy_methods import Figures, Method, NotCoveredError

    asked = []

    def measure(of: Any) -> Figures:
        asked.append(of.example.id)
        return Figures({"long": {"p_at_l": 0.5, "p_at_l2": float("nan")}})

    slow, other = Method("slow", "classical", measure, "λ 1"), Method("slow", "classical", measure, "λ 2")
    first = measured(slow, target(), tmp_path)
    assert measured(slow, target(), tmp_path).ranges["long"]["p_at_l"] == first.ranges["long"]["p_at_l"]
    assert math.isnan(measured(slow, target(), tmp_path).ranges["long"]["p_at_l2"])
    assert asked == ["p"]
    measured(slow, target(31), tmp_path)
    measured(other, target(), tmp_path)
    assert len(asked) == 3
    with pytest.raises(NotCoveredError):
        measured(other, target(31), tmp_path, cached_only=True)
    for kept in tmp_path.rglob("*.json"):
        kept.write_text("{")
    with pytest.raises(ValueError, match="damaged; remove it"):
        measured(slow, target(), tmp_path)


def test_a_protein_without_a_file_of_scores_is_not_covered_and_two_files_are_refused(tmp_path: Path) -> None:
    from benchmark_accuracy_methods import NotCoveredError, score_files

    method = score_files("theirs", tmp_path, by_set=True)
    with pytest.raises(NotCoveredError):
        method.measure(target())
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "p.rr").write_text("1 30 0 8 0.9\n")
    (tmp_path / "set" / "pp.rr").write_text("1 30 0 8 0.9\n")
    figures = method.measure(target())
    assert figures.ranges["long"]["num_ranked"] == 1
    assert figures.ranges["long"]["num_pairs"] == 1 + 2 + 3 + 4 + 5 + 6
    (tmp_path / "set" / "p.csv").write_text("")
    with pytest.raises(ValueError, match=r"several files of p: p\.csv, p\.rr; leave one"):
        method.measure(target())


def test_the_covariance_of_deepcon_equals_the_loops_of_its_package() -> None:
    from benchmark_accuracy_packages import DEEPCON_LETTERS, deepcon_covariance

    rng = np.random.default_rng(3)
    letters = np.array(list(DEEPCON_LETTERS + "X"))
    ancestor = rng.integers(0, 21, 6)
    states = np.where(rng.random((7, 6)) < 0.15, rng.integers(0, 22, (7, 6)), ancestor)
    rows = ["".join(letters[row]) for row in states]
    count, length = states.shape
    weights = [
        1 / sum(n == m or sum(states[n] != states[m]) < int(0.38 * length) for m in range(count))
        for n in range(count)
    ]
    total = 21 + sum(weights)
    single = np.ones((length, 21))
    pairs = np.full((length, length, 21, 21), 1 / 21)
    for n in range(count):
        for i in range(length):
            if states[n, i] < 21:
                single[i, states[n, i]] += weights[n]
            for j in range(length):
                if states[n, i] < 21 and states[n, j] < 21:
                    pairs[i, j, states[n, i], states[n, j]] += weights[n]
    single, pairs = single / total, pairs / total
    expected = pairs - single[:, None, :, None] * single[None, :, None, :]
    np.testing.assert_allclose(
        deepcon_covariance(rows), expected.reshape(length, length, 441), rtol=1e-4, atol=1e-6
    )
    assert min(weights) < 1  # some sequences are alike


def test_the_network_of_deepcon_takes_the_larger_of_neighbouring_channels() -> None:
    import torch
    from benchmark_accuracy_packages import DeepConNetwork

    network = DeepConNetwork().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.first.bias[5] = 3.0  # channels 4 and 5 make the third of 64
        network.first.bias[4] = -1.0
        network.last_norm.weight.fill_(math.sqrt(1 + 1e-3))
        network.last.weight[0, 2, 1, 1] = 1.0
        network.last.weight[0, 1, 1, 1] = 1.0
        probs = network(torch.zeros(1, 441, 4, 4))
    assert probs.shape == (1, 1, 4, 4)
    torch.testing.assert_close(probs, torch.full_like(probs, 1 / (1 + math.exp(-3))))


def test_of_a_deep_alignment_plmdca_fits_the_sequences_of_largest_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import benchmark_accuracy_methods as methods

    fitted: list[tuple[Any, Any]] = []

    def fit(tokens: Any, weights: Any, **_: object) -> Any:
        fitted.append((tokens, weights))
        raise InterruptedError

    monkeypatch.setattr(methods, "fit_potts", fit)
    monkeypatch.setattr(methods, "fit_potts_shallow", fit)
    one = target(length=4)
    rows = np.repeat(np.arange(6, dtype=np.uint8)[:, None], 4, axis=1)
    weights = np.array([0.5, 0.2, 0.9, 0.1, 0.8, 0.3], np.float32)
    features = replace(
        one.example.features, tokens=rows, deletion_matrix=np.zeros_like(rows, np.uint16), weights=weights
    )
    deep = replace(one, example=replace(one.example, features=features))
    for most in (3, 6):
        with pytest.raises(InterruptedError):
            methods.plmdca(most, 1).measure(deep)
    assert fitted[0][0][:, 0].tolist() == [0, 2, 4]
    assert fitted[0][1].tolist() == [1, 1, 1]  # weighed anew
    assert fitted[1][0] is rows
    assert fitted[1][1] is weights


def test_calibration_is_kept_and_read_back() -> None:
    from benchmark_accuracy_methods import calibration_of, prediction_figures

    from msaformer.calibration import reliability

    one, rng = target(), np.random.default_rng(0)
    prediction = SimpleNamespace(
        contact_probs=rng.random((30, 30), np.float32),
        expected_distance=np.full((30, 30), 9.0, np.float32),
        distance_std=rng.random((30, 30), np.float32),
        distogram_probs=np.full((30, 30, 3), 1 / 3, np.float32),
        bin_edges=np.array([8.0, 20.0], np.float32),
    )
    kept = prediction_figures(prediction, one).calibration["short"]
    expected = reliability(prediction.contact_probs, one.distances, min_separation=6, max_separation=11)
    found = calibration_of(kept)
    for name in ("edges", "mean_prob", "fraction", "counts"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name))


def test_tables_in_markdown_and_in_columns() -> None:
    from benchmark_accuracy_table import Table, interval, number

    table = Table(["method", "P@L"], [["**ours**", ".51"], ["< 30", ".5"]])
    assert table.to_markdown() == "| method | P@L |\n|---|---|\n| **ours** | .51 |\n| &lt; 30 | .5 |"
    assert table.to_plain() == "method  P@L\nours    .51\n< 30    .5"
    assert [number(value) for value in (0.514, -0.05, 1.0, 3.456, math.nan)] == [
        ".51",
        "-.05",
        "1.00",
        "3.46",
        "–",
    ]
    assert interval(0.5, 0.25, 0.75) == ".50 [.25, .75]"
    assert interval(0.5, math.nan, math.nan) == ".50"
