"""The weights that validate best are kept, whatever comes after them, and a resumed run knows what is to be beaten."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_cases import log_records, tiny_config, write_hairpins

from msaformer.config import Config
from msaformer.model.model import MSAFormer
from msaformer.training.best import BEST_WEIGHTS, BestWeights
from msaformer.training.checkpoint import load_checkpoint
from msaformer.training.loop import train
from msaformer.training.stopping import Interrupted


@pytest.fixture(autouse=True)
def _threads_are_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hairpins(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="module")
def whole(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nothing disturbed."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    train(keeping(store, output, "contact_loss"))
    return output


def power_cut() -> None:
    raise RuntimeError("power cut")


def keeping(store: Path, output: Path, by: str, **changes: object) -> Config:
    """A run of 6 steps that validates after each, at a rate so high that the scores go up and down."""
    return tiny_config(
        store,
        output,
        optimizer__learning_rate=0.05,
        optimizer__ema_decay=0.0,
        training__steps=6,
        training__best_by=by,
        training__validate_every=1,
        training__tensorboard=False,
        **changes,
    )


def kept_steps(config: Config, scores: list[float | None]) -> list[int]:
    """`best_step` after each of the scores."""
    best, weights = BestWeights(config, []), dict(MSAFormer(config.model).named_parameters())
    name = config.training.best_by
    found = [
        best.consider(weights, {} if score is None else {name: score}, step)
        for step, score in enumerate(scores, 1)
    ]
    return [said.get("best_step", 0) for said in found]


def test_a_loss_is_best_where_it_is_least_and_a_precision_where_it_is_greatest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores: list[float | None] = [0.5, 0.6, 0.4, 0.6, 0.4]
    assert kept_steps(keeping(tmp_path, tmp_path, "contact_loss"), scores) == [1, 1, 3, 3, 3]
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"step 3: the best contact_loss so far, 0.4000: {tmp_path / BEST_WEIGHTS}"
    assert kept_steps(keeping(tmp_path, tmp_path, "long_p_at_l"), scores) == [1, 2, 2, 2, 2]


def test_what_cannot_be_scored_is_never_the_best(tmp_path: Path) -> None:
    config = keeping(tmp_path, tmp_path, "contact_loss")
    assert kept_steps(config, [None, math.nan, -math.inf]) == [0, 0, 0]
    assert not (tmp_path / BEST_WEIGHTS).exists()
    assert kept_steps(config, [0.5, None, math.nan, -math.inf]) == [1, 1, 1, 1]


def test_the_file_holds_the_average_of_the_best_step_and_the_log_says_so(
    whole: Path,
) -> None:
    validated = [line for line in log_records(whole) if line["kind"] == "validation"]
    losses = [line["contact_loss"] for line in validated]
    step = losses.index(min(losses)) + 1
    assert 1 < step < 6, losses  # else the test shows nothing
    assert validated[-1]["best_step"] == step
    tensors = load_checkpoint(whole / "checkpoints" / f"step-{step:08d}").tensors
    for name, value in load_file(whole / BEST_WEIGHTS).items():
        torch.testing.assert_close(value, tensors[f"ema.{name}"], rtol=0, atol=0)


def test_a_resumed_run_keeps_the_same_weights_as_one_never_stopped(
    store: Path, whole: Path, tmp_path: Path, at_step: Callable[..., None]
) -> None:
    config = keeping(store, tmp_path, "contact_loss", training__checkpoint_every=3)
    at_step(5, power_cut)
    with pytest.raises(RuntimeError):
        train(config)
    train(config, resume=True)
    assert (tmp_path / BEST_WEIGHTS).read_bytes() == (whole / BEST_WEIGHTS).read_bytes()
    assert log_records(tmp_path) == log_records(whole)


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_was_best_before_stays_unless_its_file_is_lost(
    is_lost: bool, store: Path, tmp_path: Path, at_step: Callable[..., None]
) -> None:
    config = keeping(store, tmp_path, "contact_loss")
    at_step(2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        train(config)
    path = tmp_path / "log.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        if record["kind"] == "validation":
            record |= {
                "contact_loss": -record["step"],
                "best_step": record["step"],
            }  # nothing later is better
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    before = (tmp_path / BEST_WEIGHTS).read_bytes()
    if is_lost:
        (tmp_path / BEST_WEIGHTS).unlink()
    train(config, resume=True)
    assert ((tmp_path / BEST_WEIGHTS).read_bytes() == before) != is_lost
    assert (log_records(tmp_path)[-1]["best_step"] == 2) != is_lost
