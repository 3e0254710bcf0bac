"""Sequence weights against the two usual ways: one-hot products in torch, and EVcouplings' compiled loop.

All sides count the same pairs: matches >= 80 % of L, gaps as symbols. One thread. EVcouplings 0.2.1 is taken from
`.benchmark/` beside `scripts/`, where `scripts/install_benchmark_peers` puts it, or from wherever Python finds it; it
is loaded file by file, as its package imports much that counting does not need, and is given our bytes, over which its
loop runs faster than over the 64-bit numbers of its own `map_matrix`.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmark_measure import Figure, Timing, alternate, difference, speed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Weigh = Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]]

# numpy and torch are imported inside the functions: they read the number of threads when they are loaded.

PART: Final = "weights"
IDENTITY: Final = 0.8
SIZES: Final = ((5_000, 200), (20_000, 300))
QUICK_SIZES: Final = ((60, 30),)
PEERS: Final = Path(__file__).resolve().parents[1] / ".benchmark"
TARGETS: Final = {"numpy": {"torch": 8.0, "EVcouplings": 1.0}, "numba": {"torch": 40.0, "EVcouplings": 6.0}}
"""Least ratio of CPU times, kernel by peer."""


def benchmark_weights(quick: bool) -> Iterator[Figure]:
    """Both kernels (numba's where it is installed) and both peers at both sizes; a peer that is missing is named."""
    from benchmark_peers import family

    evcouplings = load_evcouplings()
    if evcouplings is None:
        print("weights: EVcouplings is missing; run scripts/install_benchmark_peers", file=sys.stderr)
    for depth, length in QUICK_SIZES if quick else SIZES:
        tokens = family(depth, length, seed=0)
        sides = weighing_sides(evcouplings)
        repeats = 3 if depth > SIZES[0][0] else 5
        timings = alternate(*(partial(weigh, tokens) for weigh in sides.values()), repeats=repeats)
        yield from compare(dict(zip(sides, timings, strict=True)), f"{depth:,} x {length}", quick=quick)


def compare(timings: dict[str, Timing], size: str, *, quick: bool) -> Iterator[Figure]:
    """Each kernel against each peer, and how far the weights are apart."""
    import numpy as np

    for kernel, targets in TARGETS.items():
        for peer, at_least in targets.items():
            if kernel in timings and peer in timings:
                name = f"{size}, {kernel} against {peer}"
                target = None if quick else at_least
                yield from speed(PART, name, timings[kernel], timings[peer], at_least=target)
    weights = [np.asarray(timing.result, dtype=np.float32) for timing in timings.values()]
    largest = max(float(np.abs(weights[0] - others).max()) for others in weights)
    yield difference(
        PART, f"{size}, weights of {', '.join(timings)}: largest difference", largest, at_most=0.0
    )


def weighing_sides(evcouplings: Weigh | None) -> dict[str, Weigh]:
    """Name to function of our kernels and the peers that are there."""
    from benchmark_peers import weights_by_half_product

    from data_tools.weights import sequence_weights

    sides: dict[str, Weigh] = {"numpy": partial(sequence_weights, identity=IDENTITY, kernel="numpy")}
    if importlib.util.find_spec("numba") is not None:
        sides["numba"] = partial(sequence_weights, identity=IDENTITY, kernel="numba")
    sides["torch"] = partial(weights_by_half_product, identity=IDENTITY)
    if evcouplings is not None:
        sides["EVcouplings"] = evcouplings
    return sides


def load_evcouplings() -> Weigh | None:
    """1 / `num_cluster_members` of EVcouplings; None when EVcouplings or numba is missing."""
    path = [str(PEERS), *sys.path]
    found = importlib.machinery.PathFinder.find_spec("evcouplings", path)
    if found is None or found.origin is None or importlib.util.find_spec("numba") is None:
        return None
    root = Path(found.origin).parent
    for name in ("evcouplings", "evcouplings.align", "evcouplings.utils"):
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    sys.modules["evcouplings.utils"].__dict__["InvalidParameterError"] = ValueError  # imported, not used here
    num_cluster_members = importlib.import_module("evcouplings.align.alignment").num_cluster_members

    def weigh(tokens: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        weights: npt.NDArray[Any] = 1.0 / num_cluster_members(tokens, IDENTITY)
        return weights

    return weigh
