"""The learning rate, step by step."""

from __future__ import annotations

import pytest

from msaformer.config import OptimizerConfig
from msaformer.training.schedule import cooldown_start, learning_rate, may_end_elsewhere

CONFIG = OptimizerConfig(learning_rate=2.0, warmup_steps=4, final_lr_ratio=0.1)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        *[(0, 0.5), (1, 1.0), (2, 1.5), (3, 2.0)],  # warm-up
        (4, 2.0),  # the cosine starts at its top
        (7, 2.0 * (0.1 + 0.9 * 0.75)),  # a third of the way: (1 + cos 60°) / 2
        (8.5, 2.0 * (0.1 + 0.9 * 0.5)),  # half way
        (13, 0.2),  # the last of 14 steps
        (20, 0.2),  # and not up again
    ],
)
def test_the_rate_rises_linearly_and_falls_along_a_cosine(step: int, expected: float) -> None:
    assert learning_rate(step, 14, CONFIG) == pytest.approx(expected)


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    config = OptimizerConfig(learning_rate=2.0, warmup_steps=0, final_lr_ratio=0.5)
    assert learning_rate(0, 3, config) == pytest.approx(2.0)
    assert learning_rate(1, 3, config) == pytest.approx(1.5)
    assert learning_rate(2, 3, config) == pytest.approx(1.0)


@pytest.mark.parametrize("steps", [1, 4, 5])
def test_a_run_hardly_longer_than_its_warm_up_has_a_positive_rate_throughout(steps: int) -> None:
    assert all(0 < learning_rate(step, steps, CONFIG) <= 2.0 for step in range(steps))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (1, 1.0),
        (3, 2.0),
        (10, 2.0),
        (15, 2.0),
        (17, 2.0 * (0.1 + 0.9 * 0.5)),
        (19, 0.2),
        (25, 0.2),
    ],
)
def test_a_trapezoid_stays_up_until_its_last_stretch(step: int, expected: float) -> None:
    config = CONFIG.model_copy(update={"schedule": "trapezoid", "cooldown_share": 0.2})
    assert learning_rate(step, 20, config) == pytest.approx(expected)


def test_a_trapezoid_may_end_elsewhere_until_either_end_has_begun_to_go_down() -> None:
    config = CONFIG.model_copy(update={"schedule": "trapezoid", "cooldown_share": 0.25})
    assert [cooldown_start(total, config) for total in (101, 41)] == [75, 30]
    for totals in ((101, 41), (41, 101)):
        assert may_end_elsewhere(30, totals, config)
        assert not may_end_elsewhere(31, totals, config)
    assert not may_end_elsewhere(1, (101, 41), CONFIG)  # of a cosine, every step depends on the end
