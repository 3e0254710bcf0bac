"""Made-up proteins of any length for the proofs of the report: a compact chain, its structure file, and a prediction.

The prediction's maps and distributions are as rich as those of a real one, so that pages are as large.
"""

from __future__ import annotations

import numpy as np
from Bio.Data.IUPACData import protein_letters_1to3
from report_cases import BIN_EDGES, chain_like_positions
from tiny_structures import Atom, mmcif, pdb

from data_tools.labels import pairwise_distances
from msaformer.prediction import Prediction

NAMES = {letter: name.upper() for letter, name in protein_letters_1to3.items() if letter != "G"}
"""Without glycine, so that every contact atom is a CB."""
CENTRES = np.concatenate([[2.25], (BIN_EDGES[1:] + BIN_EDGES[:-1]) / 2, [22.0]]).astype(np.float32)
ROWS = 100  # of a prediction made at once; all at once would take gigabytes


def protein(length, *, seed=0):
    """Sequence and contact atoms `[L, 3]` Å of a made-up protein."""
    rng = np.random.default_rng(seed)
    return "".join(rng.choice(list(NAMES), size=length)), chain_like_positions(length, seed=seed)


def structure_file(path, sequence, positions, *, chain="A", lost=(), first_number=1):
    """Write PDB, or mmCIF by the suffix of `path`: N, CA, C, O and CB, the last at `positions`; `lost` left out."""
    rng = np.random.default_rng(len(sequence))
    side = rng.normal(size=positions.shape)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    alpha = positions - 1.53 * side  # Å, CA–CB
    along = np.gradient(alpha, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    carbon = alpha + 1.52 * along  # Å, CA–C
    places = {"N": alpha - 1.46 * along, "CA": alpha, "C": carbon, "O": carbon + 1.23 * side, "CB": positions}
    atoms = [
        Atom(k + 1, NAMES[letter], name, x, y=y, z=z, number=k + first_number, author_chain=chain)
        for k, letter in enumerate(sequence)
        if k not in lost
        for name, (x, y, z) in ((name, place[k]) for name, place in places.items())
    ]
    seqres = {"A": [NAMES[letter] for letter in sequence]}
    path.write_text(mmcif(atoms, seqres) if path.suffix == ".cif" else pdb(atoms, seqres))
    return path


def rich_prediction(sequence, positions, *, name="proof", seed=0, **changes):
    """A prediction right but for seeded errors, L pairs among them far off; noise in each bin of each distribution."""
    length = len(sequence)
    rng = np.random.default_rng(seed)
    centres = pairwise_distances(positions.astype(np.float32)) + 1.5
    first, second = rng.integers(length, size=(2, length))
    centres[first, second] = centres[second, first] = 5.0  # Å, contacts that are none
    probs = np.empty((length, length, len(CENTRES)), dtype=np.float32)
    for start in range(0, length, ROWS):
        rows, rest = slice(start, start + ROWS), slice(start, length)
        probs[rows, rest] = distributions(centres[rows, rest], rng)
        probs[rest, rows] = probs[rows, rest].transpose(1, 0, 2)
        square = probs[rows, rows]
        below = np.tril_indices(len(square), k=-1)
        square[below] = square.transpose(1, 0, 2)[below]
    mean = probs @ CENTRES
    fields = {
        "name": name,
        "sequence": sequence,
        "contact_probs": probs[..., CENTRES < 8].sum(-1).clip(0, 1),
        "distogram_probs": probs,
        "bin_edges": BIN_EDGES,
        "expected_distance": mean,
        "distance_std": np.sqrt(np.maximum(probs @ CENTRES**2 - mean**2, 0)),
        "depth": 2842,
        "neff": 871.25,
        "model": {"name": "msaformer-tiny", "version": "0.1.0", "weights": "ab12" * 16},
    }
    return Prediction(**(fields | changes))


def distributions(centres, rng):
    """`[…, K]`, a blurred bump at each of `centres` `[…]` Å, or somewhat beside it; the farther, the wider."""
    width = 1.2 + 0.12 * centres + rng.random(centres.shape, dtype=np.float32)
    bump = centres + 1.2 * rng.standard_normal(centres.shape, dtype=np.float32)
    logits = -(((CENTRES - bump[..., None].clip(3, 24)) / width[..., None]) ** 2) / 2
    logits += 0.35 * rng.standard_normal(logits.shape, dtype=np.float32)
    np.exp(logits - logits.max(-1, keepdims=True), out=logits)
    return logits / logits.sum(-1, keepdims=True)
