"""Heads: symmetric pair logits, documented bins, one logit for each symbol of a cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_cases import assert_near, draw, exact, linear, moved, norm, randomized

from msaformer.model.heads import (
    BIN_EDGES,
    CONTACT_PRIOR,
    CONTACT_THRESHOLD,
    NUM_BINS,
    MaskedMSAHead,
    PairHead,
)
from msaformer.model.orientation_head import OrientationHead
from msaformer.training.cell_losses import distogram_losses

B, N, L, C, K = 2, 3, 4, 6, 5


def test_pair_logits_are_those_of_ij_plus_those_of_ji() -> None:
    head = randomized(PairHead(C, K))
    pair = draw(B, L, L, C)
    expected = np.zeros((B, L, L, K))
    for b, i, j in np.ndindex(B, L, L):
        for edge in ((b, i, j), (b, j, i)):
            expected[b, i, j] += linear(head.to_logits, norm(head.norm, exact(pair)[edge]))
    assert_near(exact(head(pair)), expected)


def test_pair_logits_are_exactly_symmetric_and_float32_under_bfloat16_too() -> None:
    head = randomized(PairHead(C, K))
    for enabled in (True, False):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            logits = head(draw(B, L, L, C))
        assert logits.dtype == torch.float32
        assert torch.equal(logits, logits.transpose(1, 2))


def test_a_pair_moves_the_logits_of_itself_and_its_mirror_only() -> None:
    expected = np.zeros((B, L, L), dtype=bool)
    expected[1, 0, 3] = expected[1, 3, 0] = True
    np.testing.assert_array_equal(moved(randomized(PairHead(C, K)), draw(B, L, L, C), (1, 0, 3)), expected)


def test_an_untrained_contact_head_gives_every_pair_its_prior() -> None:
    logits = PairHead(C, 1, prior=CONTACT_PRIOR)(draw(B, L, L, C))
    assert_near(torch.sigmoid(logits), torch.full((B, L, L, 1), CONTACT_PRIOR))
    assert torch.all(PairHead(C, K)(draw(B, L, L, C)) == 0)


def test_orientation_logits_are_those_of_ij_and_for_omega_those_of_ji_too() -> None:
    head = randomized(OrientationHead(C))
    pair = draw(B, L, L, C)
    each = linear(head.to_logits, norm(head.norm, exact(pair)))
    omega, theta, phi = head(pair)
    assert_near(exact(omega), each[..., :25] + each[..., :25].swapaxes(1, 2))
    assert_near(exact(theta), each[..., 25:50])
    assert_near(exact(phi), each[..., 50:])
    assert phi.shape == (B, L, L, 13)
    assert torch.equal(omega, omega.transpose(1, 2))


def test_orientation_logits_are_float32_under_bfloat16_and_untrained_ones_are_all_alike() -> None:
    head = OrientationHead(C)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tables = head(draw(B, L, L, C))
    assert all(table.dtype == torch.float32 and not table.any() for table in tables)


def test_masked_cells_are_read_off_their_own_cell() -> None:
    head = randomized(MaskedMSAHead(C))
    msa = draw(B, N, L, C)
    assert_near(exact(head(msa)), linear(head.to_logits, norm(head.norm, exact(msa))))
    assert head(msa).shape == (B, N, L, 22)
    expected = np.zeros((B, N, L), dtype=bool)
    expected[1, 2, 3] = True
    np.testing.assert_array_equal(moved(head, msa, (1, 2, 3)), expected)


def test_bins_are_half_an_angstrom_wide_from_2_5_to_20_and_open_at_both_ends() -> None:
    assert (BIN_EDGES[0], BIN_EDGES[-1], len(BIN_EDGES), NUM_BINS) == (2.5, 20.0, 36, 37)
    assert np.all(np.diff(BIN_EDGES) == 0.5)
    assert CONTACT_THRESHOLD in BIN_EDGES  # so that contacts are whole bins


@pytest.mark.parametrize(
    ("distance", "expected"),
    [(0.5, 0), (2.49, 0), (2.5, 1), (7.99, 11), (8.0, 12), (19.99, 35), (20.0, 36), (60.0, 36)],
)
def test_a_bin_holds_its_lower_edge_so_that_contacts_are_the_first_twelve(
    distance: float, expected: int
) -> None:
    distances = np.full((L, L), distance, dtype=np.float32)
    losses = []
    for k in range(NUM_BINS):
        logits = torch.zeros(1, L, L, NUM_BINS)
        logits[..., k] = 50.0  # certain of bin k
        losses.append(float(distogram_losses(logits, torch.from_numpy(distances)[None]).mean()))
    assert int(np.argmin(losses)) == expected
    assert min(losses) == pytest.approx(0.0, abs=1e-6)
    assert (expected < 12) == (distance < CONTACT_THRESHOLD)
