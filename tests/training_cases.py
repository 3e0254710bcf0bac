"""A hairpin to learn from, stores of it, and runs small enough for a test."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.alignment import Alignment
from data_tools.features import featurize
from data_tools.store import Example, write_store
from msaformer.config import Config
from msaformer.config_file import validate_config

MODEL: dict[str, Any] = {
    "num_blocks": 1,
    "c_m": 8,
    "c_z": 8,
    "msa_heads": 2,
    "msa_head_channels": 4,
    "pair_heads": 2,
    "pair_head_channels": 4,
    "outer_product_channels": 4,
    "triangle_channels": 8,
    "max_depth": 4,
}
RISE, GAP_BETWEEN_STRANDS = 3.3, 5.0  # Å; residues i and L - 1 - i face each other


def hairpin(name: str, *, length: int = 20, depth: int = 6, labelled: bool = True) -> Example:
    """Two strands side by side, and relatives of a random sequence that differ from it at 30 % of the sites."""
    rng = np.random.default_rng([length, depth])
    tokens = np.tile(rng.integers(0, 20, (1, length), dtype=np.uint8), (depth, 1))
    changed = rng.random((depth, length)) < 0.3
    changed[0] = False
    tokens = np.where(changed, rng.integers(0, 22, (depth, length), dtype=np.uint8), tokens)
    deletions = rng.choice([0, 0, 2], (depth, length)).astype(np.uint16)
    deletions[0] = 0  # so residues are numbered as columns
    names = tuple(f"s{n}" for n in range(depth))
    features = featurize(Alignment(names, tokens, deletions))
    if not labelled:
        return Example(name, features, None)
    return Example(name, features, hairpin_distances(length), hairpin_backbone(length))


def hairpin_distances(length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Distances `[L, L]` in Å; the residue after the first is not resolved."""
    atoms = hairpin_places(length)
    distances = np.linalg.norm(atoms[:, None] - atoms[None], axis=-1).astype(np.float32)
    distances[1:2] = distances[:, 1:2] = np.nan
    return distances


def hairpin_backbone(length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """N, Cα, C, Cβ `[L, 4, 3]` in Å; side chains point up and down in turn, the second residue is not resolved."""
    cb = np.column_stack([hairpin_places(length), np.zeros(length)])
    side = np.where(np.arange(length) % 2, 1.0, -1.0)
    steps = np.array([[-1.2, 0.3, -2.0], [0.0, 0.0, -1.5], [1.2, 0.1, -2.0], [0.0, 0.0, 0.0]])  # from Cβ
    backbone = (cb[:, None] + steps * np.stack([np.ones(length), np.ones(length), side], 1)[:, None]).astype(
        np.float32
    )
    backbone[1:2] = np.nan
    return backbone


def hairpin_places(length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Places `[L, 2]` of the contact atoms in their plane, in Å."""
    place = np.arange(length)
    along = RISE * np.minimum(place, length - 1 - place)
    across = GAP_BETWEEN_STRANDS * (place >= length / 2)
    return np.stack([along, across], axis=1)


def write_hairpins(path: Path) -> Path:
    """A store of three hairpins; one has no relatives."""
    sizes = ((20, 6), (24, 1), (12, 9))
    write_store((hairpin(f"h{number}", length=n, depth=d) for number, (n, d) in enumerate(sizes)), path)
    return path


def tiny_config(store: Path, output: Path, **changes: Any) -> Config:
    """A run of 12 steps on the CPU that checkpoints and logs each of them; `training__steps=3` changes a key."""
    tree: dict[str, Any] = {
        "name": "hairpin",
        "model": dict(MODEL),
        "data": {
            "train": str(store),
            "validation": str(store),
            "crop_length": 16,
            "max_depth": 4,
            "num_workers": 0,
        },
        "loss": {"min_separation": 4},
        "optimizer": {"warmup_steps": 3, "ema_decay": 0.9},
        "training": {
            "output": str(output),
            "seed": 5,
            "steps": 12,
            "batch_size": 2,
            "accumulation": 2,
            "log_every": 1,
            "validate_every": 6,
            "checkpoint_every": 1,
            "keep_checkpoints": 100,
            "device": "cpu",
            "num_threads": 1,
        },
    }
    for key, value in changes.items():
        section, name = key.split("__")
        tree[section][name] = value
    return validate_config(tree, "test")


def log_records(output: Path) -> list[dict[str, Any]]:
    """The lines of a run's log without times, rates and memory."""
    path = output / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    timeless = [json.loads(line) for line in lines]
    return [
        {key: value for key, value in line.items() if "second" not in key and key != "memory_mib"}
        for line in timeless
    ]


def last_state(output: Path) -> bytes:
    """Weights, optimizer moments and moving average of the newest checkpoint, as the bytes on disk."""
    return state_after(
        output, max(int(path.name[5:]) for path in (output / "checkpoints").glob("step-????????"))
    )


def state_after(output: Path, step: int) -> bytes:
    """The same of the checkpoint after `step`."""
    return (output / "checkpoints" / f"step-{step:08d}" / "state.safetensors").read_bytes()


def assert_same(first: Any, second: Any) -> None:
    """Check that two samples, or two batches, are equal in every field."""
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        assert (one is None) == (other is None), field.name
        if one is not None:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=field.name)
