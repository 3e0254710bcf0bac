"""The store builder, run as a user runs it, on a data folder of four tiny proteins."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from data_tools.backbone import virtual_cb
from data_tools.features import featurize
from data_tools.formats import read_alignment
from data_tools.store import open_store

SCRIPT = Path(__file__).parent.parent / "scripts" / "build_store.py"
PROTEINS = {"p1": ("MGKV", "train"), "p2": ("GGW", "train"), "p3": ("ACDEF", "val"), "p4": ("WY", "train")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "a3m").mkdir(parents=True)
    lines = ["id,L,N,split"]
    for name, (sequence, split) in PROTEINS.items():
        (folder / "a3m" / f"{name}.a3m").write_text(
            f">{name}\n{sequence}\n>b\n-a{sequence[1:]}\n>c\n{sequence}\n"
        )
        lines.append(f"{name},{len(sequence)},3,{split}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    joined = "".join(sequence for sequence, _ in PROTEINS.values())
    xyz = np.random.default_rng(0).integers(-5000, 5000, size=(len(joined), 5, 3)).astype(np.int16)
    xyz[2, 4] = -32768  # Cβ of K3 of p1
    np.savez(
        folder / "coords.npz",
        id=np.array(list(PROTEINS)),
        offset=np.cumsum([0, *(len(sequence) for sequence, _ in PROTEINS.values())]),
        seq=np.array(joined),
        atoms=np.array(["N", "CA", "C", "O", "CB"]),
        xyz_centiA=xyz,
    )
    with tarfile.open(folder / "a3m.tar.xz", "w:xz") as archive:
        archive.add(folder / "a3m", "a3m")
    return folder


def build(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(data), "-o", str(data.parent / "store"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_split_becomes_a_store_in_the_order_of_the_index(data: Path, tmp_path: Path) -> None:
    (tmp_path / "exclude.txt").write_text("# homologues of the benchmark\np2  # reason\n")
    result = build(data, "--split", "train", "--exclude", str(tmp_path / "exclude.txt"))
    assert (result.returncode, result.stderr) == (0, "")
    store = open_store(tmp_path / "store", verify=True)
    assert store.ids == ("p1", "p4")
    features = featurize(read_alignment(data / "a3m" / "p1.a3m"))
    np.testing.assert_array_equal(store[0].features.tokens, features.tokens)
    np.testing.assert_array_equal(store[0].features.weights, features.weights)
    xyz = np.load(data / "coords.npz")["xyz_centiA"][:4] / 100
    atoms = xyz[np.arange(4), [4, 1, 4, 4]]  # Cβ, Cα of the glycine
    expected = np.linalg.norm(atoms[:, None] - atoms[None, :], axis=-1)
    expected[2] = expected[:, 2] = np.nan
    np.testing.assert_allclose(store[0].distances, expected, atol=0.0101)
    backbone = xyz[:, [0, 1, 2, 4]]
    backbone[2, 3] = np.nan
    backbone[1, 3] = virtual_cb(backbone)[1]  # of the glycine
    np.testing.assert_allclose(store[0].backbone, backbone, atol=1e-3)


def test_depth_can_be_limited_and_alignments_given_unpacked(data: Path, tmp_path: Path) -> None:
    (data / "a3m.tar.xz").unlink()
    options = ("--max-depth", "2", "--workers", "1", "--alignments", str(data / "a3m"))
    assert build(data, "--split", "all", *options).returncode == 0
    assert open_store(tmp_path / "store").depths == (2, 2, 2, 2)


def test_an_alignment_of_another_sequence_stops_the_build_without_a_store(data: Path, tmp_path: Path) -> None:
    (data / "a3m" / "p4.a3m").write_text(">p4\nWW\n")
    result = build(data, "--split", "train", "--alignments", str(data / "a3m"))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "p4.a3m: row 0 is not the sequence of p4" in result.stderr
    assert list((tmp_path / "store").iterdir()) == []
