"""The weights that have validated best so far, kept beside the newest ones.

Nothing is kept in checkpoints for it: the log holds every score up to the step a run goes on from, and in `best_step`
whose weights lie in the file. So a resumed run knows what is to be beaten, and repeats a lost stretch with the same
outcome.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from torch import Tensor

from msaformer.config import Config
from msaformer.pretrained import save_weights
from msaformer.training.logs import say

BEST_WEIGHTS: Final = "weights-best.safetensors"


class BestWeights:
    """Keeps `OUTPUT/weights-best.safetensors` by `training.best_by`; on rank 0, which alone writes."""

    def __init__(self, config: Config, earlier: Iterable[Mapping[str, Any]]) -> None:
        """`earlier`: the records of the log up to the step that the run goes on from."""
        self._config = config
        self._by = config.training.best_by
        self._path = config.training.output / BEST_WEIGHTS
        self._step, self._value = self._best_of(earlier)

    def consider(self, weights: dict[str, Tensor], scores: Mapping[str, float], step: int) -> dict[str, int]:
        """Keep the `weights` after `step` if they score better than all before; return what the log is to say of it.

        A score that is missing or not finite is never the best. Raises OSError with the file before untouched.
        """
        if self._by == "none":
            return {}
        value = scores.get(self._by, math.nan)
        if _is_better(value, self._value, self._by):
            save_weights(weights, self._config.model, self._config.name, self._path)
            self._step, self._value = step, value
            say(f"step {step}: the best {self._by} so far, {value:.4f}: {self._path}")
        return {"best_step": self._step} if self._step else {}

    def _best_of(self, records: Iterable[Mapping[str, Any]]) -> tuple[int, float]:
        """The step whose weights lie in the file, 0 for none, and their score: NaN when it is not known."""
        validations = {record["step"]: record for record in records if record.get("kind") == "validation"}
        steps = [record["best_step"] for record in validations.values() if record.get("best_step")]
        if not steps or not self._path.exists():
            return 0, math.nan
        value = validations.get(steps[-1], {}).get(self._by)
        return steps[-1], math.nan if value is None else value


def _is_better(value: float, best: float, by: str) -> bool:
    if not math.isfinite(value) or math.isnan(best):
        return math.isfinite(value)
    return value < best if by.endswith("_loss") else value > best
