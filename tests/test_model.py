"""The whole network: padding, order of sequences, recycling, gradients and the smallest alignments."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from model_cases import NUM_MAPS, are_near, assert_near, randomized, sample, tiny_config
from torch import Tensor

from data_tools.alphabet import MASK
from msaformer.config import LossConfig
from msaformer.data.batch import Batch, collate
from msaformer.model.model import ModelOutput, MSAFormer
from msaformer.training.losses import evaluate_losses

SIZES = ((4, 6), (3, 9))  # (N, L) of each example
OUTPUTS = [field.name for field in fields(ModelOutput)]
VARIANTS = pytest.mark.parametrize(
    "changes", [{}, {"tied_rows": True}, {"num_recycles": 2}], ids=["plain", "tied", "recycled"]
)


def network(**changes: object) -> MSAFormer:
    return randomized(MSAFormer(tiny_config(**({"orientations": True} | changes))))


def batch() -> Batch:
    """Two examples of other depth and length each, the second without co-evolution maps."""
    return collate([sample(*SIZES[0]), sample(*SIZES[1], seed=1, coevolution=None)], NUM_MAPS)


def masks(inputs: Batch) -> dict[str, Tensor]:
    """What is real in each output."""
    return {name: inputs.msa_mask if "msa" in name else inputs.pair_mask for name in OUTPUTS}


def loss(output: ModelOutput, inputs: Batch) -> Tensor:
    return evaluate_losses(output, inputs, LossConfig(min_separation=1, orientation=1.0)).total


@VARIANTS
def test_a_batch_gives_what_each_of_its_examples_gives_alone(changes: dict[str, object]) -> None:
    model = network(**changes)
    together = model(batch())
    for b, one in enumerate([sample(*SIZES[0]), sample(*SIZES[1], seed=1, coevolution=None)]):
        alone_in = collate([one], NUM_MAPS)
        alone = model(alone_in)
        for name, mask in masks(batch()).items():
            assert_near(
                getattr(together, name)[b][mask[b]],
                getattr(alone, name)[0].flatten(0, 1),
                rtol=1e-3,
                atol=1e-4,
            )


@VARIANTS
@pytest.mark.parametrize("size", [1.0, 1e4, 1e6])
def test_padding_may_hold_other_tokens_and_huge_values(changes: dict[str, object], size: float) -> None:
    model, inputs = network(**changes), batch()
    real = inputs.residue_mask
    loud = replace(
        inputs,
        tokens=torch.where(inputs.msa_mask, inputs.tokens, MASK),
        deletions=torch.where(inputs.msa_mask, inputs.deletions, size),
        profile=torch.where(real[..., None], inputs.profile, size),
        residue_index=torch.where(real, inputs.residue_index, int(size)),
        coevolution=torch.where(inputs.pair_mask[..., None], inputs.coevolution, size),
    )
    expected, found = model(inputs), model(loud)
    for name, mask in masks(inputs).items():
        one, other = getattr(found, name), getattr(expected, name)
        assert_near(one[mask], other[mask], rtol=1e-4, atol=1e-4)
        assert one.isfinite().all()


@VARIANTS
def test_the_order_of_the_sequences_below_the_query_is_irrelevant_to_every_pair(
    changes: dict[str, object],
) -> None:
    model, inputs = network(**changes), batch()
    order = torch.tensor([0, 3, 1, 2])
    shuffled = replace(
        inputs,
        tokens=inputs.tokens[:, order],
        deletions=inputs.deletions[:, order],
        sequence_mask=inputs.sequence_mask[:, order],
    )
    expected, found = model(inputs), model(shuffled)
    for name in OUTPUTS:
        wanted = getattr(expected, name)[:, order] if "msa" in name else getattr(expected, name)
        mask = masks(shuffled)[name]
        assert_near(getattr(found, name)[mask], wanted[mask], rtol=1e-3, atol=1e-4)
    swapped = replace(inputs, tokens=inputs.tokens[:, [1, 0, 2, 3]])
    assert not are_near(model(swapped).contact_logits, expected.contact_logits)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1)])
@VARIANTS
def test_one_sequence_or_one_residue_is_enough(changes: dict[str, object], size: tuple[int, int]) -> None:
    model = network(**changes)
    inputs = collate([sample(*size)], NUM_MAPS)
    output = model(inputs)
    for name in OUTPUTS:
        assert getattr(output, name).isfinite().all(), name
    torch.autograd.backward(loss(output, inputs))
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


@VARIANTS
def test_every_weight_learns(changes: dict[str, object]) -> None:
    model, inputs = network(**changes), batch()
    torch.autograd.backward(loss(model(inputs), inputs))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name


@VARIANTS
def test_bfloat16_autocast_stays_near_float32_in_outputs_and_gradients(changes: dict[str, object]) -> None:
    inputs = batch()
    found: list[tuple[ModelOutput, Tensor]] = []
    for enabled in (True, False):
        model = network(**changes)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            output = model(inputs)
        torch.autograd.backward(loss(output, inputs))
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        found.append((output, torch.cat(grads)))
    (rounded, rounded_grad), (plain, plain_grad) = found
    for name, mask in masks(inputs).items():
        one, other = getattr(rounded, name)[mask], getattr(plain, name)[mask]
        assert one.dtype == torch.float32, name
        assert (one - other).std() < 0.05 * other.std(), name
    assert torch.cosine_similarity(rounded_grad, plain_grad, dim=0) > 0.99


def test_pair_logits_are_symmetric() -> None:
    output = network()(batch())
    assert torch.equal(output.contact_logits, output.contact_logits.transpose(1, 2))
    assert torch.equal(output.distogram_logits, output.distogram_logits.transpose(1, 2))
    assert torch.equal(output.omega_logits, output.omega_logits.transpose(1, 2))


def test_a_network_without_coevolution_does_not_look_at_the_maps() -> None:
    model, inputs = network(coevolution=False), batch()
    other = replace(inputs, coevolution=inputs.coevolution + 7, has_coevolution=~inputs.has_coevolution)
    assert torch.equal(model(inputs).contact_logits, model(other).contact_logits)


def test_a_network_that_does_not_recycle_has_no_weights_for_it() -> None:
    extra = {name for name, _ in network(num_recycles=1).named_parameters()}
    extra -= {name for name, _ in network().named_parameters()}
    assert extra == {
        f"recycling.norm_{track}.{part}" for track in ("query", "pair") for part in ("weight", "bias")
    }


def test_recycling_that_passes_nothing_on_is_one_plain_pass_and_else_it_is_not() -> None:
    plain, recycled, inputs = network(), network(num_recycles=2), batch()
    plain.load_state_dict(recycled.state_dict(), strict=False)
    before = recycled(inputs).contact_logits
    assert recycled.recycling is not None
    with torch.no_grad():
        for parameter in recycled.recycling.parameters():
            parameter.zero_()
    expected = plain(inputs).contact_logits
    assert_near(recycled(inputs).contact_logits, expected)
    assert not are_near(before, expected)


@pytest.mark.parametrize("num_recycles", [0, 1, 3])
def test_the_trunk_runs_once_more_than_it_recycles_and_learns_in_the_last_pass(num_recycles: int) -> None:
    model = network(num_recycles=num_recycles)
    learning: list[bool] = []
    model.trunk.register_forward_pre_hook(lambda module, args: learning.append(torch.is_grad_enabled()))
    model(batch())
    assert learning == [False] * num_recycles + [True]


def test_a_recycled_pass_starts_from_the_last_query_row_and_pair_track_held_fixed() -> None:
    model, by_hand, inputs = network(num_recycles=1), network(num_recycles=1), batch()
    assert by_hand.recycling is not None
    msa, pair = by_hand.embedding(inputs)
    first = by_hand.recycling(msa, pair, torch.zeros_like(msa[:, 0]), torch.zeros_like(pair))
    last_msa, last_pair = by_hand.trunk(*first, inputs.msa_mask, inputs.pair_mask)
    second = by_hand.recycling(msa, pair, last_msa[:, 0].detach(), last_pair.detach())
    expected = by_hand.contact_head(by_hand.trunk(*second, inputs.msa_mask, inputs.pair_mask)[1])[..., 0]
    found = model(inputs).contact_logits
    real = inputs.pair_mask
    assert_near(found[real], expected[real])
    torch.autograd.backward(found[real].square().sum())
    torch.autograd.backward(expected[real].square().sum())
    for one, other in zip(model.parameters(), by_hand.parameters(), strict=True):
        if other.grad is not None:
            assert_near(one.grad, other.grad, rtol=1e-3, atol=1e-3)


def test_dropout_acts_in_training_only() -> None:
    model, inputs = network(msa_dropout=0.5, pair_dropout=0.5), batch()
    trained = model.train()(inputs).contact_logits
    calm = model.eval()(inputs).contact_logits
    assert torch.equal(calm, model(inputs).contact_logits)
    assert torch.equal(calm, network()(inputs).contact_logits)
    assert not are_near(trained, calm)
