"""The curve of a run, and of runs that went on from each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from plot_training import joined, main


def write_log(path: Path, steps: list[int], loss: float) -> Path:
    records = [{"kind": "train", "step": step, "contact_loss": loss} for step in steps]
    records.append({"kind": "validation", "step": steps[-1], "contact_loss": loss, "long_p_at_l": 0.5})
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def test_steps_of_a_later_run_are_counted_on(tmp_path: Path) -> None:
    first, second = write_log(tmp_path / "a", [20, 40], 0.2), write_log(tmp_path / "b", [10, 30], 0.1)
    records, starts = joined([first, second])
    assert starts == [0, 40]
    assert [(record["step"], record["contact_loss"]) for record in records] == [
        *((20, 0.2), (40, 0.2), (40, 0.2)),
        *((50, 0.1), (70, 0.1), (70, 0.1)),
    ]


def test_one_run_or_several_make_a_picture(tmp_path: Path) -> None:
    first, second = write_log(tmp_path / "a", [20, 40], 0.2), write_log(tmp_path / "b", [10, 30], 0.1)
    for logs in ([first], [first, second]):
        picture = tmp_path / f"{len(logs)}.png"
        assert main([*map(str, logs), str(picture)]) == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "2.png").read_bytes()


def test_a_log_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text("{}\n")
    assert main([str(tmp_path / "log"), str(tmp_path / "x.png")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'log'}")
    assert not (tmp_path / "x.png").exists()
