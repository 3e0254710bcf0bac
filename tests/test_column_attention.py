"""Column attention moves across the sequences at one residue (AlphaFold 2, Algorithm 8)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from model_cases import (
    BFLOAT16,
    Array,
    assert_near,
    draw,
    exact,
    first_real,
    linear,
    moved,
    norm,
    randomized,
    sigmoid,
    softmax,
)
from torch import Tensor

from msaformer.model.column_attention import ColumnAttention

B, N, L, C_M, H, D = 2, 4, 5, 8, 3, 7
REAL_N, REAL_L = (4, 3), (5, 4)  # of each example


def column_attention() -> ColumnAttention:
    return randomized(ColumnAttention(C_M, H, D))


def track() -> tuple[Tensor, Tensor]:
    """MSA and its mask; the second example is padded in both directions."""
    mask = first_real(*REAL_N, of=N)[:, :, None] & first_real(*REAL_L, of=L)[:, None, :]
    return draw(B, N, L, C_M, seed=1), mask


def algorithm_8(layer: ColumnAttention, msa: Array) -> Array:
    """One example without padding: `msa` [N, L, c_m]."""
    depth, length = msa.shape[:2]
    core = layer.attention
    m = norm(layer.norm, msa)
    q, k, v = np.moveaxis(linear(core.to_qkv, m).reshape(depth, length, 3, H, D), 2, 0)
    gate = sigmoid(linear(core.to_gate, m)).reshape(depth, length, H, D)
    attended = np.zeros((depth, length, H, D))
    for s, i, h in np.ndindex(depth, length, H):
        logits = [float(q[s, i, h] @ k[t, i, h]) / math.sqrt(D) for t in range(depth)]
        for t, weight in enumerate(softmax(logits)):
            attended[s, i, h] += gate[s, i, h] * weight * v[t, i, h]
    return linear(core.to_out, attended.reshape(depth, length, H * D))


def test_column_attention_equals_the_loop_of_algorithm_8() -> None:
    layer = column_attention()
    msa, mask = track()
    out = exact(layer(msa, mask))
    for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
        expected = algorithm_8(layer, exact(msa)[b, :depth, :length])
        assert_near(out[b, :depth, :length], expected)
        assert np.abs(expected).max() > 0.5


def test_column_attention_mixes_the_sequences_at_one_residue_only() -> None:
    layer = column_attention()
    expected = np.zeros((B, N, L), dtype=bool)
    expected[1, :, 3] = True
    found = moved(lambda msa: layer(msa, torch.ones(B, N, L, dtype=torch.bool)), track()[0], (1, 2, 3))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [1.0, 1e4, 1e6])
def test_what_padded_cells_hold_changes_no_real_cell(size: float) -> None:
    layer = column_attention()
    msa, mask = track()
    loud = layer(torch.where(mask[..., None], msa, size * draw(*msa.shape, seed=8)), mask)
    assert_near(loud[mask], layer(msa, mask)[mask], rtol=0, atol=1e-6)
    assert loud.isfinite().all()


def test_a_padded_example_gives_what_it_gives_alone() -> None:
    layer = column_attention()
    msa, mask = track()
    out = layer(msa, mask)
    for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
        alone = layer(msa[b : b + 1, :depth, :length], mask[b : b + 1, :depth, :length])
        assert_near(out[b : b + 1, :depth, :length], alone)


def test_the_order_of_the_sequences_is_the_order_of_the_output() -> None:
    layer = column_attention()
    msa = track()[0]
    everything = torch.ones(B, N, L, dtype=torch.bool)
    order = torch.tensor([2, 0, 3, 1])
    assert_near(layer(msa[:, order], everything), layer(msa, everything)[:, order])


def test_bfloat16_stays_near_float32_and_padding_gets_no_gradient() -> None:
    layer = column_attention()
    msa, mask = track()
    msa.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(msa, mask).float()
    assert_near(out[mask], layer(msa, mask)[mask], **BFLOAT16)
    torch.autograd.backward(out[mask].square().sum())
    assert msa.grad is not None
    assert msa.grad.isfinite().all()
    assert torch.all(msa.grad[~mask] == 0)
    assert torch.all(msa.grad[mask].abs().amax(dim=-1) > 0)
