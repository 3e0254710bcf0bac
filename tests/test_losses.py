"""The objective against the obvious loop, however the examples and their rows are spread over passes and ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from loss_cases import B, N, draw_output, make_batch, set_distance
from torch import Tensor

from msaformer.config import LossConfig
from msaformer.data.batch import Batch
from msaformer.model.execution import Execution, execute_with
from msaformer.model.model import ModelOutput
from msaformer.parallel.axial import AxialSharding
from msaformer.training.losses import Losses, Objective, evaluate_losses, not_finite_examples
from msaformer.training.scoring import TASKS, loss_denominators

LOGITS = [field.name for field in fields(ModelOutput) if field.name.endswith("_logits")]
RULES = pytest.mark.parametrize("rule", ["equal", "sqrt_length", "cells"])
WEIGHTS: dict[str, Any] = {"contact": 2.0, "distogram": 0.25, "orientation": 0.5, "masked_msa": 3.0}


class HalfOfTwo(AxialSharding):
    """What one of two ranks holds; nothing here talks to the other."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank, self.size = rank, 2


def step_batch() -> Batch:
    """Four examples of four residues at most: unlike in their labels, one without any, one without orientations."""
    whole = make_batch()
    doubled = {
        field.name: torch.cat([value, value.clone()])
        for field in fields(Batch)
        if isinstance(value := getattr(whole, field.name), Tensor)
    }
    batch = replace(whole, **doubled, names=("a", "b", "c", "d"))
    batch = _narrowed(batch, length=4)
    generator = torch.Generator().manual_seed(5)
    noise = 8 * torch.rand(batch.distances.shape, generator=generator)
    batch.distances.add_(noise + noise.transpose(1, 2) - 8)
    set_distance(batch, 2, 0, 1, math.nan)
    batch.residue_mask[3, 2:] = False
    batch.distances[1] = torch.nan
    assert batch.orientations is not None
    batch.orientations[0] = torch.nan
    batch.masked_targets[0, 0, 0] = 3
    batch.masked_targets[2, 1, :3] = torch.tensor([1, 20, 4])
    batch.masked_targets[3, 0, 1] = 9
    return batch


def _narrowed(batch: Batch, length: int) -> Batch:
    """The first residues and, so that two ranks can share them, one more row of padding."""
    return replace(
        batch,
        tokens=torch.zeros(2 * B, N + 1, length, dtype=torch.int64),
        deletions=torch.zeros(2 * B, N + 1, length),
        profile=batch.profile[:, :length].clone(),
        residue_index=batch.residue_index[:, :length].clone(),
        coevolution=batch.coevolution[:, :length, :length].clone(),
        couplings=batch.couplings[:, :length, :length].clone(),
        sequence_mask=torch.cat([batch.sequence_mask, torch.zeros(2 * B, 1, dtype=torch.bool)], dim=1),
        residue_mask=batch.residue_mask[:, :length].clone(),
        distances=batch.distances[:, :length, :length].clone(),
        masked_targets=torch.full((2 * B, N + 1, length), -100),
        orientations=None if batch.orientations is None else batch.orientations[:, :length, :length].clone(),
    )


def taken(batch: Batch, output: ModelOutput, places: slice) -> tuple[Batch, ModelOutput]:
    """Some of the examples; the logits stay in the graph of the whole."""
    tensors = {
        field.name: value[places]
        for field in fields(Batch)
        if isinstance(value := getattr(batch, field.name), Tensor)
    }
    logits = {field.name: getattr(output, field.name)[places] for field in fields(ModelOutput)}
    return replace(batch, **tensors, names=batch.names[places]), replace(output, **logits)


def rows_of(output: ModelOutput, axial: AxialSharding) -> ModelOutput:
    return replace(output, **{f.name: axial.take(getattr(output, f.name), 1) for f in fields(ModelOutput)})


def softmax_loss(logits: Tensor, index: int) -> float:
    x = logits.detach().double().numpy()
    return float(np.log(np.exp(x).sum()) - x[index])


def obvious(batch: Batch, output: ModelOutput, rule: str, min_separation: int) -> dict[str, float]:
    """Loss of each task by looping over examples and cells, in float64."""
    cells: dict[str, list[list[float]]] = {task: [] for task in TASKS}
    lengths = []
    assert batch.orientations is not None
    assert output.omega_logits is not None
    assert output.theta_logits is not None
    assert output.phi_logits is not None
    for b in range(len(batch.names)):
        found: dict[str, list[float]] = {task: [] for task in TASKS}
        real = [i for i in range(batch.residue_mask.shape[1]) if batch.residue_mask[b, i]]
        lengths.append(len(real))
        for i in real:
            for j in real:
                distance = float(batch.distances[b, i, j])
                if math.isnan(distance) or i == j:
                    continue
                if abs(i - j) >= min_separation:
                    logit = float(output.contact_logits[b, i, j].detach())
                    found["contact"].append(math.log1p(math.exp(-logit if distance < 8 else logit)))
                index = min(max(math.floor((distance - 2.5) / 0.5) + 1, 0), 36)
                found["distogram"].append(softmax_loss(output.distogram_logits[b, i, j], index))
                angles = batch.orientations[b, i, j].tolist()
                if not any(math.isnan(angle) for angle in angles):
                    bins = (24, 24, 12) if distance >= 20 else (13, 13, 1)  # 0.5 rad is 28.6°
                    heads = (output.omega_logits, output.theta_logits, output.phi_logits)
                    terms = [softmax_loss(head[b, i, j], k) for head, k in zip(heads, bins, strict=True)]
                    found["orientation"].append(sum(terms) / 3)
        for n, l in np.ndindex(*batch.masked_targets.shape[1:]):  # noqa: E741
            target = int(batch.masked_targets[b, n, l])
            if target >= 0:
                found["masked_msa"].append(softmax_loss(output.masked_msa_logits[b, n, l], target))
        for task in TASKS:
            cells[task].append(found[task])
    losses = {}
    for task in TASKS:
        scored = [(values, length) for values, length in zip(cells[task], lengths, strict=True) if values]
        weight = {"equal": lambda v, n: 1, "sqrt_length": lambda v, n: n**0.5, "cells": lambda v, n: len(v)}[
            rule
        ]
        weights = [weight(values, length) for values, length in scored]
        means = [sum(values) / len(values) for values, _ in scored]
        losses[task] = sum(w * mean for w, mean in zip(weights, means, strict=True)) / sum(weights)
    return losses


def config(**changes: Any) -> LossConfig:
    return LossConfig(**(WEIGHTS | {"min_separation": 2} | changes))


def gradients(output: ModelOutput, objective: Objective, passes: Iterable[Losses]) -> dict[str, Tensor]:
    for name in LOGITS:
        getattr(output, name).grad = None
    objective.zero_grad()
    torch.stack([losses.total for losses in passes]).sum().backward()  # type: ignore[no-untyped-call]
    found = {name: getattr(output, name).grad for name in LOGITS}
    return found | {name: p.grad for name, p in objective.named_parameters()}


@RULES
def test_each_task_is_the_weighted_mean_over_the_examples_that_have_something_to_score(rule: str) -> None:
    batch = step_batch()
    output = draw_output(batch)
    losses = evaluate_losses(output, batch, config(example_weight=rule))
    expected = obvious(batch, output, rule, min_separation=2)
    assert losses.by_task == pytest.approx(expected, rel=1e-5)
    assert losses.total.item() == pytest.approx(sum(WEIGHTS[t] * expected[t] for t in TASKS), rel=1e-5)


@RULES
@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_how_examples_and_rows_are_spread_changes_neither_losses_nor_gradients(
    rule: str, weighting: str
) -> None:
    batch = step_batch()
    output = draw_output(batch)
    objective = Objective(config(example_weight=rule, weighting=weighting))
    if objective.log_variances is not None:
        torch.nn.init.uniform_(objective.log_variances, -1, 1, generator=torch.Generator().manual_seed(1))
    together = objective(output, batch, loss_denominators([batch], objective.config), 1.0)
    wanted = gradients(output, objective, [together])
    for edges in ((0, 1, 4), (0, 2, 4), (0, 1, 2, 3, 4)):
        parts = [taken(batch, output, slice(*edge)) for edge in pairwise(edges)]
        denominators = loss_denominators([part for part, _ in parts], objective.config)
        for ranks in ([AxialSharding()], [HalfOfTwo(0), HalfOfTwo(1)]):
            passes = []
            for axial in ranks:
                execute_with(objective, Execution(axial=axial))
                passes += [
                    objective(rows_of(of_part, axial), part, denominators, 1 / (len(parts) * len(ranks)))
                    for part, of_part in parts
                ]
            total = torch.stack([losses.total for losses in passes]).sum()
            tasks = torch.stack([losses.tasks for losses in passes]).sum(0)
            torch.testing.assert_close(total, together.total)
            torch.testing.assert_close(tasks, together.tasks)
            found = gradients(output, objective, passes)
            for name, gradient in wanted.items():
                torch.testing.assert_close(found[name], gradient, msg=name)


def test_denominators_are_those_of_the_labels_alone() -> None:
    batch = step_batch()
    residues = [4, 4, 4, 2]
    for rule, of_example in (("equal", [1.0] * 4), ("sqrt_length", [n**0.5 for n in residues])):
        found = loss_denominators([batch], config(example_weight=rule))
        a, _, c, d = of_example
        # contacts: the last example is too short for a separation of 2; orientations: the first has none
        assert found.dtype == torch.float64
        assert found.tolist() == pytest.approx([a + c, a + c + d, c + d, a + c + d])
    cells = loss_denominators([batch], config(example_weight="cells"))
    assert cells.tolist() == [6 + 6, 12 + 10 + 2, 10 + 2, 1 + 3 + 1]


def test_nothing_to_score_is_zero_with_a_zero_gradient() -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    output = draw_output(batch)
    for weighting in ("fixed", "uncertainty"):
        objective = Objective(config(weighting=weighting))
        losses = objective(output, batch, loss_denominators([batch], objective.config), 1.0)
        assert losses.total.item() == 0.0
        assert losses.tasks.tolist() == [0.0] * 4
        for gradient in gradients(output, objective, [losses]).values():
            assert not gradient.any()


def test_what_stands_in_padding_and_unknown_cells_changes_nothing() -> None:
    batch = make_batch()
    set_distance(batch, 0, 1, 4, math.nan)
    batch.masked_targets[0, 0, 0] = 3
    output = draw_output(batch)
    before = evaluate_losses(output, batch, config(contact_focal_gamma=1.0)).total.item()
    with torch.no_grad():
        for name in set(LOGITS) - {"masked_msa_logits"}:
            getattr(output, name)[1, 4] = getattr(output, name)[1, :, 4] = 1e30
            getattr(output, name)[0, 1, 4] = -1e30
        output.masked_msa_logits[1, 2] = 1e30
    assert evaluate_losses(output, batch, config(contact_focal_gamma=1.0)).total.item() == before


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_a_task_of_weight_0_is_logged_and_moves_nothing_even_if_it_is_not_finite(
    task: str, weighting: str
) -> None:
    batch = step_batch()
    output = draw_output(batch)
    objective = Objective(config(**{task: 0.0, "weighting": weighting}))
    names = [n for n in LOGITS if n.startswith({"orientation": ("omega", "theta", "phi")}.get(task, task))]
    for value in (1.0, math.nan):
        with torch.no_grad():
            for name in names:
                getattr(output, name)[:] = value
        losses = objective(output, batch, loss_denominators([batch], objective.config), 1.0)
        assert math.isfinite(losses.total.item())
        assert math.isfinite(losses.by_task[task]) == (value == 1.0)
        found = gradients(output, objective, [losses])
        assert names
        assert all(not found[name].any() for name in names)  # zeros, not None: they are in the graph
        assert all(found[name].any() for name in set(LOGITS) - set(names))
        if weighting == "uncertainty":
            moved = found["log_variances"] != 0
            assert moved.tolist() == [other != task for other in TASKS]


def test_fixed_weights_are_no_parameters() -> None:
    assert not list(Objective(config()).parameters())
    (learned,) = Objective(config(weighting="uncertainty")).parameters()
    assert learned.ndim == 1  # so it is not decayed
    assert not learned.any()


def test_learned_weights_start_at_the_configured_ones_and_settle_at_the_inverse_loss() -> None:
    batch = step_batch()
    output = draw_output(batch)
    fixed = evaluate_losses(output, batch, config())
    objective = Objective(config(weighting="uncertainty"))
    denominators = loss_denominators([batch], objective.config)
    learned = objective(output, batch, denominators, 1.0)
    torch.testing.assert_close(learned.total, fixed.total)
    gradient = gradients(output, objective, [learned])["log_variances"]
    weights = torch.tensor([WEIGHTS[task] for task in TASKS])
    torch.testing.assert_close(gradient, weights * (1 - fixed.tasks))
    assert objective.log_variances is not None
    with torch.no_grad():
        objective.log_variances.copy_(fixed.tasks.log())
    settled = gradients(output, objective, [objective(output, batch, denominators, 1.0)])
    torch.testing.assert_close(settled["log_variances"], torch.zeros(4), rtol=0, atol=1e-6)


def test_a_task_without_labels_in_the_step_leaves_its_learned_weight_alone() -> None:
    batch = replace(step_batch(), orientations=None)
    objective = Objective(config(weighting="uncertainty"))
    output = draw_output(batch)
    losses = objective(output, batch, loss_denominators([batch], objective.config), 1.0)
    gradient = gradients(output, objective, [losses])["log_variances"]
    assert (gradient != 0).tolist() == [True, True, False, True]


def test_examples_with_a_loss_that_is_not_finite_are_named() -> None:
    batch = step_batch()
    output = draw_output(batch)
    with torch.no_grad():
        output.distogram_logits[2, 1, 3] = math.nan
        output.masked_msa_logits[1] = math.nan  # where nothing is scored
    losses = evaluate_losses(output, batch, config())
    assert not math.isfinite(losses.total.item())
    assert not_finite_examples(losses, batch) == ("c",)


def test_losses_are_float32_whatever_the_logits() -> None:
    batch = step_batch()
    output = draw_output(batch)
    rounded = replace(output, **{name: getattr(output, name).bfloat16() for name in LOGITS})
    losses = evaluate_losses(rounded, batch, config())
    assert losses.total.dtype == losses.tasks.dtype == torch.float32
    exact = replace(rounded, **{name: getattr(rounded, name).float() for name in LOGITS})
    torch.testing.assert_close(losses.tasks, evaluate_losses(exact, batch, config()).tasks, rtol=1e-5, atol=0)


def test_a_network_without_orientation_heads_is_scored() -> None:
    batch = step_batch()
    output = draw_output(batch)
    without = replace(output, omega_logits=None, theta_logits=None, phi_logits=None)
    expected = evaluate_losses(output, batch, config())
    found = evaluate_losses(without, batch, config(orientation=0.0))
    for task in set(TASKS) - {"orientation"}:
        assert found.by_task[task] == expected.by_task[task]
    assert found.by_task["orientation"] == 0.0
