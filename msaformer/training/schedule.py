"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from msaformer.config import OptimizerConfig


def learning_rate(step: int, total_steps: int, config: OptimizerConfig) -> float:
    """Linear warm-up to `learning_rate`, then half a cosine, or a plateau and a straight line, down to
    `final_lr_ratio` of it at the last step.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    trapezoid = config.schedule == "trapezoid"
    start = max(config.warmup_steps, cooldown_start(total_steps, config) if trapezoid else 0)
    progress = min(1.0, max(0.0, (step - start) / max(1, total_steps - 1 - start)))
    left = 1.0 - progress if trapezoid else 0.5 * (1.0 + math.cos(math.pi * progress))
    return config.learning_rate * (config.final_lr_ratio + (1.0 - config.final_lr_ratio) * left)


def cooldown_start(total_steps: int, config: OptimizerConfig) -> int:
    """The step from which on a trapezoid goes down; before it, no step depends on `total_steps`."""
    return total_steps - 1 - round(config.cooldown_share * (total_steps - 1))


def may_end_elsewhere(step: int, total_steps: tuple[int, int], config: OptimizerConfig) -> bool:
    """Whether a run of the first of `total_steps` that has made `step` steps is also the start of one of the second."""
    return config.schedule == "trapezoid" and all(
        step <= cooldown_start(total, config) for total in total_steps
    )
