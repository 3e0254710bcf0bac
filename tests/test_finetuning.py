"""The worked example of the model card: the released weights learn ten families, and are better at those held out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from training_cases import hairpin, hairpin_distances, log_records

from data_tools.alignment import Alignment
from data_tools.formats import write_alignment
from data_tools.store import Example, write_store
from msaformer.cli import main
from msaformer.config_file import load_config
from msaformer.metrics import precision_table
from msaformer.prediction import load_prediction
from msaformer.pretrained import load_initial_weights, load_model
from msaformer.training.setup import build_model

CONFIG = Path(__file__).parents[1] / "configs" / "finetune-released.yaml"
LENGTHS = range(30, 50, 2)  # of ten families; the last two are held out
HELD_OUT = 8


@pytest.fixture(autouse=True)
def _threads_are_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def families() -> list[Example]:
    """Hairpins of random sequence, so that nothing but their fold can be learned from one for another."""
    return [hairpin(f"f{length}", length=length, depth=8) for length in LENGTHS]


def predict(example: Example, weights: str, folder: Path) -> np.ndarray:
    """Contact probabilities `[L, L]`, by the command, from an alignment file."""
    features = example.features
    names = tuple(f"s{row}" for row in range(features.depth))
    path = folder / f"{example.id}.a3m"
    write_alignment(Alignment(names, features.tokens, features.deletion_matrix), path)
    assert main(["predict", str(path), "-o", str(folder / "out"), "--weights", weights, "--overwrite"]) == 0
    return load_prediction(folder / "out" / f"{example.id}.npz").contact_probs


def test_the_configuration_has_the_trunk_of_the_weights_that_it_starts_from() -> None:
    config = load_config(CONFIG)
    assert config.training.init_weights is not None
    line = load_initial_weights(build_model(config).model, config.training.init_weights)
    assert "not in the file" not in line
    assert "not used" not in line
    assert config.model == load_model(config.training.init_weights).network.config


def test_ten_families_make_the_released_weights_better_at_those_held_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = families()
    write_store(found[:HELD_OUT], tmp_path / "mine")
    write_store(found[HELD_OUT:], tmp_path / "held-out")
    output = tmp_path / "run"
    keys = [f"data.train={tmp_path / 'mine'}", f"data.validation={tmp_path / 'held-out'}"]
    keys += [
        f"training.output={output}",
        "training.device=cpu",
        "training.tensorboard=false",
        "data.num_workers=0",
    ]
    keys += ["training.steps=18", "training.validate_every=6"]
    keys += ["optimizer.learning_rate=0.006", "optimizer.warmup_steps=2", "optimizer.ema_decay=0.5"]
    assert main(["train", "-c", str(CONFIG), *(word for key in keys for word in ("-o", key))]) == 0
    assert "starts from weights of small" in capsys.readouterr().err
    losses = [line["contact_loss"] for line in log_records(output) if line["kind"] == "validation"]
    assert min(losses) < losses[0], losses

    weights = str(output / "weights-best.safetensors")
    held_out, distances = found[-1], hairpin_distances(LENGTHS[-1])
    before, after = (predict(held_out, one, tmp_path) for one in ("small", weights))
    assert surprise(after, distances) < 0.9 * surprise(before, distances)
    first, last = (precision_table(probs, distances)[2] for probs in (before, after))
    assert first.range == "long"
    assert last.p_at_l > first.p_at_l


def surprise(probs: np.ndarray, distances: np.ndarray) -> float:
    """Cross-entropy of the contacts 6 or more residues apart, nats a pair."""
    pairs = np.triu_indices(len(probs), 6)
    known = ~np.isnan(distances[pairs])
    is_contact = distances[pairs][known] < 8.0
    return float(-np.log(np.where(is_contact, probs[pairs][known], 1 - probs[pairs][known])).mean())
