"""Shared dropout: one mask along an axis, a function of its seed alone (AlphaFold 2, section 1.11.6)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from msaformer.model.dropout import SharedDropout, seed_dropout

B, N, L, C = 2, 7, 11, 13


@pytest.mark.parametrize(("axis", "others"), [(1, (0, 2, 3)), (2, (0, 1, 3))])
def test_the_mask_is_shared_along_one_axis_and_differs_along_the_others(
    axis: int, others: tuple[int, ...]
) -> None:
    out = SharedDropout(0.4, axis)(torch.ones(B, N, L, C))

    def is_constant_along(place: int) -> bool:
        return torch.equal(out.narrow(place, 0, 1).expand_as(out), out)

    assert is_constant_along(axis)
    assert not any(is_constant_along(place) for place in others)


def test_a_share_of_the_channels_is_zeroed_and_the_rest_scaled_to_keep_the_mean() -> None:
    out = SharedDropout(0.25, 1)(torch.ones(20, 3, 50, 20))
    dropped = (out == 0).float().mean().item()
    torch.testing.assert_close(out.unique(), torch.tensor([0.0, 1 / 0.75]))
    assert dropped == pytest.approx(0.25, abs=0.015)  # 5 standard deviations of 20,000 draws
    assert out.mean().item() == pytest.approx(1.0, abs=0.02)


def test_the_same_seed_draws_the_same_mask_whatever_else_was_drawn() -> None:
    dropout, x = SharedDropout(0.5, 1), torch.ones(B, N, L, C)
    dropout.seed = 3
    first = dropout(x)
    torch.rand(5)
    assert torch.equal(dropout(x), first)
    dropout.seed = 4
    assert not torch.equal(dropout(x), first)


def test_dropout_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    seed_dropout(SharedDropout(0.5, 1), 3)
    SharedDropout(0.5, 1)(torch.ones(B, N, L, C))
    assert torch.equal(torch.get_rng_state(), before)


def test_dropped_channels_get_no_gradient_and_kept_ones_theirs() -> None:
    x = torch.ones(B, N, L, C, requires_grad=True)
    out = SharedDropout(0.5, 2)(x)
    torch.autograd.backward(out.sum())
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())


def test_evaluation_and_a_rate_of_zero_are_the_identity() -> None:
    x = torch.ones(B, N, L, C)
    assert SharedDropout(0.5, 1).eval()(x) is x
    assert SharedDropout(0.0, 1)(x) is x


def test_every_place_gets_a_seed_of_its_own_from_one_seed() -> None:
    network = nn.Sequential(*(SharedDropout(0.5, 1) for _ in range(4)), nn.Sequential(SharedDropout(0.5, 2)))
    places = [part for part in network.modules() if isinstance(part, SharedDropout)]
    seeds: dict[int, list[int]] = {}
    for seed in (1, 2, 1):
        seed_dropout(network, seed)
        found = [part.seed for part in places]
        assert len(set(found)) == 5
        assert seeds.setdefault(seed, found) == found
    assert not set(seeds[1]) & set(seeds[2])
