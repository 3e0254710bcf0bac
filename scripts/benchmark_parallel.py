#!/usr/bin/env python
"""What several processes gain: one sample shared by 2 and 4 ranks, two samples by 2, against one that does all.

    benchmark_parallel.py [--quick]

    axial   forward and backward of 2 blocks of configs/medium.yaml, N = L = 128: time with 2 ranks of one thread, the
            most memory of a rank with 2 and with 4
    data    an optimizer step of two examples with the network of configs/tiny.yaml, N = 32, L = 128: one example a rank
            through DeepSpeed's ZeRO 2, against both by the engine for one process

Both sides run in turn in the same processes, where the first rank works alone while the others sleep. Wall time is
judged, as it is what a second core is to save: the machine must have two cores to spare. Also a part of `benchmark.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmark_measure import Figure, difference, memory, peak_memory, stopwatch, table, threads_environment

if TYPE_CHECKING:
    from torch import Tensor

    from msaformer.data.batch import Batch
    from msaformer.model.model import MSAFormer
    from msaformer.parallel.axial import AxialSharding

TREE: Final = Path(__file__).resolve().parents[1]
TIMEOUT_S: Final = 1800
MIN_SPEED_UP: Final = 1.7  # of two ranks over one
MAX_PEAK: Final = {2: 0.55, 4: 0.30}  # of one rank's
REPEATS: Final = 3


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: do both sides agree?")
    parser.add_argument("--rank", nargs=4, metavar=("JOB", "RANK", "SIZE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank:  # a process that `run_ranks` started
        job, rank, size, folder = arguments.rank
        work_as_rank(JOBS[job], int(rank), int(size), Path(folder), quick=arguments.quick)
        return 0
    figures = [*benchmark_axial(arguments.quick), *benchmark_data(arguments.quick)]
    print(table(figures))
    return int(any(figure.met is False for figure in figures))


def benchmark_axial(quick: bool) -> Iterator[Figure]:
    seen = {2: run_ranks("axial", 2, quick=quick)}
    if not quick:
        seen[4] = run_ranks("axial_memory", 4, quick=False)
    yield from speed_up("axial", "forward + backward", seen[2][0], quick=quick)
    for size, ranks in seen.items():
        peak = max(rank["shared"]["peak"] for rank in ranks)
        at_most = None if quick else MAX_PEAK[size]
        yield memory("axial", f"peak of a rank of {size}", peak, ranks[0]["alone"]["peak"], at_most=at_most)
    largest = max(ranks[0]["difference"] for ranks in seen.values())
    yield difference("axial", "gradients, norm of the relative difference", largest, at_most=1e-5)


def benchmark_data(quick: bool) -> Iterator[Figure]:
    first, _ = run_ranks("data", 2, quick=quick)
    yield from speed_up("data", "optimizer step of two examples", first, quick=quick)
    yield difference("data", "losses of three steps, largest difference", first["difference"], at_most=1e-5)


def speed_up(part: str, what: str, first: dict[str, Any], *, quick: bool) -> Iterator[Figure]:
    """Wall time, which is judged, and the CPU time of the first rank, alone and as one of two."""
    alone, shared = first["alone"], first["shared"]
    for kind in ("wall", "CPU"):
        ratio = alone[kind] / shared[kind]
        judged = kind == "wall" and not quick
        yield Figure(
            part=part,
            name=f"{what}, 2 ranks, {kind} time" + (" of a rank" if kind == "CPU" else ""),
            unit="ms",
            ours=shared[kind] * 1e3,
            peer=alone[kind] * 1e3,
            ratio=ratio,
            target=f"≥ {MIN_SPEED_UP:g}×" if judged else "",
            met=ratio >= MIN_SPEED_UP if judged else None,
        )


def run_ranks(job: str, size: int, *, quick: bool) -> list[dict[str, Any]]:
    """What each of `size` processes of one thread returned from the job, in the order of their ranks."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, *(["--quick"] if quick else []), "--rank", job]
        processes = [
            subprocess.Popen(
                [*command, str(rank), str(size), folder], env=os.environ | threads_environment(1)
            )
            for rank in range(size)
        ]
        try:
            codes = [process.wait(timeout=TIMEOUT_S) for process in processes]
        finally:
            for process in processes:
                process.kill()  # nothing happens to one that has ended
                process.wait()
        if any(codes):
            raise RuntimeError(f"{job} with {size} ranks: exit codes {codes}")
        return [json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(size)]


def work_as_rank(
    job: Callable[[AxialSharding, bool], dict[str, Any]], rank: int, size: int, folder: Path, *, quick: bool
) -> None:
    """Do the job in a group of all ranks, and write down what it returns."""
    import torch
    import torch.distributed as dist

    from msaformer.parallel.axial import AxialSharding

    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "DS_ACCELERATOR": "cpu",
    }
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=TIMEOUT_S),
    )
    found = job(AxialSharding(rank, size, dist.new_group()), quick)
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def share_a_sample(axial: AxialSharding, quick: bool, *, repeats: int) -> dict[str, Any]:
    """Peak, gradients and time of this rank when it is one of several, and of the first rank when it does all."""
    import torch
    import torch.distributed as dist

    from msaformer.config_file import load_config
    from msaformer.model.execution import Execution, execute_with
    from msaformer.model.model import MSAFormer

    side = 8 if quick else 128
    medium = load_config(TREE / "configs" / "medium.yaml").model
    sizes = {"num_blocks": 1, "c_m": 8, "c_z": 8} if quick else {"num_blocks": 2}
    model = MSAFormer(medium.model_copy(update=sizes)).eval()  # without dropout
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, parameter.shape[-1] ** -0.5, generator=generator)
    run = partial(forward_backward, model, side)
    ways = {"alone": Execution(), "shared": Execution(axial=axial)}
    found: dict[str, Any] = {way: {} for way in ways}
    gradients: dict[str, Tensor] = {}
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for repeat in range(1 + repeats):  # the first warms up
        for way, execution in ways.items():
            dist.barrier(axial.group)
            if way == "alone" and axial.rank > 0:
                continue
            execute_with(model, execution)
            cpu, wall, gradient = stopwatch(run)
            if repeat == 0:
                gradients[way] = execution.axial.sum(gradient)
                found[way]["peak"] = peak_memory(run)
            else:
                spent[way].append((cpu, wall))
    execute_with(model, Execution())  # without the group, which is to be ended
    for way, times in spent.items():
        if times:
            found[way]["CPU"], found[way]["wall"] = map(statistics.median, zip(*times, strict=True))
    if axial.rank == 0:
        apart = (gradients["shared"] - gradients["alone"]).norm() / gradients["alone"].norm()
        found["difference"] = float(apart)
    return found


def share_a_step(axial: AxialSharding, quick: bool, *, repeats: int) -> dict[str, Any]:
    """Time of an optimizer step of two examples, by the first rank alone and by all with one each, and the losses."""
    import torch
    import torch.distributed as dist

    from msaformer.config_file import load_config
    from msaformer.parallel.ranks import Ranks
    from msaformer.training.engine import Engine
    from msaformer.training.setup import build_engine, build_model
    from msaformer.training.step import forward_and_backward

    smaller = ["model.num_blocks=1", "model.c_m=8", "model.c_z=8"] if quick else []
    sizes = [f"training.accumulation={axial.size}", "training.precision=float32"]
    config = load_config(TREE / "configs" / "tiny.yaml", [*sizes, *smaller])
    device = torch.device("cpu")
    ranks = {"alone": Ranks(), "shared": Ranks(axial.rank, axial.size, axial.rank, axial.size)}
    engines: dict[str, Engine] = {
        way: build_engine(build_model(config), config, of_way, device) for way, of_way in ranks.items()
    }
    examples = [random_batch(*((6, 12) if quick else (32, 128)), seed=seed) for seed in range(axial.size)]
    batches = {"alone": examples, "shared": [examples[axial.rank]]}
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ranks}
    losses: dict[str, list[float]] = {way: [] for way in ranks}

    def optimizer_step(way: str, number: int) -> None:
        report = forward_and_backward(engines[way], batches[way], config, number, ranks[way])
        losses[way].append(report.losses["loss"])
        engines[way].step(1e-3)

    for number in range(1 + repeats):  # the first warms up
        for way in ranks:
            dist.barrier(axial.group)
            if way == "alone" and axial.rank > 0:
                continue
            spent[way].append(stopwatch(partial(optimizer_step, way, number))[:2])
    found: dict[str, Any] = {"difference": 0.0}
    for way, times in spent.items():
        engines[way].close()
        if times:
            medians = map(statistics.median, zip(*times[1:], strict=True))
            found[way] = dict(zip(("CPU", "wall"), medians, strict=True))
    if axial.rank == 0:
        pairs = zip(losses["alone"][:3], losses["shared"][:3], strict=True)
        found["difference"] = max(abs(one - other) for one, other in pairs)
    return found


def forward_backward(model: MSAFormer, side: int) -> Tensor:
    """All gradients of this rank's share of the mean square of the logits."""
    import torch

    batch = random_batch(side, side)
    output = model(batch)
    logits = (output.contact_logits, output.distogram_logits, output.masked_msa_logits)
    torch.autograd.backward(torch.stack([part.square().sum() for part in logits]).sum() / side**2)
    gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad(set_to_none=True)
    return gradients


def random_batch(depth: int, length: int, seed: int = 0) -> Batch:
    """One example without padding; the same on all ranks."""
    import numpy as np

    from data_tools.alphabet import NUM_SYMBOLS
    from data_tools.features import COEVOLUTION_MAPS
    from msaformer.data.batch import Sample, collate

    rng = np.random.default_rng(seed)
    distances = rng.uniform(3, 30, (length, length)).astype(np.float32)
    sample = Sample(
        tokens=rng.integers(NUM_SYMBOLS, size=(depth, length), dtype=np.uint8),
        deletions=np.zeros((depth, length), np.float32),
        profile=rng.dirichlet(np.ones(NUM_SYMBOLS), size=length).astype(np.float32),
        residue_index=np.arange(length, dtype=np.int32),
        coevolution=rng.normal(size=(length, length, len(COEVOLUTION_MAPS))).astype(np.float32),
        distances=np.minimum(distances, distances.T),
        masked_targets=rng.integers(NUM_SYMBOLS, size=(depth, length)),
    )
    return collate([sample], len(COEVOLUTION_MAPS))


JOBS: Final[dict[str, Callable[[AxialSharding, bool], dict[str, Any]]]] = {
    "axial": partial(share_a_sample, repeats=REPEATS),
    "axial_memory": partial(share_a_sample, repeats=0),
    "data": partial(share_a_step, repeats=REPEATS),
}


if __name__ == "__main__":
    raise SystemExit(main())
