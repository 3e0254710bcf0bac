"""The accuracy benchmark, run as a user runs it: what it prints and writes is the precision of the maps themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_tools.alphabet import decode
from data_tools.features import featurize
from data_tools.formats import read_alignment
from msaformer.metrics import precision_table

SCRIPT = Path(__file__).parent.parent / "scripts" / "benchmark_accuracy.py"
LENGTH, DEPTH = 40, 30


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One protein of 40 residues on a random walk, with 29 random relatives."""
    rng = np.random.default_rng(0)
    tokens = np.tile(rng.integers(0, 20, LENGTH), (DEPTH, 1)).astype(np.uint8)
    changed = rng.random(tokens.shape) < 0.5
    changed[0] = False
    tokens = np.where(changed, rng.integers(0, 20, tokens.shape), tokens).astype(np.uint8)
    folder = tmp_path / "data"
    (folder / "a3m").mkdir(parents=True)
    records = [f">s{row}\n{decode(tokens[row])}\n" for row in range(DEPTH)]
    (folder / "a3m" / "walk.a3m").write_text("".join(records))
    (folder / "index.csv").write_text(f"id,L,N\nwalk,{LENGTH},{DEPTH}\n")
    xyz = rng.normal(0, 3.0, (LENGTH, 5, 3)).cumsum(axis=0).astype(np.float32)
    atoms = np.array(["N", "CA", "C", "O", "CB"])
    np.savez(
        folder / "coords.npz",
        id=np.array(["walk"]),
        offset=np.array([0, LENGTH]),
        seq=np.array(decode(tokens[0])),
        atoms=atoms,
        xyz=xyz,
    )
    return folder


def run(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(data), "--alignments", str(data / "a3m"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_table_holds_the_precision_of_each_method(data: Path, tmp_path: Path) -> None:
    result = run(data, "--json", "--csv", str(tmp_path / "all.csv"))
    assert (result.returncode, result.stderr) == (0, "")
    table = pd.read_csv(tmp_path / "all.csv")
    assert set(table["method"]) == {"msaformer-tiny", "mean_field_dca", "mutual_information_apc"}
    features = featurize(read_alignment(data / "a3m" / "walk.a3m"))
    with np.load(data / "coords.npz") as arrays:
        glycine = np.array([letter == "G" for letter in str(arrays["seq"])])
        atom = np.where(glycine[:, None], arrays["xyz"][:, 1], arrays["xyz"][:, 4])
    distances = np.linalg.norm(atom[:, None] - atom[None], axis=-1)
    for expected in precision_table(features.coevolution[:, :, 0], distances):
        found = table[(table["method"] == "mean_field_dca") & (table["range"] == expected.range)].iloc[0]
        assert found["num_contacts"] == expected.num_contacts
        assert found["p_at_l2"] == pytest.approx(expected.p_at_l2, abs=1e-4)
    means = {(row["range"], row["method"]): row["p_at_l"] for row in json.loads(result.stdout)["by_range"]}
    assert means["short", "mean_field_dca"] == pytest.approx(
        table[(table["method"] == "mean_field_dca") & (table["range"] == "short")]["p_at_l"].item(), abs=1e-4
    )


def test_a_folder_without_an_index_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
