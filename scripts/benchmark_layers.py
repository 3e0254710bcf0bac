"""Part of `benchmark.py`: whole layers of the network, forward and backward, in time and in memory.

    axial_layer       N=64, L=256, 768 channels, 12 heads, tied rows: fair-esm's AxialTransformerLayer, random weights;
                      the same computed by our layers with its weights copied; float32, and ours in bfloat16
    evoformer_block   N=128, L=128, 256 and 128 channels: our block against the same written plainly, the same weights

fair-esm 2.0.0 is taken from `.benchmark/`, where `scripts/install_benchmark_peers` puts it. Peaks count parameters,
their gradients, inputs and theirs.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmark_measure import Figure, alternate, difference, memory, peak_memory, speed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from msaformer.model.evoformer import EvoformerBlock

# torch is imported inside the functions: it reads the number of threads when it is loaded.

PEERS: Final = Path(__file__).resolve().parents[1] / ".benchmark"


def benchmark_axial_layer(quick: bool) -> Iterator[Figure]:
    """MSA Transformer's layer against fair-esm's own."""
    import torch

    part, fair_esm = "axial_layer", load_fair_esm()
    if fair_esm is None:
        print(f"{part}: fair-esm is missing; run scripts/install_benchmark_peers", file=sys.stderr)
        return
    depth, length, channels, heads = (4, 10, 24, 3) if quick else (64, 256, 768, 12)

    def make_peer() -> tuple[Any, ...]:
        torch.manual_seed(0)
        rates = dict.fromkeys(("dropout", "attention_dropout", "activation_dropout"), 0.0)
        layer = fair_esm(channels, 4 * channels, heads, **rates)
        return layer, torch.randn(depth, length, 1, channels).requires_grad_()

    def make_ours() -> tuple[Any, ...]:
        peer, x = make_peer()
        return axial_layer_of(peer, heads), x.detach().permute(2, 0, 1, 3).contiguous().requires_grad_()

    ours, peer = make_ours(), make_peer()
    repeats = 1 if quick else 3
    sides = [partial(forward, *ours), partial(forward, *peer)]
    one, other = alternate(*sides, repeats=repeats)
    yield from speed(part, "forward", one, other, at_least=None if quick else 1)
    sides = [partial(both_passes, *ours), partial(both_passes, *peer), partial(in_bfloat16, *ours)]
    one, other, rounded = alternate(*sides, repeats=repeats)
    yield from speed(part, "forward + backward", one, other, at_least=None if quick else 1)
    yield from speed(
        part, "forward + backward, ours in bfloat16", rounded, other, at_least=None if quick else 1.3
    )
    found = [one.result[0][0], one.result[1][0]]
    expected = [other.result[0].squeeze(2), other.result[1].squeeze(2)]
    yield difference(part, "output and its gradient by the input", apart(found, expected), at_most=1e-5)
    del ours, peer, one, other, rounded, found, expected, sides
    for name, run in (("forward", forward), ("forward + backward", both_passes)):
        peaks = [peak_memory(lambda run=run, make=make: run(*make())) for make in (make_ours, make_peer)]
        yield memory(part, f"peak, {name}", *peaks, at_most=None if quick else 0.6)


def benchmark_evoformer_block(quick: bool) -> Iterator[Figure]:
    """Our block, as it runs by default and with wide tables computed again, against the plain one."""
    from benchmark_plain import plain_block

    part = "evoformer_block"
    make = partial(make_block, 6 if quick else 128, 8 if quick else 128, "cpu")

    def plain(block: EvoformerBlock, *inputs: Tensor) -> Any:
        return both_passes(partial(plain_block, block), *inputs, parameters=list(block.parameters()))

    def recomputing(block: EvoformerBlock, *inputs: Tensor) -> Any:
        from msaformer.model.execution import Execution, execute_with

        execute_with(block, Execution(keep_wide=False))
        return both_passes(block, *inputs)

    blocks = make(), make(), make()
    runs = both_passes, plain, recomputing
    sides = [partial(run, *given) for run, given in zip(runs, blocks, strict=True)]
    ours, peer, again = alternate(*sides, repeats=1 if quick else 5)
    yield from speed(part, "forward + backward", ours, peer, at_least=None if quick else 1.3)
    yield from speed(part, "forward + backward, wide tables computed again", again, peer)
    yield difference(part, "outputs and gradients", apart(ours.result, peer.result), at_most=1e-5)
    del blocks, sides, ours, peer, again
    kept, plainly, recomputed = (peak_memory(lambda run=run: run(*make())) for run in runs)
    yield memory(part, "peak, forward + backward", kept, plainly, at_most=None if quick else 0.4)
    yield memory(part, "peak, wide tables computed again", recomputed, plainly)


def forward(module: Callable[..., Any], *inputs: Tensor) -> Any:
    import torch

    with torch.no_grad():
        return module(*inputs)


def in_bfloat16(module: Callable[..., Any], *inputs: Tensor) -> list[Tensor]:
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16):
        return both_passes(module, *inputs)


def both_passes(module: Any, *inputs: Tensor, parameters: list[Tensor] | None = None) -> list[Tensor]:
    """Outputs, then the gradients of inputs and parameters for outputs weighted by themselves."""
    import torch

    asked = [x for x in inputs if x.requires_grad]
    asked += list(module.parameters()) if parameters is None else parameters
    found = module(*inputs)
    outputs = [found] if isinstance(found, torch.Tensor) else [x for x in found if x.is_floating_point()]
    outputs = outputs[:1] if len(inputs) == 1 else outputs  # fair-esm's returns its attention too
    gradients = torch.autograd.grad(outputs, asked, [x.detach() for x in outputs])
    return [*(x.detach() for x in outputs), *gradients]


def apart(found: list[Tensor], expected: list[Tensor]) -> float:
    """Largest norm of a difference as a share of the norm; gradients that are zero but for rounding are passed over."""
    sizes = [float(x.double().norm()) for x in expected]
    pairs = zip(found, expected, sizes, strict=True)
    return max(
        float((one.double() - other.double()).norm()) / size
        for one, other, size in pairs
        if size > 1e-6 * max(sizes)
    )


def make_block(depth: int, length: int, device: str) -> tuple[Any, ...]:
    """A block of AlphaFold 2's widths without dropout, every weight random, and its inputs."""
    import torch

    from msaformer.config import ModelConfig
    from msaformer.model.evoformer import EvoformerBlock

    c_m, c_z = 256, 128
    config = ModelConfig(
        c_m=c_m,
        c_z=c_z,
        msa_heads=8,
        msa_head_channels=32,
        pair_heads=4,
        pair_head_channels=32,
        outer_product_channels=32,
        triangle_channels=128,
        transition_factor=4,
        msa_dropout=0.0,
        pair_dropout=0.0,
    )
    torch.manual_seed(0)
    block = EvoformerBlock(config)
    with torch.no_grad():
        for parameter in block.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, parameter.shape[1] ** -0.5)
    inputs = [torch.randn(1, depth, length, c_m), torch.randn(1, length, length, c_z)]
    masks = [torch.ones(1, rows, length, dtype=torch.bool, device=device) for rows in (depth, length)]
    return block.to(device), *(x.to(device).requires_grad_() for x in inputs), *masks


def axial_layer_of(peer: Any, heads: int) -> nn.Module:
    """fair-esm's layer, computed by our layers with its weights."""
    import torch
    from torch import nn

    from msaformer.model.attention import GatedAttention, LayerNorm
    from msaformer.model.transition import Transition

    class AxialLayer(nn.Module):
        """Tied row attention, column attention and GELU transition (Rao et al. 2021, figure 1)."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.row_norm, self.column_norm = LayerNorm(channels), LayerNorm(channels)
            widths = (channels, heads, channels // heads)
            self.row_attention = GatedAttention(*widths, tied=True, gated=False)
            self.column_attention = GatedAttention(*widths, gated=False)
            self.transition = Transition(channels, 4, gelu=True)

        def forward(self, msa: Tensor) -> Tensor:
            mask = torch.ones(msa.shape[:3], dtype=torch.bool)
            msa = msa + self.row_attention(msa, mask, norm=self.row_norm)
            columns = self.column_attention(msa.transpose(1, 2), mask.transpose(1, 2), norm=self.column_norm)
            msa = msa + columns.transpose(1, 2)
            return msa + self.transition(msa)

    layer = AxialLayer(peer.embedding_dim)
    row, column = peer.row_self_attention, peer.column_self_attention
    wide = peer.feed_forward_layer
    copied = [
        (layer.row_norm, row.layer_norm),
        (layer.column_norm, column.layer_norm),
        (layer.transition.norm, wide.layer_norm),
        (layer.transition.widen, wide.layer.fc1),
        (layer.transition.narrow, wide.layer.fc2),
        (layer.row_attention.to_out, row.layer.out_proj),
        (layer.column_attention.to_out, column.layer.out_proj),
    ]
    with torch.no_grad():
        for own, other in copied:
            own.weight.copy_(other.weight)
            own.bias.copy_(other.bias)
        for core, other in ((layer.row_attention, row.layer), (layer.column_attention, column.layer)):
            projections = (other.q_proj, other.k_proj, other.v_proj)
            core.to_qkv.weight.copy_(torch.cat([projection.weight for projection in projections]))
            core.to_qkv.bias.copy_(torch.cat([projection.bias for projection in projections]))
    return layer


def load_fair_esm() -> Any:
    """The class AxialTransformerLayer; None when fair-esm is missing. What else it brings is not loaded."""
    found = importlib.machinery.PathFinder.find_spec("esm", [str(PEERS)])
    if found is None or found.origin is None:
        return None
    package = types.ModuleType("esm")
    package.__path__ = [str(Path(found.origin).parent)]
    sys.modules["esm"] = package
    return importlib.import_module("esm.modules").AxialTransformerLayer
