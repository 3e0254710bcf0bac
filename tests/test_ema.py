"""The moving average of the weights, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from msaformer.training.ema import WeightAverage


def weights(value: float) -> dict[str, Tensor]:
    return {"weight": torch.full((1, 2), value)}


def test_the_average_follows_the_weights_with_a_decay_that_grows_to_its_limit() -> None:
    average = WeightAverage(weights(1.0), decay=0.3)
    average.update(weights(2.0), step=0)  # decay 1/10
    first = 0.1 * 1.0 + 0.9 * 2.0
    assert float(average.tensors["weight"][0, 0]) == pytest.approx(first)
    average.update(weights(5.0), step=1)  # decay 2/11
    second = 2 / 11 * first + 9 / 11 * 5.0
    assert float(average.tensors["weight"][0, 0]) == pytest.approx(second)
    average.update(weights(-1.0), step=1000)  # decay 0.3
    assert float(average.tensors["weight"][0, 0]) == pytest.approx(0.3 * second - 0.7)


def test_decay_0_means_the_weights_themselves() -> None:
    average = WeightAverage(weights(1.0), decay=0.0)
    average.update(weights(0.1), step=500)
    assert torch.equal(average.tensors["weight"], weights(0.1)["weight"])


def test_the_average_is_kept_in_float32_and_shares_no_memory_with_the_weights() -> None:
    own = weights(1.0)
    coarse = {"weight": torch.full((3,), 1.0, dtype=torch.bfloat16)}
    average, other = WeightAverage(own, decay=0.9), WeightAverage(coarse, decay=0.9)
    own["weight"].fill_(7.0)
    assert float(average.tensors["weight"][0, 0]) == 1.0
    assert other.tensors["weight"].dtype == torch.float32
