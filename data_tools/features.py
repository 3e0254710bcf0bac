"""`MSAFeatures`: what the network is given of one alignment (`featurize`).

N sequences, L residues of the query, k co-evolution maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP, NUM_SYMBOLS
from data_tools.coevolution import mean_field_dca, mutual_information_apc
from data_tools.errors import AlignmentError
from data_tools.formats.colabfold import chain_columns
from data_tools.weights import representatives, sequence_weights

CHAIN_BREAK: Final = 200
"""Residues between two chains in `residue_index`, so that a network sees no bond there: as in predictions of complexes
by AlphaFold 2's monomer model (Bryant et al. 2022, Nat. Commun. 13:1265; ColabFold)."""
COEVOLUTION_MAPS: Final = ("mean_field_dca", "mutual_information_apc")
"""Names of the maps `coevolution[..., k]`, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class MSAFeatures:
    """Arrays of one alignment, ready to be cropped, stored or given to a network.

    Raises AlignmentError at birth when shapes disagree.
    """

    tokens: npt.NDArray[np.uint8]
    """`[N, L]`, see `data_tools.alphabet`; row 0 is the query."""
    deletion_matrix: npt.NDArray[np.uint16]
    """`[N, L]`, residues left out just before column l."""
    weights: npt.NDArray[np.float32]
    """`[N]`, in (0, 1]: 1 / number of sequences at least 80 % identical (`data_tools.weights`)."""
    profile: npt.NDArray[np.float32]
    """`[L, 22]`, weighted frequencies of the 22 symbols in each column; each row sums to 1."""
    residue_index: npt.NDArray[np.int32]
    """`[L]`, 0-based position in the query, its insertions counted; a crop keeps the original values. Each further
    chain of a complex begins `CHAIN_BREAK` later than it would."""
    coevolution: npt.NDArray[np.float32]
    """`[L, L, k]`, symmetric, APC-corrected maps of `COEVOLUTION_MAPS`, zero on the diagonal; all zero when N = 1."""

    def __post_init__(self) -> None:
        depth, length = self.tokens.shape
        expected: dict[str, tuple[int, ...]] = {
            "deletion_matrix": (depth, length),
            "weights": (depth,),
            "profile": (length, NUM_SYMBOLS),
            "residue_index": (length,),
            "coevolution": (length, length, len(COEVOLUTION_MAPS)),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise AlignmentError(f"{name} must be {shape}, not {getattr(self, name).shape}")

    @property
    def depth(self) -> int:
        """N, the number of sequences."""
        return int(self.tokens.shape[0])

    @property
    def length(self) -> int:
        """L, the number of residues."""
        return int(self.tokens.shape[1])

    @property
    def neff(self) -> float:
        """Effective number of sequences: the sum of the weights."""
        return float(self.weights.sum(dtype=np.float64))


def featurize(alignment: Alignment, *, with_coevolution: bool = True) -> MSAFeatures:
    """Compute all features of one alignment; float32 throughout, deterministic.

    The maps of more than 4·10⁶ cells are those of a sample (`data_tools.weights.representatives`). Without co-evolution
    the maps, which take most of the time, are left zero: for a network that is not given them.
    """
    return _features(
        *(alignment.tokens, alignment.deletion_matrix, _separated(alignment)),
        with_coevolution=with_coevolution,
    )


def features_of_rows(features: MSAFeatures, rows: npt.NDArray[np.int64]) -> MSAFeatures:
    """All features anew of an alignment of these `rows` `[n]` alone, as `featurize` makes them.

    The first must be row 0, the query; residues keep their numbers. Raises AlignmentError otherwise.
    """
    if len(rows) == 0 or rows[0] != 0:
        raise AlignmentError("the first row taken must be row 0, the query")
    return _features(
        *(features.tokens[rows], features.deletion_matrix[rows], features.residue_index),
        with_coevolution=True,
    )


def features_of_chain(features: MSAFeatures, columns: slice, *, with_coevolution: bool = True) -> MSAFeatures:
    """All features anew of one chain of a complex: its `columns`, and the sequences with a residue there.

    As `featurize` makes them; residues keep their numbers.
    """
    rows = np.flatnonzero((features.tokens[:, columns] != GAP).any(axis=1))
    return _features(
        np.ascontiguousarray(features.tokens[rows, columns]),
        np.ascontiguousarray(features.deletion_matrix[rows, columns]),
        features.residue_index[columns],
        with_coevolution=with_coevolution,
    )


def _features(
    tokens: npt.NDArray[np.uint8],
    deletion_matrix: npt.NDArray[np.uint16],
    residue_index: npt.NDArray[np.int32],
    *,
    with_coevolution: bool,
) -> MSAFeatures:
    weights, length = sequence_weights(tokens), tokens.shape[1]
    coevolution = np.zeros((length, length, len(COEVOLUTION_MAPS)), np.float32)
    if with_coevolution:
        table = representatives(tokens, weights)
        coevolution[..., 0] = mean_field_dca(*table)
        coevolution[..., 1] = mutual_information_apc(*table)
    return MSAFeatures(
        tokens=tokens,
        deletion_matrix=deletion_matrix,
        weights=weights,
        profile=column_profile(tokens, weights),
        residue_index=residue_index,
        coevolution=coevolution,
    )


def _separated(alignment: Alignment) -> npt.NDArray[np.int32]:
    """The query's residue numbers, with a break before each chain but the first."""
    index = alignment.residue_index.copy()
    for number, columns in enumerate(chain_columns(alignment)):
        index[columns] += number * CHAIN_BREAK
    return index


def column_profile(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Weighted frequencies `[L, 22]` of the symbols in each column of `tokens` `[N, L]`; each row sums to 1."""
    length = tokens.shape[1]
    cells = np.arange(length, dtype=np.int64)[None, :] * NUM_SYMBOLS + tokens
    repeated = np.broadcast_to(weights.astype(np.float64)[:, None], tokens.shape)
    counts = np.bincount(cells.ravel(), weights=repeated.ravel(), minlength=length * NUM_SYMBOLS)
    frequencies = counts.reshape(length, NUM_SYMBOLS) / weights.sum(dtype=np.float64)
    return frequencies.astype(np.float32)
