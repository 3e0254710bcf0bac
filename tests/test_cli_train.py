"""`msaformer train` as a process: signals, kills, exit codes, and one line for what goes wrong."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from training_cases import last_state, log_records, state_after, tiny_config, write_hairpins

from msaformer.cli import main
from msaformer.config import Config
from msaformer.config_file import dump_config
from msaformer.training import stopping
from msaformer.training.checkpoint import newest_complete, step_of

TIMEOUT_S = 120.0
SLOW_TRAIN = """
import sys, time
from msaformer.cli import main
from msaformer.training import loop

plain = loop.forward_and_backward

def slow(*arguments):
    time.sleep(0.15)
    return plain(*arguments)

loop.forward_and_backward = slow
if __name__ == "__main__":
    sys.exit(main())
"""
"""The command with a pause before each step, so that a test has the time to interrupt it."""


@pytest.fixture(autouse=True)
def _threads_are_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hairpins(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="module")
def reference(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nothing disturbed, by the command."""
    folder = tmp_path_factory.mktemp("runs")
    config = tiny_config(store, folder / "reference")
    assert main(["train", "-c", str(write_config(config, folder))]) == 0
    return folder / "reference"


def write_config(config: Config, folder: Path) -> Path:
    path = folder / "run.yaml"
    path.write_text(dump_config(config))
    return path


def start(config: Path, folder: Path) -> subprocess.Popen[str]:
    script = folder / "slow_train.py"
    script.write_text(SLOW_TRAIN)
    command = [sys.executable, str(script), "train", "-c", str(config)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.01)


def stop(process: subprocess.Popen[str], send: Callable[[int], None]) -> str:
    try:
        send(process.pid)
        return process.communicate(timeout=TIMEOUT_S)[1]
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_all_processes_saves_a_checkpoint_that_goes_on_bit_for_bit(
    number: int, code: int, store: Path, reference: Path, tmp_path: Path
) -> None:
    """As a terminal's Ctrl-C and a batch system's stop do: the workers get the signal too."""
    output = tmp_path / "run"
    config = tiny_config(store, output, data__num_workers=1, training__checkpoint_every=100)
    path = write_config(config, tmp_path)
    process = start(path, tmp_path)
    wait_for(lambda: len(log_records(output)) >= 2, process)
    errors = stop(process, lambda pid: os.killpg(pid, number))
    assert process.returncode == code, errors
    saved = step_of(newest_complete(output / "checkpoints")[0])
    engine, plan, attention, stopped = errors.splitlines()
    assert engine == "engine: torch, cpu, float32"
    assert plan.startswith("memory: ")
    assert attention.startswith("attention: own (")
    assert "cuequivariance off: it runs on CUDA, not on cpu" in attention
    assert stopped == f"stopped after step {saved}; --resume goes on from there"
    assert 2 <= saved < 12
    assert last_state(output) == state_after(reference, saved)
    assert main(["train", "-c", str(path), "-o", "data.num_workers=0", "--resume"]) == 0
    assert last_state(output) == state_after(reference, 12)
    assert log_records(output) == log_records(reference)


def test_a_killed_run_goes_on_from_its_last_checkpoint_bit_for_bit(
    store: Path, reference: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    path = write_config(tiny_config(store, output, training__checkpoint_every=3), tmp_path)
    process = start(path, tmp_path)
    wait_for((output / "checkpoints" / "step-00000003").exists, process)
    stop(process, lambda pid: os.kill(pid, signal.SIGKILL))
    assert process.returncode == -signal.SIGKILL
    assert main(["train", "-c", str(path), "--resume"]) == 0
    assert last_state(output) == state_after(reference, 12)
    assert log_records(output) == log_records(reference)
    assert (output / "weights.safetensors").read_bytes() == (reference / "weights.safetensors").read_bytes()


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("error: ")
    return err


def test_the_path_of_the_weights_is_printed(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tiny_config(store, tmp_path / "run", training__steps=1), tmp_path)
    assert main(["train", "-c", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'run' / 'weights.safetensors'}\n"
    assert len(err.splitlines()) == 3
    assert main(["--quiet", "train", "-c", str(path), "--resume"]) == 0
    assert capsys.readouterr() == (out, "")
    assert main(["train", "-c", str(path), "--resume"]) == 0
    assert capsys.readouterr() == (out, "all 1 steps are done\n")


def test_a_piece_of_a_run_ends_with_a_checkpoint_and_code_0_and_the_next_goes_on_bit_for_bit(
    store: Path,
    reference: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "run"
    path = write_config(tiny_config(store, output, training__checkpoint_every=100), tmp_path)
    piece = ["train", "-c", str(path), "-o", "training.max_minutes=30"]
    stops = "as training.max_minutes=30 asks; --resume goes on from there"
    for step, resume in ((5, []), (8, ["--resume"])):
        with monkeypatch.context() as patched:
            patched.setattr(stopping, "monotonic", clock_that_ends_with(output, step))
            assert main([*piece, *resume]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines()[3:] == [f"stopped after step {step} of 12, {stops}"]
        assert last_state(output) == state_after(reference, step)
    assert main([*piece, "--resume"]) == 0  # the clock goes on
    assert capsys.readouterr().out == f"{output / 'weights.safetensors'}\n"
    assert last_state(output) == state_after(reference, 12)
    assert log_records(output) == log_records(reference)


def clock_that_ends_with(output: Path, step: int) -> Callable[[], float]:
    """`time.monotonic` until the log has a line of `step`, then the end of all time."""
    return lambda: math.inf if any(line["step"] == step for line in log_records(output)) else time.monotonic()


def test_an_interrupt_within_the_program_is_a_code_not_an_exit(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from msaformer.training.ema import WeightAverage

    plain = WeightAverage.update

    def update(self: WeightAverage, model: torch.nn.Module, step: int) -> None:
        plain(self, model, step)
        os.kill(os.getpid(), signal.SIGTERM)
        monkeypatch.setattr(WeightAverage, "update", plain)

    monkeypatch.setattr(WeightAverage, "update", update)
    path = write_config(tiny_config(store, tmp_path / "run"), tmp_path)
    assert main(["train", "-c", str(path)]) == 143
    assert capsys.readouterr().err.splitlines()[3:] == ["stopped after step 1; --resume goes on from there"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 1, ["holds checkpoints of an earlier run", "--resume", "training.output=FOLDER"]),
        (["--resume", "-o", "model.c_m=4"], 1, ["made by another configuration: model.c_m was 8, is 4"]),
        (["--resume", "-o", "training.output=elsewhere"], 1, ["elsewhere", "no checkpoint to resume from"]),
        (["-o", "data.train=absent"], 1, ["absent"]),
        (["-o", "training.best_by=long_p_at_l", "-o", "data.validation="], 2, ["training.best_by", "none"]),
        (["-o", "data.train="], 2, ["data.train", "msaformer featurize"]),
        (["-o", "training.stepz=1"], 2, ["training.stepz", "did you mean 'steps'?"]),
        (["-o", "optimizer.learning_rate=fast"], 2, ["optimizer.learning_rate", "valid number", "'fast'"]),
    ],
)
def test_what_goes_wrong_is_one_line_and_changes_nothing(
    arguments: list[str],
    code: int,
    words: list[str],
    store: Path,
    reference: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tiny_config(store, reference), tmp_path)
    before = {file: file.stat().st_mtime_ns for file in reference.rglob("*")}
    assert main(["train", "-c", str(path), *arguments]) == code
    error = one_error(capsys)
    assert all(word in error for word in words), error
    assert {file: file.stat().st_mtime_ns for file in reference.rglob("*")} == before
    assert [file.name for file in tmp_path.iterdir()] == ["run.yaml"]


def test_a_device_that_is_absent_is_a_configuration_error(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    path = write_config(tiny_config(store, tmp_path / "run"), tmp_path)
    assert main(["train", "-c", str(path), "-o", "training.device=cuda"]) == 2
    assert "torch finds no cuda here" in one_error(capsys)
    assert not (tmp_path / "run").exists()


def test_the_first_rung_of_the_ladder_trains(store: Path, tmp_path: Path) -> None:
    rung = Path(__file__).parents[1] / "configs" / "overfit.yaml"
    output = tmp_path / "run"
    keys = [
        f"data.train={store}",
        f"data.validation={store}",
        f"training.output={output}",
        "training.steps=2",
    ]
    keys += ["training.device=cpu", "training.log_every=1"]
    assert main(["train", "-c", str(rung), *(word for key in keys for word in ("-o", key))]) == 0
    assert [line["kind"] for line in log_records(output)] == ["train", "train", "validation"]
