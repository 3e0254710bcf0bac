"""A batch of two small proteins and logits for it, to score."""

from __future__ import annotations

import torch
from torch import Tensor

from msaformer.data.batch import NOT_SCORED, Batch
from msaformer.model.heads import NUM_BINS
from msaformer.model.model import ModelOutput
from msaformer.model.orientation_head import NUM_DIHEDRAL_BINS, NUM_PLANAR_BINS

B, N, L = 2, 3, 5


def make_batch() -> Batch:
    """Two proteins of 5 and 4 residues, 3 and 2 sequences; every distance is 12 Å, every angle 0.5."""
    distances = torch.full((B, L, L), 12.0)
    distances[1, 4] = distances[1, :, 4] = torch.nan
    orientations = torch.full((B, L, L, 3), 0.5)
    orientations[1, 4] = orientations[1, :, 4] = torch.nan
    orientations[:, range(L), range(L)] = torch.nan
    sequence_mask = torch.tensor([[True] * 3, [True, True, False]])
    residue_mask = torch.tensor([[True] * 5, [True] * 4 + [False]])
    return Batch(
        tokens=torch.zeros(B, N, L, dtype=torch.int64),
        deletions=torch.zeros(B, N, L),
        profile=torch.zeros(B, L, 22),
        residue_index=torch.arange(L).expand(B, L).clone(),
        coevolution=torch.zeros(B, L, L, 2),
        has_coevolution=torch.tensor([True, False]),
        couplings=torch.zeros(B, L, L, 0, dtype=torch.float16),
        neff=torch.ones(B),
        sequence_mask=sequence_mask,
        residue_mask=residue_mask,
        distances=distances,
        masked_targets=torch.full((B, N, L), NOT_SCORED),
        orientations=orientations,
        names=("one", "two"),
    )


def set_distance(batch: Batch, b: int, i: int, j: int, angstrom: float) -> None:
    batch.distances[b, i, j] = batch.distances[b, j, i] = angstrom


def draw_output(batch: Batch, seed: int = 0) -> ModelOutput:
    """Random logits for `batch` that collect gradients."""
    generator = torch.Generator().manual_seed(seed)
    size, depth, length = batch.tokens.shape

    def random(*shape: int) -> Tensor:
        return torch.randn(size, *shape, generator=generator, requires_grad=True)

    return ModelOutput(
        msa=random(depth, length, 4),
        pair=random(length, length, 6),
        contact_logits=random(length, length),
        distogram_logits=random(length, length, NUM_BINS),
        masked_msa_logits=random(depth, length, 22),
        omega_logits=random(length, length, NUM_DIHEDRAL_BINS),
        theta_logits=random(length, length, NUM_DIHEDRAL_BINS),
        phi_logits=random(length, length, NUM_PLANAR_BINS),
    )
