#!/usr/bin/env python
"""Measure the fast parts of the project against plain versions of the same, both sides in one run.

    benchmark.py [--only PART]... [--threads N] [--quick] [--json]

    a3m             20,000 x 300 A3M to arrays; against a parser of the AlphaFold style, one character at a time
    weights         sequence weights, 5,000 x 200; against float32 one-hot products in torch
    row_attention   pair-biased, forward and backward, N=64, L=256, 8 heads of 32; against einsum and softmax
    predict         N=512, L=300 with the released model, 2 threads, in a process of its own: time and peak memory
    dca             mean-field DCA, L=217, N=84 and 1,000; against the inverse of the whole covariance matrix

The sides take turns; times are medians. Targets are judged on CPU time, which other work on the machine disturbs least;
wall time stands beside it. The ratio is peer / ours where more is better, and ours / peer where the target is an upper
bound. The exit code is 1 when a target is missed. `--quick` takes tiny sizes, where only agreement is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from msaformer.pretrained import LoadedModel

# numpy and torch are imported inside the functions: they read the number of threads when they are loaded.

MIB: Final = 2**20
PREDICT_THREADS: Final = 2
TREE: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    part: str
    name: str
    unit: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians, in seconds, and what the last call returned."""

    cpu: float
    wall: float
    result: Any


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1; predict always takes 2")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: do both sides agree?")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--predict-here", nargs=4, metavar="WEIGHTS N L DEPTH", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads < 1:
        parser.error(f"--threads must be at least 1, not {arguments.threads}")
    threads = PREDICT_THREADS if arguments.predict_here else arguments.threads
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if arguments.predict_here:
        weights, *sizes = arguments.predict_here
        print(json.dumps(predict_here(Path(weights), *map(int, sizes))))
        return 0
    figures = [figure for part in arguments.only or PARTS for figure in PARTS[part](arguments.quick)]
    if arguments.quick:
        figures = [figure for figure in figures]
    if arguments.json:
        print(json.dumps({"machine": machine(arguments.threads), "figures": [asdict(f) for f in figures]}, indent=1))
    else:
        print(f"{machine(arguments.threads)}\n{table(figures)}")
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
    truth = (file.tokens, file.deletion_matrix)
    for alignment in (ours.result, from_file.result):
        assert all(map(np.array_equal, (alignment.tokens, alignment.deletion_matrix), truth))
    assert all(map(np.array_equal, peer.result, truth))
    yield from speed("a3m", "parse_alignment on bytes", ours, peer, at_least=None if quick else 10)
    yield from speed("a3m", "read_alignment from a file", from_file, peer, at_least=None if quick else 10)


def benchmark_weights(quick: bool) -> Iterator[Figure]:
    from benchmark_peers import family, weights_by_full_product, weights_by_half_product

    from data_tools.weights import DEFAULT_IDENTITY, effective_sequences, sequence_weights

    tokens = family(*((60, 30) if quick else (5_000, 200)), seed=0)
    ours, half, full = alternate(
        lambda: sequence_weights(tokens),
        lambda: weights_by_half_product(tokens, DEFAULT_IDENTITY),
        lambda: weights_by_full_product(tokens, DEFAULT_IDENTITY),
        repeats=5,
    )
    at_least = None if quick else 8.0
    yield from speed("weights", "against half the product", ours, half, at_least=at_least)
    yield from speed("weights", "against the full product", ours, full, at_least=at_least)
    neff = [effective_sequences(side.result) for side in (ours, half, full)]
    yield difference("weights", "Neff, difference", max(neff) - min(neff), at_most=1e-3)


def benchmark_row_attention(quick: bool) -> Iterator[Figure]:
    import torch
    from benchmark_peers import attention_inputs

    from msaformer.model.kernels import attention, reference_attention

    def run(kernel: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        q, k, v, bias, key_mask = attention_inputs(*((4, 20, 2, 8) if quick else (64, 256, 8, 32)))
        start_cpu, start_wall = time.process_time(), time.perf_counter()
        out = kernel(q, k, v, key_mask, bias)
        out.backward(torch.ones_like(out))
        spent.append((time.process_time() - start_cpu, time.perf_counter() - start_wall))
        return [out.detach(), *(leaf.grad for leaf in (q, k, v, bias) if leaf.grad is not None)]

    sides, results = [], []
    for _ in range(1):
        pass
    raise NotImplementedError
