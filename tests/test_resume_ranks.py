"""A run goes on where it stopped, on whatever ranks, ZeRO stage and engine: the checkpoints hold whole tensors."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked_ranks import start
from rank_faults import signal_at, time_is_up_at
from safetensors.torch import load_file
from training_cases import last_state, log_records, state_after, tiny_config, write_hairpins

from msaformer.config_file import dump_config

STEPS = 12
FLOORS = {"optimizer.exp_avg_sq.": 1e-18, "optimizer.exp_avg.": 1e-9, "": 1e-3}
"""Of a tensor's scale: a bias that moves all logits of a softmax alike has a gradient of rounding alone."""
SHARED = {"deepspeed": {"zero_optimization": {"stage3_param_persistence_threshold": 0}}}  # small ones as well


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hairpins(tmp_path_factory.mktemp("data") / "store")


def train(
    store: Path,
    output: Path,
    size: int = 1,
    *,
    until: int = STEPS,
    by_time: bool = False,
    resume: bool = False,
    **parallel: Any,
) -> None:
    """Train on `size` ranks up to the step `until`, where rank 0 is asked to stop, or the last finds its time is up."""
    pieces = {"training__max_minutes": 60, "training__best_by": "contact_loss", "training__validate_every": 3}
    config = tiny_config(store, output, training__checkpoint_every=STEPS, **pieces)
    keys = SHARED if parallel.get("zero_stage") == 3 else {}
    config = config.model_copy(update={"parallel": config.parallel.model_copy(update=parallel | keys)})
    folder = output.with_name(f"{output.name}-log")
    folder.mkdir(exist_ok=True)
    (folder / "run.yaml").write_text(dump_config(config))
    stop: dict[int, Callable[[], None]] = {}
    if until < STEPS:
        stop = (
            {size - 1: partial(time_is_up_at, until)}
            if by_time
            else {0: partial(signal_at, until, signal.SIGTERM)}
        )
    arguments = ["train", "-c", str(folder / "run.yaml"), *(["--resume"] if resume else [])]
    job = start(arguments, folder, size=size, faults=stop)
    assert job.wait() == [143 if stop and not by_time else 0] * size, job.said()


def worst_difference(output: Path, reference: Path) -> float:
    """The largest difference of any tensor in the last checkpoints, in units of its largest entry."""
    path = Path("checkpoints") / f"step-{STEPS:08d}" / "state.safetensors"
    one, other = load_file(output / path), load_file(reference / path)
    assert one.keys() == other.keys()
    return max(
        float((one[key] - other[key]).abs().max() / other[key].abs().max().clamp(min=floor_of(key)))
        for key in other
    )


def floor_of(key: str) -> float:
    return next(floor for prefix, floor in FLOORS.items() if key.startswith(prefix))


def test_a_run_handed_from_engine_to_engine_ends_like_an_unbroken_one_of_one_process(
    store: Path, tmp_path: Path
) -> None:
    reference, output = tmp_path / "unbroken", tmp_path / "handed-on"
    train(store, reference)
    train(store, output, until=2)
    train(store, output, 2, until=4, resume=True, zero_stage=2, axial=2)
    train(store, output, 2, until=6, resume=True, zero_stage=3)
    train(store, output, 2, until=8, resume=True, zero_stage=0, axial=2)
    train(store, output, 2, until=10, resume=True, zero_stage=1)
    train(store, output, resume=True)
    assert worst_difference(output, reference) < 1e-5
    records, expected = log_records(output), log_records(reference)
    assert [line["step"] for line in records] == [line["step"] for line in expected]
    for line, wanted in zip(records, expected, strict=True):
        assert line.pop("kind") == wanted.pop("kind")
        assert line == pytest.approx(wanted, rel=1e-5, nan_ok=True)
    engines = [
        json.loads((path / "run.json").read_text())["engine"]
        for path in sorted((output / "checkpoints").glob("step-*"))
    ]
    stages = [engine.partition(", ")[2] for engine in engines]
    assert stages == ["", "ZeRO 2", "ZeRO 3", "ZeRO 0", "ZeRO 1", ""]


@pytest.mark.parametrize(("stage", "axial", "by_time"), [(2, 2, False), (3, 1, True)])
def test_on_the_same_ranks_a_resumed_run_equals_an_unbroken_one_bit_for_bit(
    stage: int, axial: int, by_time: bool, store: Path, tmp_path: Path
) -> None:
    reference, output = tmp_path / "unbroken", tmp_path / "resumed"
    train(store, reference, 2, zero_stage=stage, axial=axial)
    train(store, output, 2, until=5, by_time=by_time, zero_stage=stage, axial=axial)
    train(store, output, 2, resume=True, zero_stage=stage, axial=axial)
    assert last_state(output) == state_after(reference, STEPS)
    assert log_records(output) == log_records(reference)
    for name in ("weights.safetensors", "weights-best.safetensors"):
        assert (output / name).read_bytes() == (reference / name).read_bytes()
