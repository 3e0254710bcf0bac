"""Attention kernels of other packages, imported when they are first used: cuEquivariance and DS4Sci of DeepSpeed.

Both run on NVIDIA GPUs only and want a pair bias; neither has been run by us on one, so that none is chosen unless
asked for by name. `why_unfit` says what stands in the way of each.

Dimension key: B batch, R rows attended independently, S positions along the attended axis, H heads, D channels a head.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from msaformer.model.functions.softmax_attention import MASKED_LOGIT

_CUEQUIVARIANCE_CAPABILITY: Final = (8, 0)  # Ampere, the first with bfloat16 and TF32 in its tensor cores
_DEEPSPEED_CAPABILITY: Final = (7, 0)  # DeepSpeed's EvoformerAttnBuilder
_DEEPSPEED_HEAD_CHANNELS: Final = 64  # of its backward kernel (evoformer_attn.py: attention_bwd)
_HALF: Final = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True)
class AttentionNeed:
    """What a kernel has to serve."""

    device_type: str
    capability: tuple[int, int] | None
    """Compute capability of an NVIDIA GPU."""
    dtype: torch.dtype
    """Of queries, keys and values."""
    head_channels: int
    """Of the widest head."""
    training: bool

    @classmethod
    def on(
        cls, device: torch.device, dtype: torch.dtype, head_channels: int, *, training: bool
    ) -> AttentionNeed:
        """The need of a network on `device`."""
        is_nvidia = device.type == "cuda" and torch.version.cuda is not None
        capability = torch.cuda.get_device_capability(device) if is_nvidia else None
        return cls(device.type, capability, dtype, head_channels, training)


def cuequivariance_attention(
    q: Float[Tensor, "B R H S D"],
    k: Float[Tensor, "B R H S D"],
    v: Float[Tensor, "B R H S D"],
    key_mask: Bool[Tensor, "B R S"],
    pair_bias: Float[Tensor, "B H S S"],
) -> Float[Tensor, "B R H S D"]:
    """cuEquivariance's triangle attention, whose bias is float32 and whose mask is True for real keys."""
    from cuequivariance_torch import triangle_attention

    mask = key_mask[:, :, None, None, :]
    out: Tensor = triangle_attention(q, k, v, pair_bias.float()[:, None], mask, q.shape[-1] ** -0.5)
    return out


def deepspeed_attention(
    q: Float[Tensor, "B R H S D"],
    k: Float[Tensor, "B R H S D"],
    v: Float[Tensor, "B R H S D"],
    key_mask: Bool[Tensor, "B R S"],
    pair_bias: Float[Tensor, "B H S S"],
) -> Float[Tensor, "B R H S D"]:
    """DS4Sci_EvoformerAttention, which wants positions before heads, and bias and mask in the type of q.

    Built by nvcc when it is first called. Raises ValueError for 16 positions or fewer, which it cannot attend to.
    """
    from deepspeed.ops.deepspeed4science import DS4Sci_EvoformerAttention

    if q.shape[3] <= 16:
        raise ValueError(f"DS4Sci_EvoformerAttention needs more than 16 positions, not {q.shape[3]}")
    lowest = MASKED_LOGIT if q.dtype != torch.float16 else -6e4  # finite in float16
    masked = torch.zeros(key_mask.shape, dtype=q.dtype, device=q.device).masked_fill(~key_mask, lowest)
    biases = [masked[:, :, None, None, :], pair_bias.to(q.dtype)[:, None]]
    out: Tensor = DS4Sci_EvoformerAttention(*(x.transpose(2, 3) for x in (q, k, v)), biases)
    return out.transpose(2, 3)


def why_unfit(name: str, need: AttentionNeed) -> str | None:
    """Why the kernel `name` cannot serve `need` here; None if it can. Kernels of torch alone always can."""
    if name == "cuequivariance":
        return _why_no_cuequivariance(need)
    if name == "deepspeed":
        return _why_no_deepspeed(need)
    return None


def _why_no_cuequivariance(need: AttentionNeed) -> str | None:
    reason = _why_no_gpu(need, _CUEQUIVARIANCE_CAPABILITY)
    if reason is not None:
        return reason
    for package in ("cuequivariance_torch", "cuequivariance_ops_torch"):
        if find_spec(package) is None:
            return f"package {package} is not installed"
    if need.dtype == torch.float32 and need.training and not torch.backends.cuda.matmul.allow_tf32:
        return "its backward pass has no full float32; use training.precision=bfloat16"
    return None


def _why_no_deepspeed(need: AttentionNeed) -> str | None:
    reason = _why_no_gpu(need, _DEEPSPEED_CAPABILITY)
    if reason is not None:
        return reason
    if need.dtype not in _HALF:
        return f"it knows no {str(need.dtype).removeprefix('torch.')}; use training.precision=bfloat16"
    if need.head_channels > _DEEPSPEED_HEAD_CHANNELS:
        return f"heads of {need.head_channels} channels are wider than its {_DEEPSPEED_HEAD_CHANNELS}"
    if find_spec("deepspeed") is None:
        return "package deepspeed is not installed"
    if shutil.which("nvcc") is None and "CUDA_HOME" not in os.environ:
        return "nvcc, which builds it, is not on PATH"
    from deepspeed.ops.op_builder import EvoformerAttnBuilder

    if not EvoformerAttnBuilder().is_compatible(verbose=False):
        return "DeepSpeed finds no fitting CUTLASS (3.1 or later, see CUTLASS_PATH) or CUDA toolkit"
    return None


def _why_no_gpu(need: AttentionNeed, least: tuple[int, int]) -> str | None:
    if need.capability is None:
        return (
            "no NVIDIA GPU" if need.device_type == "cuda" else f"it runs on CUDA, not on {need.device_type}"
        )
    if need.capability < least:
        found, wanted = (".".join(map(str, version)) for version in (need.capability, least))
        return f"compute capability {found} is below {wanted}"
    return None
