"""The Evoformer stack (AlphaFold 2, Algorithm 6).

Ranks that share a sample hold rows of both tracks between blocks; within a block, column attention and transition work
on columns of the MSA track. Masks are whole on each rank.

Dimension key: B batch, N sequences, L residues, c_m / c_z channels of the MSA / pair track; R of the N
sequences and I of the L residues lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

from itertools import cycle, islice

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.config import ModelConfig
from msaformer.model.column_attention import ColumnAttention
from msaformer.model.convolution import GatedConvolution
from msaformer.model.dropout import SharedDropout
from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.pieces import is_predicting
from msaformer.model.outer_product import OuterProductMean
from msaformer.model.row_attention import RowAttentionWithPairBias
from msaformer.model.transition import Transition
from msaformer.model.triangle import TriangleAttention, TriangleMultiplication

_SHARED_OVER_SEQUENCES = 1  # axis n of [B, N, L, c]
_SHARED_OVER_ROWS = 1  # axis i of [B, L, L, c]
_SHARED_OVER_COLUMNS = 2  # axis j of [B, L, L, c]


class EvoformerBlock(ExecutedModule):
    """One block: the MSA track reads the pair track, then writes to it, and triangles make it consistent.

    Beyond the paper: convolutions of the pair track, before the triangles.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c_m, c_z, triangles = config.c_m, config.c_z, config.triangles
        msa_heads, pair_heads = (
            (config.msa_heads, config.msa_head_channels),
            (config.pair_heads, config.pair_head_channels),
        )
        self.row_attention = RowAttentionWithPairBias(c_m, c_z, *msa_heads, tied=config.tied_rows)
        self.column_attention = ColumnAttention(c_m, *msa_heads)
        self.msa_transition = Transition(c_m, config.transition_factor)
        self.outer_product_mean = None
        if config.outer_product:
            self.outer_product_mean = OuterProductMean(c_m, c_z, config.outer_product_channels)
        self.convolutions = nn.ModuleList(
            GatedConvolution(c_z, dilation)
            for dilation in islice(cycle(config.dilations), config.pair_convolutions)
        )
        self.triangle_outgoing = self.triangle_incoming = None
        if triangles in ("both", "multiplication"):
            self.triangle_outgoing = TriangleMultiplication(c_z, config.triangle_channels, outgoing=True)
            self.triangle_incoming = TriangleMultiplication(c_z, config.triangle_channels, outgoing=False)
        self.triangle_starting = self.triangle_ending = None
        if triangles in ("both", "attention"):
            self.triangle_starting = TriangleAttention(c_z, *pair_heads, starting=True)
            self.triangle_ending = TriangleAttention(c_z, *pair_heads, starting=False)
        self.pair_transition = Transition(c_z, config.transition_factor)
        self.drop_msa = SharedDropout(config.msa_dropout, _SHARED_OVER_SEQUENCES)
        self.drop_convolutions = nn.ModuleList(
            SharedDropout(config.pair_dropout, _SHARED_OVER_ROWS) for _ in self.convolutions
        )
        self.drop_outgoing = SharedDropout(config.pair_dropout, _SHARED_OVER_ROWS)
        self.drop_incoming = SharedDropout(config.pair_dropout, _SHARED_OVER_ROWS)
        self.drop_starting = SharedDropout(config.pair_dropout, _SHARED_OVER_ROWS)
        self.drop_ending = SharedDropout(config.pair_dropout, _SHARED_OVER_COLUMNS)

    def forward(
        self,
        msa: Float[Tensor, "B R L c_m"],
        pair: Float[Tensor, "B I L c_z"],
        msa_mask: Bool[Tensor, "B N L"],
        pair_mask: Bool[Tensor, "B L L"],
    ) -> tuple[Float[Tensor, "B R L c_m"], Float[Tensor, "B I L c_z"]]:
        """Return both tracks, updated; in inference mode in the memory of those given."""
        axial = self.execution.axial
        msa = _added(msa, self.drop_msa(self.row_attention(msa, pair, msa_mask)))  # Algorithm 7
        msa = axial.swap(msa, whole=2, sharded=1)  # rows to columns
        msa = _updated(msa, self.column_attention(msa, msa_mask))  # Algorithm 8
        msa = _updated(msa, self.msa_transition(msa))  # Algorithm 9
        msa = axial.swap(msa, whole=1, sharded=2)  # columns to rows
        if self.outer_product_mean is not None:
            pair = _added(pair, self.outer_product_mean(msa, msa_mask))  # Algorithm 10
        for update, drop in (
            *zip(self.convolutions, self.drop_convolutions, strict=True),
            (self.triangle_outgoing, self.drop_outgoing),  # Algorithm 11
            (self.triangle_incoming, self.drop_incoming),  # Algorithm 12
            (self.triangle_starting, self.drop_starting),  # Algorithm 13
            (self.triangle_ending, self.drop_ending),  # Algorithm 14
        ):
            if update is not None:
                pair = _added(pair, drop(update(pair, pair_mask)))
        return msa, _added(pair, self.pair_transition(pair))  # Algorithm 15


class Evoformer(ExecutedModule):
    """`num_blocks` blocks, one after another."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(EvoformerBlock(config) for _ in range(config.num_blocks))

    def forward(
        self,
        msa: Float[Tensor, "B R L c_m"],
        pair: Float[Tensor, "B I L c_z"],
        msa_mask: Bool[Tensor, "B N L"],
        pair_mask: Bool[Tensor, "B L L"],
    ) -> tuple[Float[Tensor, "B R L c_m"], Float[Tensor, "B I L c_z"]]:
        """Return both tracks after the last block."""
        recompute = self.execution.checkpoint if self.training and torch.is_grad_enabled() else None
        for block in self.blocks:
            if recompute is None:
                msa, pair = block(msa, pair, msa_mask, pair_mask)
            else:
                msa, pair = recompute(block, msa, pair, msa_mask, pair_mask)
        return msa, pair


def _added(track: Tensor, update: Tensor) -> Tensor:
    """Their sum, for a track that the block was given, which its caller may need again unless it predicts."""
    return track.add_(update) if is_predicting() else track + update


def _updated(track: Tensor, update: Tensor) -> Tensor:
    """Their sum, in the track's memory where no backward pass needs it; for tracks that the block itself has made."""
    return track + update if torch.is_grad_enabled() else track.add_(update)
