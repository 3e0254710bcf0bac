"""Mean-field DCA against the inverse of the whole covariance matrix in numpy, pydca, and freecontact.

All sides start from tokens in memory, freecontact from a file of them, and each weighs the sequences and scores every
pair; pydca 1.23 is taken from `.benchmark/`, where `scripts/install_benchmark_peers` puts it, and freecontact is the
program of that name (`evfold` profile: mean field, pseudocount 0.5, identity 70 %). pydca is called once before it is
measured, as numba compiles it then. A peer that is missing is named on standard error.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmark_measure import Figure, Timing, alternate, difference, speed, stopwatch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Scores = npt.NDArray[np.floating[Any]]
    Tokens = npt.NDArray[np.uint8]

# numpy is imported inside the functions: it reads the number of threads when it is loaded.

PART: Final = "dca"
LOW_RANK_SIZES: Final = ((84, 217), (1_000, 217))
DEEP_SIZE: Final = (5_000, 150)
PEERS: Final = Path(__file__).resolve().parents[1] / ".benchmark"
PYDCA_AT_LEAST: Final = 5.0  # pydca's CPU time as a multiple of ours
PYDCA_IDENTITY: Final = 0.8 + 1e-6  # it counts pairs above 80 %, we at or above
FREECONTACT_AT_MOST: Final = 2.0  # our CPU time as a multiple of freecontact's
FREECONTACT_TIMEOUT_S: Final = 300.0


def benchmark_dca(quick: bool) -> Iterator[Figure]:
    """Few sequences against the dense inverse; many against pydca (not when quick) and freecontact."""
    for depth, length in ((10, 12), (30, 12)) if quick else LOW_RANK_SIZES:
        yield from against_dense(depth, length)
    depth, length = (300, 12) if quick else DEEP_SIZE
    yield from against_dense(depth, length)
    if not quick:
        yield from against_pydca(depth, length)
    yield from against_freecontact(depth, length, quick=quick)


def against_dense(depth: int, length: int) -> Iterator[Figure]:
    import numpy as np
    from benchmark_peers import dense_mean_field_dca, family

    from data_tools.coevolution import PSEUDOCOUNT, mean_field_dca
    from data_tools.weights import sequence_weights

    tokens = family(depth, length, seed=0)
    weights = sequence_weights(tokens)
    ours, peer = alternate(
        partial(mean_field_dca, tokens, weights),
        partial(dense_mean_field_dca, tokens, weights, pseudocount=PSEUDOCOUNT),
        repeats=3,
    )
    size = f"{depth:,} x {length}"
    yield from speed(PART, f"{size}, against a dense inverse", ours, peer)
    yield difference(
        PART, f"{size}: 1 - Pearson correlation", 1 - pearson(ours.result, peer.result), at_most=1e-5
    )
    largest = float(np.abs(ours.result - peer.result).max() / np.abs(peer.result).max())
    yield difference(PART, f"{size}: relative difference", largest, at_most=1e-3)


def against_pydca(depth: int, length: int) -> Iterator[Figure]:
    """On sequences that all differ, as pydca leaves out copies, and with its weights and norm."""
    import numpy as np
    from benchmark_peers import family

    pydca = load_pydca()
    if pydca is None:
        print("dca: pydca is missing; run scripts/install_benchmark_peers", file=sys.stderr)
        return
    pydca_scores(pydca(family(30, 5, seed=1)))  # compiles it
    tokens = np.unique(family(depth, length, seed=0), axis=0)
    model = pydca(tokens)
    peer = Timing(*stopwatch(partial(pydca_scores, model)))  # half a minute: once
    (ours,) = alternate(partial(weigh_and_score, tokens, identity=PYDCA_IDENTITY, norm="centred"), repeats=3)
    size = f"{len(tokens):,} x {length}"
    yield from speed(PART, f"{size}, against pydca", ours, peer, at_least=PYDCA_AT_LEAST)
    yield difference(
        PART, f"{size}, pydca: 1 - Pearson correlation", 1 - pearson(ours.result, peer.result), at_most=1e-3
    )


def against_freecontact(depth: int, length: int, *, quick: bool) -> Iterator[Figure]:
    from benchmark_peers import family

    program = shutil.which("freecontact")
    if program is None:
        print(
            "dca: freecontact is missing; on Debian or Ubuntu: apt-get install freecontact", file=sys.stderr
        )
        return
    tokens = family(depth, length, seed=0)
    times: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for repeat in range(2 if quick else 6):
        *our_times, our_scores = stopwatch(partial(weigh_and_score, tokens))
        peer_run = freecontact(program, tokens)
        if repeat:  # the first does not count
            times.append(((our_times[0], our_times[1]), (peer_run.cpu, peer_run.wall)))
    (our_cpu, our_wall), (peer_cpu, peer_wall) = (
        (statistics.median(cpu), statistics.median(wall))
        for cpu, wall in (zip(*side, strict=True) for side in zip(*times, strict=True))
    )
    ours, peer = Timing(our_cpu, our_wall, our_scores), Timing(peer_cpu, peer_wall, peer_run.result)
    size = f"{depth:,} x {length}"
    at_most = None if quick else FREECONTACT_AT_MOST
    yield from speed(PART, f"{size}, against freecontact", ours, peer, at_most=at_most)
    yield Figure(PART, f"{size}, freecontact: correlation", "Pearson", pearson(ours.result, peer.result))


def weigh_and_score(tokens: Tokens, identity: float = 0.8, norm: Any = "amino_acids") -> Scores:
    from data_tools.coevolution import mean_field_dca
    from data_tools.weights import sequence_weights

    weights = sequence_weights(tokens, identity=identity, kernel="numpy")
    return mean_field_dca(tokens, weights, norm=norm)


def pearson(first: Scores, second: Scores) -> float:
    """Pearson correlation over the pairs i < j."""
    import numpy as np

    pairs = np.triu_indices(len(first), 1)
    return float(np.corrcoef(first[pairs], second[pairs])[0, 1])


def load_pydca() -> Callable[[Tokens], Any] | None:
    """What makes pydca's model of tokens, on as many threads as the other sides; None when it is missing."""
    if not (PEERS / "pydca").is_dir() or importlib.util.find_spec("numba") is None:
        return None
    numba = importlib.import_module("numba")
    numba.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    sys.path.insert(0, str(PEERS))
    try:
        module = importlib.import_module("pydca.meanfield_dca.meanfield_dca")
    finally:
        sys.path.remove(str(PEERS))

    def model(tokens: Tokens) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "alignment.fasta"
            path.write_text("".join(f">{row}\n{line}\n" for row, line in enumerate(lines(tokens))))
            return module.MeanFieldDCA(str(path), "protein", pseudocount=0.5, seqid=0.8)

    return model


def pydca_scores(model: Any) -> Scores:
    """Weigh and score; `[L, L]`."""
    import numpy as np

    model.compute_sequences_weight()
    scores = np.zeros((model.sequences_len, model.sequences_len))
    for (i, j), score in model.compute_sorted_FN_APC():
        scores[i, j] = scores[j, i] = score
    return scores


def freecontact(program: str, tokens: Tokens) -> Timing:
    """Run the program once on one thread, its CPU time that of the child; scores `[L, L]`."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alignment.aln"
        path.write_text("".join(f"{line}\n" for line in lines(tokens)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [program, "--threads", "1", "--parprof", "evfold", "--ali", str(path)]
        run = partial(
            subprocess.run, command, capture_output=True, text=True, check=True, timeout=FREECONTACT_TIMEOUT_S
        )
        _, wall, done = stopwatch(run)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    scores = np.zeros((tokens.shape[1], tokens.shape[1]))
    for line in done.stdout.splitlines():
        i, _, j, _, _, score = line.split()
        scores[int(i) - 1, int(j) - 1] = scores[int(j) - 1, int(i) - 1] = float(score)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timing(cpu, wall, scores)


def lines(tokens: Tokens) -> Iterator[str]:
    from data_tools.alphabet import decode

    return (decode(row) for row in tokens)
