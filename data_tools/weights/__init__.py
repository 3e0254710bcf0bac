"""Weights of the sequences of an alignment, each convention a function of its own name.

| function | counted as alike, or formula | gaps |
|---|---|---|
| `sequence_weights` | matches >= θ L; the project's own, as in most contact predictors | a symbol |
| `weights_plmc` | matches >= (1 - θ) L with θ the divergence; rows with X weigh 0 | a symbol |
| `weights_evcouplings` | matches >= θ L, X and gap one symbol | a symbol |
| `weights_without_gaps` | residue matches >= θ (residues of the row itself); not symmetric | never a match |
| `weights_alphafold` | residue matches >= θ (columns with a residue in either) | never a match |
| `henikoff_weights` | Σ over columns of 1 / (kinds x copies), no pairs | skipped, or a symbol |

Neff under each definition: `data_tools.neff`.
"""

from __future__ import annotations

from data_tools.weights.conventions import (
    weights_alphafold,
    weights_evcouplings,
    weights_plmc,
    weights_without_gaps,
)
from data_tools.weights.henikoff import henikoff_weights
from data_tools.weights.identity import DEFAULT_IDENTITY, Kernel, effective_sequences, sequence_weights
from data_tools.weights.sampling import representatives, sample_rows

__all__ = [
    "DEFAULT_IDENTITY",
    "Kernel",
    "effective_sequences",
    "henikoff_weights",
    "representatives",
    "sample_rows",
    "sequence_weights",
    "weights_alphafold",
    "weights_evcouplings",
    "weights_plmc",
    "weights_without_gaps",
]
