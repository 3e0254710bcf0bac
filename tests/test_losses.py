"""The losses against numbers worked out by hand, and what must not count."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from msaformer.config import LossConfig
from msaformer.data.batch import NOT_SCORED, Batch
from msaformer.model.heads import BIN_EDGES, NUM_BINS
from msaformer.model.model import ModelOutput
from msaformer.training.losses import compute_losses, contact_loss, distogram_loss, masked_msa_loss

B, N, L = 2, 3, 5


def make_batch() -> Batch:
    """Two proteins of 5 and 4 residues, 3 and 2 sequences; every distance is 12 Å."""
    distances = torch.full((B, L, L), 12.0)
    distances[1, 4] = distances[1, :, 4] = torch.nan
    sequence_mask = torch.tensor([[True] * 3, [True, True, False]])
    residue_mask = torch.tensor([[True] * 5, [True] * 4 + [False]])
    return Batch(
        tokens=torch.zeros(B, N, L, dtype=torch.int64),
        deletions=torch.zeros(B, N, L),
        profile=torch.zeros(B, L, 22),
        residue_index=torch.arange(L).expand(B, L).clone(),
        coevolution=torch.zeros(B, L, L, 2),
        has_coevolution=torch.tensor([True, False]),
        sequence_mask=sequence_mask,
        residue_mask=residue_mask,
        distances=distances,
        masked_targets=torch.full((B, N, L), NOT_SCORED),
    )


def set_distance(batch: Batch, b: int, i: int, j: int, angstrom: float) -> None:
    batch.distances[b, i, j] = batch.distances[b, j, i] = angstrom


def cross_entropy(logit: float, is_contact: bool) -> float:
    probability = 1 / (1 + math.exp(-logit))
    return -math.log(probability if is_contact else 1 - probability)


def test_contact_loss_by_hand() -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    set_distance(batch, 0, 0, 3, 6.0)
    set_distance(batch, 1, 0, 2, 15.0)
    logits = torch.zeros(B, L, L)
    logits[0, 0, 3] = logits[0, 3, 0] = 1.5
    logits[1, 0, 2] = logits[1, 2, 0] = -0.5
    expected = (cross_entropy(1.5, True) + cross_entropy(-0.5, False)) / 2
    assert float(contact_loss(logits, batch, 2)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("angstrom", "is_contact"), [(7.99, True), (8.0, False), (0.0, True)])
def test_a_contact_is_closer_than_8_angstrom(angstrom: float, is_contact: bool) -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    set_distance(batch, 0, 0, 4, angstrom)
    loss = contact_loss(torch.full((B, L, L), 2.0), batch, 1)
    assert float(loss) == pytest.approx(cross_entropy(2.0, is_contact), rel=1e-6)


def counted(batch: Batch, min_separation: int) -> set[tuple[int, int, int]]:
    """The pairs whose logit moves the contact loss."""
    logits = torch.zeros(B, L, L, requires_grad=True)
    contact_loss(logits, batch, min_separation).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    return {(b, i, j) for b, i, j in torch.nonzero(logits.grad).tolist()}


def test_near_unknown_and_padded_pairs_do_not_count_as_contacts() -> None:
    batch = make_batch()
    set_distance(batch, 0, 1, 4, math.nan)
    batch.distances[1, 4, 0] = 3.0  # padding that pretends to know
    pairs = {(b, i, j) for b in range(B) for i in range(L) for j in range(L) if abs(i - j) >= 3}
    unknown = {(0, 1, 4), (0, 4, 1)} | {(b, i, j) for b, i, j in pairs if b == 1 and 4 in (i, j)}
    assert counted(batch, 3) == pairs - unknown


def test_separation_is_counted_in_the_protein_not_in_the_crop() -> None:
    batch = make_batch()
    residue_index = batch.residue_index.clone()
    residue_index[0] = torch.tensor([0, 1, 2, 50, 51])
    pairs = counted(replace(batch, residue_index=residue_index), 6)
    assert pairs == {(0, i, j) for i in range(L) for j in range(L) if (i < 3) != (j < 3)}


@pytest.mark.parametrize(
    ("angstrom", "index"),
    [(0.0, 0), (2.49, 0), (2.5, 1), (7.99, 11), (8.0, 12), (19.99, 35), (20.0, 36), (300.0, 36)],
)
def test_a_distance_falls_into_the_bin_that_starts_at_or_below_it(angstrom: float, index: int) -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    set_distance(batch, 0, 0, 1, angstrom)
    logits = torch.zeros(B, L, L, NUM_BINS)
    logits[..., index] = 30.0
    assert float(distogram_loss(logits, batch)) == pytest.approx(0.0, abs=1e-6)
    logits[..., index] = -30.0
    assert float(distogram_loss(logits, batch)) > 30


def test_the_contact_cut_off_is_an_edge_of_the_bins() -> None:
    assert 8.0 in BIN_EDGES
    assert len(BIN_EDGES) == NUM_BINS - 1
    np.testing.assert_allclose(np.diff(BIN_EDGES), 0.5)


def test_distogram_loss_counts_known_pairs_of_different_residues_only() -> None:
    batch = make_batch()
    set_distance(batch, 0, 1, 2, math.nan)
    logits = torch.zeros(B, L, L, NUM_BINS, requires_grad=True)
    loss = distogram_loss(logits, batch)
    assert float(loss.detach()) == pytest.approx(math.log(NUM_BINS), rel=1e-6)  # all bins alike
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    moved = {(b, i, j) for b, i, j in torch.nonzero(logits.grad.abs().sum(-1)).tolist()}
    sizes = (L, L - 1)
    pairs = {(b, i, j) for b in range(B) for i in range(sizes[b]) for j in range(sizes[b]) if i != j}
    assert moved == pairs - {(0, 1, 2), (0, 2, 1)}


def test_masked_msa_loss_by_hand_over_the_masked_cells_only() -> None:
    batch = make_batch()
    batch.masked_targets[0, 1, 2] = 7
    batch.masked_targets[1, 0, 0] = 21
    logits = torch.randn(B, N, L, 22, generator=torch.Generator().manual_seed(0))
    logits[0, 1, 2] = 0.0
    logits[1, 0, 0] = torch.arange(22) * 0.1
    second = math.log(sum(math.exp(0.1 * k) for k in range(22))) - 2.1
    assert float(masked_msa_loss(logits, batch)) == pytest.approx((math.log(22) + second) / 2, rel=1e-6)


def output(batch: Batch, generator: torch.Generator) -> ModelOutput:
    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, requires_grad=True)

    return ModelOutput(
        msa=random(B, N, L, 4),
        pair=random(B, L, L, 6),
        contact_logits=random(B, L, L),
        distogram_logits=random(B, L, L, NUM_BINS),
        masked_msa_logits=random(B, N, L, 22),
    )


def test_the_total_is_the_weighted_sum() -> None:
    batch = make_batch()
    batch.masked_targets[0, 0, 0] = 3
    config = LossConfig(contact=2.0, distogram=0.25, masked_msa=3.0, min_separation=1)
    losses = compute_losses(output(batch, torch.Generator().manual_seed(1)), batch, config)
    expected = 2.0 * losses.contact + 0.25 * losses.distogram + 3.0 * losses.masked_msa
    torch.testing.assert_close(losses.total, expected)
    assert all(float(part.detach()) > 0 for part in (losses.contact, losses.distogram, losses.masked_msa))


def test_nothing_to_score_is_zero_with_a_zero_gradient() -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    scored = output(batch, torch.Generator().manual_seed(2))
    losses = compute_losses(scored, batch, LossConfig())
    assert float(losses.total.detach()) == 0.0
    losses.total.backward()  # type: ignore[no-untyped-call]
    for logits in (scored.contact_logits, scored.distogram_logits, scored.masked_msa_logits):
        assert logits.grad is not None
        assert float(logits.grad.abs().max()) == 0.0


def test_what_stands_in_padding_and_unknown_cells_changes_nothing() -> None:
    batch = make_batch()
    set_distance(batch, 0, 1, 4, math.nan)
    batch.masked_targets[0, 0, 0] = 3
    scored = output(batch, torch.Generator().manual_seed(3))
    before = compute_losses(scored, batch, LossConfig(min_separation=1))
    with torch.no_grad():
        scored.contact_logits[1, 4] = scored.contact_logits[1, :, 4] = 1e30
        scored.contact_logits[0, 1, 4] = -1e30
        scored.distogram_logits[1, 4] = 1e30
        scored.masked_msa_logits[1, 2] = 1e30
    after = compute_losses(scored, batch, LossConfig(min_separation=1))
    assert float(after.total.detach()) == float(before.total.detach())
