"""The script that draws the maps of the model card."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from report_cases import SEQUENCE, chain_like_distances, prediction_from
from test_cli_report import structure_text

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import plot_maps


def test_a_map_a_protein_or_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        prediction_from(chain_like_distances(40), SEQUENCE, name=name).save(tmp_path / f"{name}.npz")
    (tmp_path / "one.pdb").write_text(structure_text())
    words, picture = [str(tmp_path), str(tmp_path)], tmp_path / "maps.png"
    assert plot_maps.main([*words, "one", "two", "-o", str(picture)]) == 1
    assert "two.pdb" in capsys.readouterr().err
    assert not picture.exists()
    assert plot_maps.main([*words, "one", "one", "-o", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
