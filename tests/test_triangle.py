"""Triangle updates: which edges of the triangle ijk move edge ij (AlphaFold 2, Algorithms 11 to 14)."""

from __future__ import annotations

import math
from collections.abc import Callable

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

from msaformer.model.triangle import TriangleAttention, TriangleMultiplication

B, L, C_Z, C, H, D = 2, 5, 6, 7, 3, 4
REAL_L = (5, 4)  # of each example
A, Z = 1, 3  # the edge that the perturbation tests change

Layer = TriangleMultiplication | TriangleAttention


def outgoing() -> TriangleMultiplication:
    return randomized(TriangleMultiplication(C_Z, C, outgoing=True))


def incoming() -> TriangleMultiplication:
    return randomized(TriangleMultiplication(C_Z, C, outgoing=False))


def starting() -> TriangleAttention:
    return randomized(TriangleAttention(C_Z, H, D, starting=True))


def ending() -> TriangleAttention:
    return randomized(TriangleAttention(C_Z, H, D, starting=False))


every_layer = pytest.mark.parametrize("make", [outgoing, incoming, starting, ending])


def track() -> tuple[Tensor, Tensor]:
    """Pair track and its mask; the second example is padded."""
    real = first_real(*REAL_L, of=L)
    return draw(B, L, L, C_Z, seed=1), real[:, :, None] & real[:, None, :]


def everything() -> Tensor:
    return torch.ones(B, L, L, dtype=torch.bool)


def multiplication_loop(layer: TriangleMultiplication, pair: Array) -> Array:
    """Algorithms 11 and 12 for one example without padding."""
    length = len(pair)
    z = norm(layer.norm_in, pair)
    edges = sigmoid(linear(layer.to_edge_gates, z)) * linear(layer.to_edges, z)
    a, b = edges[..., :C], edges[..., C:]
    gate = sigmoid(linear(layer.to_gate, z))
    update = np.zeros(pair.shape)
    for i, j in np.ndindex(length, length):
        total = np.zeros(C)
        for k in range(length):
            total += a[i, k] * b[j, k] if layer.outgoing else a[k, i] * b[k, j]
        update[i, j] = gate[i, j] * linear(layer.to_out, norm(layer.norm_out, total))
    return update


def attention_loop(layer: TriangleAttention, pair: Array) -> Array:
    """Algorithms 13 and 14 for one example without padding."""
    length = len(pair)
    core = layer.attention
    z = norm(layer.norm, pair)
    q, k, v = np.moveaxis(linear(core.to_qkv, z).reshape(length, length, 3, H, D), 2, 0)
    bias = linear(layer.to_bias, z)
    gate = sigmoid(linear(core.to_gate, z)).reshape(length, length, H, D)
    attended = np.zeros((length, length, H, D))
    for i, j, h in np.ndindex(length, length, H):
        if layer.starting:
            others = [(i, n) for n in range(length)]
            biases = [bias[j, n, h] for n in range(length)]
        else:
            others = [(n, j) for n in range(length)]
            biases = [bias[n, i, h] for n in range(length)]
        logits = [
            float(q[i, j, h] @ k[(*edge, h)]) / math.sqrt(D) + extra
            for edge, extra in zip(others, biases, strict=True)
        ]
        for edge, weight in zip(others, softmax(logits), strict=True):
            attended[i, j, h] += gate[i, j, h] * weight * v[(*edge, h)]
    return linear(core.to_out, attended.reshape(length, length, H * D))


@every_layer
def test_triangle_updates_equal_the_loops_of_algorithms_11_to_14(make: Callable[[], Layer]) -> None:
    layer = make()
    pair, mask = track()
    out = exact(layer(pair, mask))
    for b, length in enumerate(REAL_L):
        real = exact(pair)[b, :length, :length]
        if isinstance(layer, TriangleMultiplication):
            expected = multiplication_loop(layer, real)
        else:
            expected = attention_loop(layer, real)
        assert_near(out[b, :length, :length], expected)
        assert np.abs(expected).max() > 0.5


@pytest.mark.parametrize(
    ("make", "residue"),
    [(outgoing, A), (incoming, Z), (starting, A), (ending, Z)],
)
def test_edge_ab_moves_the_edges_of_residue_a_if_outgoing_or_starting_else_those_of_b(
    make: Callable[[], Layer], residue: int
) -> None:
    layer = make()
    expected = np.zeros((B, L, L), dtype=bool)
    expected[1, residue, :] = expected[1, :, residue] = True
    found = moved(lambda pair: layer(pair, everything()), track()[0], (1, A, Z))
    np.testing.assert_array_equal(found, expected)


def test_starting_edges_attend_within_their_row_and_ending_edges_within_their_column() -> None:
    for layer in (starting(), ending()):
        with torch.no_grad():
            layer.to_bias.weight.zero_()
        expected = np.zeros((B, L, L), dtype=bool)
        expected[1, A if layer.starting else slice(None), slice(None) if layer.starting else Z] = True
        found = moved(lambda pair, layer=layer: layer(pair, everything()), track()[0], (1, A, Z))  # type: ignore[misc]
        np.testing.assert_array_equal(found, expected)


def test_the_left_factor_is_the_first_residue_s_edge() -> None:
    for layer in (outgoing(), incoming()):
        with torch.no_grad():  # the right factor and the output gate know nothing of the pair track
            for part in (layer.to_edges, layer.to_edge_gates):
                part.weight[C:] = 0
            layer.to_gate.weight.zero_()
        expected = np.zeros((B, L, L), dtype=bool)
        expected[1, A if layer.outgoing else Z] = True
        found = moved(lambda pair, layer=layer: layer(pair, everything()), track()[0], (1, A, Z))  # type: ignore[misc]
        np.testing.assert_array_equal(found, expected)


@every_layer
@pytest.mark.parametrize("size", [1.0, 1e4, 1e6])
def test_what_padded_pairs_hold_changes_no_real_pair(make: Callable[[], Layer], size: float) -> None:
    layer = make()
    pair, mask = track()
    loud = layer(torch.where(mask[..., None], pair, size * draw(*pair.shape, seed=8)), mask)
    assert_near(loud[mask], layer(pair, mask)[mask], rtol=0, atol=1e-6)
    assert loud.isfinite().all()


@every_layer
def test_a_padded_example_gives_what_it_gives_alone(make: Callable[[], Layer]) -> None:
    layer = make()
    pair, mask = track()
    out = layer(pair, mask)
    for b, length in enumerate(REAL_L):
        alone = layer(pair[b : b + 1, :length, :length], mask[b : b + 1, :length, :length])
        assert_near(out[b : b + 1, :length, :length], alone)


@every_layer
def test_bfloat16_stays_near_float32_and_padding_gets_no_gradient(make: Callable[[], Layer]) -> None:
    layer = make()
    pair, mask = track()
    pair.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(pair, mask).float()
    assert_near(out[mask], layer(pair, mask)[mask], **BFLOAT16)
    torch.autograd.backward(out[mask].square().sum())
    assert pair.grad is not None
    assert pair.grad.isfinite().all()
    assert torch.all(pair.grad[~mask] == 0)
    assert torch.all(pair.grad[mask].abs().amax(dim=-1) > 0)
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
