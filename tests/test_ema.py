"""The moving average of the weights, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from msaformer.training.ema import WeightAverage


def model(value: float) -> nn.Linear:
    linear = nn.Linear(2, 1, bias=False)
    return set_to(linear, value)


def set_to(linear: nn.Linear, value: float) -> nn.Linear:
    with torch.no_grad():
        linear.weight.fill_(value)
    return linear


def test_the_average_follows_the_weights_with_a_decay_that_grows_to_its_limit() -> None:
    linear = model(1.0)
    average = WeightAverage(linear, decay=0.3)
    average.update(set_to(linear, 2.0), step=0)  # decay 1/10
    first = 0.1 * 1.0 + 0.9 * 2.0
    assert float(average.tensors["weight"][0, 0]) == pytest.approx(first)
    average.update(set_to(linear, 5.0), step=1)  # decay 2/11
    second = 2 / 11 * first + 9 / 11 * 5.0
    assert float(average.tensors["weight"][0, 0]) == pytest.approx(second)
    average.update(set_to(linear, -1.0), step=1000)  # decay 0.3
    assert float(average.tensors["weight"][0, 0]) == pytest.approx(0.3 * second - 0.7)


def test_decay_0_means_the_weights_themselves() -> None:
    linear = model(1.0)
    average = WeightAverage(linear, decay=0.0)
    average.update(set_to(linear, 0.1), step=500)
    assert torch.equal(average.tensors["weight"], linear.weight)


def test_the_average_does_not_share_memory_with_the_weights() -> None:
    linear = model(1.0)
    average = WeightAverage(linear, decay=0.9)
    set_to(linear, 7.0)
    assert float(average.tensors["weight"][0, 0]) == 1.0


def test_the_model_has_the_average_within_the_block_and_its_own_weights_after_it() -> None:
    linear = model(1.0)
    average = WeightAverage(linear, decay=0.9)
    parameter = linear.weight
    set_to(linear, 3.0)
    with average.applied_to(linear):
        assert float(linear.weight.detach()[0, 0]) == 1.0
    assert float(linear.weight.detach()[0, 0]) == 3.0
    with pytest.raises(RuntimeError, match="in the block"), average.applied_to(linear):
        raise RuntimeError("in the block")
    assert float(linear.weight.detach()[0, 0]) == 3.0
    assert linear.weight is parameter  # the optimizer's
