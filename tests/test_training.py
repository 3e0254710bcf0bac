"""The training loop: a run that is stopped, killed or damaged goes on bit for bit, and it learns."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from training_cases import hairpin, last_state, log_records, state_after, tiny_config, write_hairpins

from data_tools.store import write_store
from msaformer.config_file import load_config
from msaformer.errors import CheckpointError, ConfigError, TrainingError
from msaformer.pretrained import load_model
from msaformer.training.checkpoint import load_checkpoint
from msaformer.training.loop import train
from msaformer.training.losses import Losses, Objective
from msaformer.training.stopping import Interrupted

STEPS = 12


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
    """The output of a run that nothing disturbed."""
    output = tmp_path_factory.mktemp("runs") / "reference"
    train(tiny_config(store, output))
    return output


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "run"


def crash() -> None:
    raise RuntimeError("power cut")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_stopped_and_resumed_equals_one_never_stopped_bit_for_bit(
    workers: int, store: Path, output: Path, reference: Path, at_step: Callable[..., None]
) -> None:
    config = tiny_config(store, output, data__num_workers=workers)
    at_step(5, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted, match="stopped after step 5") as stopped:
        train(config)
    assert stopped.value.exit_code == 130
    assert last_state(output) == state_after(reference, 5)
    train(config, resume=True)
    assert last_state(output) == state_after(reference, STEPS)
    assert log_records(output) == log_records(reference)
    assert (output / "weights.safetensors").read_bytes() == (reference / "weights.safetensors").read_bytes()


def test_a_crash_repeats_the_steps_since_the_checkpoint_and_logs_each_step_once(
    store: Path, output: Path, reference: Path, at_step: Callable[..., None]
) -> None:
    config = tiny_config(store, output, training__checkpoint_every=3)
    at_step(8, crash)
    with pytest.raises(RuntimeError, match="power cut"):
        train(config)
    assert [line["step"] for line in log_records(output)] == [1, 2, 3, 4, 5, 6, 6, 7]  # 6 was validated too
    with (output / "log.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')  # what a power cut leaves
    train(config, resume=True)
    assert last_state(output) == state_after(reference, STEPS)
    assert log_records(output) == log_records(reference)


def test_the_released_weights_are_the_moving_average_of_the_last_step(reference: Path) -> None:
    tensors = load_checkpoint(reference / "checkpoints" / f"step-{STEPS:08d}").tensors
    released = dict(load_model(reference / "weights.safetensors").network.named_parameters())
    for name, value in released.items():
        torch.testing.assert_close(value.detach(), tensors[f"ema.{name}"], rtol=0, atol=0)
    assert any(not torch.equal(value, tensors[f"model.{name}"]) for name, value in released.items())


def test_resuming_a_finished_run_writes_its_weights_again(store: Path, output: Path, reference: Path) -> None:
    config = tiny_config(store, output)
    train(config)
    (output / "weights.safetensors").unlink()  # as if killed after the last checkpoint
    assert train(config, resume=True) == output / "weights.safetensors"
    assert (output / "weights.safetensors").read_bytes() == (reference / "weights.safetensors").read_bytes()
    assert log_records(output) == log_records(reference)


def test_a_new_run_never_mixes_with_an_earlier_one(store: Path, reference: Path) -> None:
    before = (reference / "log.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match="--resume"):
        train(tiny_config(store, reference))
    assert (reference / "log.jsonl").read_bytes() == before


def test_resuming_nothing_is_an_error_and_leaves_nothing(store: Path, output: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint to resume from; leave --resume out"):
        train(tiny_config(store, output), resume=True)
    assert not output.exists()


def test_another_configuration_is_refused_naming_the_keys(store: Path, reference: Path) -> None:
    config = tiny_config(store, reference, optimizer__learning_rate=5e-4, data__max_depth=3)
    with pytest.raises(CheckpointError, match=r"data\.max_depth was 4, is 3; optimizer\.learning_rate was"):
        train(config, resume=True)


def test_other_examples_are_refused_but_the_same_may_have_moved(
    tmp_path: Path, store: Path, output: Path
) -> None:
    train(tiny_config(store, output, training__steps=1))
    moved = tmp_path / "moved"
    shutil.copytree(store, moved)
    train(tiny_config(moved, output, training__steps=1), resume=True)
    write_store([hairpin("another")], tmp_path / "other")
    with pytest.raises(CheckpointError, match="not the examples that the run"):
        train(tiny_config(tmp_path / "other", output, training__steps=1), resume=True)


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(
    store: Path,
    output: Path,
    reference: Path,
    at_step: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tiny_config(store, output, training__keep_checkpoints=1, training__checkpoint_every=4)
    at_step(6, crash)
    with pytest.raises(RuntimeError):
        train(config)
    later = output / "checkpoints" / "step-00000005"
    later.mkdir()
    (later / "state.safetensors").write_bytes(b"cut")
    train(config, resume=True)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: ignored ")
    assert "step-00000005" in warnings[0]
    assert last_state(output) == state_after(reference, STEPS)


def test_a_loss_that_is_not_finite_stops_the_run_with_the_checkpoint_before_intact(
    store: Path, output: Path, reference: Path, at_step: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoned(self: Objective, *arguments: Any) -> Losses:
        losses = plain(self, *arguments)
        return dataclasses.replace(losses, total=losses.total * float("nan"))

    plain = Objective.forward
    at_step(4, lambda: monkeypatch.setattr(Objective, "forward", poisoned))
    with pytest.raises(TrainingError, match=r"step 5: the loss is nan, not finite, with the examples h1, h0"):
        train(tiny_config(store, output))
    assert last_state(output) == state_after(reference, 4)
    monkeypatch.setattr(Objective, "forward", plain)
    train(tiny_config(store, output), resume=True)
    assert last_state(output) == state_after(reference, STEPS)


def test_a_failed_save_stops_the_run_with_the_checkpoints_before_intact(
    store: Path, output: Path, reference: Path, at_step: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    at_step(3, lambda: monkeypatch.setattr("msaformer.training.checkpoint._flush", full))
    with pytest.raises(OSError, match="No space left"):
        train(tiny_config(store, output))
    assert sorted(path.name for path in (output / "checkpoints").iterdir()) == [
        "lock",
        "step-00000001",
        "step-00000002",
    ]
    assert last_state(output) == state_after(reference, 2)


def test_the_configuration_beside_the_weights_is_the_one_that_made_them(store: Path, reference: Path) -> None:
    assert load_config(reference / "config.yaml") == tiny_config(store, reference)


def test_the_log_holds_losses_rate_and_validation(reference: Path) -> None:
    records = log_records(reference)
    steps = [line for line in records if line["kind"] == "train"]
    assert [line["step"] for line in steps] == list(range(1, STEPS + 1))
    first = steps[0]
    weighted = first["contact_loss"] + 0.3 * first["distogram_loss"] + 0.1 * first["masked_msa_loss"]
    assert first["loss"] == pytest.approx(weighted, rel=1e-5)
    assert first["learning_rate"] == pytest.approx(1e-3 / 3)
    validated = [line for line in records if line["kind"] == "validation"]
    assert [line["step"] for line in validated] == [6, 12]
    assert {"contact_loss", "distogram_loss", "short_p_at_l5"} <= validated[0].keys()


def test_tensorboard_shows_each_step_once_after_a_resume(
    store: Path, output: Path, at_step: Callable[..., None]
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny_config(store, output, training__checkpoint_every=3)
    at_step(5, crash)
    with pytest.raises(RuntimeError):
        train(config)
    train(config, resume=True)
    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    shown = [event.step for event in events.Scalars("train/loss")]
    assert shown == list(range(1, STEPS + 1))


def test_a_store_without_distances_is_refused(tmp_path: Path, output: Path) -> None:
    write_store([hairpin("x", labelled=False)], tmp_path / "blind")
    with pytest.raises(TrainingError, match="no example has distances"):
        train(tiny_config(tmp_path / "blind", output))
    write_store([], tmp_path / "empty")
    with pytest.raises(TrainingError, match="holds no example"):
        train(tiny_config(tmp_path / "empty", output))
    config = tiny_config(tmp_path / "empty", output)
    nameless = config.model_copy(update={"data": config.data.model_copy(update={"train": None})})
    with pytest.raises(ConfigError, match=r"data\.train"):
        train(nameless)
    assert not output.exists()


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one example a shard, the last of which is cut short."""
    monkeypatch.setattr("data_tools.store._MAX_SHARD_EXAMPLES", 1)
    folder = write_hairpins(tmp_path / "cut")
    shard = folder / "shard-00002.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    return folder


def test_examples_that_cannot_be_read_are_said_once_counted_and_skipped(
    cut: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(cut, output, data__validation=None, data__max_skipped_share=0.5, training__steps=3)
    train(config)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"warning: skipped h2: {cut}/shard-00002.parquet is damaged")
    assert log_records(output)[-1]["skipped"] == 4  # 3 steps of 4 examples are 4 epochs of 3


def test_too_many_examples_that_cannot_be_read_stop_the_run(cut: Path, output: Path) -> None:
    config = tiny_config(cut, output, data__validation=None, data__max_skipped_share=0.2)
    with pytest.raises(TrainingError, match=r"of the \d+ examples so far could not be read, more than data"):
        train(config)


def test_a_store_without_backbones_cannot_teach_orientations(tmp_path: Path, output: Path) -> None:
    example = hairpin("x")
    write_store([dataclasses.replace(example, backbone=None)], tmp_path / "old")
    config = tiny_config(tmp_path / "old", output, model__orientations=True, loss__orientation=0.1)
    with pytest.raises(TrainingError, match="no example has orientations to learn from"):
        train(config)


def test_training_learns_the_contacts_of_one_protein(tmp_path: Path, output: Path) -> None:
    store = tmp_path / "one"
    write_store([hairpin("h", length=20, depth=6)], store)
    config = tiny_config(
        store,
        output,
        model__msa_dropout=0.0,
        model__pair_dropout=0.0,
        model__c_z=16,
        data__mask_ratio=0.0,
        data__crop_length=20,
        data__full_depth_share=1.0,
        data__drop_coevolution=0.0,
        optimizer__learning_rate=1e-2,
        optimizer__warmup_steps=10,
        training__steps=150,
        training__batch_size=1,
        training__accumulation=1,
        training__checkpoint_every=1000,
        training__validate_every=1000,
        training__log_every=1,
    )
    train(config)
    records = log_records(output)
    losses = [line["contact_loss"] for line in records if line["kind"] == "train"]
    assert np.mean(losses[:5]) > 0.2
    assert np.mean(losses[-5:]) < 0.01
    validated = records[-1]
    assert validated["short_p_at_l5"] == validated["medium_p_at_l5"] == 1.0
