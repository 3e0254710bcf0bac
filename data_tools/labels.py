"""True distances in the numbering of a query, from a chain of a structure.

L residues of the query, L_s of the chain's full sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.errors import ChainMismatchError
from data_tools.sequence_match import SequenceMatch, compare, match_sequences
from data_tools.structure import Chain, describe_chains

MIN_IDENTITY: Final = 0.9  # a handful of engineered mutations, not a homologue
MIN_COVERAGE: Final = 0.5  # of the query's residues that have a place in the chain


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What a structure says of a query; made by `label_distances`."""

    distances: npt.NDArray[np.float32]
    """`[L, L]` Å between contact atoms (Cβ, for Gly Cα), symmetric, diagonal 0; NaN if unresolved."""
    chain: Chain
    chain_index: npt.NDArray[np.int32]
    """`[L]`, place of each residue of the query in `chain.sequence`, -1 where it has none."""
    identity: float
    """Fraction of the aligned residues that are the same in query and chain (X is not compared)."""
    mismatches: int
    """Aligned residues that differ, as engineered mutations do."""
    num_unresolved: int
    """Residues of the query without coordinates, whether absent from the chain or not modelled in it."""

    @property
    def residue_numbers(self) -> tuple[str, ...]:
        """`[L]`, author number and insertion code of each residue of the query, "" without one."""
        return tuple(self.chain.residue_numbers[place] if place >= 0 else "" for place in self.chain_index)


def label_distances(
    query: str,
    chain: Chain,
    *,
    source: str | Path,
    min_identity: float = MIN_IDENTITY,
    present: Sequence[Chain] = (),
) -> Labels:
    """Map the distances of `chain` onto `query` (one-letter codes, no gaps).

    `source` names the file and `present` the chains in it, for errors. Raises ChainMismatchError when fewer
    than `min_identity` of the aligned residues are identical or less than half of the query is covered.
    """
    match = _match(query, chain)
    if match.identity < min_identity or match.aligned < MIN_COVERAGE * len(query):
        others = f" (the file has {describe_chains(present)})" if present else ""
        raise ChainMismatchError(
            f"{source}: chain {chain.author_name} is not the query: {match.identity:.1%} identical over "
            f"{match.aligned} of the query's {len(query)} residues, needed are {min_identity:.0%} over "
            f"{MIN_COVERAGE:.0%}; name the chain of this protein{others} or give its structure"
        )
    atoms = np.full((len(query), 3), np.nan)
    mapped = match.index >= 0
    atoms[mapped] = chain.contact_atom[match.index[mapped]]
    return Labels(
        distances=pairwise_distances(atoms),
        chain=chain,
        chain_index=match.index,
        identity=match.identity,
        mismatches=match.mismatches,
        num_unresolved=int(np.isnan(atoms).any(axis=-1).sum()),
    )


def pairwise_distances(positions: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Euclidean distances `[L, L]` of `positions` `[L, 3]`; symmetric, diagonal 0, NaN where one is."""
    precise = positions.astype(np.float64)
    squared = np.zeros((len(precise), len(precise)))
    for axis in range(precise.shape[1]):
        squared += (precise[:, None, axis] - precise[None, :, axis]) ** 2
    distances: npt.NDArray[np.float32] = np.sqrt(squared).astype(np.float32)
    return distances


def _match(query: str, chain: Chain) -> SequenceMatch:
    """Align query and chain; a query that is exactly the modelled residues needs no alignment.

    Such a query was taken from the coordinates: an alignment by letters could put the edges of its gaps
    wrong.
    """
    modelled = np.flatnonzero(chain.is_modelled)
    letters = "".join(chain.sequence[place] for place in modelled)
    if query not in chain.sequence and query in letters:
        start = letters.index(query)
        return compare(query, chain.sequence, modelled[start : start + len(query)].astype(np.int32))
    return match_sequences(query, chain.sequence)
