"""The log of a run: one line a record, each step once, whatever becomes of the trackers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from training_cases import tiny_config

from msaformer.config import Config
from msaformer.errors import ConfigError
from msaformer.training import trackers
from msaformer.training.logs import RunLog


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def config(output: Path, **training: Any) -> Config:
    changes = {f"training__{key}": value for key, value in ({"tensorboard": False} | training).items()}
    return tiny_config(Path("store"), output, **changes)


def records(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def test_a_record_is_one_line_with_kind_step_and_values(output: Path) -> None:
    with RunLog(config(output), 0) as log:
        log.write("train", 10, loss=0.5, grad_norm=2)
        (line,) = records(output)  # at once, to be plotted while the run goes on
        log.write("validation", 10, long_p_at_l=0.25)
    assert line.pop("seconds") >= 0
    assert line == {"kind": "train", "step": 10, "loss": 0.5, "grad_norm": 2}
    assert [record["kind"] for record in records(output)] == ["train", "validation"]


def test_numbers_that_are_not_finite_are_null_so_that_every_line_is_json(output: Path) -> None:
    with RunLog(config(output), 0) as log:
        log.write("train", 1, loss=math.nan, grad_norm=math.inf)
    assert "NaN" not in (output / "log.jsonl").read_text()
    assert records(output)[0]["loss"] is records(output)[0]["grad_norm"] is None


def test_a_run_that_goes_on_drops_the_records_of_the_steps_it_repeats_and_broken_lines(output: Path) -> None:
    with RunLog(config(output), 0) as log:
        for step in range(1, 6):
            log.write("train", step, loss=step)
    with (output / "log.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    with RunLog(config(output), 3) as log:
        assert [record["step"] for record in records(output)] == [1, 2, 3]
        log.write("train", 4, loss=40)
    assert [record["loss"] for record in records(output)] == [1, 2, 3, 40]


def test_without_trackers_nothing_but_the_log_is_written(output: Path) -> None:
    with RunLog(config(output), 0) as log:
        log.write("train", 1, loss=1)
    assert [path.name for path in output.iterdir()] == ["log.jsonl"]


def test_a_missing_package_is_refused_before_the_old_log_is_touched(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (output / "log.jsonl").write_text('{"kind": "train", "step": 9}\n')
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"training\.wandb_project"):
        RunLog(config(output, wandb_project="p"), 0)
    assert records(output) == [{"kind": "train", "step": 9}]
