"""The first tracks: tokens, deletions, profile, relative position and co-evolution maps; and recycling."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from model_cases import (
    NUM_MAPS,
    are_near,
    assert_near,
    draw,
    exact,
    linear,
    moved,
    norm,
    randomized,
    sample,
    tiny_config,
)

from data_tools.alphabet import NUM_SYMBOLS, NUM_TOKENS
from data_tools.couplings import NUM_COUPLINGS
from msaformer.data.batch import Batch, collate
from msaformer.model.embedding import InputEmbedding, RecyclingEmbedding
from msaformer.model.functions.projected_couplings import projected_couplings

B, N, L = 2, 4, 9  # L is longer than the clipped relative position, 3


def embedding(**changes: object) -> InputEmbedding:
    return randomized(InputEmbedding(tiny_config(**changes)))


def batch() -> Batch:
    """The second example has no co-evolution maps and is numbered like a crop of two stretches."""
    numbers = np.array([5, 6, 7, 8, 30, 31, 32, 33, 34], dtype=np.int32)
    return collate([sample(N, L), sample(N, L, seed=1, coevolution=None, residue_index=numbers)], NUM_MAPS)


def test_the_msa_track_is_the_sum_of_token_deletions_and_query() -> None:
    layer, inputs = embedding(), batch()
    msa = exact(layer(inputs)[0])
    for b, n, i in np.ndindex(B, N, L):
        count = float(inputs.deletions[b, n, i])
        deletions = np.array([float(count > 0), 2 / math.pi * math.atan(count / 3)])
        query = np.eye(NUM_TOKENS)[inputs.tokens[b, 0, i]]
        expected = exact(layer.msa_tokens.weight)[inputs.tokens[b, n, i]]
        expected = expected + linear(layer.msa_deletions, deletions)
        expected = expected + linear(layer.msa_query, np.concatenate([query, exact(inputs.profile)[b, i]]))
        assert_near(msa[b, n, i], expected)


def test_the_pair_track_is_the_sum_of_both_residues_their_separation_and_the_maps() -> None:
    layer, inputs = embedding(), batch()
    assert layer.coevolution is not None
    assert layer.no_coevolution is not None
    pair = exact(layer(inputs)[1])
    for b, i, j in np.ndindex(B, L, L):
        residues = [
            np.concatenate([np.eye(NUM_TOKENS)[inputs.tokens[b, 0, x]], exact(inputs.profile)[b, x]])
            for x in (i, j)
        ]
        separation = int(inputs.residue_index[b, i] - inputs.residue_index[b, j])
        expected = linear(layer.pair_left, residues[0]) + linear(layer.pair_right, residues[1])
        expected = expected + exact(layer.relative_position.weight)[max(-3, min(3, separation)) + 3]
        if inputs.has_coevolution[b]:
            maps = exact(inputs.coevolution)[b, i, j]
            expected = expected + linear(layer.coevolution, np.concatenate([maps, np.tanh(maps / 4)]))
        else:
            expected = expected + exact(layer.no_coevolution)
        assert_near(pair[b, i, j], expected)


def test_couplings_and_neff_are_added_to_the_pairs_of_an_example_that_has_them() -> None:
    layer = embedding(coevolution="couplings")
    samples = [sample(N, L, neff=3162.2777), sample(N, L, seed=1, neff=50.0), sample(N, L, coevolution=None)]
    inputs = collate(samples, NUM_MAPS, num_couplings=NUM_COUPLINGS)
    without = replace(inputs, couplings=torch.zeros_like(inputs.couplings), neff=torch.ones(3))
    added = exact(layer(inputs)[1] - layer(without)[1])
    assert layer.couplings is not None
    assert layer.neff is not None
    for b, log10_neff in enumerate((3.0, math.log10(50))):  # no more than 1,000 is told
        for i, j in np.ndindex(L, L):
            expected = linear(layer.couplings, exact(inputs.couplings)[b, i, j])
            expected = expected + linear(layer.neff, np.array([log10_neff]))
            assert_near(added[b, i, j], expected, rtol=1e-3, atol=1e-3)  # a sum of 441 products
    assert not added[2].any()


def test_without_the_profile_nothing_depends_on_it() -> None:
    layer, inputs = embedding(profile=False), batch()
    other = replace(inputs, profile=torch.zeros_like(inputs.profile))
    for one, two in zip(layer(inputs), layer(other), strict=True):
        assert torch.equal(one, two)


def test_separations_beyond_the_limit_are_told_apart_by_direction_only() -> None:
    layer = embedding()
    alike = np.ones((L, NUM_SYMBOLS), dtype=np.float32) / NUM_SYMBOLS
    tokens = np.zeros((N, L), dtype=np.uint8)
    pair = layer(collate([sample(N, L, tokens=tokens, profile=alike, coevolution=None)], NUM_MAPS))[1][0]
    assert are_near(pair[0, 3], pair[0, 8])  # products of different rows may be rounded apart
    assert not are_near(pair[0, 2], pair[0, 3])
    assert not are_near(pair[0, 8], pair[8, 0])
    assert are_near(pair[5, 5], pair[0, 0])


def test_relative_position_counts_in_the_query_not_in_the_crop() -> None:
    layer, inputs = embedding(), batch()
    shifted = replace(inputs, residue_index=inputs.residue_index + 100)
    assert torch.equal(layer(shifted)[1], layer(inputs)[1])
    joined = replace(inputs, residue_index=torch.arange(L).expand(B, L))
    changed = (layer(joined)[1] != layer(inputs)[1]).any(-1)
    assert not changed[0].any()
    assert changed[1, 3, 4]  # neighbours in the crop, 22 residues apart in the query
    assert not changed[1, 3, 2]


@pytest.mark.parametrize("b", [0, 1])
def test_the_learned_vector_stands_in_for_missing_maps_and_only_there(b: int) -> None:
    layer, inputs = embedding(), batch()
    assert layer.coevolution is not None
    assert layer.no_coevolution is not None
    torch.autograd.backward(layer(inputs)[1][b].square().sum())
    has_maps = b == 0
    for parameter, is_used in ((layer.coevolution.weight, has_maps), (layer.no_coevolution, not has_maps)):
        assert parameter.grad is not None
        assert bool((parameter.grad != 0).any()) is is_used


def test_maps_flagged_as_missing_change_nothing() -> None:
    layer, inputs = embedding(), batch()
    other = inputs.coevolution.clone()
    other[1] = 7.0
    assert torch.equal(layer(replace(inputs, coevolution=other))[1], layer(inputs)[1])


def test_a_network_without_coevolution_has_no_weights_for_maps_and_ignores_them() -> None:
    layer, inputs = embedding(coevolution="none"), batch()
    assert not [name for name, _ in layer.named_parameters() if "coevolution" in name]
    for one, other in zip(
        layer(inputs), layer(replace(inputs, coevolution=inputs.coevolution + 7)), strict=True
    ):
        assert torch.equal(one, other)


def test_a_map_entry_moves_its_own_pair_only() -> None:
    layer, inputs = embedding(), batch()
    expected = np.zeros((B, L, L), dtype=bool)
    expected[0, 2, 5] = True
    found = moved(lambda maps: layer(replace(inputs, coevolution=maps))[1], inputs.coevolution, (0, 2, 5))
    np.testing.assert_array_equal(found, expected)


def test_recycling_adds_the_normalised_last_query_row_and_pair_track() -> None:
    layer = randomized(RecyclingEmbedding(6, 5))
    msa, pair, query, last_pair = (
        draw(B, N, L, 6),
        draw(B, L, L, 5),
        draw(B, L, 6, seed=1),
        draw(B, L, L, 5, seed=2),
    )
    new_msa, new_pair = layer(msa, pair, query, last_pair)
    expected = exact(msa).copy()
    expected[:, 0] += norm(layer.norm_query, exact(query))
    assert_near(exact(new_msa), expected)
    assert_near(exact(new_pair), exact(pair) + norm(layer.norm_pair, exact(last_pair)))


def test_couplings_projected_in_pieces_are_those_projected_at_once() -> None:
    couplings = draw(2, 3, 5, 7).half()
    weight, plain = (draw(4, 7, seed=1).requires_grad_() for _ in range(2))
    out = projected_couplings(couplings, weight, chunk_bytes=4 * 4 * 7)  # 30 cells, 4 at a time
    expected = couplings.to(plain.dtype) @ plain.T
    torch.testing.assert_close(out, expected)
    upstream = draw(*out.shape, seed=2)
    (out * upstream).sum().backward()
    (expected * upstream).sum().backward()
    torch.testing.assert_close(weight.grad, plain.grad)
