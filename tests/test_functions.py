"""The hand-written functions of the sub-layers against the same written plainly (`scripts/benchmark_plain.py`).

In float64, so that an error in a backward pass cannot hide in rounding; every parameter is random.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from model_cases import BFLOAT16, assert_near, draw, randomized, tiny_config
from torch import Tensor, nn

from msaformer.model import execution
from msaformer.model.attention import GatedAttention, LayerNorm
from msaformer.model.column_attention import ColumnAttention
from msaformer.model.evoformer import EvoformerBlock
from msaformer.model.execution import Execution, execute_with
from msaformer.model.functions.pieces import rows_at_once
from msaformer.model.outer_product import OuterProductMean
from msaformer.model.row_attention import RowAttentionWithPairBias
from msaformer.model.transition import Transition
from msaformer.model.triangle import TriangleAttention, TriangleMultiplication

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import benchmark_plain as plain

B, N, L, C_M, C_Z, H, D = 2, 3, 5, 6, 8, 2, 4

Case = tuple[nn.Module, Callable[..., Tensor], tuple[Tensor, ...]]


def msa_mask() -> Tensor:
    """Ragged; something is real in each sequence and at each residue, else its attention has no meaning."""
    mask = draw(B, N, L, seed=5) > 0.3
    mask[:, 0] = mask[:, :, 0] = True
    return mask


def pair_mask() -> Tensor:
    mask = draw(B, L, L, seed=6) > 0.3
    mask[:, 0] = mask[:, :, 0] = True
    return mask


def tied(layer: RowAttentionWithPairBias, msa: Tensor, pair: Tensor, mask: Tensor) -> Tensor:
    """Tied row attention, plainly."""
    x = layer.norm_msa(msa)
    core = layer.attention
    q, k, v = (part.unflatten(-1, (H, D)) for part in (core.to_qkv(x) * mask[..., None]).chunk(3, dim=-1))
    rows = mask.any(dim=2).sum(dim=1).clamp(min=1)[:, None, None, None]
    logits = torch.einsum("brihd,brjhd->bhij", q, k) * (D * rows) ** -0.5
    logits = logits + layer.to_bias(layer.norm_pair(pair)).permute(0, 3, 1, 2)
    probs = logits.masked_fill(~mask.any(dim=1)[:, None, None, :], -1e9).softmax(dim=-1)
    attended = torch.einsum("bhij,brjhd->brihd", probs, v).flatten(-2)
    assert core.to_gate is not None
    return core.to_out(torch.sigmoid(core.to_gate(x)) * attended)


def ungated(layer: GatedAttention, x: Tensor, mask: Tensor) -> Tensor:
    q, k, v = (part.unflatten(-1, (H, D)) for part in layer.to_qkv(x).chunk(3, dim=-1))
    logits = torch.einsum("brihd,brjhd->brhij", q, k) * D**-0.5
    probs = logits.masked_fill(~mask[:, :, None, None, :], -1e9).softmax(dim=-1)
    return layer.to_out(torch.einsum("brhij,brjhd->brihd", probs, v).flatten(-2))


def gelu_transition(layer: Transition, x: Tensor) -> Tensor:
    return layer.narrow(nn.functional.gelu(layer.widen(layer.norm(x))))


def cases() -> dict[str, Case]:
    """A sub-layer, the same plainly, and what both are given."""
    msa, pair = draw(B, N, L, C_M, seed=1), draw(B, L, L, C_Z, seed=2)
    row = RowAttentionWithPairBias(C_M, C_Z, H, D)
    tied_row = RowAttentionWithPairBias(C_M, C_Z, H, D, tied=True)
    outgoing, incoming = (TriangleMultiplication(C_Z, 7, outgoing=outgoing) for outgoing in (True, False))
    starting, ending = (TriangleAttention(C_Z, H, D, starting=starting) for starting in (True, False))
    return {
        "row attention": (row, plain.plain_row_attention, (msa, pair, msa_mask())),
        "tied row attention": (tied_row, tied, (msa, pair, msa_mask())),
        "column attention": (ColumnAttention(C_M, H, D), plain.plain_column_attention, (msa, msa_mask())),
        "ungated attention": (GatedAttention(C_M, H, D, gated=False), ungated, (msa, msa_mask())),
        "transition": (Transition(C_M, 3), plain.plain_transition, (msa,)),
        "GELU transition": (Transition(C_M, 3, gelu=True), gelu_transition, (msa,)),
        "outer product mean": (
            OuterProductMean(C_M, C_Z, 3),
            plain.plain_outer_product_mean,
            (msa, msa_mask()),
        ),
        "outgoing": (outgoing, plain.plain_triangle_multiplication, (pair, pair_mask())),
        "incoming": (incoming, plain.plain_triangle_multiplication, (pair, pair_mask())),
        "starting": (starting, plain.plain_triangle_attention, (pair, pair_mask())),
        "ending": (ending, plain.plain_triangle_attention, (pair, pair_mask())),
    }


every_case = pytest.mark.parametrize("name", cases())


def case(name: str, dtype: torch.dtype = torch.float64) -> Case:
    module, function, inputs = cases()[name]
    cast = [x if x.dtype == torch.bool else x.to(dtype).requires_grad_() for x in inputs]
    return randomized(module).to(dtype), function, tuple(cast)


def results(run: Callable[..., Tensor], module: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """The output, and the gradients of all inputs and parameters for a random weighting of it."""
    asked = [x for x in (*inputs, *module.parameters()) if x.requires_grad]
    out = run(*inputs)
    weights = draw(*out.shape, seed=9).to(out.dtype)
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), asked)]


def assert_same(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    """Relative to the largest of all gradients: that of a bias before a softmax is zero but for rounding."""
    size = max(float(x.abs().max()) for x in expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert float((one - other).abs().max()) <= tolerance * size


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("chunk_bytes", [1, 500, 1 << 20])
@every_case
def test_output_and_all_gradients_are_those_of_the_plain_layer(
    name: str, chunk_bytes: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "KEPT_FROM_CHANNELS", 1)
    module, function, inputs = case(name)
    execute_with(module, Execution(chunk_bytes=chunk_bytes, keep_wide=kept))
    found = results(module, module, inputs)
    assert_same(found, results(lambda *x: function(module, *x), module, inputs), 1e-12)
    with torch.no_grad():
        assert_near(module(*inputs), found[0], rtol=1e-12, atol=1e-12)


@every_case
def test_gradients_are_the_slopes_of_the_output(name: str) -> None:
    module, _, inputs = case(name)
    names = [key for key, _ in module.named_parameters()]

    def run(*tensors: Tensor) -> Tensor:
        given = dict(zip(names, tensors[len(inputs) :], strict=True))
        return torch.func.functional_call(module, given, tensors[: len(inputs)])

    assert torch.autograd.gradcheck(run, (*inputs, *module.parameters()), fast_mode=True)


@every_case
def test_gradients_under_bfloat16_autocast_are_near_those_of_float32(name: str) -> None:
    module, _, inputs = case(name, torch.float32)
    expected = results(module, module, inputs)

    def rounded(*tensors: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out: Tensor = module(*tensors)
        assert out.dtype == torch.bfloat16
        return out.float()

    found = results(rounded, module, inputs)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).norm()) <= 0.05 * float(other.norm()) + BFLOAT16["atol"]


@every_case
def test_parameters_alone_or_inputs_alone_may_ask_for_a_gradient(name: str) -> None:
    module, _, inputs = case(name)
    expected = results(module, module, inputs)
    num_inputs = sum(x.requires_grad for x in inputs)
    alone = results(module, module, tuple(x.detach() for x in inputs))
    assert_same(alone[1:], expected[1 + num_inputs :], 1e-12)
    module.requires_grad_(False)
    assert_same(results(module, module, inputs), expected[: 1 + num_inputs], 1e-12)


@every_case
def test_nothing_is_finite_only_by_luck_of_the_mask(name: str) -> None:
    module, _, inputs = case(name)
    hidden = tuple(torch.zeros_like(x) if x.dtype == torch.bool else x for x in inputs)
    for tensor in results(module, module, hidden):
        assert tensor.isfinite().all()


def test_a_whole_block_is_the_plain_block() -> None:
    block = randomized(EvoformerBlock(tiny_config())).double()
    msa, pair = draw(B, N, L, 10).double().requires_grad_(), draw(B, L, L, 12).double().requires_grad_()
    inputs = (msa, pair, msa_mask(), pair_mask())

    def both(run: Callable[..., Any]) -> list[Tensor]:
        return results(lambda *x: torch.cat([track.flatten() for track in run(*x)]), block, inputs)

    assert_same(both(block), both(lambda *x: plain.plain_block(block, *x)), 1e-12)


def test_without_gradients_a_block_leaves_its_input_as_it_is() -> None:
    block = randomized(EvoformerBlock(tiny_config()))
    msa, pair = draw(B, N, L, 10), draw(B, L, L, 12)
    copies = msa.clone(), pair.clone()
    with torch.no_grad():
        found = block(msa, pair, msa_mask(), pair_mask())
    assert torch.equal(msa, copies[0])
    assert torch.equal(pair, copies[1])
    for one, other in zip(found, block(msa, pair, msa_mask(), pair_mask()), strict=True):
        assert_near(one, other.detach())


def test_pieces_fit_the_memory_given_and_on_a_cpu_its_caches() -> None:
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert rows_at_once(1000, 10_500, cuda) == 10
    assert rows_at_once(1000, 10, cuda) == 1
    assert rows_at_once(1 << 20, 1 << 40, cuda) == 1 << 20
    assert rows_at_once(1 << 20, 1 << 40, cpu) == 4 * torch.get_num_threads()


def test_layer_norm_of_float64_is_not_rounded_to_float32() -> None:
    layer = randomized(LayerNorm(6)).double()
    x = draw(3, 6).double()
    assert_near(layer(x), nn.functional.layer_norm(x, (6,), layer.weight, layer.bias), rtol=1e-14, atol=0)
