"""Row attention moves along the residues of one sequence, biased by the pair track (AlphaFold 2, Algorithm 7)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from model_cases import (
    BFLOAT16,
    FLOAT32,
    Array,
    are_near,
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

from msaformer.model.attention import GatedAttention
from msaformer.model.row_attention import RowAttentionWithPairBias

B, N, L, C_M, C_Z, H, D = 2, 4, 5, 8, 6, 3, 7
REAL_N, REAL_L = (4, 3), (5, 4)  # of each example


def row_attention(*, tied: bool = False) -> RowAttentionWithPairBias:
    return randomized(RowAttentionWithPairBias(C_M, C_Z, H, D, tied=tied))


def tracks() -> tuple[Tensor, Tensor, Tensor]:
    """MSA, pair, MSA mask; the second example is padded in both directions."""
    mask = first_real(*REAL_N, of=N)[:, :, None] & first_real(*REAL_L, of=L)[:, None, :]
    return draw(B, N, L, C_M, seed=1), draw(B, L, L, C_Z, seed=2), mask


def everything() -> Tensor:
    return torch.ones(B, N, L, dtype=torch.bool)


def algorithm_7(layer: RowAttentionWithPairBias, msa: Array, pair: Array, *, tied: bool) -> Array:
    """One example without padding: `msa` [N, L, c_m], `pair` [L, L, c_z]."""
    depth, length = msa.shape[:2]
    core = layer.attention
    m, z = norm(layer.norm_msa, msa), norm(layer.norm_pair, pair)
    q, k, v = np.moveaxis(linear(core.to_qkv, m).reshape(depth, length, 3, H, D), 2, 0)
    gate = sigmoid(linear(core.to_gate, m)).reshape(depth, length, H, D)
    bias = linear(layer.to_bias, z)
    attended = np.zeros((depth, length, H, D))
    for s, h, i in np.ndindex(depth, H, length):
        rows = range(depth) if tied else [s]
        scale = 1.0 / math.sqrt(D * len(rows))
        logits = [
            sum(float(q[t, i, h] @ k[t, j, h]) for t in rows) * scale + bias[i, j, h] for j in range(length)
        ]
        for j, weight in enumerate(softmax(logits)):
            attended[s, i, h] += gate[s, i, h] * weight * v[s, j, h]
    return linear(core.to_out, attended.reshape(depth, length, H * D))


@pytest.mark.parametrize("tied", [True, False])
def test_row_attention_equals_the_loop_of_algorithm_7(tied: bool) -> None:
    layer = row_attention(tied=tied)
    msa, pair, mask = tracks()
    out = exact(layer(msa, pair, mask))
    for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
        expected = algorithm_7(
            layer, exact(msa)[b, :depth, :length], exact(pair)[b, :length, :length], tied=tied
        )
        assert_near(out[b, :depth, :length], expected)
        assert np.abs(expected).max() > 0.5


def test_row_attention_mixes_the_residues_of_one_sequence_only() -> None:
    layer = row_attention()
    _, pair, _ = tracks()
    expected = np.zeros((B, N, L), dtype=bool)
    expected[1, 2] = True
    found = moved(lambda msa: layer(msa, pair, everything()), tracks()[0], (1, 2, 3))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("tied", [True, False])
def test_pair_ij_steers_residue_i_of_every_sequence_and_no_other(tied: bool) -> None:
    layer = row_attention(tied=tied)
    msa, pair, _ = tracks()
    expected = np.zeros((B, N, L), dtype=bool)
    expected[1, :, 3] = True
    found = moved(lambda z: layer(msa, z, everything()), pair, (1, 3, 2))
    np.testing.assert_array_equal(found, expected)


def test_tied_rows_let_every_sequence_move_the_one_map() -> None:
    layer = row_attention(tied=True)
    msa, pair, _ = tracks()
    expected = np.zeros((B, N, L), dtype=bool)
    expected[1] = True
    found = moved(lambda m: layer(m, pair, everything()), msa, (1, 2, 3))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("tied", "agree"), [(True, True), (False, False)])
def test_tied_rows_share_one_map_and_untied_rows_do_not(tied: bool, agree: bool) -> None:
    core = randomized(GatedAttention(C_M, H, D, tied=tied))
    seen_by_values = torch.arange(C_M) >= C_M // 2
    with torch.no_grad():  # queries and keys read the lower channels, values and gates the upper ones
        core.to_qkv.weight[: 2 * H * D, seen_by_values] = 0
        core.to_qkv.weight[2 * H * D :, ~seen_by_values] = 0
        core.to_gate.weight[:, ~seen_by_values] = 0
    x = draw(1, N, L, C_M)
    x[:, 1:, :, seen_by_values] = x[:, :1, :, seen_by_values]  # all sequences agree in the upper channels
    out = core(x, torch.ones(1, N, L, dtype=torch.bool))
    assert are_near(out[:, :1].expand_as(out), out) is agree


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [1.0, 1e4, 1e6])
def test_what_padded_cells_hold_changes_no_real_cell(tied: bool, size: float) -> None:
    layer = row_attention(tied=tied)
    msa, pair, mask = tracks()
    pair_mask = mask[:, 0, :, None] & mask[:, 0, None, :]
    loud_msa = torch.where(mask[..., None], msa, size * draw(*msa.shape, seed=8))
    loud_pair = torch.where(pair_mask[..., None], pair, size * draw(*pair.shape, seed=9))
    loud = layer(loud_msa, loud_pair, mask)
    assert_near(loud[mask], layer(msa, pair, mask)[mask], rtol=0, atol=1e-6)
    assert loud.isfinite().all()


@pytest.mark.parametrize("tied", [True, False])
def test_a_padded_example_gives_what_it_gives_alone(tied: bool) -> None:
    layer = row_attention(tied=tied)
    msa, pair, mask = tracks()
    out = layer(msa, pair, mask)
    for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
        cell = (slice(b, b + 1), slice(depth), slice(length))
        assert_near(out[cell], layer(msa[cell], pair[b : b + 1, :length, :length], mask[cell]))


@pytest.mark.parametrize("tied", [True, False])
def test_the_order_of_the_sequences_is_the_order_of_the_output(tied: bool) -> None:
    layer = row_attention(tied=tied)
    msa, pair, _ = tracks()
    order = torch.tensor([2, 0, 3, 1])
    shuffled = layer(msa[:, order], pair, everything())
    assert_near(shuffled, layer(msa, pair, everything())[:, order])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("bfloat16", [True, False])
def test_the_gradient_reaches_the_pair_track_through_the_bias(tied: bool, bfloat16: bool) -> None:
    layer = row_attention(tied=tied)
    msa, pair, mask = tracks()
    pair.requires_grad_()
    plain = layer(msa, pair, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        out = layer(msa, pair, mask)
    assert_near(out.float()[mask], plain[mask], **(BFLOAT16 if bfloat16 else FLOAT32))
    torch.autograd.backward(out.float()[mask].square().sum())
    for grad in (pair.grad, layer.to_bias.weight.grad, layer.norm_pair.weight.grad):
        assert grad is not None
        assert grad.isfinite().all()
        assert grad.abs().max() > 1e-3
    assert pair.grad is not None
    assert torch.all(pair.grad[1, -1] == 0)  # the padded residue of the second example
    assert torch.all(pair.grad[1, :, -1] == 0)
