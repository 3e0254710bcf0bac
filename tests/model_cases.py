"""Small networks with every weight drawn at random, small batches, and the float64 building blocks of the loops.

A fresh network has many zero weights (gates, last layers), behind which a mistake would hide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from data_tools.alphabet import NUM_SYMBOLS
from data_tools.couplings import NUM_COUPLINGS
from msaformer.config import ModelConfig
from msaformer.data.batch import Sample

Array = npt.NDArray[np.float64]
Module = TypeVar("Module", bound=nn.Module)

NUM_MAPS: Final = 2
FLOAT32: Final = {"rtol": 1e-4, "atol": 1e-5}
"""Values are of order 1; each passes about ten steps, each a sum of < 100 terms rounded at 6e-8 of its size."""
BFLOAT16: Final = {"rtol": 0.05, "atol": 0.05}
"""Values are of order 1; each passes several steps rounded at 2⁻⁹ = 0.002 of its size."""


def are_near(
    found: Tensor | Array,
    expected: Tensor | Array,
    *,
    rtol: float = FLOAT32["rtol"],
    atol: float = FLOAT32["atol"],
) -> bool:
    """Whether the numbers are the same but for rounding in float32."""
    return torch.allclose(torch.as_tensor(found), torch.as_tensor(expected), rtol=rtol, atol=atol)


def assert_near(
    found: Tensor | Array | None,
    expected: Tensor | Array,
    *,
    rtol: float = FLOAT32["rtol"],
    atol: float = FLOAT32["atol"],
) -> None:
    """Check that type, shape and numbers are the same but for rounding in float32."""
    assert found is not None
    torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected), rtol=rtol, atol=atol)


def tiny_config(**changes: Any) -> ModelConfig:
    """A network of two blocks in which no two widths agree, without dropout."""
    widths: dict[str, Any] = {
        "num_blocks": 2,
        "c_m": 10,
        "c_z": 12,
        "msa_heads": 2,
        "msa_head_channels": 4,
        "pair_heads": 3,
        "pair_head_channels": 2,
        "outer_product_channels": 3,
        "triangle_channels": 7,
        "transition_factor": 2,
        "max_relative_position": 3,
        "msa_dropout": 0.0,
        "pair_dropout": 0.0,
    }
    return ModelConfig(**(widths | changes))


def randomized(module: Module, seed: int = 0) -> Module:
    """Draw every parameter, biases, gates and norms included, such that activations stay of order 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(
                noise / math.sqrt(parameter.shape[-1]) if parameter.ndim > 1 else 0.5 + 0.5 * noise
            )
    return module


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal float32 values."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def first_real(*real: int, of: int) -> Tensor:
    """Bool `[B, of]`: True for the first `real[b]` places of example b."""
    return torch.arange(of)[None, :] < torch.tensor(real)[:, None]


def sample(depth: int, length: int, *, seed: int = 0, **changes: Any) -> Sample:
    """A random example with co-evolution maps, distances and orientations."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(length, length, NUM_MAPS)).astype(np.float32)
    distances = rng.uniform(3, 30, size=(length, length)).astype(np.float32)
    arrays: dict[str, Any] = {
        "tokens": rng.integers(NUM_SYMBOLS, size=(depth, length), dtype=np.uint8),
        "deletions": rng.integers(3, size=(depth, length)).astype(np.float32),
        "profile": rng.dirichlet(np.ones(NUM_SYMBOLS), size=length).astype(np.float32),
        "residue_index": np.arange(length, dtype=np.int32),
        "coevolution": maps + maps.transpose(1, 0, 2),
        "distances": np.minimum(distances, distances.T),
        "masked_targets": rng.integers(NUM_SYMBOLS, size=(depth, length)),
        "couplings": rng.normal(size=(length, length, NUM_COUPLINGS)).astype(np.float16),
        "neff": 10.0 + seed,
        "orientations": rng.uniform((-3, -3, 0), 3, size=(length, length, 3)).astype(np.float32),
        "name": f"example-{seed}",
    }
    return Sample(**(arrays | changes))


def moved(function: Callable[[Tensor], Tensor], x: Tensor, cell: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which cells of the output change at all when the channels of one `cell` of `x` do."""
    other = x.clone()
    other[cell] = draw(x.shape[-1], seed=99)
    with torch.no_grad():
        return (function(x) != function(other)).any(dim=-1).numpy()


def exact(x: Tensor) -> Array:
    """The same numbers in float64."""
    return x.detach().double().numpy()


def linear(layer: nn.Linear, x: Array) -> Array:
    """A dense layer along the last axis, in float64."""
    out: Array = x @ exact(layer.weight).T
    return out if layer.bias is None else out + exact(layer.bias)


def norm(layer: nn.LayerNorm, x: Array) -> Array:
    """Layer normalisation along the last axis, in float64."""
    centered = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centered**2).mean(axis=-1, keepdims=True) + layer.eps)
    return centered / spread * exact(layer.weight) + exact(layer.bias)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ)."""
    return 1.0 / (1.0 + np.exp(-x))


def softmax(logits: list[float]) -> Array:
    """Weights that sum to 1."""
    weights = np.exp(np.array(logits) - max(logits))
    out: Array = weights / weights.sum()
    return out
