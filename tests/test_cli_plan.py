"""`msaformer plan`: what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_cases import Terminal

from msaformer.cli import main

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
MODEL = "model: {num_blocks: 2, c_m: 8, c_z: 8}\ndata: {max_depth: 8, crop_length: 24}\n"


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(MODEL)
    return str(path)


def report(terminal: Terminal, *options: str) -> dict[str, Any]:
    assert main(["plan", *options, "--json"]) == 0, terminal.read()
    return dict(json.loads(terminal.read()[0]))


def test_each_part_has_its_line(small: str, terminal: Terminal) -> None:
    assert main(["plan", "-c", small, "--memory", "1GB"]) == 0
    told = dict(line.split("  ", 1) for line in terminal.read()[0].splitlines())
    assert list(told)[:5] == ["run", "parameters", "gradients", "optimizer", "average"]
    assert told["run"].strip() == "train, N=8, L=24, one process, cpu"
    assert told["peak"].endswith("of 1.00 GB a rank")
    assert told["policy"].strip().startswith("every activation kept")


def test_the_numbers_are_those_of_the_configuration(small: str, terminal: Terminal) -> None:
    found = report(terminal, "-c", small, "--memory", "100MB")
    assert (found["mode"], found["depth"], found["length"], found["ranks"]) == ("train", 8, 24, 1)
    assert found["gradients"] == found["parameters"] == found["average"] == found["optimizer"] / 2
    assert found["fits"]
    assert found["parameters"] + found["activations"] < found["peak"] < found["memory"] == 10**8
    assert found["largest_length"] > 24
    assert found["largest_depth"] > 8


def test_ranks_share_the_optimizer_state_and_a_sample(small: str, terminal: Terminal) -> None:
    one = report(terminal, "-c", small, "--memory", "1GB", "-o", "parallel.zero_stage=1")
    options = ("-c", small, "--memory", "1GB", "--gpus", "4")
    found = report(terminal, *options, "-o", "parallel.zero_stage=1", "-o", "parallel.axial=2")
    assert (found["ranks"], found["axial"], found["device"]) == (4, 2, "cuda")
    count = one["parameters"] // 4
    assert found["optimizer"] == 3 * 4 * -(-count // 4)  # master copy and two moments
    assert found["gradients"] == found["parameters"] == one["parameters"]
    assert found["activations"] < 0.7 * one["activations"]


def test_a_prediction_needs_the_parameters_alone(
    small: str, random_weights: Path, terminal: Terminal
) -> None:
    found = report(terminal, "-c", small, "--mode", "predict", "--memory", "1GB")
    assert (found["mode"], found["depth"], found["length"]) == ("predict", 128, 24)
    assert found["gradients"] == found["optimizer"] == found["average"] == 0
    options = ("--mode", "predict", "--weights", str(random_weights), "--length", "30", "--memory", "1GB")
    assert report(terminal, *options)["depth"] == 8  # the model's own max_depth


def test_what_does_not_fit_is_exit_code_1_and_told_with_what_would(small: str, terminal: Terminal) -> None:
    assert main(["plan", "-c", small, "--memory", "3MB"]) == 1
    out, err = terminal.read()
    assert "none fits" in out
    assert err.startswith("error: N=8, L=24 needs ")
    assert "of 3.00 MB; what fits: data.crop_length " in err
    assert len(err.splitlines()) == 1
    assert main(["plan", "-c", small, "--memory", "10kB"]) == 1
    assert "neither a smaller size nor more ranks" in terminal.read()[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--memory", "80"], ["-c FILE"]),
        (["-c", "CONFIG", "--memory", "much"], ["--memory", "80GB", "'much'"]),
        (["-c", "CONFIG", "--weights", "w"], ["--weights", "--mode predict"]),
        (["-c", "CONFIG", "--weights", "w", "--mode", "predict"], ["-c or --weights"]),
        (["-c", "CONFIG", "--depth", "0"], ["--depth"]),
        (
            ["-c", "CONFIG", "--gpus", "3", "--memory", "1GB", "-o", "parallel.axial=2"],
            ["parallel.axial", "divisor"],
        ),
        (["-c", "CONFIG", "--gpus", "2"], ["--memory", "no cuda here"]),
        (["-c", "CONFIG", "-o", "model.blocks=3"], ["model.blocks", "num_blocks"]),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    options: list[str], words: list[str], small: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["plan", *(small if option == "CONFIG" else option for option in options)]) == 2
    terminal.shows_one_error(*words)
