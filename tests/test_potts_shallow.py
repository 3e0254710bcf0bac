"""The fit by coefficients against the fit of the tables, and its operator against the table written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_tools.pair_statistics import NUM_STATES
from msaformer.potts import fit_potts, symmetric
from msaformer.potts_shallow import ShallowObjective, fit_potts_shallow, is_shallow


def alignment(depth, length, seed=0):
    rng = np.random.default_rng(seed)
    ancestor = rng.integers(0, 21, length)
    tokens = np.where(rng.random((depth, length)) < 0.5, rng.integers(0, 21, (depth, length)), ancestor)
    return tokens.astype(np.uint8), rng.uniform(0.2, 1.0, depth).astype(np.float32)


def objective(depth, length):
    rng = np.random.default_rng(1)
    states = torch.from_numpy(rng.integers(0, NUM_STATES, (depth, length)))
    weights = torch.from_numpy(rng.uniform(0.2, 1, depth))
    return ShallowObjective.of(states, weights, 0.01, 0.6), rng


def test_the_image_of_coefficients_is_what_their_table_adds_to_the_logits():
    found, rng = objective(5, 4)
    coefficients = torch.from_numpy(rng.normal(size=(5, 4, NUM_STATES)))
    one_hot = found.one_hot.reshape(5, -1)
    table = symmetric((one_hot.T @ coefficients.reshape(5, -1)).reshape(4, NUM_STATES, 4, NUM_STATES))
    expected = (one_hot @ table.reshape(one_hot.shape[1], -1)).reshape(5, 4, NUM_STATES)
    torch.testing.assert_close(found.image(coefficients), expected)
    torch.testing.assert_close(found.couplings(coefficients), table)


def test_an_inner_product_is_that_of_fields_and_tables():
    found, rng = objective(5, 4)
    parts = [
        (torch.from_numpy(rng.normal(size=(4, 21))), torch.from_numpy(rng.normal(size=(5, 4, 21))))
        for _ in "ab"
    ]
    first, second = (found.vector(*part) for part in parts)
    tables = [found.couplings(coefficients) for _, coefficients in parts]
    expected = (parts[0][0] * parts[1][0]).sum() + (tables[0] * tables[1]).sum()
    assert first.dot(second) == pytest.approx(float(expected))
    assert found.largest_entry(first) == pytest.approx(
        float(max(parts[0][0].abs().max(), tables[0].abs().max()))
    )


def test_the_gradient_is_the_slope_of_the_loss():
    found, rng = objective(5, 4)
    point, along = (
        found.vector(
            torch.from_numpy(rng.normal(size=(4, 21))), torch.from_numpy(rng.normal(size=(5, 4, 21)))
        )
        for _ in "ab"
    )
    gradient = found.gradient(point, found.loss_and_residual(point)[1])
    up, down = (found.loss_and_residual(point.plus(along, step))[0] for step in (1e-5, -1e-5))
    assert along.dot(gradient) == pytest.approx((up - down) / 2e-5, rel=1e-6)


@pytest.mark.parametrize(("depth", "length"), [(1, 3), (9, 6), (40, 4)])
def test_the_minimum_is_that_of_the_tables(depth, length):
    tokens, weights = alignment(depth, length)
    exact = {"tolerance": 1e-9, "max_iterations": 500, "dtype": torch.float64}
    found, expected = (fit(tokens, weights, **exact) for fit in (fit_potts_shallow, fit_potts))
    assert found.converged
    assert found.losses[-1] == pytest.approx(expected.losses[-1], rel=1e-10)
    np.testing.assert_allclose(found.model.couplings, expected.model.couplings, atol=1e-6)
    np.testing.assert_allclose(found.model.fields, expected.model.fields, atol=1e-6)


def test_losses_fall_and_a_limit_of_steps_is_kept():
    tokens, weights = alignment(20, 8)
    fit = fit_potts_shallow(tokens, weights, max_iterations=4)
    assert fit.iterations == 4
    assert len(fit.losses) == 5
    assert all(np.diff(fit.losses) < 0)
    assert not fit.converged


def test_single_precision_reaches_the_default_tolerance():
    fit = fit_potts_shallow(*alignment(30, 12))
    assert fit.converged
    assert fit.gradient_norm <= 1e-3


def test_few_sequences_are_shallow():
    assert is_shallow(100, 100)
    assert is_shallow(1399, 100)
    assert not is_shallow(1400, 100)


@pytest.mark.parametrize(
    "wrong", [{"tolerance": 0}, {"field_penalty": 0}, {"coupling_penalty": -1}, {"max_iterations": 0}]
)
def test_what_cannot_be_fitted_is_refused(wrong):
    with pytest.raises(ValueError, match="positive penalties and tolerance"):
        fit_potts_shallow(*alignment(5, 4), **wrong)
    with pytest.raises(ValueError, match="at least two columns"):
        fit_potts_shallow(*alignment(5, 1))
