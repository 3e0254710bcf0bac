"""Checkpoints that are there whole or not at all, without pickle.

    OUTPUT/checkpoints/step-00000200/
        state.safetensors   weights, optimizer moments, moving average
        run.json            step, configuration, number of ranks, versions
        manifest.json       size and SHA-256 of the two files above

A checkpoint is written under a temporary name, flushed to disk and renamed, so that a folder named `step-…` is
complete; reading checks it against its manifest all the same. Everything random in training, the order of the examples
included, is a function of the seed and the step, so that no generator state or position is kept. The tensors are whole
and in float32 (`training/engine.py`), so that any number of ranks, ZeRO stage or engine goes on from them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from msaformer.config import Config
from msaformer.errors import CheckpointError
from msaformer.training.schedule import may_end_elsewhere

_NAME: Final = re.compile(r"step-(\d{8})")
_STATE, _RUN, _MANIFEST = "state.safetensors", "run.json", "manifest.json"

MAY_CHANGE: Final = {
    "data.train",
    "data.validation",
    "data.num_workers",
    "data.max_skipped_share",
    "training.output",
    "training.log_every",
    "training.validate_every",
    "training.validation_examples",
    "training.validation_max_length",
    "training.best_by",
    "training.max_minutes",
    "training.checkpoint_every",
    "training.keep_checkpoints",
    "training.keep_every",
    "training.init_weights",
    "training.tensorboard",
    "training.wandb_project",
    "training.mlflow_experiment",
    "training.device",
    "training.num_threads",
}
"""Keys that a resumed run may set anew: none of them changes what is computed."""
_MAY_CHANGE_SECTIONS: Final = ("parallel.", "execution.")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A run after `step` optimizer steps."""

    step: int
    tensors: dict[str, Tensor]
    config: Config
    training_data: str
    """Identity of the store of training examples (`Store.content_sha256`)."""
    num_ranks: int = 1
    engine: str = "torch"
    """What wrote it; for people."""


def save_checkpoint(checkpoint: Checkpoint, folder: Path, keep: int, keep_every: int = 0) -> Path:
    """Write a checkpoint into `folder`, then remove all but the newest `keep` up to this one; return its path.

    Those of a step that is a multiple of `keep_every` (0: none) are kept for good. Newer ones, which a resumed run has
    passed over as damaged, stay until they are written anew. Raises CheckpointError or OSError (disk full, no
    permission) with the earlier checkpoints untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{checkpoint.step:08d}"
    temporary = folder / f"{final.name}.tmp"
    for stale in folder.glob("step-*.tmp"):  # of a run that was killed while it saved
        _remove(stale)
    temporary.mkdir()
    try:
        tensors = {name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()}
        save_file(tensors, temporary / _STATE)
        run = {
            "step": checkpoint.step,
            "config": checkpoint.config.model_dump(mode="json"),
            "training_data": checkpoint.training_data,
            "num_ranks": checkpoint.num_ranks,
            "engine": checkpoint.engine,
            "torch": torch.__version__,
        }
        (temporary / _RUN).write_text(json.dumps(run, indent=1), encoding="utf-8")
        manifest = {name: _fingerprint(temporary / name) for name in (_STATE, _RUN)}
        (temporary / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for path in (*temporary.iterdir(), temporary):
            _flush(path)
        _remove(final)
        temporary.rename(final)
        _flush(folder)
    except SafetensorError as error:
        raise CheckpointError(f"{final}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    written = [path for path in list_checkpoints(folder) if path.name <= final.name]
    for path in written[:-keep]:
        if not (keep_every and step_of(path) % keep_every == 0):
            shutil.rmtree(path)
    return final


def step_of(path: Path) -> int:
    """Optimizer steps done, by the name of a checkpoint's folder."""
    return int(path.name.removeprefix("step-"))


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints in `folder`, oldest first; temporary ones are not listed, nor is what lies elsewhere."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and _is_folder(path))


def newest_complete(folder: Path) -> tuple[Path, list[str]]:
    """Find the newest checkpoint that agrees with its manifest; also one line for each newer one that is damaged.

    Raises CheckpointError when there is none, or none is complete.
    """
    problems: list[str] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            verify(path)
        except CheckpointError as error:
            problems.append(str(error))
        else:
            return path, problems
    if problems:
        raise CheckpointError(f"{folder}: no complete checkpoint to resume from: " + "; ".join(problems))
    raise CheckpointError(f"{folder}: no checkpoint to resume from; leave --resume out to start a new run")


def verify(path: Path) -> None:
    """Raise CheckpointError when a file of the checkpoint is missing or differs from the manifest."""
    try:
        for name in (_STATE, _RUN, _MANIFEST):
            if not stat.S_ISREG((path / name).lstat().st_mode):  # a link, or a pipe that blocks its reader
                raise CheckpointError(f"{path / name}: not a file of its own; the checkpoint is damaged")
        manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        for name in (_STATE, _RUN):
            if manifest.get(name) != _fingerprint(path / name):
                raise CheckpointError(f"{path / name}: differs from its manifest; the checkpoint is damaged")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint folder, which `verify` has checked. Raises CheckpointError when it cannot be read."""
    try:
        run = json.loads((path / _RUN).read_text(encoding="utf-8"))
        config = Config.model_validate(run["config"])
        if run["step"] != step_of(path):
            raise CheckpointError(f"{path / _RUN}: is of step {run['step']!r}; the checkpoint is damaged")
        return Checkpoint(
            step=step_of(path),
            tensors=load_file(path / _STATE),
            config=config,
            training_data=str(run["training_data"]),
            num_ranks=int(run["num_ranks"]),
            engine=str(run["engine"]),
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        SafetensorError,
    ) as error:
        raise _damaged(path, error) from error


def check_same_run(saved: Config, wanted: Config, source: Path, step: int) -> None:
    """Raise CheckpointError unless both configurations compute the same (see MAY_CHANGE).

    The run of `saved` has made `step` steps; how many there are to be may change as long as none has depended on it.
    """
    lengths = (saved.training.steps, wanted.training.steps)
    free = {"training.steps"} if may_end_elsewhere(step, lengths, saved.optimizer) else set()
    before, after = flat_keys(saved), flat_keys(wanted)
    changed = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    differing = [
        f"{key} was {before.get(key)!r}, is {after.get(key)!r}"
        for key in changed
        if key not in MAY_CHANGE | free and not key.startswith(_MAY_CHANGE_SECTIONS)
    ]
    if differing:
        raise CheckpointError(
            f"{source}: made by another configuration: {'; '.join(differing)}; start a new run"
        )


def flat_keys(config: Config) -> dict[str, Any]:
    """Each key as it is spelled on the command line, `data.crop_length`, and its value."""
    return _flatten(config.model_dump(mode="json"), "")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    """Remove whatever stands at `path`; of a link the link alone."""
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path}: damaged checkpoint: {' '.join(str(error).split())}")


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
