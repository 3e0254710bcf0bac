"""A plan before the run: what is predicted is what the allocator counts, and the first policy that fits is taken."""

from __future__ import annotations

from typing import Any

import pytest
from memory_cases import measured_peak, tiny, work

from msaformer.training.memory_plan import plan_prediction, plan_training
from msaformer.training.memory_trace import trace

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
TOLERANCE = 0.15  # of the measured peak


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bfloat16": True, "batch_size": 2},
        {"checkpointing": "blocks", "tied_rows": True},
        {"keeps_gradients": True, "num_recycles": 1, "num_blocks": 2},
        {"num_blocks": 1},
        {"pair_convolutions": 4, "triangles": "multiplication"},
        {"num_blocks": 3, "pair_convolutions": 2, "checkpointing": "blocks", "coevolution": "couplings"},
        {"loss": None},
        {"loss": None, "pair_convolutions": 1, "coevolution": "couplings"},
        {"loss": None, "num_recycles": 1, "depth": 40, "length": 30},
    ],
)
def test_the_peak_of_a_pass_is_what_the_allocator_counts(changes: dict[str, Any]) -> None:
    planned = work(**changes)
    assert trace(planned).peak == pytest.approx(measured_peak(planned), rel=TOLERANCE)


def test_more_sequences_and_more_residues_take_more() -> None:
    cases: tuple[dict[str, Any], ...] = ({"loss": None}, {"checkpointing": "blocks"})
    for changes in cases:
        peaks = [
            [trace(work(depth=n, length=size, **changes)).peak for size in (16, 40)] for n in (8, 16, 24)
        ]
        assert all(row == sorted(set(row)) for row in peaks)
        assert all(list(column) == sorted(set(column)) for column in zip(*peaks, strict=True))


def test_each_further_block_adds_what_it_keeps() -> None:
    peaks = [trace(work(num_blocks=number)).peak for number in (2, 3, 4, 12)]
    assert peaks[1] - peaks[0] == peaks[2] - peaks[1] > 0
    assert peaks[3] - peaks[0] == 10 * (peaks[1] - peaks[0])


def test_the_fastest_policy_that_fits_is_taken() -> None:
    enough = plan_training(tiny(), memory_bytes=10**9)
    assert enough.fits
    assert (enough.policy.checkpointing, enough.policy.chunk_bytes) == ("none", 32 * 2**20)
    none = plan_training(tiny(), memory_bytes=10**6)
    assert not none.fits
    assert none.policy.checkpointing == "blocks"  # nothing to offload to: the device is the host


def test_what_the_configuration_fixes_is_kept() -> None:
    fixed = tiny(execution={"checkpointing": "offload", "chunk_mib": 3})
    for memory_bytes in (10**6, 10**9):
        policy = plan_training(fixed, memory_bytes=memory_bytes).policy
        assert (policy.checkpointing, policy.chunk_bytes) == ("offload", 3 * 2**20)


def test_a_plan_says_itself_in_one_line() -> None:
    plan = plan_training(tiny(), memory_bytes=10**9)
    assert plan.sentence().startswith("memory: ")
    assert (
        "of 1.00 GB a rank at most, for N=8, L=24; every activation kept, tables of 32 MiB at a time"
        in plan.sentence()
    )
    prediction = plan_prediction(tiny().model, 8, 24, memory_bytes=10**9)
    assert prediction.sentence().endswith("for N=8, L=24; tables of 32 MiB at a time")
    assert prediction.peak < plan.peak
