"""The gated convolution of the pair track, against loops over the cells around each pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from model_cases import Array, assert_near, draw, exact, first_real, linear, moved, norm, randomized, sigmoid

from msaformer.model.convolution import GatedConvolution

B, L, C = 2, 7, 6
REAL = (7, 5)


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    residues = first_real(*REAL, of=L)
    return draw(B, L, L, C), residues[:, :, None] & residues[:, None, :]


def layer(dilation: int = 1) -> GatedConvolution:
    return randomized(GatedConvolution(C, dilation))


def plainly(convolution: torch.nn.Conv2d, cells: Array, dilation: int) -> Array:
    """The convolution by loops; `cells` `[L, L, C]`."""
    weight = exact(convolution.weight)
    out = np.tile(exact(convolution.bias), (L, L, 1))
    for i, j, a, b in np.ndindex(L, L, 3, 3):
        y, x = i + dilation * (a - 1), j + dilation * (b - 1)
        if 0 <= y < L and 0 <= x < L:
            out[i, j] += weight[:, 0, a, b] * cells[y, x]
    return out


@pytest.mark.parametrize("dilation", [1, 2, 8])
def test_the_update_is_the_gated_convolution_of_the_real_cells(dilation: int) -> None:
    module, (pair, mask) = layer(dilation), inputs()
    found = module(pair, mask)
    for b in range(B):
        normed = norm(module.norm, exact(pair)[b])
        mixed = np.where(mask[b].numpy()[..., None], linear(module.mix, normed), 0.0)
        around = plainly(module.convolution, mixed, dilation)
        gelu = around * 0.5 * (1 + np.vectorize(math.erf)(around / math.sqrt(2)))
        expected = linear(module.to_out, gelu * sigmoid(linear(module.to_gate, normed)))
        assert_near(exact(found)[b], expected)


def test_a_cell_moves_the_cells_that_the_kernel_reaches_and_no_other() -> None:
    pair, mask, module = draw(1, L, L, C), torch.ones(1, L, L, dtype=torch.bool), layer(2)
    found = moved(lambda x: module(x, mask), pair, (0, 3, 3))[0]
    assert {tuple(map(int, place)) for place in np.argwhere(found)} == {
        (3 + a, 3 + b) for a in (-2, 0, 2) for b in (-2, 0, 2)
    }


def test_a_fresh_layer_changes_nothing() -> None:
    assert not GatedConvolution(C, 1)(*inputs()).any()


def test_bfloat16_is_near_float32_and_every_weight_learns() -> None:
    module, (pair, mask) = layer(2), inputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = module(pair, mask)
    assert rounded.dtype == torch.bfloat16
    assert_near(rounded.float(), module(pair, mask), rtol=0.05, atol=0.05)
    torch.autograd.backward(rounded.float().square().sum())
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name
