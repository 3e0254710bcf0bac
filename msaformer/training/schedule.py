"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from msaformer.config import OptimizerConfig


def learning_rate(step: int, total_steps: int, config: OptimizerConfig) -> float:
    """Linear warm-up to `learning_rate`, then half a cosine down to `final_lr_ratio` of it at the last step."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, total_steps - 1 - config.warmup_steps)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return config.learning_rate * (config.final_lr_ratio + (1.0 - config.final_lr_ratio) * cosine)
