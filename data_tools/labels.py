"""True distances in the numbering of a query, from a chain of a structure, and how the two sequences agree.

L residues of the query, L_s of the chain's full sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data_tools.errors import ChainMismatchError
from data_tools.sequence_match import SequenceMatch, compare, is_mismatch, match_sequences
from data_tools.structure import CONTACT_RULES, Chain, describe_chains

MIN_IDENTITY: Final = 0.9  # a handful of engineered mutations, not a homologue
MIN_COVERAGE: Final = 0.5  # of the query's residues that have a place in the chain


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What a structure says of a query; made by `label_distances`."""

    distances: npt.NDArray[np.float32]
    """`[L, L]` Å between contact atoms (`contact_rule`), symmetric, diagonal 0; NaN if unresolved."""
    chain: Chain
    chain_index: npt.NDArray[np.int32]
    """`[L]`, place of each residue of the query in `chain.sequence`, -1 where it has none."""
    identity: float
    """Fraction of the aligned residues that are the same in query and chain (X is not compared)."""
    mismatches: int
    """Aligned residues that differ, as engineered mutations do."""
    num_unresolved: int
    """Residues of the query without a contact atom, whether absent from the chain or not modelled in it."""

    @property
    def contact_rule(self) -> str:
        """Which atoms `distances` are between, in words."""
        return CONTACT_RULES[self.chain.gly]

    @property
    def ca_distances(self) -> npt.NDArray[np.float32]:
        """`[L, L]` Å between Cα atoms, symmetric, diagonal 0; NaN if unresolved."""
        return pairwise_distances(_rows_of_query(self.chain.ca, self.chain_index))

    @property
    def backbone(self) -> npt.NDArray[np.float32]:
        """`[L, 4, 3]` Å, N, Cα, C, Cβ of each residue of the query, as in `Chain.backbone`; NaN if unresolved.

        `data_tools.orientations.orientations` makes ω, θ and φ of it.
        """
        return _rows_of_query(self.chain.backbone, self.chain_index)

    @property
    def residue_numbers(self) -> tuple[str, ...]:
        """`[L]`, author number and insertion code of each residue of the query, "" without one."""
        return tuple(self.chain.residue_numbers[place] if place >= 0 else "" for place in self.chain_index)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A residue of the query that is another in the chain."""

    position: int
    """In the query, 1-based."""
    query_residue: str
    chain_residue: str
    monomer: str
    """Three-letter code in the chain ("MSE")."""
    author_number: str
    """Number and insertion code of the author, "" where not modelled."""


@dataclass(frozen=True, slots=True)
class MappingReport:
    """How a query and a chain agree; made by `mapping_report`. Positions are 1-based in the query."""

    query_length: int
    chain: str
    """The author's id."""
    label_chain: str
    """`label_asym_id` in mmCIF."""
    model: int
    chain_length: int
    """Residues of the full sequence (SEQRES), or of those modelled where the file states none."""
    sequence_from_atoms: bool
    """True when the file states no full sequence."""
    aligned: int
    """Residues of the query with a place in the chain."""
    coverage: float
    """`aligned` / `query_length`."""
    identity: float
    """Of the aligned residues that are known (not X) in both."""
    mismatches: tuple[Mismatch, ...]
    not_in_chain: tuple[int, ...]
    """Positions without a place in the chain's sequence."""
    not_modelled: tuple[int, ...]
    """Positions in the chain's sequence of which the file has no atom."""
    without_contact_atom: tuple[int, ...]
    """Positions of which the file has atoms, but not those that `contact_rule` asks for."""
    contact_rule: str

    @property
    def unresolved(self) -> tuple[int, ...]:
        """All positions whose distances are NaN."""
        return tuple(sorted(self.not_in_chain + self.not_modelled + self.without_contact_atom))

    def as_json(self) -> dict[str, Any]:
        """The report as a tree of what JSON holds."""
        return asdict(self) | {"unresolved": list(self.unresolved)}


def label_distances(
    query: str,
    chain: Chain,
    *,
    source: str | Path,
    min_identity: float = MIN_IDENTITY,
    present: Sequence[Chain] = (),
    residue_index: npt.NDArray[np.int32] | None = None,
) -> Labels:
    """Map the distances of `chain` onto `query` (one-letter codes, no gaps).

    `source` names the file and `present` the chains in it, for errors. `residue_index` `[L]` says where residues of
    the protein are left out of the query (`Alignment.residue_index`), so that those beside the gap keep their place
    even where the letters would fit another. Raises ChainMismatchError when fewer than `min_identity` of the aligned
    residues are identical or less than half of the query is covered.
    """
    match = match_query(query, chain, residue_index)
    if match.identity < min_identity or match.aligned < MIN_COVERAGE * len(query):
        others = f" (the file has {describe_chains(present)})" if present else ""
        raise ChainMismatchError(
            f"{source}: chain {chain.author_name} is not the query: {match.identity:.1%} identical over "
            f"{match.aligned} of the query's {len(query)} residues, needed are {min_identity:.0%} over "
            f"{MIN_COVERAGE:.0%}; name the chain of this protein{others} or give its structure"
        )
    atoms = _rows_of_query(chain.contact_atom, match.index)
    return Labels(
        distances=pairwise_distances(atoms),
        chain=chain,
        chain_index=match.index,
        identity=match.identity,
        mismatches=match.mismatches,
        num_unresolved=int(np.isnan(atoms).any(axis=-1).sum()),
    )


def mapping_report(query: str, labels: Labels) -> MappingReport:
    """Say which residues of `query` agree with the chain that `labels` were made of with it, and which are missing.

    Raises ValueError when `labels` are of a query of another length.
    """
    chain, index = labels.chain, labels.chain_index
    if len(query) != len(index):
        raise ValueError(f"the labels are of a query of {len(index)} residues, not {len(query)}")
    match = compare(query, chain.sequence, index)
    is_placed = index >= 0
    has_atoms = is_placed & chain.is_modelled[index]
    is_resolved = ~np.isnan(labels.distances.diagonal())
    return MappingReport(
        query_length=len(query),
        chain=chain.author_name,
        label_chain=chain.name,
        model=chain.model,
        chain_length=len(chain.sequence),
        sequence_from_atoms=chain.from_atoms,
        aligned=match.aligned,
        coverage=match.aligned / len(query) if query else 0.0,
        identity=match.identity,
        mismatches=tuple(
            Mismatch(k + 1, query[k], chain.sequence[at], chain.residue_names[at], chain.residue_numbers[at])
            for k, at in enumerate(index)
            if at >= 0 and is_mismatch(query[k], chain.sequence[at])
        ),
        not_in_chain=_positions(~is_placed),
        not_modelled=_positions(is_placed & ~has_atoms),
        without_contact_atom=_positions(has_atoms & ~is_resolved),
        contact_rule=labels.contact_rule,
    )


def pairwise_distances(positions: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Euclidean distances `[L, L]` of `positions` `[L, 3]`; symmetric, diagonal 0, NaN where one is."""
    precise = positions.astype(np.float64)
    squared = np.zeros((len(precise), len(precise)))
    for axis in range(precise.shape[1]):
        squared += (precise[:, None, axis] - precise[None, :, axis]) ** 2
    distances: npt.NDArray[np.float32] = np.sqrt(squared).astype(np.float32)
    return distances


def _rows_of_query(
    of_chain: npt.NDArray[np.float32], index: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """Rows of the chain `[L_s, ...]` as rows of the query `[L, ...]`, NaN where it has no place."""
    of_query = np.full((len(index), *of_chain.shape[1:]), np.nan, dtype=np.float32)
    of_query[index >= 0] = of_chain[index[index >= 0]]
    return of_query


def _positions(chosen: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple((np.flatnonzero(chosen) + 1).tolist())


def match_query(
    query: str, chain: Chain, residue_index: npt.NDArray[np.int32] | None = None
) -> SequenceMatch:
    """Align query and chain; a query that is exactly the modelled residues needs no alignment.

    Such a query was taken from the coordinates: an alignment by letters could put the edges of its gaps wrong.
    """
    modelled = np.flatnonzero(chain.is_modelled)
    letters = "".join(chain.sequence[place] for place in modelled)
    if query not in chain.sequence and query in letters:
        start = letters.index(query)
        return compare(query, chain.sequence, modelled[start : start + len(query)].astype(np.int32))
    if residue_index is None or len(query) == residue_index[-1] + 1:
        return match_sequences(query, chain.sequence)
    index = match_sequences(whole_query(query, residue_index), chain.sequence).index[residue_index]
    return compare(query, chain.sequence, index)


def whole_query(query: str, residue_index: npt.NDArray[np.int32]) -> str:
    """The query with X for each residue of the protein that is left out of it.

    >>> whole_query("MKV", np.array([1, 2, 5]))
    'XMKXXV'
    """
    letters = np.full(residue_index[-1] + 1, "X")
    letters[residue_index] = list(query)
    return "".join(letters.tolist())
