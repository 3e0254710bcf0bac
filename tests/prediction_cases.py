"""Alignments and random networks to predict with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from training_cases import MODEL, hairpin

from data_tools.alignment import Alignment
from msaformer.config import ModelConfig
from msaformer.model.model import MSAFormer
from msaformer.prediction import Prediction
from msaformer.pretrained import LoadedModel


def random_model(*, scale: float = 0.3, **changes: Any) -> LoadedModel:
    """A network whose every weight is random, the last layers' too."""
    generator = torch.Generator().manual_seed(8)
    network = MSAFormer(ModelConfig(**MODEL | changes)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return LoadedModel(network, "random", "ab" * 32)


def alignment(depth: int, length: int) -> Alignment:
    features = hairpin("x", length=length, depth=depth).features
    return Alignment(tuple(f"s{n}" for n in range(depth)), features.tokens, features.deletion_matrix)


def assert_same(first: Prediction, second: Prediction) -> None:
    for name in ("contact_probs", "distogram_probs", "expected_distance", "distance_std"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
