"""Pre-training on alignments alone: it needs no labels, learns, and leaves what it has no labels for untouched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_cases import hairpin, log_records, tiny_config

from data_tools.store import write_store
from msaformer.config import Config
from msaformer.model.heads import CONTACT_PRIOR
from msaformer.model.model import MSAFormer
from msaformer.pretrained import load_initial_weights
from msaformer.training.loop import train


@pytest.fixture(autouse=True)
def _threads_are_put_back() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def pretraining(store: Path, output: Path, **changes: Any) -> Config:
    """A run that predicts masked cells of unlabelled alignments and nothing else."""
    settings: dict[str, Any] = {
        "data__validation": None,
        "data__mask_ratio": 0.5,
        "data__mask_by": "block",
        "loss__contact": 0.0,
        "loss__distogram": 0.0,
        "loss__masked_msa": 1.0,
        "optimizer__learning_rate": 1e-2,
        "training__steps": 40,
        "training__accumulation": 1,
        "training__checkpoint_every": 1000,
        "training__tensorboard": False,
    }
    return tiny_config(store, output, **(settings | changes))


def test_masked_cells_are_learned_without_labels_and_fine_tuning_starts_from_there(tmp_path: Path) -> None:
    store = tmp_path / "unlabelled"
    write_store([hairpin("h", length=20, depth=6, labelled=False)], store)
    weights = train(pretraining(store, tmp_path / "run"))
    losses = [line["masked_msa_loss"] for line in log_records(tmp_path / "run")]
    assert np.mean(losses[:5]) == pytest.approx(math.log(22), abs=0.15)  # knowing nothing
    assert np.mean(losses[-10:]) < np.mean(losses[:5]) - 0.25
    network = MSAFormer(pretraining(store, tmp_path, model__orientations=True).model)
    assert "orientation_head" in load_initial_weights(network, weights)
    assert not network.contact_head.to_logits.weight.any()  # as it was initialised
    prior = torch.sigmoid(2 * network.contact_head.to_logits.bias.detach())
    torch.testing.assert_close(prior, torch.full((1,), CONTACT_PRIOR))
