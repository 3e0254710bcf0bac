"""A made-up protein of any length for the `report` part of the benchmark: compact chain, prediction, alignment.

The chain is a self-avoiding walk pulled to the size of a globular protein, written as a PDB file with backbone and
Cβ. The prediction is that of a network of middling skill: distances blurred more the larger they are, with errors that
neighbouring pairs share, as real maps have them; so it packs about as well as a real one.

Dimension key: N sequences, L residues, K distance bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from data_tools.alignment import Alignment
    from msaformer.prediction import Prediction

BOND_ANGSTROM: Final = 3.8  # between Cα atoms that follow one another
LEAST_ANGSTROM: Final = 5.5  # between any other two
ROUNDS: Final = 40  # of putting bonds and overlaps right
# To the middle, more in short chains: with these, chains of 300 to 2,000 residues have the size of globular proteins
# (radius of gyration 2.2 L^0.38 Å) and about 3 contacts a residue.
PULL: Final = 0.15
PULL_OF_SHORT: Final = 100  # residues
DEPTH: Final = 1_000
_NAMES: Final = {
    "A": "ALA",
    "R": "ARG",
    "N": "ASN",
    "D": "ASP",
    "C": "CYS",
    "Q": "GLN",
    "E": "GLU",
    "G": "GLY",
    "H": "HIS",
    "I": "ILE",
    "L": "LEU",
    "K": "LYS",
    "M": "MET",
    "F": "PHE",
    "P": "PRO",
    "S": "SER",
    "T": "THR",
    "W": "TRP",
    "Y": "TYR",
    "V": "VAL",
}


@dataclass(frozen=True, slots=True, eq=False)
class MadeUp:
    """One protein."""

    prediction: Prediction
    structure: Path
    alignment: Alignment


def made_up_protein(length: int, folder: Path, *, seed: int = 0) -> MadeUp:
    """Fold, predict and align a chain of `length` residues; its structure is written into `folder`."""
    import numpy as np
    from benchmark_peers import family

    from data_tools.alignment import Alignment
    from data_tools.alphabet import decode
    from data_tools.labels import label_distances
    from data_tools.structure import read_chains

    tokens = family(DEPTH, length, seed)
    alignment = Alignment(
        ("query", *(f"relative_{row}" for row in range(1, DEPTH))), tokens, np.zeros(tokens.shape, np.uint16)
    )
    sequence = decode(tokens[0])
    path = folder / f"chain_{length}.pdb"
    path.write_text(pdb_text(compact_chain(length, seed), sequence), encoding="ascii")
    labels = label_distances(sequence, read_chains(path)[0], source=path)
    return MadeUp(predicted(labels.distances, sequence, seed), path, alignment)


def compact_chain(length: int, seed: int) -> npt.NDArray[np.floating[Any]]:
    """`[L, 3]` Å, Cα atoms of a chain without overlaps, about as dense as a protein."""
    import numpy as np

    rng = np.random.default_rng(seed)
    radius = 1.29 * 2.2 * length**0.38  # of the sphere that has that radius of gyration
    pull = PULL * (1 + PULL_OF_SHORT / length)
    points = np.zeros((length, 3))
    direction = np.array([1.0, 0.0, 0.0])
    for k in range(1, length):
        direction = 0.6 * direction + rng.normal(scale=0.8, size=3) - pull * points[k - 1] / radius
        direction /= np.linalg.norm(direction)
        points[k] = points[k - 1] + BOND_ANGSTROM * direction
    for _ in range(ROUNDS):
        squares = np.square(points).sum(axis=1)
        apart = squares[:, None] + squares[None, :] - 2 * points @ points.T
        first, second = np.nonzero(np.triu(apart < LEAST_ANGSTROM**2, k=2))
        gaps = points[first] - points[second]
        distances = np.maximum(np.linalg.norm(gaps, axis=1, keepdims=True), 1e-6)
        push = 0.3 * gaps * (LEAST_ANGSTROM / distances - 1)
        np.add.at(points, first, push)
        np.subtract.at(points, second, push)
        bonds = np.diff(points, axis=0)
        lengths = np.linalg.norm(bonds, axis=1, keepdims=True)
        shift = 0.25 * bonds * (1 - BOND_ANGSTROM / np.maximum(lengths, 1e-6))
        points[:-1] += shift
        points[1:] -= shift
    return points


def pdb_text(points: npt.NDArray[np.floating[Any]], sequence: str) -> str:
    """N, CA, C, O and, but for glycine, CB of each residue, chain A, numbered from 1; a sketch, fit to be drawn."""
    import numpy as np

    ahead = np.diff(points, axis=0, append=points[-1:] + 1.0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    behind = np.concatenate([-ahead[:1], -ahead[:-1]])
    out = -(ahead + behind) + 1e-3
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    across = np.cross(ahead, out)
    atoms = {"N": points + 1.46 * behind, "CA": points, "C": points + 1.52 * ahead}
    atoms["O"] = atoms["C"] + 1.23 * across
    atoms["CB"] = points + 1.53 * out
    lines = []
    for k, letter in enumerate(sequence):
        for name, places in atoms.items():
            if name == "CB" and letter == "G":
                continue
            x, y, z = places[k]
            lines.append(
                f"ATOM  {len(lines) + 1:5d}  {name:<3} {_NAMES.get(letter, 'ALA')} A{k + 1:4d}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00 20.00           {name[0]}"
            )
    return "\n".join([*lines, "TER", "END", ""])


def predicted(distances: npt.NDArray[np.floating[Any]], sequence: str, seed: int) -> Prediction:
    """What a network of middling skill says of `distances` `[L, L]` Å."""
    import numpy as np

    from msaformer.prediction import Prediction

    edges = np.arange(2.5, 20.5, 0.5, dtype=np.float32)
    centres = np.concatenate([[2.25], (edges[1:] + edges[:-1]) / 2, [22.0]]).astype(np.float32)
    mean, spread = blurred(distances.astype(np.float32), seed)
    length = len(sequence)
    probs = np.empty((length, length, len(centres)), dtype=np.float32)
    for row in range(length):  # the whole at once would take gigabytes at 2,000 residues
        logits = -np.square((centres - mean[row, :, None]) / spread[row, :, None]) / 2
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probs[row] = weights / weights.sum(axis=-1, keepdims=True)
    expected = probs @ centres
    return Prediction(
        name=f"made_up_{length}",
        sequence=sequence,
        contact_probs=probs[..., centres < 8].sum(axis=-1).clip(0, 1),
        distogram_probs=probs,
        bin_edges=edges,
        expected_distance=expected,
        distance_std=np.sqrt(np.maximum(probs @ np.square(centres) - np.square(expected), 0)),
        depth=DEPTH,
        neff=DEPTH / 2,
        model={"name": "made-up", "sha256": "0" * 64, "sequences_used": 256},
    )


def blurred(
    distances: npt.NDArray[np.float32], seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and width `[L, L]` Å of what is believed of each distance, symmetric."""
    import numpy as np

    rng = np.random.default_rng(seed + 1)
    length = len(distances)
    noise = rng.normal(size=(length + 4, length + 4)).astype(np.float32)
    windows = [noise[i : i + length, j : j + length] for i in range(5) for j in range(5)]
    shared = np.sum(windows, axis=0, dtype=np.float32) / 5  # of standard deviation 1, common to 5 x 5 pairs
    capped = np.minimum(distances, 24)
    mean = capped + shared * (0.6 + 0.12 * capped)
    spread = 0.8 + 0.1 * capped + 0.3 * np.abs(shared)
    return (mean + mean.T) / 2, (spread + spread.T) / 2
