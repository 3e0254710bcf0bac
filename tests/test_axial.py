"""The collectives of axial sharding: exact with 2 and 4 ranks, nothing at all with one (see `axial_job.py`)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from model_cases import draw
from ranks import report_of_ranks

from msaformer.parallel.axial import UNSHARDED, AxialSharding

JOB = Path(__file__).parent / "axial_job.py"
sizes = pytest.mark.parametrize("size", [2, 4])
OPERATIONS = ["sum", "transpose", *(f"{name} {axis}" for name in ("gather", "take") for axis in (1, 2, 3))]
SWAPS = [f"swap {sharded} {whole}" for sharded in (1, 2, 3) for whole in (1, 2, 3) if sharded != whole]


@sizes
@pytest.mark.parametrize("way", ["forward", "gradient"])
@pytest.mark.parametrize("operation", OPERATIONS + SWAPS)
def test_an_operation_and_its_gradient_are_the_obvious_computation(
    operation: str, way: str, size: int
) -> None:
    adds = operation == "sum" or (operation.startswith("gather") and way == "gradient")
    rounding = 1e-15 if adds else 0.0  # of a sum of at most 4 float64 numbers
    assert report_of_ranks(JOB, size)[f"{operation}: {way}"] <= rounding


def test_one_rank_holds_all_and_copies_nothing() -> None:
    pair = draw(2, 3, 3, 5)
    assert UNSHARDED.take(pair, 1) is pair
    assert UNSHARDED.swap(pair, 1, 2) is pair
    assert UNSHARDED.gather(pair, 1) is pair
    assert UNSHARDED.sum(pair) is pair
    assert torch.equal(UNSHARDED.transpose(pair), pair.transpose(1, 2))
    assert UNSHARDED.transpose(pair).data_ptr() == pair.data_ptr()
    assert UNSHARDED.local(7) == slice(0, 7)


def test_several_ranks_without_their_group_are_refused() -> None:
    with pytest.raises(ValueError, match="several ranks need their process group"):
        AxialSharding(0, 2)


@sizes
def test_an_axis_that_the_ranks_cannot_share_is_refused(size: int) -> None:
    report = report_of_ranks(JOB, size)
    assert report["lengths that cannot be shared: not refused"] == 0
    assert report["axis that cannot be shared: not refused"] == 0
