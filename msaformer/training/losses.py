"""The tasks and their sum.

Dimension key: B batch, N sequences, L residues, K distance bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from msaformer.config import LossConfig
from msaformer.data.batch import NOT_SCORED, Batch
from msaformer.model.heads import BIN_EDGES, CONTACT_THRESHOLD
from msaformer.model.model import ModelOutput


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Mean loss of each task over what it scores (0 where it scores nothing), and their weighted sum."""

    total: Float[Tensor, ""]
    contact: Float[Tensor, ""]
    distogram: Float[Tensor, ""]
    masked_msa: Float[Tensor, ""]


def compute_losses(output: ModelOutput, batch: Batch, config: LossConfig) -> Losses:
    """Score all tasks; pairs of unknown distance and padding count for nothing."""
    contact = contact_loss(output.contact_logits, batch, config.min_separation)
    distogram = distogram_loss(output.distogram_logits, batch)
    masked_msa = masked_msa_loss(output.masked_msa_logits, batch)
    total = config.contact * contact + config.distogram * distogram + config.masked_msa * masked_msa
    return Losses(total, contact, distogram, masked_msa)


def contact_loss(logits: Float[Tensor, "B L L"], batch: Batch, min_separation: int) -> Float[Tensor, ""]:
    """Binary cross-entropy of Cβ–Cβ < 8 Å, mean over the known pairs with |i − j| ≥ `min_separation`."""
    separation = (batch.residue_index[:, :, None] - batch.residue_index[:, None, :]).abs()
    scored = batch.pair_mask & (separation >= min_separation) & ~batch.distances.isnan()
    is_contact = (batch.distances < CONTACT_THRESHOLD).float()
    losses = functional.binary_cross_entropy_with_logits(logits, is_contact, reduction="none")
    return _masked_mean(losses, scored)


def distogram_loss(logits: Float[Tensor, "B L L K"], batch: Batch) -> Float[Tensor, ""]:
    """Cross-entropy over the distance bins, mean over the known pairs i ≠ j (AlphaFold 2, equation 41)."""
    edges = torch.tensor(BIN_EDGES, device=logits.device)
    known = ~batch.distances.isnan() & batch.pair_mask
    known &= batch.residue_index[:, :, None] != batch.residue_index[:, None, :]
    bins = torch.bucketize(batch.distances.nan_to_num(), edges, right=True)
    losses = functional.cross_entropy(logits.flatten(0, 2), bins.flatten(), reduction="none")
    return _masked_mean(losses, known.flatten())


def masked_msa_loss(logits: Float[Tensor, "B N L 22"], batch: Batch) -> Float[Tensor, ""]:
    """Cross-entropy of the true symbol, mean over the masked cells (AlphaFold 2, equation 42)."""
    scored = batch.masked_targets != NOT_SCORED
    losses = functional.cross_entropy(
        logits.flatten(0, 2), batch.masked_targets.flatten(), ignore_index=NOT_SCORED, reduction="none"
    )
    return _masked_mean(losses, scored.flatten())


def _masked_mean(losses: Tensor, scored: Tensor) -> Tensor:
    return torch.where(scored, losses, 0.0).sum() / scored.sum().clamp(min=1)
