"""Restraints for CNS and Rosetta: bounds by hand, pairs that say nothing left out, complexes named by chain."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from report_cases import BIN_EDGES, SEQUENCE, chain_like_distances, prediction_from

from msaformer.errors import PredictionError
from msaformer.pair_scores import PairScores
from msaformer.report.contact_list import Selection, contact_list
from msaformer.report.restraints import save_cns, save_rosetta

SHORT = "AGKLMNAC"


def contacts(selection=None, **changes):
    """Eight residues; distances and spreads that the tests compute bounds of by hand."""
    distance, std = np.full((8, 8), 30, np.float32), np.full((8, 8), 2, np.float32)
    probs = np.full((8, 8), 0.01, np.float32)
    for i, j, d, s, p in [
        (0, 6, 7.0, 0.5, 0.9),
        (1, 7, 6.0, 3.25, 0.8),
        (2, 7, 18.0, 2.0, 0.7),
        (0, 7, 3.0, 1.5, 0.6),
    ]:
        for a, b in ((i, j), (j, i)):
            distance[a, b], std[a, b], probs[a, b] = d, s, p
    fields = {"expected_distance": distance, "distance_std": std, "contact_probs": probs}
    prediction = prediction_from(np.full((8, 8), 9.0), SHORT, **(fields | changes))
    return contact_list(prediction, selection=selection or Selection(min_score=0.5))


def rows(path: Path, mark: str) -> list[str]:
    return [line for line in path.read_text(encoding="ascii").splitlines() if not line.startswith(mark)]


def test_cns_bounds_are_mean_and_spread_within_what_is_possible(tmp_path: Path) -> None:
    assert BIN_EDGES[-1] == 20  # so that 18 + 2 Å is the last that can be used
    assert save_cns(contacts(), tmp_path / "x.tbl") == 0
    assert (
        rows(tmp_path / "x.tbl", "!")
        == [
            "assign (resid 1 and name cb) (resid 7 and name cb) 7.00 1.00 1.00",  # a spread of at least 1 Å
            "assign (resid 2 and name ca) (resid 8 and name cb) 6.00 2.50 3.25",  # Gly; not below 3.5 Å
            "assign (resid 3 and name cb) (resid 8 and name cb) 18.00 2.00 2.00",
            "assign (resid 1 and name cb) (resid 8 and name cb) 3.00 0.00 1.50",  # nearer than what is possible: itself
        ]
    )


def test_rosetta_bounds_are_the_same(tmp_path: Path) -> None:
    assert save_rosetta(contacts(), tmp_path / "x.cst") == 0
    assert rows(tmp_path / "x.cst", "#") == [
        "AtomPair CB 1 CB 7 BOUNDED 6.00 8.00 1.0 0.5 msaformer",
        "AtomPair CA 2 CB 8 BOUNDED 3.50 9.25 1.0 0.5 msaformer",
        "AtomPair CB 3 CB 8 BOUNDED 16.00 20.00 1.0 0.5 msaformer",
        "AtomPair CB 1 CB 8 BOUNDED 3.00 4.50 1.0 0.5 msaformer",
    ]


@pytest.mark.parametrize(("save", "mark"), [(save_cns, "!"), (save_rosetta, "#")])
def test_distances_beyond_the_bins_are_left_out_and_counted(save, mark: str, tmp_path: Path) -> None:
    assert save(contacts(Selection()), tmp_path / "x") == 28 - 4
    assert len(rows(tmp_path / "x", mark)) == 4
    head = (tmp_path / "x").read_text()
    assert f"{mark} 4 restraints for toy, from msaformer-tiny" in head
    assert "pairs: all, 1 or more apart in the sequence, or in different chains; 24 left out" in head
    assert "beyond 20 A" in head
    with pytest.raises(PredictionError, match=r"none of 0 pairs can be a restraint"):
        save(contacts(Selection(min_score=0.95)), tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_the_head_says_how_the_pairs_were_chosen(tmp_path: Path) -> None:
    save_cns(contacts(Selection(top=2, min_score=0.25, min_separation=6)), tmp_path / "x.tbl")
    assert (
        "pairs: the best 2, prob at least 0.25, 6 or more apart in the sequence"
        in (tmp_path / "x.tbl").read_text()
    )


def test_scores_alone_make_restraints_of_a_contact(tmp_path: Path) -> None:
    matrix = np.arange(64, dtype=np.float32).reshape(8, 8)
    source = PairScores("x", "plmc", matrix + matrix.T, ~np.eye(8, dtype=bool), False, SHORT)
    listed = contact_list(source, selection=Selection(top=1, min_separation=6))
    save_cns(listed, tmp_path / "x.tbl")
    assert rows(tmp_path / "x.tbl", "!") == [
        "assign (resid 2 and name ca) (resid 8 and name cb) 3.60 0.10 4.40"
    ]
    save_rosetta(listed, tmp_path / "x.cst")
    assert rows(tmp_path / "x.cst", "#") == ["AtomPair CA 2 CB 8 BOUNDED 3.50 8.00 1.0 0.5 msaformer"]
    unknown = PairScores("x", "plmc", matrix + matrix.T, ~np.eye(8, dtype=bool), False)
    with pytest.raises(PredictionError, match="the sequence must be known"):
        save_cns(contact_list(unknown), tmp_path / "y.tbl")


def test_chains_of_a_complex_are_segments_for_cns_and_one_pose_for_rosetta(tmp_path: Path) -> None:
    listed = contacts(Selection(top=2, min_score=0.5), chain_lengths=(3, 5))
    save_cns(listed, tmp_path / "x.tbl")
    assert rows(tmp_path / "x.tbl", "!")[0] == (
        "assign (segid A and resid 1 and name cb) (segid B and resid 4 and name cb) 7.00 1.00 1.00"
    )
    save_rosetta(listed, tmp_path / "x.cst")
    assert rows(tmp_path / "x.cst", "#")[0].startswith("AtomPair CB 1 CB 7 ")


def test_no_name_breaks_out_of_the_head(tmp_path: Path) -> None:
    prediction = prediction_from(
        chain_like_distances(40), SEQUENCE, name="x é", model={"name": "a\nassign (all)"}
    )
    save_cns(contact_list(prediction, selection=Selection(top=5)), tmp_path / "x.tbl")
    assert all(re.match(r"! |assign \(resid", line) for line in (tmp_path / "x.tbl").read_text().splitlines())
