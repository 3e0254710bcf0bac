#!/usr/bin/env python
"""Measure the fast parts of the project against plain versions of the same, both sides in one run.

    benchmark.py [--only PART]... [--threads N] [--quick] [--json]

    a3m             20,000 x 300 A3M to arrays; against a parser of the AlphaFold style, one character at a time
    stockholm       10,000 x 1,400, many blocks and one; against a parser of the same style
    weights         5,000 x 200 and 20,000 x 300; against torch one-hot products and EVcouplings
    dca             mean-field DCA; against the inverse of the whole covariance matrix, pydca and freecontact
    structure       4 MB mmCIF to contact atoms by SEQRES; against Biopython's MMCIFParser
    featurize       200 alignments to a store, 2 worker processes; against 1
    process         one call of an outside program; against subprocess.run
    axial_layer     N=64, L=256, 768 channels, 12 tied heads; against fair-esm's AxialTransformerLayer
    evoformer_block N=L=128, AlphaFold 2's widths, forward and backward; against the same with einsum and softmax
    gpu_blocks      8 such blocks, N=128, L=256, bfloat16, where there is a GPU; optional kernels too
    row_attention   pair-biased, forward and backward, N=64, L=256, 8 heads of 32; against einsum and softmax
    predict         N=512, L=300 with the released model, 2 threads, in a process of its own: time and peak memory
    axial           2 blocks of configs/medium.yaml, N=L=128, one sample shared by 2 and 4 ranks; against one rank
    plan            peaks of 32 settings, training and prediction, as `msaformer plan` has them; against measured ones
    longest         longest protein predicted within 8 GiB, N=256, configs/medium.yaml; against the plain network
    data            an optimizer step of two examples by 2 ranks of one thread through ZeRO 2; against one rank
    report          the page of L = 60 to 2,000 in a headless Chromium: size, ready, zoom; against a page of plotly

EVcouplings, pydca and fair-esm are fetched by `install_benchmark_peers`; a peer that is missing is named and left
out. The alignments of `featurize` are synthetic unless MSAFORMER_BENCHMARK_ALIGNMENTS names a folder.
How it is measured: `benchmark_measure.py`; the plain versions: `benchmark_peers.py`. The exit code is 1 when a target
is missed. `--quick` takes tiny sizes, where only agreement is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmark_coevolution import benchmark_dca
from benchmark_featurize import benchmark_featurize
from benchmark_formats import benchmark_stockholm
from benchmark_gpu import benchmark_gpu_blocks
from benchmark_layers import benchmark_axial_layer, benchmark_evoformer_block
from benchmark_measure import (
    MIB,
    Figure,
    alternate,
    difference,
    machine,
    memory,
    peak_memory,
    speed,
    stopwatch,
    table,
    threads_environment,
)
from benchmark_parallel import benchmark_axial, benchmark_data
from benchmark_plan import benchmark_longest, benchmark_plan
from benchmark_process import benchmark_process
from benchmark_report import benchmark_report
from benchmark_structure import benchmark_structure
from benchmark_weights import benchmark_weights

if TYPE_CHECKING:
    from torch import Tensor

# numpy and torch are imported inside the functions: they read the number of threads when they are loaded.

PREDICT_THREADS: Final = 2
TREE: Final = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="default: 1; predict always takes 2, axial 1 a rank",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: do both sides agree?")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--predict-here", nargs=3, type=int, metavar="N L DEPTH", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads < 1:
        parser.error(f"--threads must be at least 1, not {arguments.threads}")
    if arguments.predict_here:  # a process that benchmark_predict started
        print(json.dumps(predict_here(*arguments.predict_here)))
        return 0
    os.environ |= threads_environment(arguments.threads)
    figures = [figure for part in arguments.only or PARTS for figure in PARTS[part](arguments.quick)]
    ran_on = machine(arguments.threads)
    if arguments.json:
        print(json.dumps({"machine": ran_on, "figures": [asdict(figure) for figure in figures]}, indent=1))
    else:
        print(f"{', '.join(f'{key} {value}' for key, value in ran_on.items())}\n\n{table(figures)}")
    return int(any(figure.met is False for figure in figures))


def benchmark_a3m(quick: bool) -> Iterator[Figure]:
    import numpy as np
    from benchmark_peers import parse_a3m_plainly, synthetic_a3m

    from data_tools.formats import parse_alignment, read_alignment

    depth, length = (60, 30) if quick else (20_000, 300)
    file = synthetic_a3m(depth, length, seed=0)
    data = file.text.encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.a3m"
        path.write_bytes(data)
        ours, from_file, peer = alternate(
            lambda: parse_alignment(data, "synthetic"),
            lambda: read_alignment(path),
            lambda: parse_a3m_plainly(file.text),
            repeats=7,
        )
    arrays = [(side.result.tokens, side.result.deletion_matrix) for side in (ours, from_file)]
    truth = (file.tokens, file.deletion_matrix)
    wrong = sum(int(np.sum(read[k] != truth[k])) for read in (*arrays, peer.result) for k in (0, 1))
    yield from speed("a3m", "parse_alignment on bytes", ours, peer, at_least=None if quick else 10)
    yield from speed("a3m", "read_alignment from a file", from_file, peer, at_least=None if quick else 10)
    yield difference("a3m", "cells that differ from what was written", wrong, at_most=0)


def benchmark_row_attention(quick: bool) -> Iterator[Figure]:
    import torch
    from benchmark_peers import attention_inputs

    from msaformer.model.kernels import attention, reference_attention

    def run(kernel: Callable[..., Tensor], make_inputs: Callable[[], tuple[Tensor, ...]]) -> list[Tensor]:
        q, k, v, bias, key_mask = make_inputs()
        out = kernel(q, k, v, key_mask, bias)
        return [out.detach(), *torch.autograd.grad(out, (q, k, v, bias), torch.ones_like(out))]

    sizes = (4, 20, 2, 8) if quick else (64, 256, 8, 32)
    inputs = attention_inputs(*sizes)
    ours, peer = alternate(
        lambda: run(attention, lambda: inputs), lambda: run(reference_attention, lambda: inputs), repeats=5
    )
    yield from speed("row_attention", "forward + backward", ours, peer, at_most=None if quick else 0.7)
    kernels = (attention, reference_attention)
    peaks = [peak_memory(partial(run, kernel, lambda: attention_inputs(*sizes))) for kernel in kernels]
    yield memory("row_attention", "peak with inputs and gradients", *peaks, at_most=None if quick else 0.35)
    pairs = zip(ours.result, peer.result, strict=True)
    largest = max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)
    yield difference("row_attention", "output and gradients, relative difference", largest, at_most=1e-5)


def benchmark_predict(quick: bool) -> Iterator[Figure]:
    depth, length, threads = (12, 24, 1) if quick else (512, 300, PREDICT_THREADS)
    environment = os.environ | threads_environment(threads)
    for max_depth in (0,) if quick else (0, depth):  # 0: the model's own default
        arguments = [str(number) for number in (depth, length, max_depth)]
        command = [sys.executable, __file__, "--predict-here", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        seen = json.loads(done.stdout)
        label = f"{seen['sequences_used']} of {depth} sequences"
        for stage in ("features", "network"):
            for kind in ("CPU", "wall"):
                yield Figure("predict", f"{label}: {stage}, {kind} time", "ms", seen[stage][kind] * 1e3)
        peak = seen["peak_bytes"] / MIB
        yield Figure("predict", f"{label}: peak", "MiB", peak, target="≤ 6144", met=peak <= 6 * 1024)


PARTS: Final[dict[str, Callable[[bool], Iterator[Figure]]]] = {
    "a3m": benchmark_a3m,
    "stockholm": benchmark_stockholm,
    "weights": benchmark_weights,
    "dca": benchmark_dca,
    "structure": benchmark_structure,
    "featurize": benchmark_featurize,
    "process": benchmark_process,
    "row_attention": benchmark_row_attention,
    "axial_layer": benchmark_axial_layer,
    "evoformer_block": benchmark_evoformer_block,
    "gpu_blocks": benchmark_gpu_blocks,
    "predict": benchmark_predict,
    "axial": benchmark_axial,
    "plan": benchmark_plan,
    "longest": benchmark_longest,
    "data": benchmark_data,
    "report": benchmark_report,
}


def predict_here(depth: int, length: int, max_depth: int) -> dict[str, Any]:
    """Predict once with the released weights; time of the stages and the most memory this process ever held."""
    import numpy as np
    from benchmark_peers import family

    from data_tools.alignment import Alignment
    from data_tools.features import featurize
    from msaformer.given import Given
    from msaformer.predict import predict_features
    from msaformer.pretrained import load_model
    from msaformer.training.throughput import peak_resident_bytes

    tokens = family(depth, length, seed=0)
    names = tuple(f"sequence_{row}" for row in range(depth))
    alignment = Alignment(names, tokens, np.zeros(tokens.shape, np.uint16))
    model = load_model()
    cpu, wall, features = stopwatch(lambda: featurize(alignment))
    seen: dict[str, Any] = {"features": {"CPU": cpu, "wall": wall}}
    cpu, wall, prediction = stopwatch(
        lambda: predict_features(
            features, alignment.query, model, name="synthetic", given=Given(max_depth or None)
        )
    )
    seen["network"] = {"CPU": cpu, "wall": wall}
    return seen | {"sequences_used": prediction.model["sequences_used"], "peak_bytes": peak_resident_bytes()}


if __name__ == "__main__":
    raise SystemExit(main())
