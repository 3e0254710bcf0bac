#!/usr/bin/env python
"""How fast alignments become a store: two worker processes against one, and what a job costs beside its features.

    benchmark_featurize.py [--alignments DIR] [--count N] [--quick]

DIR, or the folder named by MSAFORMER_BENCHMARK_ALIGNMENTS, holds alignments; an even selection of them is taken.
Without one, alignments are made on the spot. Also a part of `benchmark.py`.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmark_measure import Figure, difference, stopwatch, table

if TYPE_CHECKING:
    from data_tools.pipeline.inputs import Input

ALIGNMENTS_VARIABLE: Final = "MSAFORMER_BENCHMARK_ALIGNMENTS"
MIN_SPEED_UP: Final = 1.8  # of two workers over one
MAX_OVERHEAD_MS: Final = 20.0  # a job's own work for an alignment


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--alignments", type=Path, metavar="DIR")
    parser.add_argument("--count", type=int, default=200, metavar="N")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: do both sides agree?")
    arguments = parser.parse_args()
    figures = list(benchmark_featurize(arguments.quick, arguments.alignments, arguments.count))
    print(table(figures))
    return int(any(figure.met is False for figure in figures))


def benchmark_featurize(quick: bool, alignments: Path | None = None, count: int = 200) -> Iterator[Figure]:
    from data_tools.pipeline.inputs import collect_inputs

    given = alignments or os.environ.get(ALIGNMENTS_VARIABLE)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if quick or given is None:
            inputs = write_synthetic(
                folder / "msas", 6 if quick else count, (20, 20) if quick else (800, 150)
            )
        else:
            found = collect_inputs([given])
            inputs = [found[place * len(found) // count] for place in range(min(count, len(found)))]
        yield from compare(inputs, folder, quick=quick)


def compare(inputs: Sequence[Input], folder: Path, *, quick: bool) -> Iterator[Figure]:
    """One worker, two workers, and the features alone in this process."""
    from data_tools.pipeline.job import featurize_inputs
    from data_tools.pipeline.workers import ProcessPool

    walls, cpus = {}, {}
    for workers in (1, 2):
        run = partial(featurize_inputs, inputs, folder / str(workers), partial(ProcessPool, workers))
        before = cpu_with_children()
        _, walls[workers], _ = stopwatch(run)
        cpus[workers] = cpu_with_children() - before
    featurize_alone(inputs[:1])  # loads what it needs
    alone, _, _ = stopwatch(partial(featurize_alone, inputs))
    count = len(inputs)
    ratio = walls[1] / walls[2]
    target, met = ("", None) if quick else (f"≥ {MIN_SPEED_UP:g}×", ratio >= MIN_SPEED_UP)
    name = f"{count} alignments, 2 workers against 1, wall time"
    yield Figure("featurize", name, "1/s", count / walls[2], count / walls[1], ratio, target, met)
    overhead_ms = max(cpus[1] - alone, 0.0) / count * 1e3
    target, met = ("", None) if quick else (f"≤ {MAX_OVERHEAD_MS:g} ms", overhead_ms <= MAX_OVERHEAD_MS)
    name = "what a job adds to an alignment's features, CPU time"
    yield Figure("featurize", name, "ms", overhead_ms, alone / count * 1e3, None, target, met)
    yield difference(
        "featurize", "files that differ", count_differences(folder / "1", folder / "2"), at_most=0
    )


def cpu_with_children() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def featurize_alone(inputs: Sequence[Input]) -> None:
    """The features of all inputs, one after the other, in this process, written nowhere."""
    from data_tools.pipeline.task import Options, make_example

    for one in inputs:
        make_example(one, Options())


def count_differences(first: Path, second: Path) -> int:
    names = {path.name for folder in (first, second) for path in folder.iterdir()}
    return sum(read_or_nothing(first / name) != read_or_nothing(second / name) for name in names)


def read_or_nothing(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def write_synthetic(folder: Path, count: int, size: tuple[int, int]) -> list[Input]:
    """Alignments of related sequences, `size` = depth and length."""
    from benchmark_peers import family

    from data_tools.alphabet import decode
    from data_tools.pipeline.inputs import Input

    folder.mkdir()
    inputs = []
    for number in range(count):
        tokens = family(*size, seed=number)
        path = folder / f"synthetic{number:04d}.a3m"
        path.write_text("".join(f">{row}\n{decode(codes)}\n" for row, codes in enumerate(tokens)))
        inputs.append(Input(path.stem, str(path)))
    return inputs


if __name__ == "__main__":
    raise SystemExit(main())
