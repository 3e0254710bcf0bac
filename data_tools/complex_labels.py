"""Which chain of a structure is which chain of a complex, and what it says of it (`label_chains`).

L_c residues of a chain of the query. A residue of the structure serves one residue of the query: two copies of a
protein in the query get two in the structure, and where it holds fewer, nothing is known of the others. Only parts of
one chain may be several chains of the query. Of several copies those are taken that touch one another, since a
crystal's asymmetric unit may hold the complex more than once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.errors import ChainMismatchError, ChainNotFoundError
from data_tools.labels import MIN_COVERAGE, MIN_IDENTITY, Labels, label_distances, match_query, whole_query
from data_tools.sequence_match import SequenceMatch, match_sequences
from data_tools.structure import Chain, describe_chains, select_chain

ABSENT: Final = "-"
"""In place of a name: the structure does not hold this chain."""
_TOUCHING_ANGSTROM: Final = 8.0  # between contact atoms: a contact
_SAME_PROTEIN: Final = 0.9  # of the best match's identical residues: another copy, of which less is modelled


@dataclass(frozen=True, slots=True, eq=False)
class QueryChain:
    """A chain of the query."""

    name: str
    """What it is called in messages."""
    sequence: str
    """One letter a residue, no gaps."""
    residue_index: npt.NDArray[np.int32]
    """`[L_c]`, 0-based place of each residue in its chain; what is left out of the query leaves gaps."""

    @property
    def whole(self) -> str:
        """The sequence with X for what is left out."""
        return whole_query(self.sequence, self.residue_index)


def label_chains(
    queries: Sequence[QueryChain], chains: Sequence[Chain], names: Sequence[str] | None, *, source: str | Path
) -> tuple[Labels | None, ...]:
    """Labels of each of `queries`, None for one that the structure does not hold.

    `names` are the structure's chains in the order of `queries`, `ABSENT` for none; without names each finds its best
    match, and has to have one; only where the file has fewer copies of it than the query, the last are None. `source`
    names the file in errors. Raises ChainNotFoundError for a name that no chain has and for another number of names
    than queries, ChainMismatchError where a chain is not the query's, or the same for two copies.
    """
    found = (
        _best_chains(queries, chains, source)
        if names is None
        else _named_chains(queries, chains, names, source)
    )
    labels = tuple(
        None
        if chain is None
        else label_distances(
            query.sequence,
            chain,
            source=_where(source, query),
            present=chains,
            residue_index=query.residue_index,
        )
        for query, chain in zip(queries, found, strict=True)
    )
    for (query, one), (other_query, other) in combinations(zip(queries, labels, strict=True), 2):
        if one is not None and other is not None and one.chain is other.chain and _overlap(one, other):
            raise ChainMismatchError(
                f"{source}: chain {one.chain.author_name} cannot be both {query.name} and {other_query.name} of the "
                f"query; name another copy for one of them, or {ABSENT!r} if the file has no other"
            )
    return labels


def _named_chains(
    queries: Sequence[QueryChain], chains: Sequence[Chain], names: Sequence[str], source: str | Path
) -> list[Chain | None]:
    if len(names) != len(queries):
        example = ",".join([*[chains[0].author_name] * (len(queries) - 1), ABSENT])
        raise ChainNotFoundError(
            f"{source}: the query has {len(queries)} chains, {len(names)} named; name one for each in its order, "
            f"{ABSENT!r} for one that the file does not have, as in {example} (the file has {describe_chains(chains)})"
        )
    return [
        None if name == ABSENT else select_chain(chains, query.whole, name, source=_where(source, query))
        for query, name in zip(queries, names, strict=True)
    ]


def _where(source: str | Path, query: QueryChain) -> str:
    return f"{source}: {query.name} of the query"


def _overlap(one: Labels, other: Labels) -> bool:
    return bool(np.intersect1d(one.chain_index[one.chain_index >= 0], other.chain_index).size)


def _best_chains(
    queries: Sequence[QueryChain], chains: Sequence[Chain], source: str | Path
) -> list[Chain | None]:
    """One chain for each query: first for the one with the fewest copies, then those that touch what is taken."""
    copies = [_copies(query, chains, source) for query in queries]
    chosen: dict[int, int | None] = {}
    places: dict[int, list[int]] = {}  # of a chain that is taken, those that serve already

    @cache
    def contacts(one: int, other: int) -> int:
        return _count_contacts(chains[one], chains[other])

    def take(number: int, copy: int) -> None:
        chosen[number] = copy
        places[copy] = places.get(copy, []) + _places(queries[number], chains[copy])

    def preference(option: tuple[int, int]) -> tuple[int, ...]:
        """The larger, the sooner: contacts with what is taken, then in the order of the query and of the file."""
        number, copy = option
        touching = sum(contacts(copy, other) for other in places if copy not in places)
        return touching, -number, chains[copy].num_resolved, -copy

    rarest = min(range(len(queries)), key=lambda number: len(copies[number]))
    take(rarest, copies[rarest][0])
    while len(chosen) < len(queries):
        options: list[tuple[int, int]] = []
        for number in set(range(len(queries))) - set(chosen):
            free = [copy for copy in copies[number] if copy not in places]
            free = free or [
                copy
                for copy in copies[number]
                if not set(places[copy]) & set(_places(queries[number], chains[copy]))
            ]
            options += [(number, copy) for copy in free]
            if not free:
                chosen[number] = None
        if options:
            take(*max(options, key=preference))
    return [None if (k := chosen[number]) is None else chains[k] for number in range(len(queries))]


def _places(query: QueryChain, chain: Chain) -> list[int]:
    """Where in the chain the query's residues are."""
    index = match_query(query.sequence, chain, query.residue_index).index
    found: list[int] = index[index >= 0].tolist()
    return found


def _copies(query: QueryChain, chains: Sequence[Chain], source: str | Path) -> list[int]:
    """Places in `chains` of the copies of the query, the best match with most residues resolved first."""
    matches: dict[str, SequenceMatch] = {}
    for chain in chains:
        if chain.sequence not in matches:
            matches[chain.sequence] = match_sequences(query.whole, chain.sequence)
    ranked = sorted(
        range(len(chains)),
        key=lambda k: (-matches[chains[k].sequence].identical, -chains[k].num_resolved),
    )
    best = matches[chains[ranked[0]].sequence]
    if best.identity < MIN_IDENTITY or best.compared < MIN_COVERAGE * len(query.sequence):
        raise ChainMismatchError(
            f"{_where(source, query)} is not there: the nearest, chain {chains[ranked[0]].author_name}, is "
            f"{best.identity:.1%} identical over {best.compared} of {len(query.sequence)} residues, needed are "
            f"{MIN_IDENTITY:.0%} over {MIN_COVERAGE:.0%}; name a chain for each, with {ABSENT!r} for one that the file "
            f"does not have (it has {describe_chains(chains)})"
        )
    return [
        k
        for k in ranked
        if (match := matches[chains[k].sequence]).identical >= _SAME_PROTEIN * best.identical
        and match.mismatches <= best.mismatches
    ]


def _count_contacts(one: Chain, other: Chain) -> int:
    """Pairs of residues of two chains whose contact atoms touch."""
    first, second = (
        chain.contact_atom[~np.isnan(chain.contact_atom[:, 0])].astype(np.float64) for chain in (one, other)
    )
    squared = ((first[:, None] - second) ** 2).sum(axis=-1)
    return int((squared < _TOUCHING_ANGSTROM**2).sum())
