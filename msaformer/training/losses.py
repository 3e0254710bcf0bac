"""The objective: what an optimizer step minimises, in parts that may be computed anywhere.

    loss of a task = Σ_e w_e · mean_e / Σ_e w_e       total = Σ_t w_t · loss_t

over the examples e of the whole step that have something to score; mean_e is the mean over the example's scored cells.
Each forward pass computes its summands alone, so the sum over micro-batches and ranks does not depend on how examples,
or the rows of one example, are spread over them, and examples without labels dilute nothing.

With learned weights, s_t being the logarithm of the task's variance (Kendall et al. 2018, CVPR, "Multi-task learning
using uncertainty to weigh losses"),

    total = Σ_t w_t · (exp(−s_t) · loss_t + s_t)

Their equation 10 has exp(−s) · loss + s / 2 for a cross-entropy. Without the ½ a task settles at exp(−s_t) = 1/loss_t,
so that its weight there is w_t / loss_t: w_t goes on to say how much the task matters, where w_t before the first
term alone would be learned away. s starts at 0, that is from the configured weights. A task that a step has no labels
for leaves its s_t as it is.

Dimension key: T tasks in the order of `TASKS`, B batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msaformer.config import LossConfig
from msaformer.data.batch import Batch
from msaformer.model.execution import ExecutedModule, Execution
from msaformer.model.model import ModelOutput
from msaformer.parallel.axial import UNSHARDED, AxialSharding
from msaformer.training.cell_losses import (
    contact_losses,
    distogram_losses,
    masked_msa_losses,
    orientation_losses,
)
from msaformer.training.scoring import (
    TASKS,
    count_cells,
    example_weights,
    loss_denominators,
    scored_cells,
)

_LOGITS: Final = {
    "contact": ("contact_logits",),
    "distogram": ("distogram_logits",),
    "orientation": ("omega_logits", "theta_logits", "phi_logits"),
    "masked_msa": ("masked_msa_logits",),
}
"""Task → fields of ModelOutput."""


@dataclass(frozen=True, eq=False)  # no slots: DeepSpeed's hooks look into the outputs of modules by vars()
class Losses:
    """What one forward pass adds to the losses of its step; summed over all passes and ranks they are whole."""

    total: Float[Tensor, ""]
    """To be differentiated."""
    tasks: Float[Tensor, " T"]
    """Of each task before weighting, without gradient; 0 where the whole step has nothing to score."""
    examples: Float[Tensor, "T B"]
    """Mean over the scored cells of each example, without gradient: this rank's part of it, 0 without cells."""

    @property
    def by_task(self) -> dict[str, float]:
        """`tasks` by name."""
        return dict(zip(TASKS, self.tasks.tolist(), strict=True))


class Objective(ExecutedModule):
    """All tasks of a batch; it has parameters only with `loss.weighting: uncertainty`."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.weights = {task: float(getattr(config, task)) for task in TASKS}
        learned = config.weighting == "uncertainty"
        self.log_variances = nn.Parameter(torch.zeros(len(TASKS))) if learned else None

    def forward(
        self, output: ModelOutput, batch: Batch, denominators: Float[Tensor, " T"], share: float
    ) -> Losses:
        """Score this rank's part of `batch`, which every rank that shares the samples holds whole.

        `denominators` are those of the whole step (`loss_denominators`). `share` is 1 / (forward passes of the step,
        those of all ranks added up): the part of what stands once a step that this pass adds.
        """
        scored = scored_cells(batch, self.config.min_separation)
        counts = count_cells(scored).float()
        of_step = denominators.float().to(counts.device)
        weights = example_weights(counts, batch.residue_mask.sum(1), self.config.example_weight)
        losses = self._cell_losses(self._without_mute_tasks(output), batch)
        sums = [
            torch.where(self.execution.axial.take(cells, 1), of_cells, 0.0).sum((1, 2))
            for cells, of_cells in zip(scored, losses, strict=True)
        ]
        examples = torch.stack(sums) / counts.clamp(min=1)
        tasks = (weights * examples).sum(1) / torch.where(of_step > 0, of_step, 1.0)
        total = self._total(tasks, of_step > 0, share) + _nothing(output)
        return Losses(total, tasks.detach(), examples.detach())

    def _without_mute_tasks(self, output: ModelOutput) -> ModelOutput:
        """Tasks of weight 0 are computed for the log, without gradient."""
        mute = [name for task in TASKS if self.weights[task] == 0 for name in _LOGITS[task]]
        logits = {name: getattr(output, name) for name in mute}
        return replace(output, **{name: x.detach() for name, x in logits.items() if x is not None})

    def _cell_losses(self, output: ModelOutput, batch: Batch) -> tuple[Float[Tensor, "B _ L"], ...]:
        """Of each task, the loss of every cell that this rank holds."""
        config, take = self.config, self.execution.axial.take
        distances = take(batch.distances, 1)
        orientation = torch.zeros_like(distances)
        if output.omega_logits is not None and batch.orientations is not None:
            assert output.theta_logits is not None
            assert output.phi_logits is not None
            orientation = orientation_losses(
                output.omega_logits,
                output.theta_logits,
                output.phi_logits,
                take(batch.orientations, 1),
                distances,
            )
        return (
            contact_losses(
                output.contact_logits, distances, config.contact_positive_weight, config.contact_focal_gamma
            ),
            distogram_losses(output.distogram_logits, distances),
            orientation,
            masked_msa_losses(output.masked_msa_logits, take(batch.masked_targets, 1)),
        )

    def _total(self, tasks: Float[Tensor, " T"], has_labels: Tensor, share: float) -> Float[Tensor, ""]:
        """Weighted sum over the tasks of weight > 0, whatever the loss of the others."""
        total = tasks.new_zeros(())
        for t, weight in enumerate(self.weights.values()):
            if weight == 0:
                continue
            if self.log_variances is None:
                total = total + weight * tasks[t]
            else:
                s = self.log_variances[t].float()
                total = total + weight * (torch.exp(-s) * tasks[t] + share * s * has_labels[t])
        return total


def evaluate_losses(
    output: ModelOutput, batch: Batch, config: LossConfig, axial: AxialSharding = UNSHARDED
) -> Losses:
    """The losses of one batch by itself, with the configured weights; partial sums when ranks share its samples."""
    objective = Objective(config.model_copy(update={"weighting": "fixed"}))
    objective.execution = Execution(axial=axial)
    losses: Losses = objective(output, batch, loss_denominators([batch], config), 1.0)
    return losses


def not_finite_examples(losses: Losses, batch: Batch) -> tuple[str, ...]:
    """Names of the examples with a loss that is not finite on this rank."""
    broken = ~torch.isfinite(losses.examples).all(0)
    return tuple(name for name, is_broken in zip(batch.names, broken.tolist(), strict=True) if is_broken)


def _nothing(output: ModelOutput) -> Float[Tensor, ""]:
    """0, by way of all logits: with ZeRO-3, a checkpointed block must have no output that nobody uses."""
    logits = [getattr(output, name) for names in _LOGITS.values() for name in names]
    return torch.stack([x[:0].sum() for x in logits if x is not None]).sum()
