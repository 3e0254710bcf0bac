"""Pages that several browser tests look at: two predictions of one protein, and a made-up dimer with its structure."""

from __future__ import annotations

import dataclasses

import numpy as np
from report_cases import SEQUENCE, chain_like_distances, chain_like_positions, make_truth, prediction_from
from tiny_structures import Atom, pdb

from msaformer.pair_scores import PairScores
from msaformer.report import write_report

LENGTH = 40
LOST = (11, 12, 13)
_BACKBONE = {  # Å from the place of the residue; near enough to be drawn as a ribbon
    "N": np.array((-1.2, 0.3, 0.1)),
    "CA": np.zeros(3),
    "C": np.array((1.2, 0.4, -0.2)),
    "O": np.array((1.5, 1.4, 0.3)),
    "CB": np.array((0.2, -1.0, 1.1)),
}
_MONOMERS = (
    *("ALA", "CYS", "ASP", "GLU", "PHE", "GLY", "HIS", "ILE", "LYS", "LEU"),
    *("MET", "ASN", "PRO", "GLN", "ARG", "SER", "THR", "VAL", "TRP", "TYR"),
)


def write_compared(path):
    """Write a page of two predictions of forty residues; returns (prediction, truth, second prediction's scores).

    The query has five insertions after its 20th residue, the structure's residue 16 is called 15A.
    """
    numbers = [str(k + 101) for k in range(LENGTH)]
    numbers[15] = "115A"
    numbers = ["" if k in LOST else number for k, number in enumerate(numbers)]
    truth = make_truth(chain_like_positions(LENGTH), lost=LOST, residue_numbers=tuple(numbers))
    index = np.arange(LENGTH) + np.where(np.arange(LENGTH) >= 20, 5, 0)
    distances = chain_like_distances(LENGTH)
    prediction = prediction_from(distances, SEQUENCE, residue_index=index.astype(np.int32))
    scores = dataclasses.replace(
        PairScores.of(prediction_from(distances, SEQUENCE, seed=5, noise=4)), method="other"
    )
    write_report(prediction, path, truth=truth, compare=scores)
    return prediction, truth, scores.scores


def write_of_two_chains(folder):
    """Write a page of a made-up dimer with its structure; returns its path."""
    positions = chain_like_positions(45) + np.float32(1)
    names = dict(zip("ACDEFGHIKLMNPQRSTVWY", _MONOMERS, strict=True))
    sequence = (SEQUENCE * 2)[:45]
    atoms = []
    for k, position in enumerate(positions):
        chain, number = ("H", k + 1) if k < 25 else ("K", k - 24)
        for name, offset in _BACKBONE.items():
            if name != "CB" or sequence[k] != "G":
                x, y, z = (position + offset).tolist()
                atoms.append(Atom(number, names[sequence[k]], name, x, chain=chain, y=y, z=z))
    (folder / "dimer.pdb").write_text(pdb(atoms))
    distances = np.sqrt(((positions[:, None] - positions) ** 2).sum(-1))
    prediction = prediction_from(distances, sequence, chain_lengths=(25, 20))
    write_report(prediction, folder / "page.html", structure_path=folder / "dimer.pdb")
    return folder / "page.html"
