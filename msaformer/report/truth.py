"""`Truth`: what a structure says of the residues of a predicted query, whichever chains they lie in.

L residues of the query. Three numberings meet here: the query's own (`Prediction.residue_numbers`), the place in the
full sequence of the chain (SEQRES), and the author's number with its insertion code, which papers use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_tools.labels import Labels, label_distances
from data_tools.secondary_structure import UNRESOLVED, secondary_structure
from data_tools.structure import read_chains, select_chain
from msaformer.errors import PredictionError
from msaformer.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A structure in the query's numbering; raises PredictionError at birth when shapes disagree."""

    distances: npt.NDArray[np.float32]
    """`[L, L]` Å between contact atoms (Cβ, Cα for Gly), symmetric, diagonal 0; NaN if unresolved."""
    contact_atoms: npt.NDArray[np.float32]
    """`[L, 3]` Å, what `distances` lie between; NaN where not resolved."""
    chain_names: tuple[str, ...]
    """`[L]`, author's id of the chain, "" where the residue has no place in any."""
    residue_numbers: tuple[str, ...]
    """`[L]`, author's number and insertion code ("15A"), "" where no atom is modelled."""
    seqres_numbers: npt.NDArray[np.int32]
    """`[L]`, 1-based place in the chain's full sequence, 0 where it has none."""
    secondary_structure: str
    """`[L]`, H helix, E strand, - neither, and a space where the backbone is not resolved."""
    identity: float
    """Fraction of the aligned residues that are the same in query and structure."""
    mismatches: int
    """Aligned residues that differ."""
    contact_atom_names: tuple[str, ...] = ()
    """`[L]`, "CB" or "CA", what the structure's residue would have as contact atom; may be empty, when no one asks."""

    def __post_init__(self) -> None:
        length = len(self.chain_names)
        shapes = {"distances": (length, length), "contact_atoms": (length, 3), "seqres_numbers": (length,)}
        wrong = [name for name, shape in shapes.items() if getattr(self, name).shape != shape]
        if wrong or len(self.residue_numbers) != length or len(self.secondary_structure) != length:
            raise PredictionError(f"the fields of a truth of {length} residues disagree in length")

    @property
    def length(self) -> int:
        """L, the number of residues of the query."""
        return len(self.chain_names)

    @property
    def is_resolved(self) -> npt.NDArray[np.bool_]:
        """`[L]`, True where the contact atom has coordinates."""
        return ~np.isnan(self.contact_atoms[:, 0])

    @property
    def num_unresolved(self) -> int:
        """Residues of the query without a contact atom."""
        return int((~self.is_resolved).sum())

    @property
    def chains(self) -> tuple[str, ...]:
        """The author's ids of the chains, each once, in the order of the query."""
        return tuple(dict.fromkeys(name for name in self.chain_names if name))


def read_truth(prediction: Prediction, path: str | Path, chain: str | None = None) -> Truth:
    """Map `chain` (the best match if None) of the structure file at `path` onto the predicted query.

    Raises StructureError, ChainNotFoundError or ChainMismatchError when they do not fit.
    """
    chains = read_chains(path)
    found = select_chain(chains, prediction.sequence, chain, source=path)
    return truth_of(label_distances(prediction.sequence, found, source=path, present=chains))


def truth_of(labels: Labels) -> Truth:
    """The same of labels that were made already."""
    chain, index = labels.chain, labels.chain_index
    atoms = np.full((len(index), 3), np.nan, dtype=np.float32)
    states = secondary_structure(chain.backbone, chain.sequence)
    atoms[index >= 0] = chain.contact_atom[index[index >= 0]]
    return Truth(
        distances=labels.distances,
        contact_atoms=atoms,
        chain_names=tuple(chain.author_name if place >= 0 else "" for place in index),
        residue_numbers=labels.residue_numbers,
        seqres_numbers=(index + 1).astype(np.int32),
        secondary_structure="".join(states[place] if place >= 0 else UNRESOLVED for place in index),
        identity=labels.identity,
        mismatches=labels.mismatches,
        contact_atom_names=tuple(
            "CA" if place >= 0 and chain.sequence[place] == "G" else "CB" for place in index
        ),
    )
