"""The proteins that `benchmark_accuracy.py` scores: read one at a time from stores or folders, and sorted into bands.

L residues, K distance bins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from build_store import alignments_folder, make_example, read_proteins, wanted_ids

from data_tools.alignment import alignment_sha256
from data_tools.alphabet import decode
from data_tools.secondary_structure import HELIX, STRAND, UNRESOLVED, secondary_structure
from data_tools.store import Example, open_store
from data_tools.store_manifest import MANIFEST
from msaformer.distance_metrics import distance_bins, known_pairs
from msaformer.model.heads import BIN_EDGES

NEFF_EDGES: Final = (30, 100, 300, 1000)
LENGTH_EDGES: Final = (100, 200, 300)  # residues
MIN_HELIX: Final = 0.15  # of the resolved residues; Nakashima, Nishikawa & Ooi 1986, J. Biochem. 99:153
MIN_STRAND: Final = 0.10  # likewise
CLASSES: Final = ("mainly alpha", "mainly beta", "alpha and beta", "little of either", "unknown")
SEPARATION_EDGES: Final = (8, 10, 12, 16, 24, 32, 48, 64, 96, 128)
"""|i - j| at which a new row of the background distogram begins; the first row holds 6 and 7."""


@dataclass(frozen=True, slots=True)
class TargetSet:
    """A data set of the comparison, as the command line names it."""

    name: str
    path: Path
    """An example store, or a folder that scripts/build_store.py reads."""
    alignments: Path | None = None
    split: str = "all"
    limit: int | None = None

    @property
    def is_store(self) -> bool:
        """Whether features and distances are ready made."""
        return (self.path / MANIFEST).exists()


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One protein of known structure."""

    set_name: str
    example: Example
    distances: npt.NDArray[np.float32]
    """`[L, L]` Å, NaN = unknown."""

    @property
    def sequence(self) -> str:
        """The query."""
        return decode(self.example.features.tokens[0])

    @property
    def sha256(self) -> str:
        """Identity of what is scored: the alignment and the true distances."""
        features = self.example.features
        alignment = alignment_sha256(features.tokens, features.deletion_matrix)
        return hashlib.sha256(alignment.encode() + self.distances.tobytes()).hexdigest()

    def labels(self) -> dict[str, Any]:
        """The columns that say which protein a row of a table is of, and to which groups it belongs."""
        features = self.example.features
        return {
            "set": self.set_name,
            "id": self.example.id,
            "length": features.length,
            "depth": features.depth,
            "neff": features.neff,
            "neff_band": band(features.neff, NEFF_EDGES),
            "length_band": band(features.length, LENGTH_EDGES),
            "structure_class": structure_class(self.example.backbone, self.sequence),
        }


def parse_set(text: str) -> tuple[str, Path]:
    """`NAME=PATH`, or a path alone, which is named after its folder."""
    name, equals, path = text.partition("=")
    if equals and name and not Path(text).exists():
        return name, Path(path)
    return Path(text).resolve().name, Path(text)


def read_targets(target_set: TargetSet, stack: ExitStack) -> tuple[int, Iterator[Target]]:
    """How many proteins a set has, and these one after another; unpacked files live as long as `stack`.

    Raises ValueError when there is none, or a protein has no structure, and as `open_store` and `build_store` do.
    """
    count, examples = _read_examples(target_set, stack)
    if count == 0:
        raise ValueError(f"{target_set.path}: no protein to score; is --split right?")
    return count, (_target(target_set, example) for example in examples)


def _read_examples(target_set: TargetSet, stack: ExitStack) -> tuple[int, Iterator[Example]]:
    if target_set.is_store:
        store = open_store(target_set.path)
        places = range(len(store))[: target_set.limit]
        return len(places), (store[place] for place in places)
    folder = alignments_folder(target_set.path, target_set.alignments, stack)
    ids = wanted_ids(target_set.path / "index.csv", target_set.split, None)[: target_set.limit]
    proteins = list(read_proteins(target_set.path / "coords.npz", ids, folder))
    return len(proteins), (make_example(protein, None) for protein in proteins)


def _target(target_set: TargetSet, example: Example) -> Target:
    if example.distances is None:
        raise ValueError(f"{target_set.path}: {example.id} has no structure to be compared with")
    return Target(target_set.name, example, example.distances)


def band(value: float, edges: Sequence[int]) -> str:
    """The band that a value lies in: "< 30", "30-100", ..., ">= 1000"; an edge belongs to the band above."""
    place = int(np.searchsorted(edges, value, side="right"))
    return band_names(edges)[place]


def band_names(edges: Sequence[int]) -> tuple[str, ...]:
    """All bands, the lowest first."""
    inner = [f"{low}-{high}" for low, high in pairwise(edges)]
    return (f"< {edges[0]}", *inner, f">= {edges[-1]}")


def structure_class(backbone: npt.NDArray[np.float32] | None, sequence: str) -> str:
    """One of `CLASSES`, by the shares of helix and strand in the resolved residues.

    The thresholds of Nakashima et al. 1986, who had Kabsch and Sander's states: α with at least 15 % helix and less
    than 10 % strand, β the other way round, α and β (their α/β and α+β) with both.
    """
    states = UNRESOLVED if backbone is None else secondary_structure(backbone, sequence)
    resolved = len(states) - states.count(UNRESOLVED)
    if resolved == 0:
        return "unknown"
    has_helix = states.count(HELIX) >= MIN_HELIX * resolved
    has_strand = states.count(STRAND) >= MIN_STRAND * resolved
    if has_helix and has_strand:
        return "alpha and beta"
    if has_helix:
        return "mainly alpha"
    return "mainly beta" if has_strand else "little of either"


def distance_counts(distances: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Pairs `[separations, K]` at least 6 apart, by `SEPARATION_EDGES` and distance bin."""
    first, second = known_pairs(distances)
    row = np.searchsorted(SEPARATION_EDGES, second - first, side="right")
    shape = (len(SEPARATION_EDGES) + 1, len(BIN_EDGES) + 1)
    flat = row * shape[1] + distance_bins(distances[first, second], BIN_EDGES)
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)


def background_log_likelihood(counts: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> float:
    """Mean ln P in nats of the pairs in `counts`, when P is the share of each bin in `others` at that separation.

    Both of `distance_counts`; each bin of `others` is given one pair more, so that nothing is impossible. NaN without
    pairs.
    """
    if counts.sum() == 0:
        return float("nan")
    probs = (others + 1) / (others + 1).sum(axis=1, keepdims=True)
    return float((counts * np.log(probs)).sum() / counts.sum())
