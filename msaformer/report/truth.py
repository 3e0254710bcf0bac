"""`Truth`: what a structure says of the residues of a predicted query, whichever chains they lie in.

L residues of the query. Three numberings meet here: the query's own (`Prediction.residue_numbers`), the place in the
full sequence of the chain (SEQRES), and the author's number with its insertion code, which papers use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_tools.complex_labels import QueryChain, label_chains
from data_tools.labels import Labels, label_distances, pairwise_distances, whole_query
from data_tools.secondary_structure import UNRESOLVED, secondary_structure
from data_tools.sequence_match import compare
from data_tools.structure import read_chains, select_chain
from msaformer.chains import chain_letter, chain_slices, numbers_in_chain
from msaformer.errors import PredictionError
from msaformer.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A structure in the query's numbering; raises PredictionError at birth when shapes disagree."""

    distances: npt.NDArray[np.float32]
    """`[L, L]` Å between contact atoms (Cβ, Cα for Gly), within and between chains, symmetric, diagonal 0; NaN if
    unresolved."""
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
    labels: tuple[Labels | None, ...] = ()
    """For each chain of the query the chain of the structure and where its residues lie in it; None where the structure
    has no such chain; empty when nobody asked."""
    chain_lengths: tuple[int, ...] = ()
    """Residues of each of `labels`, as in `Prediction`."""

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


@dataclass(frozen=True, slots=True, eq=False)
class QueryResidues:
    """The query that a structure is mapped onto: a prediction's, or that of scores of another program."""

    sequence: str
    residue_index: npt.NDArray[np.int32]
    """`[L]`, as in `Prediction`."""
    chain_lengths: tuple[int, ...]
    """As in `Prediction`."""

    @classmethod
    def of_sequence(cls, sequence: str, chain_lengths: Sequence[int] = ()) -> QueryResidues:
        """A query without insertions, of one chain unless `chain_lengths` says otherwise."""
        length = len(sequence)
        return cls(sequence, np.arange(length, dtype=np.int32), tuple(chain_lengths) or (length,))


def read_truth(prediction: Prediction, path: str | Path, chain: str | None = None) -> Truth:
    """Map the structure file at `path` onto the predicted query, as `map_structure` does."""
    query = QueryResidues(prediction.sequence, prediction.residue_index, prediction.chain_lengths)
    return map_structure(query, path, chain)


def map_structure(query: QueryResidues, path: str | Path, chain: str | None = None) -> Truth:
    """Map `chain` (the best match if None) of the structure file at `path` onto the query.

    For a complex, `chain` names one chain for each of the query's, in its order, with commas: "A,B", or "A,-" where
    the file does not have the second; of None each finds its own (`data_tools.complex_labels`). Raises StructureError,
    ChainNotFoundError or ChainMismatchError when they do not fit.
    """
    chains = read_chains(path)
    if len(query.chain_lengths) > 1:
        names = None if chain is None else [name.strip() for name in chain.split(",")]
        labels = label_chains(query_chains(query), chains, names, source=path)
        return truth_of_chains(query, labels)
    index = query.residue_index
    found = select_chain(chains, whole_query(query.sequence, index), chain, source=path)
    return truth_of(label_distances(query.sequence, found, source=path, present=chains, residue_index=index))


def query_chains(query: QueryResidues) -> list[QueryChain]:
    """The chains of the query."""
    places = numbers_in_chain(query.residue_index, query.chain_lengths) - 1
    return [
        QueryChain(f"chain {chain_letter(number)}", query.sequence[residues], places[residues])
        for number, residues in enumerate(chain_slices(query.chain_lengths))
    ]


def truth_of(labels: Labels) -> Truth:
    """The same of labels that were made already, of a query of one chain."""
    joined = _joined([labels], [len(labels.chain_index)], labels.identity, labels.mismatches)
    return replace(joined, distances=labels.distances)


def truth_of_chains(query: QueryResidues, labels: Sequence[Labels | None]) -> Truth:
    """The same of a complex, from the labels of each of its chains; None where nothing is known of one."""
    compared = mismatches = 0
    for part, known in zip(query_chains(query), labels, strict=True):
        if known is not None:
            match = compare(part.sequence, known.chain.sequence, known.chain_index)
            compared, mismatches = compared + match.compared, mismatches + match.mismatches
    identity = 1 - mismatches / compared if compared else 0.0
    return _joined(labels, query.chain_lengths, identity, mismatches)


def _joined(
    labels: Sequence[Labels | None], lengths: Sequence[int], identity: float, mismatches: int
) -> Truth:
    atoms, atom_names, names, numbers, places = [], [], [], [], []
    for known, length in zip(labels, lengths, strict=True):
        if known is None:
            atoms.append(np.full((length, 3), np.nan, dtype=np.float32))
            atom_names += ["CB"] * length
            names += [""] * length
            numbers += [""] * length
            places.append(np.full(length, -1))
            continue
        index = known.chain_index
        atoms.append(np.where((index >= 0)[:, None], known.chain.contact_atom[index], np.float32(np.nan)))
        atom_names += ["CA" if place >= 0 and known.chain.sequence[place] == "G" else "CB" for place in index]
        names += [known.chain.author_name if place >= 0 else "" for place in index]
        numbers += known.residue_numbers
        places.append(index)
    contact_atoms = np.concatenate(atoms)
    return Truth(
        distances=pairwise_distances(contact_atoms),
        contact_atoms=contact_atoms,
        chain_names=tuple(names),
        residue_numbers=tuple(numbers),
        seqres_numbers=np.concatenate(places).astype(np.int32) + 1,
        secondary_structure=_secondary_structure(labels, lengths),
        identity=identity,
        mismatches=mismatches,
        contact_atom_names=tuple(atom_names),
        labels=tuple(labels),
        chain_lengths=tuple(lengths),
    )


def _secondary_structure(labels: Sequence[Labels | None], lengths: Sequence[int]) -> str:
    """Of all chains together, as a sheet may run through several."""
    chains = {id(known.chain): known.chain for known in labels if known is not None}
    backbones = [np.empty((0, 4, 3), dtype=np.float32), *(chain.backbone for chain in chains.values())]
    states = secondary_structure(
        np.concatenate(backbones), "".join(chain.sequence for chain in chains.values())
    )
    starts, end = {}, 0
    for key, chain in chains.items():
        starts[key], end = end, end + len(chain.sequence)
    letters = []
    for known, length in zip(labels, lengths, strict=True):
        if known is None:
            letters.append(UNRESOLVED * length)
        else:
            start = starts[id(known.chain)]
            letters += [states[start + place] if place >= 0 else UNRESOLVED for place in known.chain_index]
    return "".join(letters)
