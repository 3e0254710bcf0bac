"""Made-up predictions for the report's tests: a real structure's distances, blurred by seeded noise."""

from __future__ import annotations

import numpy as np

from data_tools.alignment import Alignment
from data_tools.alphabet import encode
from data_tools.labels import Labels, pairwise_distances
from data_tools.structure import Chain
from msaformer.prediction import Prediction
from msaformer.report.truth import Truth

LENGTH = 40
SEQUENCE = ("ACDEFGHIKLMNPQRSTVWY" * 2)[:LENGTH]

BIN_EDGES = np.arange(2.5, 20.5, 0.5, dtype=np.float32)


def prediction_from(distances, sequence, *, name="toy", seed=0, noise=2.2, **changes):
    """A prediction that is right where `distances` `[L, L]` are small, up to `noise` Å of seeded error."""
    rng = np.random.default_rng(seed)
    length = len(sequence)
    upper = np.triu(rng.normal(size=(length, length)), k=1)
    blurred = np.nan_to_num(distances, nan=14.0) + noise * (upper + upper.T) + 1.0
    centres = np.concatenate([[2.25], (BIN_EDGES[1:] + BIN_EDGES[:-1]) / 2, [22.0]])
    logits = -((centres - np.clip(blurred, 3, 24)[..., None]) ** 2) / (2 * 1.8**2)
    probs = np.exp(logits - logits.max(-1, keepdims=True))
    probs /= probs.sum(-1, keepdims=True)
    mean = probs @ centres
    spread = np.sqrt(np.maximum(probs @ centres**2 - mean**2, 0))
    fields = {
        "name": name,
        "sequence": sequence,
        "contact_probs": probs[..., centres < 8].sum(-1).clip(0, 1).astype(np.float32),
        "distogram_probs": probs.astype(np.float32),
        "bin_edges": BIN_EDGES,
        "expected_distance": mean.astype(np.float32),
        "distance_std": spread.astype(np.float32),
        "depth": 2842,
        "neff": 871.25,
        "model": {"name": "msaformer-tiny", "version": "0.1.0", "weights": "ab12" * 16},
    }
    return Prediction(**(fields | changes))


def chain_like_distances(length, *, seed=0):
    """Distances `[L, L]` Å between `chain_like_positions`."""
    return pairwise_distances(chain_like_positions(length, seed=seed))


def make_labels(distances, sequence=SEQUENCE, lost=(), **chain_fields):
    """Labels as if all of `sequence` were in one chain numbered from 101, the residues `lost` not resolved."""
    length = len(sequence)
    atoms = np.arange(3 * length, dtype=np.float32).reshape(length, 3)
    distances = distances.copy()
    for k in lost:
        atoms[k] = distances[k] = distances[:, k] = np.nan
    fields = {
        "name": "A",
        "author_name": "A",
        "sequence": sequence,
        "residue_numbers": tuple("" if k in lost else str(k + 101) for k in range(length)),
        "residue_names": ("ALA",) * length,
        "contact_atom": atoms,
        "ca": atoms,
        "backbone": np.repeat(atoms[:, None], 4, axis=1),
        "from_atoms": False,
    }
    chain = Chain(**(fields | chain_fields))
    index = np.arange(length, dtype=np.int32)
    return Labels(distances, chain, index, identity=1.0, mismatches=0, num_unresolved=len(lost))


def make_alignment(sequence=SEQUENCE, rows=9, seed=0):
    """`rows` sequences that differ more and more from the query, gaps and X among the changes."""
    rng = np.random.default_rng(seed)
    tokens = np.stack([encode(sequence)] * rows)
    changed = rng.random(tokens.shape) < np.linspace(0, 0.9, rows)[:, None]
    tokens[changed] = rng.integers(0, 22, size=int(changed.sum()))
    names = ("query", *(f"seq{k}" for k in range(1, rows)))
    return Alignment(names, tokens.astype(np.uint8), np.zeros(tokens.shape, dtype=np.uint16))


def chain_like_positions(length, *, seed=0):
    """Contact atoms `[L, 3]` Å of a random walk as compact as proteins are, two to five far contacts a residue."""
    rng = np.random.default_rng(seed)
    positions = np.zeros((length, 3))
    pull = 0.14 * (40 / length) ** 0.55
    for k in range(1, length):
        steps = rng.normal(size=(8, 3)) - pull * positions[k - 1]
        ends = positions[k - 1] + 3.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True)
        if k > 2:  # of eight steps the one that keeps its distance
            room = np.linalg.norm(ends[:, None] - positions[: k - 2], axis=-1).min(axis=1)
            ends = ends[[np.argmax(np.minimum(room, 5.5))]]
        positions[k] = ends[0]
    return positions.astype(np.float32)


def make_truth(positions, *, lost=(), outside=(), chain="A", first_number=101, **changes):
    """A truth of contact atoms `[L, 3]`, numbered from 101; residues `lost` not resolved, `outside` in no chain."""
    length = len(positions)
    atoms = positions.copy()
    atoms[[*lost, *outside]] = np.nan
    absent = {*lost, *outside}
    fields = {
        "distances": pairwise_distances(atoms),
        "contact_atoms": atoms,
        "chain_names": tuple("" if k in outside else chain for k in range(length)),
        "residue_numbers": tuple("" if k in absent else str(k + first_number) for k in range(length)),
        "seqres_numbers": np.array([0 if k in outside else k + 7 for k in range(length)], dtype=np.int32),
        "secondary_structure": "".join(
            " " if k in absent else "HHHHHH--EEEE--"[k % 14] for k in range(length)
        ),
        "identity": 1.0,
        "mismatches": 0,
    }
    return Truth(**(fields | changes))
