"""What an alignment file says beside its sequences: `Annotations`.

N sequences, L columns of the alignment (the query's residues).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ChainSegment:
    """One chain of a complex in a ColabFold A3M (`#length,...<TAB>cardinality,...`)."""

    length: int
    """Columns of the chain."""
    cardinality: int
    """Copies of the chain in the complex; the columns are there once."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Annotations that survive selection and conversion; all empty where the file has none."""

    file: Mapping[str, str] = field(default_factory=dict)
    """Of the whole alignment, such as Stockholm's `#=GF ID`; lines of one name joined by a line end."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Name to text of L characters, one a column: `SS_cons`, `RF`, `ss_pred`."""
    residues: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Name to row to text of L characters, one a column: Stockholm's `#=GR`, such as `PP`."""
    chains: tuple[ChainSegment, ...] = ()
    """Chains of a complex, in the order of the columns; empty for a single protein that says nothing."""
