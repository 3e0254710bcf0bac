"""The fit of `msaformer.potts` for alignments with fewer sequences than their columns have states, without its tables.

Dimension key: N sequences, L columns, q = 21 states.

At every point that a gradient method can reach from J = 0, the couplings are J = S(Xᵀ U): X `[N, L q]` the one-hot
states, U `[N, L q]` coefficients, S the symmetric part with zero for i = j (the representer theorem). So a step is
taken on N L q numbers instead of (L q)², and as the inner product of two tables is ⟨U, K V⟩ with K V = X S(Xᵀ V), it is
the step that L-BFGS would take on the tables themselves. K costs three products of N² L q. The minimum is that of
`fit_potts`, as there is only one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from data_tools.pair_statistics import NUM_STATES, single_frequencies, to_states
from msaformer.potts import (
    COUPLING_PENALTY,
    FIELD_PENALTY,
    FREQUENCY_PSEUDOCOUNT,
    HISTORY,
    PottsFit,
    Tokens,
    symmetric,
    zero_sum_model,
)

_CHECK_EVERY: Final = 10  # steps; the largest entry of the gradient takes a whole table
_SUFFICIENT_DECREASE: Final = 1e-4  # of the line search (Nocedal & Wright 2006, section 3.1)
_MAX_HALVINGS: Final = 30  # of a step; what then still does not descend is rounding


def is_shallow(depth: int, length: int) -> bool:
    """Whether `fit_potts_shallow` does less than `fit_potts`: three products of N² L q against two of N (L q)²."""
    return 3 * depth < 2 * length * NUM_STATES


def fit_potts_shallow(
    tokens: Tokens,
    weights: npt.NDArray[np.float32],
    *,
    field_penalty: float = FIELD_PENALTY,
    coupling_penalty: float = COUPLING_PENALTY,
    max_iterations: int = 200,
    tolerance: float = 1e-3,
    dtype: torch.dtype = torch.float32,
) -> PottsFit:
    """Fit the model of `msaformer.potts.fit_potts` to `tokens` `[N, L]` with `weights` `[N]` > 0, on the CPU.

    Takes about 45 copies of U (84 N L bytes each in float32). Stops at the first of every ten steps where no entry of
    the gradient exceeds `tolerance`. Raises ValueError unless penalties and limits are positive and L > 1.
    """
    length = tokens.shape[1]
    if length < 2 or min(field_penalty, coupling_penalty, tolerance) <= 0 or max_iterations < 1:
        raise ValueError(
            "fit_potts_shallow needs at least two columns, positive penalties and tolerance, and at least one "
            f"iteration, not L = {length}, {field_penalty}, {coupling_penalty}, {tolerance}, {max_iterations}"
        )
    objective = ShallowObjective.of(
        torch.from_numpy(to_states(tokens).astype(np.int64)),
        torch.tensor(weights, dtype=dtype),
        field_penalty,
        coupling_penalty * (length - 1),
    )
    frequencies = single_frequencies(tokens, weights, pseudocount=FREQUENCY_PSEUDOCOUNT)
    fields = torch.from_numpy(np.log(frequencies)).to(dtype)
    fields -= fields.mean(dim=1, keepdim=True)
    return _minimise(objective, fields, max_iterations, tolerance)


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """Fields and couplings, or a change or gradient of them: fields h, coefficients U and their image K U.

    Both tensors are flat, h first, so that an inner product is one of plain vectors.
    """

    coefficients: Float[Tensor, " size"]
    """h and U."""
    image: Float[Tensor, " size"]
    """h and K U."""

    def dot(self, other: Vector) -> float:
        """The inner product of the fields and tables that the two stand for."""
        return float(self.coefficients @ other.image)

    def plus(self, other: Vector, scale: float) -> Vector:
        """This and `scale` times the other."""
        return Vector(
            torch.add(self.coefficients, other.coefficients, alpha=scale),
            torch.add(self.image, other.image, alpha=scale),
        )

    def times(self, scale: float) -> Vector:
        return Vector(self.coefficients * scale, self.image * scale)


@dataclass(frozen=True, slots=True, eq=False)
class ShallowObjective:
    """What is minimised, as a function of fields and coefficients."""

    states: Tensor
    """`[N, L]`."""
    one_hot: Float[Tensor, "N L q"]
    matches: Float[Tensor, "N N"]
    """Columns in which two sequences have the same state."""
    weights: Float[Tensor, " N"]
    field_penalty: float
    """λ_h."""
    pair_penalty: float
    """λ_J, of each pair i < j."""

    @classmethod
    def of(
        cls, states: Tensor, weights: Tensor, field_penalty: float, pair_penalty: float
    ) -> ShallowObjective:
        one_hot = weights.new_zeros((*states.shape, NUM_STATES)).scatter_(2, states[:, :, None], 1.0)
        flat = one_hot.flatten(1)
        return cls(states, one_hot, flat @ flat.T, weights, field_penalty, pair_penalty)

    def image(self, coefficients: Float[Tensor, "N L q"]) -> Float[Tensor, "N L q"]:
        """K U: the pair part of each sequence's logits under the couplings S(Xᵀ U)."""
        flat, one_hot = coefficients.flatten(1), self.one_hot.flatten(1)
        columns = torch.arange(self.states.shape[1])
        own = self.one_hot.permute(1, 2, 0) @ coefficients.transpose(0, 1)  # blocks i = j of Xᵀ U
        rows = self.matches @ flat + (flat @ one_hot.T).T @ one_hot
        both = own + own.transpose(1, 2)
        return (rows.reshape(coefficients.shape) - both[columns, self.states]) / 2

    def loss_and_residual(self, point: Vector) -> tuple[float, Float[Tensor, "N L q"]]:
        """The loss, in nats a unit of weight, and w (P − X), of which the gradient is made."""
        fields, coefficients = self.parts(point.coefficients)
        image = self.parts(point.image)[1]
        log_probs = (fields + image).log_softmax(dim=2)
        observed = (log_probs * self.one_hot).sum(dim=2).sum(dim=1)
        loss = (
            -(self.weights.double() @ observed.double())
            + self.field_penalty * fields.double().square().sum()
            + self.pair_penalty / 2 * (coefficients * image).sum(dtype=torch.float64)
        )
        residual = (log_probs.exp() - self.one_hot) * self.weights[:, None, None]
        return float(loss / self.weights.sum()), residual

    def gradient(self, point: Vector, residual: Float[Tensor, "N L q"]) -> Vector:
        """The gradient by fields and couplings, the latter as coefficients."""
        fields, coefficients = self.parts(point.coefficients)
        total = self.weights.sum()
        by_fields = (2 * self.field_penalty * fields + residual.sum(dim=0)) / total
        by_couplings = (residual + self.pair_penalty * coefficients) / total
        return self.vector(by_fields, by_couplings)

    def vector(self, fields: Float[Tensor, "L q"], coefficients: Float[Tensor, "N L q"]) -> Vector:
        start = fields.flatten()
        image = self.image(coefficients)
        return Vector(torch.cat([start, coefficients.flatten()]), torch.cat([start, image.flatten()]))

    def parts(self, flat: Tensor) -> tuple[Float[Tensor, "L q"], Float[Tensor, "N L q"]]:
        size = self.states.shape[1] * NUM_STATES
        return flat[:size].reshape(-1, NUM_STATES), flat[size:].reshape(self.one_hot.shape)

    def couplings(self, coefficients: Float[Tensor, "N L q"]) -> Float[Tensor, "L q L q"]:
        """The table S(Xᵀ U)."""
        length = self.states.shape[1]
        table = self.one_hot.flatten(1).T @ coefficients.flatten(1)
        return symmetric(table.reshape(length, NUM_STATES, length, NUM_STATES))

    def largest_entry(self, gradient: Vector) -> float:
        """The largest absolute entry of fields and table."""
        fields, coefficients = self.parts(gradient.coefficients)
        return float(torch.maximum(fields.abs().max(), self.couplings(coefficients).abs().max()))


def _minimise(objective: ShallowObjective, fields: Tensor, max_iterations: int, tolerance: float) -> PottsFit:
    """L-BFGS (Nocedal & Wright 2006, algorithm 7.5); the loss is strictly convex, so that halving a step is enough."""
    point = objective.vector(fields, torch.zeros_like(objective.one_hot))
    loss, residual = objective.loss_and_residual(point)
    gradient = objective.gradient(point, residual)
    losses, history = [loss], deque[tuple[Vector, Vector]](maxlen=HISTORY)
    iterations = 0
    while iterations < max_iterations:
        if iterations % _CHECK_EVERY == 0 and objective.largest_entry(gradient) <= tolerance:
            break
        direction = _direction(gradient, history)
        slope = direction.dot(gradient)
        step = 1.0 if history else min(1.0, gradient.dot(gradient) ** -0.5)
        for _ in range(_MAX_HALVINGS):
            trial = point.plus(direction, step)
            loss, residual = objective.loss_and_residual(trial)
            if loss <= losses[-1] + _SUFFICIENT_DECREASE * step * slope:
                break
            step /= 2
        else:
            break
        losses.append(loss)
        new = objective.gradient(trial, residual)
        history.append((direction.times(step), new.plus(gradient, -1.0)))
        point, gradient = trial, new
        iterations += 1
    fields, coefficients = objective.parts(point.coefficients)
    gradient_norm = objective.largest_entry(gradient)
    return PottsFit(
        model=zero_sum_model(fields, objective.couplings(coefficients)),
        losses=tuple(losses),
        iterations=iterations,
        gradient_norm=gradient_norm,
        converged=gradient_norm <= tolerance,
    )


def _direction(gradient: Vector, history: deque[tuple[Vector, Vector]]) -> Vector:
    """Minus the gradient times the inverse Hessian that past steps and changes of the gradient suggest."""
    direction = gradient.times(-1.0)
    shares = []
    for step, change in reversed(history):
        share = step.dot(direction) / step.dot(change)
        direction = direction.plus(change, -share)
        shares.append(share)
    if history:
        step, change = history[-1]
        direction = direction.times(step.dot(change) / change.dot(change))
    for (step, change), share in zip(history, reversed(shares), strict=True):
        again = change.dot(direction) / step.dot(change)
        direction = direction.plus(step, share - again)
    return direction
