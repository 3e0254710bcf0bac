"""The attention core: the chunked kernel against the plain one, its gradients, masks and precision."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from model_cases import BFLOAT16, assert_near, draw, exact, randomized, softmax
from torch import Tensor

from msaformer.model.attention import GatedAttention, LayerNorm
from msaformer.model.kernels import attention, reference_attention

B, R, H, S, D = 2, 5, 3, 7, 4
TWO_QUERIES, ONE_ROW, TWO_ROWS, ALL_ROWS = (
    n * 2 * H * S * 4 for n in (2, S, 2 * S, 1 << 10)
)  # bytes of the two tables of logits of so many queries


def inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """q, k, v and bias that ask for a gradient."""
    q, k, v = (draw(B, R, H, S, D, seed=seed).to(dtype).requires_grad_() for seed in (1, 2, 3))
    return q, k, v, draw(B, H, S, S, seed=4).to(dtype).requires_grad_()


def ragged_mask() -> Tensor:
    """Each row has real keys of its own; none in the last row."""
    mask = draw(B, R, S, seed=5) > -0.5
    mask[:, :, 0] = True
    mask[:, -1] = False
    return mask


def gradients(function: object, mask: Tensor, dtype: torch.dtype, *, biased: bool = True) -> list[Tensor]:
    """Of a random weighting of the outputs of all rows that have a key."""
    q, k, v, bias = inputs(dtype)
    out = function(q, k, v, mask, bias if biased else None)  # type: ignore[operator]
    weights = draw(*out.shape, seed=6).to(dtype) * mask.any(-1)[:, :, None, None, None]
    torch.autograd.backward((out * weights).sum())
    asked = (q, k, v, bias) if biased else (q, k, v)
    return [x.grad for x in asked if x.grad is not None]


@pytest.mark.parametrize("biased", [True, False])
def test_attention_equals_the_plain_loop(biased: bool) -> None:
    q, k, v, bias = inputs()
    mask = ragged_mask()
    expected = np.zeros((B, R, H, S, D))
    for b, r, h, i in np.ndindex(B, R - 1, H, S):
        keys = [j for j in range(S) if mask[b, r, j]]
        logits = [
            float(exact(q)[b, r, h, i] @ exact(k)[b, r, h, j]) / math.sqrt(D)
            + (float(exact(bias)[b, h, i, j]) if biased else 0.0)
            for j in keys
        ]
        for weight, j in zip(softmax(logits), keys, strict=True):
            expected[b, r, h, i] += weight * exact(v)[b, r, h, j]
    for route in (attention, reference_attention):
        out = exact(route(q, k, v, mask, bias if biased else None))
        assert_near(out[:, :-1], expected[:, :-1])
        assert np.isfinite(out).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("chunk", [1, TWO_QUERIES, ONE_ROW, TWO_ROWS, ALL_ROWS])
def test_attention_and_all_its_gradients_are_the_reference_s_for_every_chunk_size(
    chunk: int, dtype: torch.dtype
) -> None:
    mask, own = ragged_mask(), partial(attention, chunk_bytes=chunk)
    found, expected = gradients(own, mask, dtype), gradients(reference_attention, mask, dtype)
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert_near(one, other)
    with torch.no_grad():
        out, plain = (f(*inputs(dtype)[:3], mask, inputs(dtype)[3]) for f in (own, reference_attention))
    assert_near(out[:, :-1], plain[:, :-1])


@pytest.mark.parametrize("masked", [True, False])
def test_attention_without_bias_has_the_gradients_of_the_reference(masked: bool) -> None:
    mask = ragged_mask() if masked else torch.ones(B, R, S, dtype=torch.bool)
    found = gradients(attention, mask, torch.float32, biased=False)
    expected = gradients(reference_attention, mask, torch.float32, biased=False)
    assert len(found) == 3
    for one, other in zip(found, expected, strict=True):
        assert_near(one, other)


def test_the_bias_gradient_is_the_sum_over_the_rows() -> None:
    q, k, v, _ = inputs()
    mask = torch.ones(B, R, S, dtype=torch.bool)
    shared = draw(B, H, S, S, seed=4).requires_grad_()
    torch.autograd.backward(attention(q, k, v, mask, shared).square().sum())
    total = torch.zeros(B, H, S, S)
    for r in range(R):
        own = shared.detach().clone().requires_grad_()
        row = slice(r, r + 1)
        torch.autograd.backward(
            reference_attention(q[:, row], k[:, row], v[:, row], mask[:, row], own).square().sum()
        )
        assert own.grad is not None
        total += own.grad
    assert shared.grad is not None
    assert total.abs().max() > 0.1
    assert_near(shared.grad, total)


def test_one_input_alone_may_ask_for_a_gradient() -> None:
    everything = gradients(attention, ragged_mask(), torch.float32)
    for place in range(4):
        tensors = [x.detach().requires_grad_(n == place) for n, x in enumerate(inputs())]
        q, k, v, bias = tensors
        out = attention(q, k, v, ragged_mask(), bias)
        torch.autograd.backward((out * draw(*out.shape, seed=6))[:, :-1].sum())
        assert_near(tensors[place].grad, everything[place])


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("size", [1e4, 1e6])
def test_masked_keys_have_no_effect_and_no_gradient_whatever_they_hold(size: float, biased: bool) -> None:
    q, k, v, bias = inputs()
    mask = ragged_mask()
    hidden = ~mask[:, :, None, :, None]
    key_bias = bias if biased else None
    alone = attention(q, k, v, mask, key_bias)
    loud_k, loud_v = (torch.where(hidden, size, x).detach().requires_grad_() for x in (k, v))
    loud = attention(q, loud_k, loud_v, mask, key_bias)
    assert_near(loud[:, :-1], alone[:, :-1], rtol=0, atol=0)
    torch.autograd.backward(loud[:, :-1].square().sum())
    for grad in (loud_k.grad, loud_v.grad):
        assert grad is not None
        assert torch.all(grad[hidden.expand_as(grad)] == 0)
        assert torch.all(grad[mask.any(-1)].isfinite())


@pytest.mark.parametrize("biased", [True, False])
def test_rows_without_any_real_key_stay_finite_forward_and_backward(biased: bool) -> None:
    q, k, v, bias = inputs()
    out = attention(q, k, v, torch.zeros(B, R, S, dtype=torch.bool), bias if biased else None)
    assert out.isfinite().all()
    torch.autograd.backward(out.square().sum())
    for x in (q, k, v, bias)[: 4 if biased else 3]:
        assert x.grad is not None
        assert x.grad.isfinite().all()


def test_bias_and_softmax_stay_in_float32_when_q_k_and_v_are_bfloat16() -> None:
    q, k, v = (draw(B, R, H, S, D, seed=seed).bfloat16() for seed in (1, 2, 3))
    bias = (100.0 + draw(B, H, S, S, seed=4)).requires_grad_()  # bfloat16 would round it by up to 0.25
    mask = torch.ones(B, R, S, dtype=torch.bool)
    out = attention(q, k, v, mask, bias)
    expected = reference_attention(q.double(), k.double(), v.double(), mask, bias.double())
    assert out.dtype == torch.bfloat16
    assert_near(out.double(), expected, rtol=0.02, atol=0.02)
    torch.autograd.backward(out.float().square().sum())
    (grad,) = torch.autograd.grad(expected.square().sum(), bias)
    assert bias.grad is not None
    assert bias.grad.dtype == torch.float32
    assert_near(bias.grad, grad, rtol=0.05, atol=0.1)


@pytest.mark.parametrize("tied", [True, False])
def test_the_core_under_bfloat16_autocast_stays_near_float32_and_its_bias_learns(tied: bool) -> None:
    core = randomized(GatedAttention(8, H, D, tied=tied))
    x, mask = draw(B, R, S, 8), torch.ones(B, R, S, dtype=torch.bool)
    biases = [draw(B, H, S, S, seed=1).requires_grad_() for _ in range(2)]
    plain = core(x, mask, biases[0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = core(x, mask, biases[1])
    assert_near(rounded.float(), plain, **BFLOAT16)
    torch.autograd.backward(plain.sum())
    torch.autograd.backward(rounded.float().sum())
    assert biases[0].grad is not None
    assert biases[0].grad.abs().max() > 0.01
    assert_near(biases[1].grad, biases[0].grad, **BFLOAT16)


def test_layer_norm_is_computed_in_float32_whatever_the_type_of_its_input() -> None:
    layer = randomized(LayerNorm(16))
    x = 50.0 + draw(3, 16)
    expected = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(x), expected)
    coarse = x.bfloat16()
    assert layer(coarse).dtype == torch.bfloat16
    assert torch.equal(layer(coarse), layer(coarse.float()).bfloat16())


def test_a_closed_gate_lets_nothing_but_the_output_bias_through() -> None:
    core = randomized(GatedAttention(8, H, D))
    with torch.no_grad():
        core.to_gate.weight.zero_()
        core.to_gate.bias.fill_(-200.0)
    out = core(draw(B, R, S, 8), torch.ones(B, R, S, dtype=torch.bool))
    assert_near(out, core.to_out.bias.expand_as(out))


def test_a_tensor_of_another_shape_than_annotated_is_an_error_in_these_tests() -> None:
    core = GatedAttention(8, H, D)
    with pytest.raises(TypeCheckError, match="mask"):
        core(draw(B, R, S, 8), torch.ones(B, S, R, dtype=torch.bool))


def test_a_masked_cell_of_a_tied_row_leaks_nothing_even_if_the_row_is_ragged() -> None:
    core = randomized(GatedAttention(8, H, D, tied=True))
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(1, 3, 4, 8, generator=generator)
    mask = torch.ones(1, 3, 4, dtype=torch.bool)
    mask[0, 1, 2] = False
    changed = x.clone()
    changed[0, 1, 2] = 50.0
    assert torch.equal(core(x, mask)[mask], core(changed, mask)[mask])
