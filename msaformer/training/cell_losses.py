"""The loss of each cell of a task: a residue pair, or a cell of the alignment. All arithmetic is in float32.

Where the answer is not known the number is finite and means nothing.

Dimension key: B batch, L residues, K distance bins; R rows of a pair table or of an alignment lie on this rank (all,
unless several share a sample).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from msaformer.data.batch import NOT_SCORED
from msaformer.model.heads import BIN_EDGES, CONTACT_THRESHOLD
from msaformer.model.orientation_head import FAR_DISTANCE, NUM_DIHEDRAL_STEPS, NUM_PLANAR_STEPS


def contact_losses(
    logits: Float[Tensor, "B R L"],
    distances: Float[Tensor, "B R L"],
    positive_weight: float,
    focal_gamma: float,
) -> Float[Tensor, "B R L"]:
    """Binary cross-entropy of Cβ–Cβ < 8 Å, times (1 − p)^γ for the probability p given to the truth.

    Focal loss: Lin et al. 2017 (arXiv:1708.02002), equation 4. Contacts count `positive_weight` times.
    """
    is_contact = distances < CONTACT_THRESHOLD
    toward_truth = torch.where(is_contact, logits, -logits).float()
    losses = functional.softplus(-toward_truth)
    focal = torch.exp(-focal_gamma * functional.softplus(toward_truth))  # finite gradient for p = 1 and any γ
    return losses * focal * torch.where(is_contact, positive_weight, 1.0)


def distogram_losses(
    logits: Float[Tensor, "B R L K"], distances: Float[Tensor, "B R L"]
) -> Float[Tensor, "B R L"]:
    """Cross-entropy over the distance bins (AlphaFold 2, equation 41)."""
    edges = torch.tensor(BIN_EDGES, device=distances.device)
    return _cross_entropy(logits, torch.bucketize(distances.nan_to_num(), edges, right=True))


def orientation_losses(
    omega_logits: Float[Tensor, "B R L 25"],
    theta_logits: Float[Tensor, "B R L 25"],
    phi_logits: Float[Tensor, "B R L 13"],
    orientations: Float[Tensor, "B R L 3"],
    distances: Float[Tensor, "B R L"],
) -> Float[Tensor, "B R L"]:
    """Mean of the three cross-entropies over the bins of ω, θ, φ; pairs 20 Å apart are in the last bin."""
    omega, theta, phi = orientation_bins(orientations, distances).unbind(-1)
    losses = _cross_entropy(omega_logits, omega) + _cross_entropy(theta_logits, theta)
    return (losses + _cross_entropy(phi_logits, phi)) / 3


def orientation_bins(
    orientations: Float[Tensor, "B R L 3"], distances: Float[Tensor, "B R L"]
) -> Int[Tensor, "B R L 3"]:
    """Bins of ω, θ, φ, counted from −180°, −180° and 0°; the last bin for pairs from 20 Å on."""
    omega, theta, phi = orientations.nan_to_num().unbind(-1)
    step = math.pi / NUM_PLANAR_STEPS
    dihedral = [
        ((angle + math.pi) / step).long() % NUM_DIHEDRAL_STEPS for angle in (omega, theta)
    ]  # 180° is −180°
    planar = (phi / step).long().clamp(0, NUM_PLANAR_STEPS - 1)  # 180° is in the last step
    bins = torch.stack((*dihedral, planar), dim=-1)
    last = torch.tensor((NUM_DIHEDRAL_STEPS, NUM_DIHEDRAL_STEPS, NUM_PLANAR_STEPS), device=bins.device)
    return torch.where((distances >= FAR_DISTANCE)[..., None], last, bins)


def masked_msa_losses(
    logits: Float[Tensor, "B R L 22"], targets: Int[Tensor, "B R L"]
) -> Float[Tensor, "B R L"]:
    """Cross-entropy of the true symbol, 0 where none is asked for (AlphaFold 2, equation 42)."""
    return _cross_entropy(logits, targets)


def _cross_entropy(logits: Float[Tensor, "B R L C"], classes: Int[Tensor, "B R L"]) -> Float[Tensor, "B R L"]:
    flat = functional.cross_entropy(
        logits.float().flatten(0, 2), classes.flatten(), ignore_index=NOT_SCORED, reduction="none"
    )
    return flat.view(classes.shape)
