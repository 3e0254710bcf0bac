"""Alignments made worse on purpose: what is drawn, cut and joined is what the table says."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from training_cases import hairpin

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP
from data_tools.store import write_store

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import benchmark_robustness
from benchmark_accuracy_targets import Target
from benchmark_robustness import alignment_of, cases, fragments, two_chains, with_gaps

DEPTH = 200


def alignment(length: int, *, seed: int = 0) -> Alignment:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 20, (DEPTH, length), dtype=np.uint8)
    deletions = rng.integers(0, 3, (DEPTH, length)).astype(np.uint16)
    return alignment_of(tokens, deletions)


@pytest.mark.parametrize("length", [1, 2, 9, 30])
def test_a_fragment_is_half_of_its_sequence_in_one_piece(length: int) -> None:
    whole = alignment(length)
    cut = fragments(whole)
    kept = cut.tokens != GAP
    assert kept[0].all()
    starts = set()
    for row in range(1, DEPTH):
        (columns,) = np.nonzero(kept[row])
        assert len(columns) == -(-length // 2)
        assert columns[-1] - columns[0] == len(columns) - 1
        starts.add(int(columns[0]))
    assert starts == set(range(length // 2 + 1))
    np.testing.assert_array_equal(cut.tokens[kept], whole.tokens[kept])
    np.testing.assert_array_equal(cut.deletion_matrix, np.where(kept, whole.deletion_matrix, 0))


def test_three_in_ten_cells_below_the_query_become_gaps() -> None:
    whole = alignment(200)
    cut = with_gaps(whole)
    hidden = cut.tokens == GAP
    assert not hidden[0].any()
    assert hidden[1:].mean() == pytest.approx(0.3, abs=0.02)
    np.testing.assert_array_equal(cut.tokens[~hidden], whole.tokens[~hidden])
    np.testing.assert_array_equal(cut.deletion_matrix, np.where(hidden, 0, whole.deletion_matrix))


def test_two_chains_share_the_query_alone() -> None:
    first, second = alignment(7), alignment(5, seed=1)
    both = two_chains(first, second)
    assert both.tokens.shape == (2 * DEPTH - 1, 12)
    assert [chain.length for chain in both.annotations.chains] == [7, 5]
    np.testing.assert_array_equal(both.tokens[:DEPTH, :7], first.tokens)
    np.testing.assert_array_equal(both.tokens[[0, *range(DEPTH, 2 * DEPTH - 1)], 7:], second.tokens)
    np.testing.assert_array_equal(both.deletion_matrix[DEPTH:, 7:], second.deletion_matrix[1:])
    assert (both.tokens[1:DEPTH, 7:] == GAP).all()
    assert (both.tokens[DEPTH:, :7] == GAP).all()


def test_smaller_alignments_are_parts_of_larger_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_robustness, "SIZES", (1, 5, 20, 200))
    example = hairpin("h", length=12, depth=DEPTH)
    target = Target("set", example, example.distances)
    found = {case.name: case for case in cases(target, target)}
    rows = {name: {row.tobytes() for row in case.alignment.tokens} for name, case in found.items()}
    assert "200 sequences" not in found
    assert rows["1 sequence"] < rows["5 sequences"] < rows["20 sequences"] < rows["all sequences"]
    assert [found[f"{size} sequences"].alignment.depth for size in (5, 20)] == [5, 20]
    assert {case.alignment.query for case in found.values()} == {
        found["1 sequence"].alignment.query,
        2 * found["1 sequence"].alignment.query,
    }
    assert not found["1,000 sequences, no co-evolution"].given.coevolution
    assert found["all sequences, 4 samples"].given.ensembles == 4


def test_the_table_of_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark_robustness, "WHOLE", 10)
    write_store(
        [hairpin(name, length=30, depth=depth) for name, depth in (("a", 12), ("b", 14), ("c", 10))],
        tmp_path / "store",
    )
    words = [
        str(tmp_path / "store"),
        "--weights",
        "tiny",
        "-o",
        str(tmp_path / "all.csv"),
    ]
    assert benchmark_robustness.main(words) == 0
    frame = pd.read_csv(tmp_path / "all.csv")
    assert set(frame["id"]) == {"a", "b"}
    assert frame["contacts_between_chains"].notna().sum() == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:-2]] == [
        "| 1 sequence",
        "| 10 sequences",
        "| all sequences",
        *("| all sequences, 4 samples", "| 10 sequences, 4 samples"),
        *("| 10 sequences, no co-evolution", "| 10 sequences, 30% gaps"),
        *("| 10 sequences, fragments of half the length", "| 10 sequences, two chains"),
    ]
    ten = frame[frame["case"] == "10 sequences"]
    assert f"| {len(ten)} | {ten['neff'].median():.0f} | {ten['p_at_l'].mean():.2f} |" in lines[3]


def test_a_difference_is_from_the_case_beside_it() -> None:
    one = {"case": "1 sequence", "beside": "1,000 sequences", "id": "a", "neff": 1.0, "p_at_l": 0.25}
    whole = one | {"case": "1,000 sequences", "p_at_l": 0.75}
    other = {"p_at_l5": 0.5, "contacts_between_chains": 2.0, "features_seconds": 0.1, "network_seconds": 1.0}
    rows = [row | other | {"id": name} for name in "ab" for row in (whole, one)]
    lines = benchmark_robustness.markdown(pd.DataFrame(rows)).splitlines()
    assert lines[2:4] == [
        "| 1 sequence | 2 | 1 | 0.25 | 0.50 | -0.50 [-0.50, -0.50] | 0.1 | 1.0 |",
        "| 1,000 sequences | 2 | 1 | 0.75 | 0.50 |  | 0.1 | 1.0 |",
    ]
    assert lines[-1] == "Contacts of p >= 0.5 between two unrelated chains: 2.0 a pair of proteins."


def test_two_chains_are_scored_within_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = hairpin("h", length=40, depth=6), hairpin("i", length=30, depth=5)
    target, partner = (Target("set", one, one.distances) for one in (first, second))
    *_, case = cases(target, partner)
    probs = np.zeros((70, 70), np.float32)
    probs[:40, :40] = np.where(np.nan_to_num(first.distances, nan=99.0) < 8, 0.9, 0.1)
    probs[:3, 40:] = 0.6

    def predicted(features: object, sequence: str, model: object, **options: object) -> SimpleNamespace:
        assert len(sequence) == 70
        assert options["chain_lengths"] == (40, 30)
        return SimpleNamespace(contact_probs=probs)

    monkeypatch.setattr(benchmark_robustness, "predict_features", predicted)
    found = benchmark_robustness.score(case, target, model=None)
    near = np.triu(first.distances < 8, 24).sum()
    assert found["p_at_l"] == pytest.approx(near / 40)
    assert found["contacts_between_chains"] == 3 * 30


def test_a_set_without_a_deep_alignment_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_store([hairpin("a")], tmp_path / "store")
    assert benchmark_robustness.main([str(tmp_path / "store")]) == 1
    assert "none of 1 proteins has more than 1000 sequences" in capsys.readouterr().err
    for option, value in (("--limit", "0"), ("--min-depth", "999")):
        with pytest.raises(SystemExit):
            benchmark_robustness.main([str(tmp_path / "store"), option, value])
        assert f"{option} must be at least" in capsys.readouterr().err


def test_an_interrupted_run_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark_robustness, "measure", stop)
    assert benchmark_robustness.main([str(tmp_path), "-o", str(tmp_path / "all.csv")]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
    assert not (tmp_path / "all.csv").exists()
