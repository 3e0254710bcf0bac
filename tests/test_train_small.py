"""The recipe of the small model: wherever it is stopped, the same command goes on, to the same weights."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from training_cases import MODEL, hairpin, write_hairpins

from data_tools.store import open_store, write_store

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import train_small  # noqa: E402

TINY = [
    *(f"model.{key}={value}" for key, value in MODEL.items() if key != "triangles"),
    *("model.pair_convolutions=1", "data.crop_length=16", "data.max_depth=4", "data.num_workers=0"),
    *("training.device=cpu", "training.tensorboard=false", "training.checkpoint_every=1"),
]


@pytest.fixture(autouse=True)
def _threads_are_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments that the store builder was called with; it writes hairpins."""
    calls: list[list[str]] = []

    def build(words: list[str]) -> int:
        calls.append(words)
        write_hairpins(Path(words[words.index("-o") + 1]))
        return 0

    monkeypatch.setattr(train_small.build_store, "main", build)
    return calls


def run(out: Path, *options: str) -> int:
    keys = [word for key in TINY for word in ("-o", key)]
    return train_small.main(["data", str(out), "--steps", "2", *keys, *options])


def test_a_recipe_stopped_within_and_between_its_stages_makes_the_weights_of_one_never_stopped(
    built: list[list[str]],
    at_step: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut, with: signs"
    assert run(whole, "--pretraining") == 0
    out, err = capsys.readouterr()
    assert out == f"{whole / 'train' / 'weights.safetensors'}\n"
    assert f"starts from weights of small-pretrain from {whole / 'pretrain'}" in err
    assert f"starts from weights of small-first from {whole / 'first'}" in err
    assert f"starts from weights of small-second from {whole / 'second'}" in err
    assert built == [
        ["data", "--split", split, "-o", str(whole / "stores" / split), "--overwrite"]
        for split in ("train", "val")
    ]

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    at_step(1, stop)
    assert run(cut, "--pretraining") == 143
    pretrained = cut / "pretrain" / "checkpoints" / "step-00000002"
    with monkeypatch.context() as patched:
        patched.setattr(train_small, "monotonic", lambda: math.inf if pretrained.exists() else 0.0)
        assert run(cut, "--pretraining", "--minutes", "30") == 0
    assert (
        capsys.readouterr().err.splitlines()[-1]
        == "next: first training from step 0 of 2; the same command goes on"
    )
    for stage in ("first", "second", "train"):
        at_step(1, stop)
        assert run(cut, "--pretraining", "--minutes", "30") == 143
        assert not (cut / stage / "checkpoints" / "step-00000002").exists()
    assert run(cut, "--pretraining", "--minutes", "30") == 0
    assert capsys.readouterr().out == f"{cut / 'train' / 'weights.safetensors'}\n"
    for name in (
        "pretrain/weights",
        "first/weights",
        "second/weights",
        "train/weights",
        "train/weights-best",
    ):
        assert (cut / f"{name}.safetensors").read_bytes() == (whole / f"{name}.safetensors").read_bytes()
    assert run(cut, "--pretraining") == 0  # nothing is left to be done
    assert len(built) == 4


def test_a_piece_that_ends_within_a_stage_says_where_it_stands(
    built: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("msaformer.training.stopping.monotonic", lambda: math.inf)
    assert run(tmp_path / "out", "--minutes", "30", "--exclude", "ids.txt") == 0
    assert [words[3:5] for words in built] == [["--exclude", "ids.txt"]] * 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "next: first training from step 1 of 2; the same command goes on"
    assert "stopped after step 1 of 2, as training.max_minutes=" in err
    assert not (tmp_path / "out" / "pretrain").exists()


def test_a_store_that_was_not_finished_is_built_again(built: list[list[str]], tmp_path: Path) -> None:
    store = tmp_path / "store"
    arguments = train_small.parse_arguments(["data", "out"])
    write_store([hairpin("h")], store)
    assert train_small.build_if_missing(arguments, "train", store) == 0
    assert not built
    (store / "manifest.json").unlink()
    for shard in store.iterdir():
        shard.unlink()
    assert train_small.build_if_missing(arguments, "train", store) == 0
    assert open_store(store).ids == ("h0", "h1", "h2")


def test_a_stage_that_fails_ends_the_recipe_with_its_code(
    built: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "out", "-o", "model.c_zz=1") == 2
    assert "unknown key 'model.c_zz'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(tmp_path / "out", "--minutes", "-1")
    assert "--minutes must be a number from 0 up" in capsys.readouterr().err
