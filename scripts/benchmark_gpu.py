"""Part of `benchmark.py`: blocks of the network on a GPU, with each attention kernel that can run there.

Eight Evoformer blocks of AlphaFold 2's widths, N=128, L=256, forward and backward under bfloat16 autocast, against the
same written plainly; with the share of the card's measured matrix rate that is achieved, its operations being those of
the plain blocks. Without a GPU the part is left out and says so, unless `--quick` tries its code on a CPU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmark_layers import apart, both_passes, make_block
from benchmark_measure import MIB, Figure, difference, memory, peak_memory

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from msaformer.model.evoformer import EvoformerBlock

NUM_BLOCKS: Final = 8
MATRIX_SIZE: Final = 8192
"""Of the square bfloat16 product that measures the matrix rate."""


def benchmark_gpu_blocks(quick: bool) -> Iterator[Figure]:
    """Eight blocks on a GPU with every kernel that runs there, against eight plain ones; the achieved matrix rate."""
    import torch
    from benchmark_plain import plain_block
    from torch.utils.flop_counter import FlopCounterMode

    from msaformer.model.execution import Execution, execute_with
    from msaformer.model.optional_kernels import AttentionNeed, why_unfit

    part = "gpu_blocks"
    if not torch.cuda.is_available() and not quick:
        print(f"{part}: left out, as there is no CUDA device", file=sys.stderr)
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    make = partial(make_block, 6 if quick else 128, 8 if quick else 256, device.type)
    num_blocks = 2 if quick else NUM_BLOCKS

    def run(
        one_block: Callable[..., Any], block: EvoformerBlock, msa: Tensor, pair: Tensor, *masks: Tensor
    ) -> Any:
        """The same block over and over costs what different ones do."""

        def blocks(msa: Tensor, pair: Tensor) -> Any:
            for _ in range(num_blocks):
                msa, pair = one_block(block, msa, pair, *masks)
            return msa, pair

        with torch.autocast(device.type, dtype=torch.bfloat16):
            return both_passes(blocks, msa, pair, parameters=list(block.parameters()))

    def ours(block: EvoformerBlock, *inputs: Tensor) -> Any:
        return block(*inputs)

    given, need = make(), AttentionNeed.on(device, torch.bfloat16, 32, training=True)
    with FlopCounterMode(display=False) as counter:
        run(plain_block, *given)
    plain_s, plain_peak, expected = on_device(partial(run, plain_block), given, device)
    rate = matrix_rate(device, 64 if quick else MATRIX_SIZE)
    yield Figure(part, "measured matrix rate", "TFLOP/s", rate / 1e12)
    for kernel in ("own", "cuequivariance", "deepspeed"):
        reason = why_unfit(kernel, need)
        if reason is not None:
            print(f"{part}: {kernel} left out: {reason}", file=sys.stderr)
            continue
        execute_with(given[0], Execution(attention=kernel))
        seconds, peak, found = on_device(partial(run, ours), given, device)
        ratio, judged = plain_s / seconds, kernel == "own" and not quick
        yield Figure(
            part,
            f"{kernel}: forward + backward, wall time",
            "ms",
            seconds * 1e3,
            plain_s * 1e3,
            ratio,
            "≥ 3×" if judged else "",
            ratio >= 3 if judged else None,
        )
        yield memory(part, f"{kernel}: peak", peak, plain_peak, at_most=0.3 if judged else None)
        share = counter.get_total_flops() / seconds / rate
        yield Figure(part, f"{kernel}: share of the matrix rate", "%", 100 * share)
        yield difference(part, f"{kernel}: outputs", apart(found[:2], expected[:2]), at_most=0.05)


def matrix_rate(device: torch.device, size: int) -> float:
    """Operations a second of a square bfloat16 product, the best of ten."""
    import torch

    left = torch.randn(size, size, dtype=torch.bfloat16, device=device)
    seconds = min(timed(lambda: left @ left, device)[0] for _ in range(10))
    return 2 * size**3 / seconds


def on_device(
    run: Callable[..., Any], given: tuple[Any, ...], device: torch.device
) -> tuple[float, float, Any]:
    """Median seconds of five calls after one that does not count, the peak in MiB, and the result."""
    import torch

    result = run(*given)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run(*given)
        peak = (torch.cuda.max_memory_allocated(device) - before) / MIB
    else:
        peak = peak_memory(lambda: run(*given))
    return sorted(timed(lambda: run(*given), device)[0] for _ in range(5))[2], peak, result


def timed(call: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Wall time with the device's work done."""
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    start = time.perf_counter()
    result = call()
    wait()
    return time.perf_counter() - start, result
