"""What AlphaFold 2 feeds its Evoformer of an alignment: clusters, their profiles and deletions, and extra sequences.

Source: Jumper et al. 2021 (doi 10.1038/s41586-021-03819-2), supplement 1.2.6 to 1.2.9 and table 1. Residues are
numbered as there: `residue_order.BY_CODE`, X 20, gap 21, mask 22.

Dimension key: N sequences in the alignment, C clusters, E extra sequences, L residues.

Steps: the query and random others become cluster centres; each remaining sequence joins the centre with which it
agrees in most columns, gaps not counted, the first on ties; profiles and mean deletions are over centre and members.
Two steps are the model's: masking (here no cell is masked and clusters are formed from what is read; there the
centres are masked first, and class 22 is always empty here), and padding to fixed sizes (C and E are at most the
sizes asked for). One alignment only: no block deletion, no template, one chain (`target_feat[:, 0]` is zero).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment
from data_tools.alphabet import NUM_TOKENS
from data_tools.network_features.residue_order import OURS_TO_BY_CODE

MAX_CLUSTERS: Final = 512  # N_clust of fine-tuning and of inference (supplement, table 4; CASP14 models)
MAX_EXTRA: Final = 1024  # N_extra_seq of most models; 5,120 in the deepest (the same table)
GAP_BY_CODE: Final = 21
_UNMATCHED: Final = 255  # no token: stands for the gaps of a centre, so that a gap agrees with nothing
_DELETION_SCALE: Final = 3.0  # residues; supplement, table 1

MSA_CHANNELS: Final = {
    "cluster_msa": slice(0, 23),
    "cluster_has_deletion": slice(23, 24),
    "cluster_deletion_value": slice(24, 25),
    "cluster_profile": slice(25, 48),
    "cluster_deletion_mean": slice(48, 49),
}
"""Channels of `msa_feat`, in the order of the published program (`make_msa_feat`); those of `extra_msa_feat` are the
first three."""

Floats = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class AlphaFold2Features:
    """The arrays of one alignment; all float32 arrays are contiguous, so `torch.from_numpy` copies nothing."""

    target_feat: Floats
    """`[L, 22]`: 0, then one-hot of the query's residue over 20 amino acids and X (`target_feat`)."""
    msa_feat: Floats
    """`[C, L, 49]`, no unit, channels as in `MSA_CHANNELS`; row 0 is the query's cluster (`msa_feat`)."""
    extra_msa_feat: Floats
    """`[E, L, 25]`: one-hot over 23 classes, has deletion (0 or 1), deletion value (`extra_msa_feat`)."""
    residue_index: npt.NDArray[np.int32]
    """`[L]`, 0-based residue number in the query, its insertions counted (`residue_index`)."""
    cluster_rows: Rows
    """`[C]`, the row of the alignment that is each centre; the first is 0."""
    extra_rows: Rows
    """`[E]`, the rows of the extra sequences, in random order."""
    cluster_of_row: Rows
    """`[N]`, the cluster that each row of the alignment belongs to."""


def alphafold2_features(
    alignment: Alignment,
    generator: np.random.Generator,
    *,
    max_clusters: int = MAX_CLUSTERS,
    max_extra: int = MAX_EXTRA,
) -> AlphaFold2Features:
    """Cluster an alignment and compute its features; the same `generator` state gives the same features.

    C = min(N, max_clusters), E = min(N − C, max_extra). Costs O(N C L). Raises ValueError unless max_clusters ≥ 1 and
    max_extra ≥ 0.
    """
    if max_clusters < 1 or max_extra < 0:
        raise ValueError(
            f"max_clusters must be at least 1 and max_extra at least 0, not {max_clusters} and {max_extra}"
        )
    tokens = OURS_TO_BY_CODE[alignment.tokens]
    order = np.concatenate([[0], 1 + generator.permutation(alignment.depth - 1)]).astype(np.int64)
    cluster_rows, others = order[:max_clusters], order[max_clusters:]
    extra_rows = others[:max_extra]
    cluster_of_row = np.empty(alignment.depth, np.int64)
    cluster_of_row[cluster_rows] = np.arange(len(cluster_rows))
    cluster_of_row[others] = nearest_centres(tokens[cluster_rows], tokens[others])
    deletions = alignment.deletion_matrix
    profile, deletion_mean = _cluster_means(tokens, deletions, cluster_of_row, len(cluster_rows))
    msa_feat = np.empty((len(cluster_rows), alignment.length, 49), np.float32)
    msa_feat[:, :, :25] = _row_channels(tokens[cluster_rows], deletions[cluster_rows])
    msa_feat[:, :, MSA_CHANNELS["cluster_profile"]] = profile
    msa_feat[:, :, 48] = deletion_value(deletion_mean)
    target_feat = np.zeros((alignment.length, 22), np.float32)
    target_feat[np.arange(alignment.length), 1 + tokens[0]] = 1.0
    return AlphaFold2Features(
        target_feat=target_feat,
        msa_feat=msa_feat,
        extra_msa_feat=_row_channels(tokens[extra_rows], deletions[extra_rows]),
        residue_index=alignment.residue_index,
        cluster_rows=cluster_rows,
        extra_rows=extra_rows,
        cluster_of_row=cluster_of_row,
    )


def nearest_centres(centres: Tokens, others: Tokens) -> Rows:
    """For each row of `others` `[M, L]`, the row of `centres` `[C, L]` that agrees in most columns.

    Tokens as in AlphaFold 2; a gap agrees with nothing, X with X; the first centre on ties (supplement, 1.2.7).
    """
    nearest = np.zeros(len(others), np.int64)
    most = np.full(len(others), -1, np.int64)
    for number, centre in enumerate(np.where(centres == GAP_BY_CODE, np.uint8(_UNMATCHED), centres)):
        agreements = np.count_nonzero(others == centre, axis=1)
        closer = agreements > most
        nearest[closer] = number
        most[closer] = agreements[closer]
    return nearest


def deletion_value(deletions: npt.NDArray[np.integer] | npt.NDArray[np.floating]) -> Floats:
    """(2/π) arctan(d / 3), in [0, 1), of a number of deleted residues."""
    return (np.arctan(deletions / _DELETION_SCALE) * (2 / np.pi)).astype(np.float32)


def _row_channels(tokens: Tokens, deletions: npt.NDArray[np.uint16]) -> Floats:
    """`[rows, L, 25]`: one-hot of 23, has deletion, deletion value."""
    channels = np.zeros((*tokens.shape, NUM_TOKENS + 2), np.float32)
    np.put_along_axis(channels, tokens[:, :, None].astype(np.intp), 1.0, axis=2)
    channels[:, :, NUM_TOKENS] = deletions > 0
    channels[:, :, NUM_TOKENS + 1] = deletion_value(deletions)
    return channels


def _cluster_means(
    tokens: Tokens, deletions: npt.NDArray[np.uint16], cluster_of_row: Rows, num_clusters: int
) -> tuple[Floats, Floats]:
    """Profile `[C, L, 23]` and mean number of deletions `[C, L]` over each cluster, its centre included."""
    length = tokens.shape[1]
    sizes = np.bincount(cluster_of_row, minlength=num_clusters).astype(np.float32)
    profile = np.zeros((num_clusters, length, NUM_TOKENS), np.float32)
    deletion_mean = np.zeros((num_clusters, length), np.float32)
    columns = np.arange(length)
    for row, cluster in enumerate(cluster_of_row):
        profile[cluster, columns, tokens[row]] += 1
        deletion_mean[cluster] += deletions[row]
    profile /= sizes[:, None, None]
    deletion_mean /= sizes[:, None]
    return profile, deletion_mean
