"""`scripts/build_training_set`: components and split by themselves, and the whole build on a slice."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from data_tools.alphabet import GAP, decode
from data_tools.formats import read_alignment
from data_tools.store import open_store
from data_tools.structure import read_chains
from msaformer import example

SCRIPTS = Path(__file__).parents[1] / "scripts"
needs_mmseqs = pytest.mark.skipif(shutil.which("mmseqs") is None, reason="needs mmseqs (apt: mmseqs2)")
SYSTEM_PYTHON = Path("/usr/bin/python3")
HAS_PROMOD3 = Path("/usr/share/promod3/loop_data/structure_db.dat").exists() and SYSTEM_PYTHON.exists()


@pytest.fixture(scope="module", autouse=True)
def scripts_are_importable() -> Iterator[None]:
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "build_training_set.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def read_index(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as opened:
        return {row["id"]: row for row in csv.DictReader(opened)}


def test_families_are_in_one_component_when_a_chain_of_homologues_joins_them() -> None:
    from training_set_homology import components

    found = components(["a", "b", "c", "d", "e"], [("d", "b"), ("a", "d"), ("e", "e")])
    assert found == {"a": 0, "b": 0, "c": 1, "d": 0, "e": 2}


def test_a_long_chain_of_homologues_is_one_component() -> None:
    from training_set_homology import components

    names = [f"f{number:05d}" for number in range(20_000)]
    assert set(components(names, pairwise(names)).values()) == {0}


def test_no_component_is_divided_by_the_split_and_about_the_fraction_asked_for_is_val() -> None:
    from training_set_homology import split_by_component

    component = {f"f{number}": number // 3 for number in range(3_000)}
    split = split_by_component(component, {"f4"}, val_fraction=0.2, seed=1)
    for number in range(1_000):
        assert len({split[f"f{3 * number + k}"] for k in range(3)}) == 1
    assert [split[name] for name in ("f3", "f4", "f5")] == ["kept-out"] * 3
    assert 0.15 < list(split.values()).count("val") / 3_000 < 0.25
    other_seed = split_by_component(component, {"f4"}, val_fraction=0.2, seed=2)
    assert other_seed != split


def test_a_component_keeps_its_split_when_others_are_added() -> None:
    from training_set_homology import split_by_component

    few = {f"f{number}": number for number in range(50)}
    many = {f"f{number}": 999 - number for number in range(500)}
    chosen = split_by_component(few, set(), val_fraction=0.5, seed=0)
    again = split_by_component(many, set(), val_fraction=0.5, seed=0)
    assert {name: again[name] for name in few} == chosen
    assert set(chosen.values()) == {"train", "val"}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Structures of DHFR and of a made-up helix that is homologous to nothing; homologues of DHFR to search."""
    folder = tmp_path / "structures"
    folder.mkdir()
    shutil.copy(example.STRUCTURE, folder / "dhfr.pdb.gz")
    (folder / "helix.pdb").write_text(unrelated_pdb(), encoding="ascii")
    (folder / "notes.txt").write_text("no structure")
    (folder / "broken.pdb").write_text("ATOM  nonsense\n")
    alignment = read_alignment(example.ALIGNMENT)
    records = []
    for row in range(1, 200):
        letters = decode(alignment.tokens[row][alignment.tokens[row] != GAP])
        records.append(f">sp|P{row:05d}|NAME some protein\n{letters}\n")
    (tmp_path / "sequences.fasta").write_text("".join([*records, *records[:5]]), encoding="ascii")
    return tmp_path


def unrelated_pdb() -> str:
    rng = np.random.default_rng(5)
    names = ["ALA", "LEU", "GLU", "LYS", "ARG", "GLN", "MET", "TRP", "SER", "ASP"]
    chosen = [names[number] for number in rng.integers(0, len(names), 60)]
    lines = []
    for place, residue in enumerate(chosen):
        angle = np.deg2rad(100.0 * place)
        for serial, (atom, radius, rise) in enumerate((("N", 1.5, 0.0), ("CA", 2.3, 0.7), ("CB", 3.3, 0.8))):
            x, y, z = radius * np.cos(angle), radius * np.sin(angle), 1.5 * place + rise
            lines.append(
                f"ATOM  {3 * place + serial + 1:>5}  {atom:<3} {residue} A{place + 1:>4}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {atom[0]:>2}\n"
            )
    return "".join(lines)


@needs_mmseqs
def test_a_slice_is_built_from_structures_to_stores_and_built_again_at_once(sources: Path) -> None:
    output = sources / "set"
    given = ["-o", output, "--structures", sources / "structures", "--sequences", sources / "sequences.fasta"]
    choices = [*given, "--min-depth", "2", "--val-fraction", "0.01", "--threads", "1", "--workers", "1"]
    result = build(*choices, "--stop-after", "search")
    assert result.returncode == 0, result.stderr
    assert "broken.pdb" in result.stderr
    assert len((output / "sequences.fasta").read_text().splitlines()) // 2 == len(
        {line for line in (sources / "sequences.fasta").read_text().splitlines() if not line.startswith(">")}
    )
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    result = build(*choices)
    assert result.returncode == 0, result.stderr
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())  # nothing was done again
    index = read_index(output)
    assert {name: row["split"] for name, row in index.items()} == {"dhfr_A": "train", "helix_A": "shallow"}
    dhfr = index["dhfr_A"]
    assert int(dhfr["N"]) > 20
    assert 1 < float(dhfr["Neff80"]) <= int(dhfr["N"])
    store = open_store(output / "train", verify=True)
    assert store.ids == ("dhfr_A",)
    (chain,) = read_chains(example.STRUCTURE)
    one = store[0]
    assert one.distances is not None
    assert np.isfinite(one.distances).all()  # the family is the residues that have coordinates
    assert one.features.length == int(dhfr["L"]) == int(chain.is_modelled.sum())
    assert not list(output.glob(".unfinished*"))


@needs_mmseqs
def test_a_homologue_of_a_sequence_kept_out_is_used_nowhere(sources: Path) -> None:
    relative = decode(read_alignment(example.ALIGNMENT).take_rows(np.array([0, 7])).tokens[1]).replace(
        "-", ""
    )
    (sources / "kept_out.fasta").write_text(f">relative\n{relative}\n")
    given = ["--structures", sources / "structures", "--sequences", sources / "sequences.fasta"]
    more = ["--min-depth", "1", "--keep-out", sources / "kept_out.fasta", "--threads", "1"]
    result = build("-o", sources / "set", *given, *more, "--stop-after", "tables")
    assert result.returncode == 0, result.stderr
    splits = {name: row["split"] for name, row in read_index(sources / "set").items()}
    assert splits["dhfr_A"] == "kept-out"
    assert splits["helix_A"] != "kept-out"
    assert (
        "dhfr" not in (sources / "set" / "train.tsv").read_text() + (sources / "set" / "val.tsv").read_text()
    )


@needs_mmseqs
def test_a_folder_begun_with_other_parameters_is_refused(sources: Path) -> None:
    given = ["-o", sources / "set", "--structures", sources / "structures", "--stop-after", "chains"]
    assert build(*given).returncode == 0
    result = build(*given, "--identity", "0.9")
    assert result.returncode == 1
    assert "--identity" in result.stderr
    assert "0.4" in result.stderr
    assert "Traceback" not in result.stderr
    assert json.loads((sources / "set" / "parameters.json").read_text())["identity"] == 0.4
    assert build(*given, "--threads", "1").returncode == 0


def test_a_wrong_number_or_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    for arguments in (["--chunk", "0"], ["--identity", "1.5"], ["--keep-out", tmp_path / "none"]):
        result = build("-o", tmp_path / "set", *arguments)
        assert result.returncode == 2
        assert str(arguments[0]) in result.stderr or str(arguments[1]) in result.stderr
        assert not (tmp_path / "set").exists()


@pytest.mark.skipif(not HAS_PROMOD3, reason="needs promod3-data and python3-promod3")
def test_a_structure_of_promod3_data_reads_back_with_its_own_sequence(tmp_path: Path) -> None:
    script = [str(SYSTEM_PYTHON), str(SCRIPTS / "promod3_structures.py")]
    listed = subprocess.run(
        [*script, "sequences", "--limit", "3"], capture_output=True, text=True, check=True
    )
    lines = listed.stdout.splitlines()
    (tmp_path / "ids").write_text("\n".join(name[1:] for name in lines[::2]))
    folder = tmp_path / "structures"
    subprocess.run([*script, "structures", "--ids", str(tmp_path / "ids"), str(folder)], check=True)
    for name, sequence in zip(lines[::2], lines[1::2], strict=True):
        path = folder / f"{name[1:]}.pdb.gz"
        (chain,) = read_chains(path)
        assert chain.sequence == sequence
        assert chain.num_resolved == len(sequence)
        assert not chain.from_atoms
        neighbours = np.linalg.norm(np.diff(chain.ca, axis=0), axis=1)
        assert np.median(neighbours) == pytest.approx(3.8, abs=0.1)  # Å between Cα of neighbouring residues
        assert b" CB  GLY" not in gzip.decompress(path.read_bytes())
