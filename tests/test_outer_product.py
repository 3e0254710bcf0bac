"""The outer product mean turns covariation over the sequences into pairs (AlphaFold 2, Algorithm 10)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_cases import BFLOAT16, Array, assert_near, draw, exact, first_real, linear, moved, norm, randomized
from torch import Tensor

from msaformer.model.outer_product import OuterProductMean

B, N, L, C_M, C_Z, C = 2, 4, 5, 8, 6, 3
REAL_N, REAL_L = (4, 3), (5, 4)  # of each example


def outer_product_mean() -> OuterProductMean:
    return randomized(OuterProductMean(C_M, C_Z, C))


def track() -> tuple[Tensor, Tensor]:
    """MSA and its mask; the second example is padded in both directions."""
    mask = first_real(*REAL_N, of=N)[:, :, None] & first_real(*REAL_L, of=L)[:, None, :]
    return draw(B, N, L, C_M, seed=1), mask


def everything() -> Tensor:
    return torch.ones(B, N, L, dtype=torch.bool)


def algorithm_10(layer: OuterProductMean, msa: Array, mask: Array) -> Array:
    """One example: `msa` [N, L, c_m], `mask` [N, L] of 0 and 1."""
    depth, length = msa.shape[:2]
    projected = linear(layer.to_left_right, norm(layer.norm, msa))
    left, right = projected[..., :C], projected[..., C:]
    pair = np.zeros((length, length, C_Z))
    for i, j in np.ndindex(length, length):
        shared = [s for s in range(depth) if mask[s, i] and mask[s, j]]
        mean = np.zeros((C, C))
        for s in shared:
            for c, d in np.ndindex(C, C):
                mean[c, d] += left[s, i, c] * right[s, j, d] / len(shared)
        pair[i, j] = linear(layer.to_pair, mean.reshape(C * C))
    return pair


def test_outer_product_mean_equals_the_loop_of_algorithm_10() -> None:
    layer = outer_product_mean()
    msa, mask = track()
    out = exact(layer(msa, mask))
    for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
        expected = algorithm_10(layer, exact(msa)[b, :depth, :length], np.ones((depth, length)))
        assert_near(out[b, :length, :length], expected)
        assert np.abs(expected).max() > 0.5


def test_the_mean_runs_over_the_sequences_real_at_both_residues() -> None:
    layer = outer_product_mean()
    msa = draw(1, N, L, C_M)
    mask = torch.tensor(
        [[[1, 1, 1, 1, 0], [1, 1, 1, 0, 1], [1, 1, 0, 0, 1], [1, 0, 0, 0, 1]]], dtype=torch.bool
    )
    expected = algorithm_10(layer, exact(msa)[0], exact(mask)[0])
    assert_near(exact(layer(msa, mask))[0], expected)


def test_cell_nl_reaches_the_pairs_of_residue_l_and_no_other() -> None:
    layer = outer_product_mean()
    expected = np.zeros((B, L, L), dtype=bool)
    expected[1, 3, :] = expected[1, :, 3] = True
    np.testing.assert_array_equal(
        moved(lambda msa: layer(msa, everything()), track()[0], (1, 2, 3)), expected
    )


def test_left_is_the_first_residue_of_a_pair_and_right_the_second() -> None:
    layer = outer_product_mean()
    with torch.no_grad():
        layer.to_left_right.weight[C:] = 0  # the right projection knows nothing of the MSA
    expected = np.zeros((B, L, L), dtype=bool)
    expected[1, 3, :] = True
    np.testing.assert_array_equal(
        moved(lambda msa: layer(msa, everything()), track()[0], (1, 2, 3)), expected
    )


@pytest.mark.parametrize("size", [1.0, 1e4, 1e6])
def test_what_padded_cells_hold_changes_no_real_pair(size: float) -> None:
    layer = outer_product_mean()
    msa, mask = track()
    pair_mask = mask[:, 0, :, None] & mask[:, 0, None, :]
    loud = layer(torch.where(mask[..., None], msa, size * draw(*msa.shape, seed=8)), mask)
    assert_near(loud[pair_mask], layer(msa, mask)[pair_mask], rtol=0, atol=1e-6)
    assert loud.isfinite().all()


def test_a_padded_example_gives_what_it_gives_alone() -> None:
    layer = outer_product_mean()
    msa, mask = track()
    out = layer(msa, mask)
    for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
        alone = layer(msa[b : b + 1, :depth, :length], mask[b : b + 1, :depth, :length])
        assert_near(out[b : b + 1, :length, :length], alone)


def test_neither_the_order_of_the_sequences_nor_doubling_them_matters() -> None:
    layer = outer_product_mean()
    msa = track()[0]
    expected = layer(msa, everything())
    order = torch.tensor([2, 0, 3, 1])
    assert_near(layer(msa[:, order], everything()), expected)
    twice = layer(torch.cat([msa, msa], dim=1), torch.ones(B, 2 * N, L, dtype=torch.bool))
    assert_near(twice, expected)


def test_sums_are_taken_in_float32_under_bfloat16_autocast() -> None:
    layer = outer_product_mean()
    depth = 3000  # a sum in bfloat16 would stop growing at 2⁸ = 256
    msa = draw(1, 1, L, C_M).expand(1, depth, L, C_M)
    mask = torch.ones(1, depth, L, dtype=torch.bool)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(msa, mask).float()
    assert_near(out, layer(msa, mask), **BFLOAT16)


def test_padding_gets_no_gradient_and_every_real_cell_does() -> None:
    layer = outer_product_mean()
    msa, mask = track()
    msa.requires_grad_()
    torch.autograd.backward(layer(msa, mask).square().sum())
    assert msa.grad is not None
    assert torch.all(msa.grad[~mask] == 0)
    assert torch.all(msa.grad[mask].abs().amax(dim=-1) > 0)
