"""Checkpoints on disk: whole or not at all, and damage is seen."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from training_cases import tiny_config

from msaformer.config import Config
from msaformer.errors import CheckpointError
from msaformer.training import checkpoint as module
from msaformer.training.checkpoint import (
    MAY_CHANGE,
    Checkpoint,
    check_same_run,
    list_checkpoints,
    load_checkpoint,
    newest_complete,
    save_checkpoint,
    step_of,
    verify,
)

CONFIG = tiny_config(Path("store"), Path("out"))


def make(step: int) -> Checkpoint:
    tensors = {"weight": torch.full((3, 4), float(step)), "step": torch.tensor(2.0)}
    return Checkpoint(step, tensors, CONFIG, "data", num_ranks=4, engine="deepspeed, ZeRO 2")


def save(folder: Path, *steps: int, keep: int = 10) -> Path:
    return [save_checkpoint(make(step), folder, keep) for step in steps][-1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "state cut short": lambda path: (path / "state.safetensors").write_bytes(b"\x10"),
    "state missing": lambda path: (path / "state.safetensors").unlink(),
    "one bit of the state": lambda path: flip_a_byte(path / "state.safetensors"),
    "one bit of the run": lambda path: flip_a_byte(path / "run.json"),
    "no manifest": lambda path: (path / "manifest.json").unlink(),
    "empty manifest": lambda path: (path / "manifest.json").write_text(""),
    "manifest of zeros": lambda path: (path / "manifest.json").write_bytes(bytes(50)),
    "manifest of another kind": lambda path: (path / "manifest.json").write_text("[1]"),
    "empty folder": empty,
}


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    path = save(tmp_path / "a" / "checkpoints", 7)
    assert path.name == "step-00000007"
    read = load_checkpoint(path)
    assert (read.step, read.config) == (7, CONFIG)
    assert read.tensors.keys() == {"weight", "step"}
    assert torch.equal(read.tensors["weight"], torch.full((3, 4), 7.0))
    assert (read.num_ranks, read.engine, read.training_data) == (4, "deepspeed, ZeRO 2", "data")


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 10, 9_999_999, keep=2)
    assert names(tmp_path) == ["step-00000010", "step-09999999"]


def test_those_of_chosen_steps_are_kept_for_good(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20, 22, 23):
        save_checkpoint(make(step), tmp_path, keep=1, keep_every=10)
    assert names(tmp_path) == ["step-00000010", "step-00000020", "step-00000023"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_does_not_pass_for_complete(damage: str, tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    verify(path)
    DAMAGE[damage](path)
    with pytest.raises(CheckpointError, match="damaged"):
        verify(path)


def test_a_file_that_would_run_code_when_unpickled_is_read_as_damage(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    touched = tmp_path / "touched"

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (touched.touch, ())

    torch.save({"weight": Hostile()}, path / "state.safetensors")
    manifest = {name: module._fingerprint(path / name) for name in ("state.safetensors", "run.json")}
    (path / "manifest.json").write_text(json.dumps(manifest))  # its maker can write that too
    verify(path)
    with pytest.raises(CheckpointError, match="step-00000001: damaged"):
        load_checkpoint(path)
    assert not touched.exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_passed_over_for_the_checkpoint_before(damage: str, tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3)
    for step in (2, 3):
        DAMAGE[damage](tmp_path / f"step-{step:08d}")
    newest, problems = newest_complete(tmp_path)
    assert step_of(newest) == 1
    assert len(problems) == 2
    assert "step-00000003" in problems[0]
    assert all("damaged" in line and len(line.splitlines()) == 1 for line in problems)


def test_when_all_are_damaged_each_is_named(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    for step in (1, 2):
        DAMAGE["one bit of the state"](tmp_path / f"step-{step:08d}")
    with pytest.raises(CheckpointError, match=r"no complete checkpoint.*step-00000002.*step-00000001"):
        newest_complete(tmp_path)


@pytest.mark.parametrize("make_folder", [True, False])
def test_without_a_checkpoint_the_error_says_what_to_do(make_folder: bool, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    if make_folder:
        folder.mkdir()
        (folder / "step-00000001").write_text("a file")
    with pytest.raises(CheckpointError, match="no checkpoint to resume from; leave --resume out"):
        newest_complete(folder)


def test_a_half_written_one_is_not_seen_and_goes_with_the_next_save(tmp_path: Path) -> None:
    save(tmp_path, 1)
    shutil.copytree(tmp_path / "step-00000001", tmp_path / "step-00000002.tmp")
    assert step_of(newest_complete(tmp_path)[0]) == 1
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000001"]
    save(tmp_path, 3)
    assert names(tmp_path) == ["step-00000001", "step-00000003"]


def test_a_damaged_later_one_does_not_push_out_the_one_just_written(tmp_path: Path) -> None:
    save(tmp_path, 4, 8)
    DAMAGE["no manifest"](tmp_path / "step-00000008")
    save(tmp_path, 5, keep=1)
    assert names(tmp_path) == ["step-00000005", "step-00000008"]
    assert step_of(newest_complete(tmp_path)[0]) == 5


def test_a_damaged_one_is_replaced_when_its_step_comes_again(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    DAMAGE["empty folder"](tmp_path / "step-00000002")
    save(tmp_path, 2)
    assert step_of(newest_complete(tmp_path)[0]) == 2


@pytest.mark.parametrize("function", ["save_file", "_fingerprint", "_flush"])
def test_a_save_that_fails_leaves_the_earlier_ones_whole_and_nothing_half_written(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    save(tmp_path, 1, 2)
    with monkeypatch.context() as patched:
        patched.setattr(module, function, full)
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path, 3, keep=1)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]
    assert step_of(newest_complete(tmp_path)[0]) == 2


def test_an_error_of_the_tensor_format_is_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise SafetensorError("I/O error: no space left")

    monkeypatch.setattr(module, "save_file", fail)
    with pytest.raises(CheckpointError, match="step-00000001: cannot be written: I/O error"):
        save(tmp_path, 1)
    assert names(tmp_path) == []


def test_the_files_are_plain_and_hold_what_they_say(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    assert names(path) == ["manifest.json", "run.json", "state.safetensors"]
    run = json.loads((path / "run.json").read_text())
    assert run["step"] == 3
    assert (run["num_ranks"], run["engine"]) == (4, "deepspeed, ZeRO 2")
    assert run["torch"] == torch.__version__
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["state.safetensors"]["size"] == (path / "state.safetensors").stat().st_size


def test_a_configuration_of_another_version_is_damage_that_is_explained(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    run = json.loads((path / "run.json").read_text())
    run["config"]["model"]["num_widgets"] = 3
    (path / "run.json").write_text(json.dumps(run))
    manifest = {name: module._fingerprint(path / name) for name in ("state.safetensors", "run.json")}
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="num_widgets"):
        load_checkpoint(path)


def changed(**changes: object) -> Config:
    return tiny_config(Path("store"), Path("out"), **changes)


def test_what_alters_the_numbers_may_not_change_on_resume() -> None:
    check_same_run(CONFIG, changed(), Path("x"), 3)
    with pytest.raises(
        CheckpointError, match=r"x: made by another configuration: model\.c_z was 8, is 16; start"
    ):
        check_same_run(CONFIG, changed(model__c_z=16), Path("x"), 3)
    both = changed(training__steps=99, optimizer__clip_norm=2.0)
    with pytest.raises(
        CheckpointError, match=r"optimizer\.clip_norm was 1\.0, is 2\.0; training\.steps was 12, is 99"
    ):
        check_same_run(CONFIG, both, Path("x"), 3)


def test_what_only_moves_or_shows_the_run_may_change() -> None:
    moved = changed(
        data__train="elsewhere", data__num_workers=2, training__output="there", training__log_every=3
    )
    check_same_run(CONFIG, moved, Path("x"), 3)
    many = CONFIG.model_copy(
        update={"parallel": CONFIG.parallel.model_copy(update={"zero_stage": 3, "axial": 2})}
    )
    check_same_run(CONFIG, many, Path("x"), 3)
    for key in MAY_CHANGE:
        section, name = key.split(".")
        assert name in getattr(CONFIG, section).model_dump(), key


def forged(path: Path, name: str, content: bytes) -> None:
    """Replace a file of a checkpoint, and make the manifest agree, which a forger can do too."""
    (path / name).write_bytes(content)
    manifest = {name: module._fingerprint(path / name) for name in ("state.safetensors", "run.json")}
    (path / "manifest.json").write_text(json.dumps(manifest))
    verify(path)


FORGERIES: dict[str, bytes] = {
    "nested without end": b"[" * 200_000,
    "no object": b"[1]",
    "no keys": b"{}",
    "not text": b"\xff\xfe",
}


@pytest.mark.parametrize("content", FORGERIES)
def test_a_forged_description_of_the_run_is_damage(content: str, tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    forged(path, "run.json", FORGERIES[content])
    with pytest.raises(CheckpointError, match=r"step-00000001.*damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("step", [2, -1, 10**30, "1", None])
def test_a_checkpoint_of_another_step_than_its_name_says_is_damage(step: object, tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    run = json.loads((path / "run.json").read_text())
    forged(path, "run.json", json.dumps(run | {"step": step}).encode())
    with pytest.raises(CheckpointError, match=r"is of step .* the checkpoint is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["state.safetensors", "run.json", "manifest.json"])
def test_a_link_or_a_pipe_in_a_checkpoint_is_not_followed(name: str, tmp_path: Path) -> None:
    path, other = save(tmp_path / "a", 1), save(tmp_path / "b", 1)
    (path / name).unlink()
    (path / name).symlink_to(other / name)
    with pytest.raises(CheckpointError, match=f"{name}: not a file of its own"):
        verify(path)
    (path / name).unlink()
    os.mkfifo(path / name)  # opening it would wait for ever
    with pytest.raises(CheckpointError, match=f"{name}: not a file of its own"):
        verify(path)


def test_a_checkpoint_that_is_a_link_is_neither_listed_nor_followed_by_a_save(tmp_path: Path) -> None:
    elsewhere, folder = save(tmp_path / "elsewhere", 2), tmp_path / "run"
    save(folder, 1)
    for name in ("step-00000002", "step-00000003", "step-00000004.tmp"):
        (folder / name).symlink_to(elsewhere)
    (folder / "step-00000005").write_text("a file")
    assert [path.name for path in list_checkpoints(folder)] == ["step-00000001"]
    assert newest_complete(folder)[0].name == "step-00000001"
    save(folder, 2, 5, keep=1)
    verify(elsewhere)
    assert names(folder) == ["step-00000003", "step-00000005"]
    assert [path.name for path in list_checkpoints(folder)] == ["step-00000005"]


@pytest.mark.parametrize(
    ("step", "steps", "may"), [(6, 20, True), (6, 9, True), (7, 9, False), (10, 20, False)]
)
def test_a_trapezoid_may_get_another_length_until_its_rate_has_come_down(
    step: int, steps: int, may: bool
) -> None:
    trapezoid = changed(optimizer__schedule="trapezoid", optimizer__cooldown_share=0.25, training__steps=13)
    other = changed(optimizer__schedule="trapezoid", optimizer__cooldown_share=0.25, training__steps=steps)
    if may:  # plateaus end at step 9 of 0–12, 14 of 0–19 and 6 of 0–8
        check_same_run(trapezoid, other, Path("x"), step)
        return
    with pytest.raises(CheckpointError, match=f"training.steps was 13, is {steps}"):
        check_same_run(trapezoid, other, Path("x"), step)


def test_a_cosine_keeps_its_length_from_the_first_step() -> None:
    with pytest.raises(CheckpointError, match=r"training\.steps"):
        check_same_run(changed(training__steps=13), changed(training__steps=20), Path("x"), 0)
