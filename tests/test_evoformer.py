"""The Evoformer block does Algorithm 6's steps in its order; padding and the order of sequences do not matter."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from model_cases import assert_near, draw, first_real, randomized, tiny_config
from torch import Tensor

from msaformer.model.dropout import SharedDropout, seed_dropout
from msaformer.model.evoformer import Evoformer, EvoformerBlock

B, N, L = 2, 4, 5
REAL_N, REAL_L = (4, 3), (5, 4)  # of each example
C_M, C_Z = tiny_config().c_m, tiny_config().c_z

Tracks = tuple[Tensor, Tensor, Tensor, Tensor]
tied_or_not = pytest.mark.parametrize("tied", [True, False])


def tracks() -> Tracks:
    """MSA, pair and their masks; the second example is padded in both directions."""
    residues = first_real(*REAL_L, of=L)
    msa_mask = first_real(*REAL_N, of=N)[:, :, None] & residues[:, None, :]
    pair_mask = residues[:, :, None] & residues[:, None, :]
    return draw(B, N, L, C_M, seed=1), draw(B, L, L, C_Z, seed=2), msa_mask, pair_mask


def trunk(*, tied: bool) -> Evoformer:
    return randomized(Evoformer(tiny_config(tied_rows=tied)))


def algorithm_6(
    block: EvoformerBlock, msa: Tensor, pair: Tensor, msa_mask: Tensor, pair_mask: Tensor
) -> Tracks:
    """One block, line by line."""
    msa = msa + block.drop_msa(block.row_attention(msa, pair, msa_mask))
    msa = msa + block.column_attention(msa, msa_mask)
    msa = msa + block.msa_transition(msa)
    pair = pair + block.outer_product_mean(msa, msa_mask)
    pair = pair + block.drop_outgoing(block.triangle_outgoing(pair, pair_mask))
    pair = pair + block.drop_incoming(block.triangle_incoming(pair, pair_mask))
    pair = pair + block.drop_starting(block.triangle_starting(pair, pair_mask))
    pair = pair + block.drop_ending(block.triangle_ending(pair, pair_mask))
    pair = pair + block.pair_transition(pair)
    return msa, pair, msa_mask, pair_mask


@pytest.mark.parametrize("training", [True, False])
def test_a_stack_of_blocks_is_algorithm_6_over_and_over(training: bool) -> None:
    network = randomized(Evoformer(tiny_config(msa_dropout=0.3, pair_dropout=0.4))).train(training)
    seed_dropout(network, 1)
    expected = tracks()
    for block in network.blocks:
        assert isinstance(block, EvoformerBlock)
        expected = algorithm_6(block, *expected)
    msa, pair = network(*tracks())
    assert torch.equal(msa, expected[0])
    assert torch.equal(pair, expected[1])


def test_dropout_is_shared_over_sequences_and_rows_but_over_columns_for_the_ending_node() -> None:
    block = randomized(EvoformerBlock(tiny_config(msa_dropout=0.3, pair_dropout=0.4)))
    seen: dict[str, tuple[Tensor, Tensor, float]] = {}
    for name, part in block.named_modules():
        if isinstance(part, SharedDropout):
            part.register_forward_hook(
                lambda module, args, out, name=name, rate=part.rate: seen.update({name: (args[0], out, rate)})
            )
    block(*tracks())
    over_first, over_second = {}, {}
    for name, (update, out, _) in seen.items():
        dropped = (out == 0) & (update != 0)
        over_first[name] = torch.equal(dropped[:, :1].expand_as(dropped), dropped)
        over_second[name] = torch.equal(dropped[:, :, :1].expand_as(dropped), dropped)
    starting = ["drop_msa", "drop_outgoing", "drop_incoming", "drop_starting"]
    assert list(seen) == [*starting, "drop_ending"]
    assert over_first == dict.fromkeys(starting, True) | {"drop_ending": False}
    assert over_second == dict.fromkeys(starting, False) | {"drop_ending": True}
    assert {name: rate for name, (_, _, rate) in seen.items()} == dict.fromkeys(seen, 0.4) | {"drop_msa": 0.3}


@tied_or_not
def test_a_fresh_stack_is_the_identity_because_every_update_starts_at_zero(tied: bool) -> None:
    msa, pair, *masks = tracks()
    for new, old in zip(Evoformer(tiny_config(tied_rows=tied))(msa, pair, *masks), (msa, pair), strict=True):
        assert torch.equal(new, old)


@tied_or_not
@pytest.mark.parametrize("size", [1.0, 1e4, 1e6])
def test_what_padded_cells_hold_changes_no_real_cell_or_pair(tied: bool, size: float) -> None:
    network = trunk(tied=tied)
    msa, pair, msa_mask, pair_mask = tracks()
    loud_msa = torch.where(msa_mask[..., None], msa, size * draw(*msa.shape, seed=8))
    loud_pair = torch.where(pair_mask[..., None], pair, size * draw(*pair.shape, seed=9))
    quiet, loud = network(*tracks()), network(loud_msa, loud_pair, msa_mask, pair_mask)
    for one, other, mask in zip(loud, quiet, (msa_mask, pair_mask), strict=True):
        assert_near(one[mask], other[mask], rtol=1e-5, atol=1e-5)
        assert one.isfinite().all()


@tied_or_not
def test_a_padded_example_gives_what_it_gives_alone(tied: bool) -> None:
    network = trunk(tied=tied)
    msa, pair, msa_mask, pair_mask = tracks()
    both = network(msa, pair, msa_mask, pair_mask)
    for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
        cell = (slice(b, b + 1), slice(depth), slice(length))
        edge = (slice(b, b + 1), slice(length), slice(length))
        alone = network(msa[cell], pair[edge], msa_mask[cell], pair_mask[edge])
        assert_near(both[0][cell], alone[0])
        assert_near(both[1][edge], alone[1])


@tied_or_not
def test_the_order_of_sequences_moves_with_the_msa_track_and_leaves_the_pair_track(tied: bool) -> None:
    network = trunk(tied=tied)
    msa, pair, msa_mask, pair_mask = tracks()
    order = torch.tensor([0, 3, 1, 2])
    expected = network(msa, pair, msa_mask, pair_mask)
    shuffled = network(msa[:, order], pair, msa_mask[:, order], pair_mask)
    assert_near(shuffled[0], expected[0][:, order])
    assert_near(shuffled[1], expected[1])


@tied_or_not
def test_bfloat16_autocast_stays_near_float32_and_every_weight_learns(tied: bool) -> None:
    block = randomized(EvoformerBlock(tiny_config(tied_rows=tied)))
    inputs = tracks()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = block(*inputs)
    for one, other, mask in zip(rounded, block(*inputs), inputs[2:], strict=True):
        assert one.dtype == torch.float32  # the tracks themselves are never rounded
        assert_near(one[mask], other[mask], rtol=0.1, atol=0.1)  # nine updates deep
    torch.autograd.backward(
        sum(track[mask].square().sum() for track, mask in zip(rounded, inputs[2:], strict=True))
    )
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name


def test_real_outputs_send_no_gradient_into_padding() -> None:
    msa, pair, msa_mask, pair_mask = tracks()
    msa.requires_grad_()
    pair.requires_grad_()
    new_msa, new_pair = trunk(tied=False)(msa, pair, msa_mask, pair_mask)
    torch.autograd.backward(new_msa[msa_mask].square().sum() + new_pair[pair_mask].square().sum())
    for x, mask in ((msa, msa_mask), (pair, pair_mask)):
        assert x.grad is not None
        assert torch.all(x.grad[~mask] == 0)
        assert torch.all(x.grad[mask].abs().amax(-1) > 0)


def test_dropout_draws_another_mask_at_every_place_and_step() -> None:
    network = randomized(Evoformer(tiny_config(msa_dropout=0.5, pair_dropout=0.5)))
    outs = []
    for seed in (1, 1, 2):
        seed_dropout(network, seed)
        outs.append(network(*tracks())[1])
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[1], outs[2])
    seeds = [part.seed for part in network.modules() if isinstance(part, SharedDropout)]
    assert all(one != other for one, other in pairwise(sorted(seeds)))


@tied_or_not
def test_a_block_writes_over_what_it_was_given_in_inference_mode_alone(tied: bool) -> None:
    block = trunk(tied=tied).blocks[0]
    msa, pair, *masks = tracks()
    with torch.no_grad():
        expected = block(msa, pair, *masks)
    assert torch.equal(msa, tracks()[0])
    assert torch.equal(pair, tracks()[1])
    with torch.inference_mode():
        found = block(msa, pair, *masks)
    assert found[0].data_ptr() == msa.data_ptr()
    assert found[1].data_ptr() == pair.data_ptr()
    assert_near(found[0], expected[0])
    assert_near(found[1], expected[1])
