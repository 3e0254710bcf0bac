"""Which attention kernel serves where, why another does not, and that all compute the same."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.machinery import ModuleSpec

import pytest
import torch
from model_cases import assert_near, draw, randomized, tiny_config
from torch import Tensor

from msaformer.errors import ConfigError
from msaformer.model.evoformer import EvoformerBlock
from msaformer.model.execution import Execution, execute_with
from msaformer.model.kernel_choice import KERNELS, attention_line, choose_attention
from msaformer.model.kernels import reference_attention
from msaformer.model.optional_kernels import AttentionNeed, deepspeed_attention, why_unfit

CPU = AttentionNeed.on(torch.device("cpu"), torch.float32, 32, training=True)
GPU = AttentionNeed("cuda", (8, 0), torch.bfloat16, 32, training=True)
B, R, H, S, D = 2, 3, 2, 24, 16  # more than 16 positions, for DS4Sci


@pytest.fixture
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every package and nvcc were there."""
    monkeypatch.setattr(
        "msaformer.model.optional_kernels.find_spec", lambda name: ModuleSpec(name, loader=None)
    )
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def test_auto_is_our_own_kernel_on_every_device() -> None:
    assert choose_attention("auto", CPU) == choose_attention("auto", GPU) == "own"


@pytest.mark.parametrize("name", ["own", "reference", "sdpa"])
def test_kernels_of_torch_alone_serve_everywhere(name: str) -> None:
    assert choose_attention(name, CPU) == choose_attention(name, GPU) == name


@pytest.mark.parametrize("name", ["cuequivariance", "deepspeed"])
def test_a_kernel_for_gpus_is_refused_without_one(name: str) -> None:
    message = f"execution.attention: {name} cannot be used: it runs on CUDA, not on cpu; use auto"
    with pytest.raises(ConfigError, match=message):
        choose_attention(name, CPU)
    assert why_unfit(name, replace(GPU, capability=None)) == "no NVIDIA GPU"


def test_each_reason_is_named(all_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_unfit("cuequivariance", GPU) is None
    assert (
        why_unfit("cuequivariance", replace(GPU, capability=(7, 5))) == "compute capability 7.5 is below 8.0"
    )
    in_float32 = replace(GPU, dtype=torch.float32)
    assert "no full float32" in str(why_unfit("cuequivariance", in_float32))
    assert why_unfit("cuequivariance", replace(in_float32, training=False)) is None
    assert why_unfit("deepspeed", replace(GPU, capability=(6, 1))) == "compute capability 6.1 is below 7.0"
    assert "it knows no float32" in str(why_unfit("deepspeed", in_float32))
    assert "wider than its 64" in str(why_unfit("deepspeed", replace(GPU, head_channels=96)))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CUDA_HOME", raising=False)
    assert "nvcc" in str(why_unfit("deepspeed", GPU))
    monkeypatch.setattr("msaformer.model.optional_kernels.find_spec", lambda name: None)
    assert "cuequivariance_torch is not installed" in str(why_unfit("cuequivariance", GPU))
    assert "deepspeed is not installed" in str(why_unfit("deepspeed", GPU))


def test_the_log_line_says_what_runs_and_why_others_do_not() -> None:
    assert attention_line("own", CPU) == (
        "attention: own (sdpa not asked for; cuequivariance off: it runs on CUDA, not on cpu; "
        "deepspeed off: it runs on CUDA, not on cpu)"
    )


def test_too_few_positions_are_refused_before_the_kernel_fails() -> None:
    pytest.importorskip("deepspeed")
    q, bias = draw(1, 2, 1, 16, 4), draw(1, 1, 16, 16)
    with pytest.raises(ValueError, match="more than 16 positions, not 16"):
        deepspeed_attention(q, q, q, torch.ones(1, 2, 16, dtype=torch.bool), bias)


def inputs(device: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """q, k, v, a ragged mask with a row without any key, and a bias; fresh for each kernel."""
    q, k, v = (draw(B, R, H, S, D, seed=n).to(device, dtype).requires_grad_() for n in (1, 2, 3))
    mask = draw(B, R, S, seed=5) > 0
    mask[:, :, 0] = True
    mask[:, -1] = False
    return q, k, v, mask.to(device), draw(B, H, S, S, seed=4).to(device, dtype).requires_grad_()


def output_and_gradients(name: str, device: str, dtype: torch.dtype) -> list[Tensor]:
    """Rows without a key may give anything finite; they add nothing to the gradients."""
    q, k, v, mask, bias = inputs(device, dtype)
    kernel = reference_attention if name == "reference" else KERNELS[name]
    out = kernel(q, k, v, mask, bias)
    assert out.isfinite().all()
    weights = draw(*out.shape, seed=6).to(device, dtype)
    found = torch.autograd.grad((out[:, :-1] * weights[:, :-1]).sum(), (q, k, v, bias))
    return [out[:, :-1].detach(), *found]


@pytest.mark.parametrize("name", ["own", "sdpa"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_kernel_has_output_and_gradients_of_the_reference(name: str, dtype: torch.dtype) -> None:
    found, expected = (output_and_gradients(kernel, "cpu", dtype) for kernel in (name, "reference"))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert_near(one, other)


@pytest.mark.parametrize("name", ["own", "sdpa", "cuequivariance", "deepspeed"])
def test_a_kernel_on_a_gpu_has_output_and_gradients_of_the_reference(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    need = AttentionNeed.on(torch.device("cuda"), torch.bfloat16, D, training=True)
    reason = why_unfit(name, need)
    if reason is not None:
        pytest.skip(reason)
    found = output_and_gradients(name, "cuda", torch.bfloat16)
    expected = output_and_gradients("reference", "cpu", torch.float64)
    for one, other in zip(found, expected, strict=True):
        assert float((one.cpu().double() - other).norm() / other.norm()) < 0.03  # a few roundings at 2⁻⁹


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["reference", "sdpa"])
def test_a_block_computes_the_same_with_every_kernel(name: str, tied: bool) -> None:
    block = randomized(EvoformerBlock(tiny_config(tied_rows=tied)))
    tracks = draw(B, 3, 5, 10), draw(B, 5, 5, 12)
    masks = torch.ones(B, 3, 5, dtype=torch.bool), torch.ones(B, 5, 5, dtype=torch.bool)
    expected = block(*tracks, *masks)
    execute_with(block, Execution(attention=name))
    for one, other in zip(block(*tracks, *masks), expected, strict=True):
        assert_near(one, other)
