"""Which cells of a batch each task scores, and how much each example counts. Both depend on the labels alone.

Dimension key: T tasks in the order of `TASKS`, B batch, N sequences, L residues.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msaformer.config import LossConfig
from msaformer.data.batch import NOT_SCORED, Batch

TASKS: Final = ("contact", "distogram", "orientation", "masked_msa")


def scored_cells(batch: Batch, min_separation: int) -> tuple[Bool[Tensor, "B _ L"], ...]:
    """For each task the pairs `[B, L, L]` or MSA cells `[B, N, L]` it scores: real, and of known answer.

    Contacts: |i − j| ≥ `min_separation`. Distances: i ≠ j. Orientations: all three angles known, so never i = j.
    """
    separation = (batch.residue_index[:, :, None] - batch.residue_index[:, None, :]).abs()
    known = batch.pair_mask & ~batch.distances.isnan()
    angles = batch.orientations
    return (
        known & (separation >= min_separation),
        known & (separation > 0),
        torch.zeros_like(known) if angles is None else known & ~angles.isnan().any(-1),
        batch.masked_targets != NOT_SCORED,
    )


def count_cells(scored: Sequence[Bool[Tensor, "B _ _"]]) -> Int[Tensor, "T B"]:
    """Number of cells that each task scores in each example."""
    return torch.stack([cells.sum((1, 2)) for cells in scored])


def example_weights(
    counts: Float[Tensor, "T B"],
    lengths: Int[Tensor, " B"],
    rule: Literal["equal", "sqrt_length", "cells"],
) -> Float[Tensor, "T B"]:
    """How much each example counts in each task, 0 where it has nothing to score; `lengths` are residues."""
    if rule == "cells":
        return counts
    has_any = (counts > 0).to(counts.dtype)
    return has_any if rule == "equal" else has_any * lengths.to(counts.dtype).sqrt()


def loss_denominators(batches: Sequence[Batch], config: LossConfig) -> Float[Tensor, " T"]:
    """Sum of the example weights of each task over `batches`, in float64 on the CPU.

    Over all micro-batches and data-parallel ranks of an optimizer step (those that share a sample counted once) it is
    what the losses of the step are divided by.
    """
    total = torch.zeros(len(TASKS), dtype=torch.float64)
    for batch in batches:
        counts = count_cells(scored_cells(batch, config.min_separation)).cpu().double()
        lengths = batch.residue_mask.sum(1).cpu()
        total += example_weights(counts, lengths, config.example_weight).sum(1)
    return total
