"""One sample shared by 2 and 4 ranks: the network computes what one process computes (see `axial_job.py`).

The job trains with dropout and recycling on examples of other depth and length, padded with huge values, and with
hidden channels that 2 and 4 do not divide.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from memory_cases import work
from ranks import report_of_ranks

from msaformer.model.execution import DEFAULT_CHUNK_BYTES
from msaformer.training.memory_trace import trace

JOB = Path(__file__).parent / "axial_job.py"
OUTPUTS = ["msa", "pair", "contact_logits", "distogram_logits", "masked_msa_logits"]
ORIENTATIONS = ["omega_logits", "theta_logits", "phi_logits"]
OUTPUTS_OF = {"untied": OUTPUTS + ORIENTATIONS} | dict.fromkeys(("tied", "convolved"), OUTPUTS)
PEAK_SHARE = {2: 0.53, 4: 0.28}
"""Of one process's; at most 0.55 and 0.30 are asked for, and one more share of the MSA track in each block shows."""
FLOAT32 = 1e-5
"""Relative; the whole gradient, and outputs some hundred float32 roundings deep."""
FLOAT32_LAYER = 1e-4
"""Gradients of the pair bias are a tenth of their terms."""
BFLOAT16 = 0.05
"""As in `test_model.py`."""
sizes = pytest.mark.parametrize("size", [2, 4])
variants = pytest.mark.parametrize("variant", OUTPUTS_OF)


def found(size: int, pattern: str) -> dict[str, float]:
    """The differences whose names match."""
    chosen = {k: v for k, v in report_of_ranks(JOB, size).items() if re.fullmatch(pattern, k)}
    assert chosen
    return chosen


@sizes
@variants
def test_outputs_are_those_of_one_process_and_padding_does_not_leak(variant: str, size: int) -> None:
    outputs = OUTPUTS_OF[variant]
    differences = found(size, f"{variant}: ({'|'.join(outputs)})")
    assert len(differences) == len(outputs)
    assert max(differences.values()) <= FLOAT32, differences


@sizes
@variants
def test_gradients_of_the_ranks_add_up_to_those_of_one_process(variant: str, size: int) -> None:
    assert max(found(size, f"{variant}: norm of .*").values()) <= FLOAT32
    by_layer = found(size, f"{variant}: gradient of .*")
    assert len(by_layer) > 30
    assert max(by_layer.values()) <= FLOAT32_LAYER, by_layer


@sizes
@variants
def test_recomputed_blocks_give_the_same_gradients_to_the_bit(variant: str, size: int) -> None:
    assert set(found(size, f"{variant}: gradients changed by recomputation").values()) == {0.0}


@sizes
@variants
def test_bfloat16_is_as_near_to_one_process_as_rounding_lets_it(variant: str, size: int) -> None:
    outputs = OUTPUTS_OF[variant]
    differences = found(size, f"{variant} bfloat16: ({'|'.join(outputs)}|norm of .*)")
    assert len(differences) == len(outputs) + 1
    assert max(differences.values()) <= BFLOAT16, differences


@sizes
def test_dropout_draws_the_mask_that_one_process_draws_to_the_bit(size: int) -> None:
    differences = found(size, "dropout shared over axis .")
    assert set(differences.values()) == {0.0}
    assert len(differences) == 2


@sizes
def test_tied_rows_see_the_keys_that_are_real_in_any_row_of_any_rank(size: int) -> None:
    assert max(found(size, "tied attention with .*").values()) <= FLOAT32


@sizes
def test_every_kernel_is_given_the_pair_bias_of_all_ranks(size: int) -> None:
    differences = found(size, "(untied|another kernel's) attention with .*")
    assert len(differences) == 2
    assert max(differences.values()) <= FLOAT32


@sizes
def test_predicted_logits_are_put_together_whole_and_symmetric(size: int) -> None:
    logits = found(size, "prediction: [a-z_]+")
    assert len(logits) == 5
    assert max(logits.values()) <= FLOAT32
    assert set(found(size, "prediction: [a-z_]+, asymmetry").values()) == {0.0}


@sizes
def test_attention_maps_are_recorded_whole_on_every_rank(size: int) -> None:
    assert max(found(size, "recorded attention").values()) <= FLOAT32
    assert set(found(size, "recorded attention of padding").values()) == {0.0}


@sizes
def test_a_rank_needs_its_share_of_the_memory(size: int) -> None:
    (share,) = found(size, "peak memory").values()
    assert share <= PEAK_SHARE[size]


@sizes
@pytest.mark.usefixtures("unchecked_shapes")
def test_a_rank_needs_its_share_of_the_memory_of_a_larger_crop(size: int) -> None:
    """As it would be without a rank that waits, and without numbers: see `test_memory_plan.py`."""
    crop = work(c_m=64, c_z=64, depth=192, length=192, chunk_bytes=DEFAULT_CHUNK_BYTES, keeps_gradients=True)
    assert trace(replace(crop, axial=size)).peak <= PEAK_SHARE[size] * trace(crop).peak
