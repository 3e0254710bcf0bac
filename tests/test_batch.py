"""Samples check their shapes at birth; collate pads them and says what is real."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
import torch
from model_cases import NUM_MAPS, sample

from data_tools.alphabet import GAP
from data_tools.couplings import NUM_COUPLINGS
from msaformer.data.batch import NOT_SCORED, Batch, collate

SIZES = ((3, 5), (4, 2))  # (N, L) of each sample; neither is the larger in both


def batch() -> Batch:
    samples = [sample(*size, seed=seed) for seed, size in enumerate(SIZES)]
    return collate(samples, NUM_MAPS, num_couplings=NUM_COUPLINGS)


MASKS_AND_WORDS = {"has_coevolution", "residue_mask", "sequence_mask", "names", "skipped"}


@pytest.mark.parametrize("name", [f.name for f in fields(Batch) if f.name not in MASKS_AND_WORDS])
def test_collate_keeps_every_real_value_at_its_place(name: str) -> None:
    padded = getattr(batch(), name)
    for b, (depth, length) in enumerate(SIZES):
        value = getattr(sample(depth, length, seed=b), name)
        cut: dict[str, tuple[int, ...]] = dict.fromkeys(
            ("tokens", "deletions", "masked_targets"), (depth, length)
        )
        cut |= dict.fromkeys(("residue_index", "profile"), (length,)) | {"neff": ()}
        place = (b, *(slice(size) for size in cut.get(name, (length, length))))
        np.testing.assert_array_equal(padded[place].numpy(), value)


def test_masks_are_true_where_sequence_and_residue_are_real() -> None:
    found = batch()
    for b, (depth, length) in enumerate(SIZES):
        assert found.msa_mask[b].nonzero().tolist() == [[n, i] for n in range(depth) for i in range(length)]
        assert found.pair_mask[b].nonzero().tolist() == [[i, j] for i in range(length) for j in range(length)]
    assert found.msa_mask.shape == (2, 4, 5)
    assert found.pair_mask.shape == (2, 5, 5)


def test_couplings_travel_only_to_a_network_that_reads_them_and_are_zero_where_missing() -> None:
    samples = [sample(3, 5), sample(4, 2, couplings=None)]
    assert collate(samples, NUM_MAPS).couplings.shape == (2, 5, 5, 0)
    found = collate(samples, NUM_MAPS, num_couplings=NUM_COUPLINGS).couplings
    assert found.dtype == torch.float16
    assert (found[0] != 0).any()
    assert not found[1].any()


def test_a_gap_is_a_real_cell() -> None:
    gaps = collate([sample(3, 5, tokens=np.full((3, 5), GAP, dtype=np.uint8))], NUM_MAPS)
    assert gaps.msa_mask.all()


def test_padding_is_never_scored() -> None:
    found = batch()
    assert torch.all(found.masked_targets[~found.msa_mask] == NOT_SCORED)
    assert found.distances[~found.pair_mask].isnan().all()
    assert found.orientations is not None
    assert found.orientations[~found.pair_mask].isnan().all()


def test_a_sample_without_maps_distances_or_targets_says_so_in_the_batch() -> None:
    bare = sample(3, 5, coevolution=None, distances=None, masked_targets=None, orientations=None)
    found = collate([sample(3, 5), bare], NUM_MAPS)
    assert found.has_coevolution.tolist() == [True, False]
    assert torch.all(found.coevolution[1] == 0)
    assert found.distances[1].isnan().all()
    assert torch.all(found.masked_targets[1] == NOT_SCORED)
    assert found.orientations is not None
    assert found.orientations[1].isnan().all()


def test_a_batch_in_which_no_sample_has_orientations_holds_none() -> None:
    assert collate([sample(3, 5, orientations=None)] * 2, NUM_MAPS).orientations is None


@pytest.mark.parametrize(("multiple", "depth", "length"), [(1, 4, 5), (2, 4, 6), (4, 4, 8), (3, 6, 6)])
def test_both_axes_are_padded_to_a_multiple_and_what_is_added_is_not_real(
    multiple: int, depth: int, length: int
) -> None:
    plain = batch()
    found = collate(
        [sample(*size, seed=seed) for seed, size in enumerate(SIZES)], NUM_MAPS, multiple_of=multiple
    )
    assert found.msa_mask.shape == (2, depth, length)
    assert found.orientations is not None
    assert found.orientations.shape == (2, length, length, 3)
    assert int(found.msa_mask.sum()) == int(plain.msa_mask.sum()) == 3 * 5 + 4 * 2
    assert torch.all(found.masked_targets[~found.msa_mask] == NOT_SCORED)
    assert found.distances[~found.pair_mask].isnan().all()
    assert torch.equal(found.tokens[:, :4, :5], plain.tokens)
    assert torch.equal(found.coevolution[:, :5, :5], plain.coevolution)


def test_a_batch_names_its_examples_and_says_what_was_skipped() -> None:
    found = collate([sample(3, 5), sample(4, 2, seed=1, skipped="h7: gone")], NUM_MAPS)
    assert found.names == ("example-0", "example-1")
    assert found.skipped == ("h7: gone",)
    moved = found.to(torch.device("meta"))
    assert (moved.names, moved.skipped) == (found.names, found.skipped)


def test_a_batch_of_bare_samples_has_the_number_of_maps_it_is_told() -> None:
    assert collate([sample(3, 5, coevolution=None)], 4).coevolution.shape == (1, 5, 5, 4)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("deletions", np.zeros((3, 4), np.float32)),
        ("profile", np.zeros((4, 22), np.float32)),
        ("residue_index", np.zeros(4, np.int32)),
        ("coevolution", np.zeros((5, 4, 2), np.float32)),
        ("distances", np.zeros((4, 4), np.float32)),
        ("masked_targets", np.zeros((4, 5), np.int64)),
        ("orientations", np.zeros((5, 5, 2), np.float32)),
    ],
)
def test_a_sample_whose_shapes_disagree_is_refused_by_name(name: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be .*5.* not \("):
        sample(3, 5, **{name: wrong})


def test_records_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        batch().tokens = torch.zeros(1)  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        sample(3, 5).tokens = np.zeros((3, 5), np.uint8)  # type: ignore[misc]


def test_moving_a_batch_moves_every_tensor_and_changes_none() -> None:
    elsewhere = batch().to(torch.device("meta"))
    here = batch().to(torch.device("cpu"))
    tensors = {f.name for f in fields(Batch)} - {"names", "skipped"}
    for name in tensors:
        assert getattr(elsewhere, name).is_meta, name
        np.testing.assert_array_equal(getattr(here, name), getattr(batch(), name))


def test_collate_refuses_a_sample_with_another_number_of_maps() -> None:
    odd = sample(3, 5)
    assert odd.coevolution is not None
    with pytest.raises(ValueError, match="co-evolution maps"):
        collate([odd], odd.coevolution.shape[-1] + 1)


def test_the_couplings_of_a_batch_of_one_are_not_copied() -> None:
    alone = sample(3, 7)
    assert alone.couplings is not None
    batch = collate([alone], NUM_MAPS, num_couplings=NUM_COUPLINGS)
    assert np.shares_memory(batch.couplings.numpy(), alone.couplings)
    padded = collate([alone], NUM_MAPS, num_couplings=NUM_COUPLINGS, multiple_of=4)
    np.testing.assert_array_equal(padded.couplings[:, :7, :7], batch.couplings)
    assert padded.couplings.shape == (1, 8, 8, NUM_COUPLINGS)
