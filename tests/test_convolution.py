"""The gated convolution of the pair track, against loops over the cells around each pair."""

from __future__ import annotations

import math
from typing import Any

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


def layer(kind: Any, dilation: int = 1) -> GatedConvolution:
    return randomized(GatedConvolution(C, kind, dilation))


def plainly(module: GatedConvolution, cells: Array, dilation: int) -> Array:
    """Each convolution by loops; `cells` `[L, L, C]`."""
    for convolution in module.convolutions:
        weight, bias = exact(convolution.weight), exact(convolution.bias)
        height, width = weight.shape[2:]
        out = np.tile(bias, (L, L, 1))
        for i, j, a, b in np.ndindex(L, L, height, width):
            y, x = i + dilation * (a - height // 2), j + dilation * (b - width // 2)
            if 0 <= y < L and 0 <= x < L:
                by_itself = weight.shape[1] == 1  # each channel
                kernel = weight[:, :, a, b]
                out[i, j] += kernel[:, 0] * cells[y, x] if by_itself else kernel @ cells[y, x]
        cells = out
    return cells


@pytest.mark.parametrize("dilation", [1, 2, 8])
@pytest.mark.parametrize("kind", ["square", "axial"])
def test_the_update_is_the_gated_convolution_of_the_real_cells(kind: str, dilation: int) -> None:
    module, (pair, mask) = layer(kind, dilation), inputs()
    found = module(pair, mask)
    for b in range(B):
        normed = norm(module.norm, exact(pair)[b])
        around = plainly(module, np.where(mask[b].numpy()[..., None], normed, 0.0), dilation)
        gelu = around * 0.5 * (1 + np.vectorize(math.erf)(around / math.sqrt(2)))
        expected = linear(module.to_out, gelu * sigmoid(linear(module.to_gate, normed)))
        assert_near(exact(found)[b], expected)


def test_a_cell_moves_the_cells_that_the_kernel_reaches_and_no_other() -> None:
    pair, mask = draw(1, L, L, C), torch.ones(1, L, L, dtype=torch.bool)
    reached = {
        "square": {(3 + a, 3 + b) for a in (-2, 0, 2) for b in (-2, 0, 2)},
        "axial": {(a, b) for a in (1, 3, 5) for b in (1, 3, 5)},  # 4 steps of 2 either way, cut by the edges
    }
    for kind, expected in reached.items():
        module = layer(kind, 2)
        found = moved(lambda x, module=module: module(x, mask), pair, (0, 3, 3))[0]
        assert {tuple(map(int, place)) for place in np.argwhere(found)} == expected


@pytest.mark.parametrize("kind", ["square", "axial"])
def test_a_fresh_layer_changes_nothing_and_every_weight_learns(kind: Any) -> None:
    pair, mask = inputs()
    assert not GatedConvolution(C, kind, 1)(pair, mask).any()
    module = layer(kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = module(pair, mask)
    assert_near(rounded.float(), module(pair, mask), rtol=0.05, atol=0.05)
    torch.autograd.backward(rounded.float().square().sum())
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name
