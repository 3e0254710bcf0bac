"""The loss of single cells against numbers worked out by hand, and which cells count."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from loss_cases import B, L, N, draw_output, make_batch, set_distance
from torch import Tensor

from msaformer.config import LossConfig
from msaformer.data.batch import Batch
from msaformer.model.heads import BIN_EDGES, NUM_BINS
from msaformer.model.orientation_head import NUM_DIHEDRAL_BINS, NUM_PLANAR_BINS
from msaformer.training.cell_losses import orientation_bins
from msaformer.training.losses import evaluate_losses


def only(task: str, batch: Batch, config: dict[str, Any] | None = None, **logits: Tensor) -> Tensor:
    """The loss of one task."""
    weights = dict.fromkeys(("contact", "distogram", "orientation", "masked_msa"), 0.0) | {task: 1.0}
    output = replace(draw_output(batch), **logits)
    return evaluate_losses(output, batch, LossConfig(**(weights | (config or {})))).total


def contact_loss(logits: Tensor, batch: Batch, min_separation: int, **config: Any) -> Tensor:
    return only("contact", batch, {"min_separation": min_separation} | config, contact_logits=logits)


def distogram_loss(logits: Tensor, batch: Batch) -> Tensor:
    return only("distogram", batch, distogram_logits=logits)


def masked_msa_loss(logits: Tensor, batch: Batch) -> Tensor:
    return only("masked_msa", batch, masked_msa_logits=logits)


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
    assert contact_loss(logits, batch, 2).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("angstrom", "is_contact"), [(7.99, True), (8.0, False), (0.0, True)])
def test_a_contact_is_closer_than_8_angstrom(angstrom: float, is_contact: bool) -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    set_distance(batch, 0, 0, 4, angstrom)
    loss = contact_loss(torch.full((B, L, L), 2.0), batch, 1)
    assert loss.item() == pytest.approx(cross_entropy(2.0, is_contact), rel=1e-6)


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
    assert distogram_loss(logits, batch).item() == pytest.approx(0.0, abs=1e-6)
    logits[..., index] = -30.0
    assert distogram_loss(logits, batch).item() > 30


def test_the_contact_cut_off_is_an_edge_of_the_bins() -> None:
    assert 8.0 in BIN_EDGES
    assert len(BIN_EDGES) == NUM_BINS - 1
    np.testing.assert_allclose(np.diff(BIN_EDGES), 0.5)


def test_distogram_loss_counts_known_pairs_of_different_residues_only() -> None:
    batch = make_batch()
    set_distance(batch, 0, 1, 2, math.nan)
    logits = torch.zeros(B, L, L, NUM_BINS, requires_grad=True)
    loss = distogram_loss(logits, batch)
    assert loss.item() == pytest.approx(math.log(NUM_BINS), rel=1e-6)  # all bins alike
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
    assert masked_msa_loss(logits, batch).item() == pytest.approx((math.log(22) + second) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("degrees", "dihedral", "planar"),
    [
        (0, 12, 0),
        (14.9, 12, 0),
        (15.1, 13, 1),
        (90.1, 18, 6),
        (179.9, 23, 11),
        (-179.9, 0, None),
        (-0.1, 11, None),
    ],
)
def test_an_angle_falls_into_the_step_of_15_degrees_that_it_lies_in(
    degrees: float, dihedral: int, planar: int | None
) -> None:
    angles = torch.full((1, 2, 3, 3), math.radians(degrees))
    bins = orientation_bins(angles, torch.full((1, 2, 3), 19.99))
    assert (bins[..., :2] == dihedral).all()
    assert planar is None or (bins[..., 2] == planar).all()


def test_half_a_turn_either_way_is_the_same_dihedral_and_the_last_planar_step() -> None:
    angles = torch.tensor([math.pi, -math.pi])[None, None, :, None].expand(1, 1, 2, 3)
    bins = orientation_bins(angles, torch.zeros(1, 1, 2))
    assert bins[0, 0, 0].tolist() == [0, 0, 11]
    assert bins[0, 0, 1, :2].tolist() == [0, 0]


def test_pairs_20_angstrom_apart_are_in_the_last_bin_of_each_angle() -> None:
    bins = orientation_bins(torch.zeros(1, 1, 2, 3), torch.tensor([[[19.99, 20.0]]]))
    assert bins[0, 0].tolist() == [[12, 12, 0], [24, 24, 12]]
    assert (NUM_DIHEDRAL_BINS, NUM_PLANAR_BINS) == (25, 13)


def orientation_loss(batch: Batch, omega: Tensor, theta: Tensor, phi: Tensor) -> Tensor:
    return only("orientation", batch, omega_logits=omega, theta_logits=theta, phi_logits=phi)


def test_orientation_loss_is_the_mean_of_three_cross_entropies() -> None:
    batch = make_batch()
    assert batch.orientations is not None
    batch.orientations[:] = torch.nan
    batch.orientations[0, 1, 3] = torch.tensor([0.1, -3.0, 1.5])  # bins 12, 0, 5
    omega, theta, phi = (torch.zeros(B, L, L, bins) for bins in (25, 25, 13))
    omega[0, 1, 3, 12], theta[0, 1, 3, 0], phi[0, 1, 3, 5] = 1.0, 2.0, 3.0
    terms = [math.log(bins - 1 + math.exp(x)) - x for bins, x in ((25, 1.0), (25, 2.0), (13, 3.0))]
    assert orientation_loss(batch, omega, theta, phi).item() == pytest.approx(sum(terms) / 3, rel=1e-6)


def test_orientation_loss_counts_pairs_whose_angles_and_distance_are_all_known() -> None:
    batch = make_batch()
    assert batch.orientations is not None
    batch.orientations[0, 0, 1, 2] = torch.nan
    set_distance(batch, 0, 2, 3, math.nan)
    logits = [torch.zeros(B, L, L, bins, requires_grad=True) for bins in (25, 25, 13)]
    orientation_loss(batch, *logits).backward()  # type: ignore[no-untyped-call]
    pairs = {(b, i, j) for b in range(B) for i in range(L - b) for j in range(L - b) if i != j}
    for table in logits:
        assert table.grad is not None
        moved = {(b, i, j) for b, i, j in torch.nonzero(table.grad.abs().sum(-1)).tolist()}
        assert moved == pairs - {(0, 0, 1), (0, 2, 3), (0, 3, 2)}


def test_without_orientations_in_the_batch_the_loss_is_zero() -> None:
    logits = [torch.ones(B, L, L, bins, requires_grad=True) for bins in (25, 25, 13)]
    loss = orientation_loss(replace(make_batch(), orientations=None), *logits)
    assert loss.item() == 0.0
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(table.grad is not None and not table.grad.any() for table in logits)


def test_contacts_count_by_their_weight() -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    set_distance(batch, 0, 0, 3, 6.0)
    set_distance(batch, 0, 0, 2, 15.0)
    loss = contact_loss(torch.full((B, L, L), 0.7), batch, 1, contact_positive_weight=5.0)
    expected = (5 * cross_entropy(0.7, True) + cross_entropy(0.7, False)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_the_focal_loss_by_hand(gamma: float) -> None:
    batch = make_batch()
    batch.distances[:] = torch.nan
    set_distance(batch, 0, 0, 3, 6.0)
    set_distance(batch, 0, 0, 2, 15.0)
    loss = contact_loss(torch.full((B, L, L), 0.7), batch, 1, contact_focal_gamma=gamma)
    p = 1 / (1 + math.exp(-0.7))
    expected = (-((1 - p) ** gamma) * math.log(p) - p**gamma * math.log(1 - p)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("logit", [-1e4, -80.0, 80.0, 1e4])
def test_the_focal_loss_of_a_certain_pair_has_a_finite_gradient(logit: float) -> None:
    batch = make_batch()
    set_distance(batch, 0, 0, 3, 6.0)
    logits = torch.full((B, L, L), logit, requires_grad=True)
    loss = contact_loss(logits, batch, 1, contact_focal_gamma=0.5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    assert math.isfinite(loss.item())
