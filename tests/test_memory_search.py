"""The largest size that fits, and what is said when nothing does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from memory_cases import tiny

from msaformer.training.memory_plan import Setting, frugal_plan, training_setting
from msaformer.training.memory_search import explain_misfit, largest_depth, largest_length

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def setting(memory_bytes: int, *, axial: int = 1) -> Setting:
    config = tiny(parallel={"axial": axial})
    return training_setting(config, memory_bytes=memory_bytes, device_type="cpu", ranks=axial)


@pytest.mark.parametrize("axial", [1, 3])
def test_the_largest_size_fits_and_one_a_little_larger_does_not(axial: int) -> None:
    given = setting(20_000_000, axial=axial)
    longest, deepest = largest_length(given), largest_depth(given)
    assert longest % axial == deepest % axial == 0
    assert frugal_plan(replace(given, length=longest)).fits
    assert not frugal_plan(replace(given, length=longest + max(24, longest // 100))).fits
    assert frugal_plan(replace(given, depth=deepest)).fits
    assert not frugal_plan(replace(given, depth=deepest + max(12, deepest // 100))).fits


def test_no_size_fits_a_memory_that_the_parameters_fill() -> None:
    assert largest_length(setting(100_000)) == largest_depth(setting(100_000)) == 0


def test_a_misfit_names_what_would_fit() -> None:
    given = setting(3_000_000)
    plan = frugal_plan(given)
    assert not plan.fits
    sentence = explain_misfit(plan)
    assert sentence.startswith("N=8, L=24 needs 3.")
    assert f"data.crop_length {largest_length(given)}" in sentence
    assert "parallel.axial 2, with as many ranks" in sentence
    assert frugal_plan(setting(3_000_000, axial=2)).fits
    prediction = replace(given, training=None, memory_bytes=700_000)
    assert explain_misfit(frugal_plan(prediction)).endswith("--axial 2, with as many ranks")
