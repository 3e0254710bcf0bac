"""From an alignment to a prediction: repeatable, symmetric, and in Å."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from prediction_cases import alignment, assert_same, random_model
from training_cases import hairpin

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP
from data_tools.annotations import Annotations, ChainSegment
from data_tools.features import featurize
from data_tools.features_memory import features_bytes
from data_tools.formats.colabfold import split_chains
from msaformer import __version__
from msaformer.errors import ConfigError, PredictionError
from msaformer.given import Given
from msaformer.model.execution import UNOBSERVED, ExecutedModule
from msaformer.model.heads import BIN_EDGES, NUM_BINS
from msaformer.model.model import MSAFormer
from msaformer.predict import Resources, expected_distance, plan_within, predict, predict_features
from msaformer.pretrained import LoadedModel
from msaformer.training.memory_plan import frugal_plan


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return random_model(num_recycles=1)


def test_a_prediction_describes_the_whole_alignment_and_the_model(model: LoadedModel) -> None:
    given = alignment(9, 13)
    prediction = predict(given, model, name="toy")
    assert (prediction.name, prediction.sequence) == ("toy", given.query)
    assert prediction.depth == 9
    assert prediction.neff == pytest.approx(hairpin("x", length=13, depth=9).features.neff)
    assert 4 < prediction.neff < 9  # not of the 4 sequences that the network saw
    assert prediction.model == {
        "name": "random",
        "sha256": "ab" * 32,
        "sequences_used": 4,
        "ensembles": 1,
        "configuration": "1 block, c_m 8, c_z 8, 2 x 4 heads of the MSA, 2 x 4 of the pairs, "
        "0 convolutions a block, triangles: both, 1 recycle, "
        "untied rows, co-evolution maps",
        "msaformer": __version__,
        "torch": torch.__version__,
        "device": "cpu",
        "precision": "float32",
    }
    assert prediction.sequence_weights is not None
    assert prediction.sequence_weights.sum() == pytest.approx(prediction.neff)
    assert prediction.chain_lengths == (13,)
    assert prediction.distogram_probs.shape == (13, 13, NUM_BINS)
    np.testing.assert_array_equal(prediction.bin_edges, BIN_EDGES)
    assert prediction.contact_probs.std() > 0.01  # this network does have an opinion


def test_predictions_repeat_whatever_the_global_generators_hold(model: LoadedModel) -> None:
    given = alignment(9, 13)
    torch.manual_seed(1)
    first = predict(given, model, name="toy")
    torch.manual_seed(2)
    assert_same(predict(given, model, name="toy"), first)


def test_a_column_left_out_of_the_query_leaves_its_number_free(model: LoadedModel) -> None:
    given = alignment(3, 5)
    deletions = given.deletion_matrix.copy()
    deletions[0] = [2, 0, 1, 0, 0]
    gapped = Alignment(given.names, given.tokens, deletions)
    prediction = predict(gapped, model, name="toy")
    assert prediction.residue_numbers.tolist() == [3, 4, 6, 7, 8]
    assert prediction.residue_labels == ("3", "4", "6", "7", "8")
    assert not np.array_equal(prediction.contact_probs, predict(given, model, name="toy").contact_probs)


def test_two_chains_are_shown_to_the_network_farther_apart_than_it_can_tell(model: LoadedModel) -> None:
    """Far enough: a break of 10,000 residues predicts the same between them, no break another."""
    given = alignment(6, 12)
    chains = Annotations(chains=(ChainSegment(5, 1), ChainSegment(7, 2)))
    complex_of = Alignment(given.names, given.tokens, given.deletion_matrix, annotations=chains)
    found = predict(complex_of, model, name="toy")
    assert found.chain_lengths == (5, 7)
    assert found.residue_index.tolist() == list(range(12))
    assert found.residue_labels[4:7] == ("A5", "B1", "B2")
    features = featurize(given)
    index = np.where(np.arange(12) < 5, 0, 10_000) + np.arange(12)
    apart = replace(features, residue_index=index.astype(np.int32))
    between, at_once = np.s_[:5, 5:], predict_features(apart, given.query, model, name="toy")
    together = predict(given, model, name="toy")
    for maps in ("contact_probs", "distogram_probs", "expected_distance", "distance_std"):
        assert_array_equal(getattr(found, maps)[between], getattr(at_once, maps)[between])
        assert_array_equal(getattr(found, maps)[between], getattr(found, maps).swapaxes(0, 1)[between])
        assert not np.array_equal(getattr(found, maps)[between], getattr(together, maps)[between])


@pytest.mark.parametrize("given", [Given(), Given(max_depth=3, ensembles=2), Given(coevolution=False)])
def test_a_chain_of_a_complex_is_predicted_as_if_it_were_alone(model: LoadedModel, given: Given) -> None:
    """Whatever stands beside it: here two paired sequences, two of the first chain and two of the second."""
    whole = alignment(7, 12)
    tokens = whole.tokens.copy()
    tokens[3:5, 5:] = tokens[5:, :5] = GAP
    deletions = whole.deletion_matrix.copy()
    deletions[0, 3] = deletions[0, 8] = 2  # residues of the query that have no column
    chains = Annotations(chains=(ChainSegment(5, 1), ChainSegment(7, 1)))
    complex_of = Alignment(whole.names, tokens, deletions, annotations=chains)
    settings = {name: getattr(given, name) for name in ("max_depth", "ensembles", "coevolution")}
    found = predict(complex_of, model, name="toy", **settings)
    for own, chain in zip((np.s_[:5], np.s_[5:]), split_chains(complex_of), strict=True):
        alone = predict(chain, model, name="toy", **settings)
        assert alone.depth == 5
        for maps in ("contact_probs", "distogram_probs"):
            assert_array_equal(getattr(found, maps)[own, own], getattr(alone, maps))
        for maps in ("expected_distance", "distance_std"):  # sums over bins in float32, in any order
            assert_allclose(getattr(found, maps)[own, own], getattr(alone, maps), rtol=1e-5)


def test_chains_that_do_not_make_the_query_are_refused(model: LoadedModel) -> None:
    given = alignment(3, 5)
    with pytest.raises(PredictionError, match=r"chains of \(2, 2\) residues do not make the query's 5"):
        predict_features(featurize(given), given.query, model, name="toy", chain_lengths=(2, 2))
    with pytest.raises(
        PredictionError, match=r"not those of chains of \(2, 3\) residues: they have no break of 200"
    ):
        predict_features(featurize(given), given.query, model, name="toy", chain_lengths=(2, 3))


def test_a_network_keeps_no_maps_of_attention_after_its_prediction(model: LoadedModel) -> None:
    predict(alignment(3, 5), model, name="toy", attention=((0, 0),))
    parts = [part for part in model.network.modules() if isinstance(part, ExecutedModule)]
    assert {part.execution.observer for part in parts} == {UNOBSERVED}


@pytest.mark.parametrize(("depth", "length"), [(9, 13), (1, 13), (1, 1), (5, 1), (3, 4)])
def test_maps_are_symmetric_and_distances_plausible_for_any_size(
    depth: int, length: int, model: LoadedModel
) -> None:
    prediction = predict(alignment(depth, length), model, name="toy")
    for name in ("contact_probs", "distogram_probs"):
        values = getattr(prediction, name)
        np.testing.assert_array_equal(values, values.swapaxes(0, 1))
    for name in ("expected_distance", "distance_std"):  # sums over bins in float32, in any order
        values = getattr(prediction, name)
        np.testing.assert_allclose(values, values.T, rtol=1e-5)
    assert prediction.expected_distance.min() >= 2.25
    assert prediction.expected_distance.max() <= 22.0
    assert prediction.distance_std.max() <= (22.0 - 2.25) / 2 + 1e-4  # of any distribution on that interval


def test_max_depth_limits_the_sequences_the_network_sees(model: LoadedModel) -> None:
    given = alignment(9, 13)
    used = {
        depth: predict(given, model, name="toy", max_depth=depth).model["sequences_used"]
        for depth in (1, 2, 9, 50)
    }
    assert used == {1: 1, 2: 2, 9: 9, 50: 9}
    shallow = predict(given, model, name="toy", max_depth=1)
    deep = predict(given, model, name="toy", max_depth=9)
    assert not np.array_equal(shallow.contact_probs, deep.contact_probs)
    assert (shallow.depth, shallow.neff) == (deep.depth, deep.neff)


@pytest.mark.parametrize("depth", [0, -3])
def test_a_depth_below_1_is_refused(depth: int, model: LoadedModel) -> None:
    with pytest.raises(ValueError, match=f"max_depth must be at least 1, not {depth}"):
        predict(alignment(3, 5), model, name="toy", max_depth=depth)


def test_features_already_made_give_the_same_prediction(model: LoadedModel) -> None:
    given = alignment(6, 11)
    features = hairpin("x", length=11, depth=6).features
    assert_same(predict_features(features, given.query, model, name="toy"), predict(given, model, name="toy"))


def test_copies_of_the_query_add_nothing_but_rounding(model: LoadedModel) -> None:
    """Their co-evolution maps are rounding noise, which must not be scaled up to signal."""
    query = alignment(1, 30)
    copies = Alignment(
        ("q", "a", "b"), np.repeat(query.tokens, 3, axis=0), np.repeat(query.deletion_matrix, 3, axis=0)
    )
    from msaformer.data.cropping import standardize_maps

    np.testing.assert_array_equal(standardize_maps(featurize(copies).coevolution), 0)
    assert predict(copies, model, name="toy").neff == pytest.approx(1.0)


@pytest.mark.parametrize("tied", [False, True])
def test_attention_is_kept_where_it_is_asked_for_and_nothing_else_changes(
    tied: bool, model: LoadedModel
) -> None:
    network = MSAFormer(model.network.config.model_copy(update={"tied_rows": tied})).eval()
    network.load_state_dict(model.network.state_dict())
    watched, given = LoadedModel(network, "random", "ab" * 32), alignment(9, 13)
    plain = predict(given, watched, name="toy")
    found = predict(given, watched, name="toy", attention=((0, 1), (0, 0)))
    assert_same(found, plain)
    assert plain.attention is None
    assert found.attention is not None
    assert found.attention.heads.tolist() == [[0, 0], [0, 1]]
    np.testing.assert_allclose(found.attention.probs.sum(axis=-1), 1, atol=1e-5)
    one = predict(given, watched, name="toy", attention=((0, 1),)).attention
    assert one is not None
    np.testing.assert_array_equal(one.probs[0], found.attention.probs[1])
    assert not np.array_equal(one.probs[0], found.attention.probs[0])


def test_a_head_that_is_not_there_and_maps_that_do_not_fit_are_refused(model: LoadedModel) -> None:
    with pytest.raises(ConfigError, match="attention: there is no head 2 of block 0"):
        predict(alignment(3, 5), model, name="toy", attention=((0, 2),))
    given, heads = alignment(3, 300), ((0, 0), (0, 1))
    needed = plan_within(Resources(2**30), model, 3, 300, "toy").peak
    limit = int(needed / 0.95) + 4 * 300**2  # what one map takes beside
    plan_within(Resources(limit), model, 3, 300, "toy", num_maps=1)
    smallest = frugal_plan(plan_within(Resources(2**30), model, 3, 300, "toy").setting).peak
    with pytest.raises(
        PredictionError, match=r"N=3, L=300 needs .*; 2 attention maps take 720 kB of .* beside"
    ):
        predict(given, model, name="toy", resources=Resources(int(smallest / 0.95) + 1000), attention=heads)
    with pytest.raises(
        PredictionError, match=r"2 attention maps take 720 kB of 500 kB beside; ask for fewer"
    ):
        predict(given, model, name="toy", resources=Resources(500_000), attention=heads)


def one_hot(*shares: tuple[int, float]) -> npt.NDArray[np.float32]:
    distogram = np.zeros((1, 1, NUM_BINS), np.float32)
    for index, share in shares:
        distogram[0, 0, index] = share
    return distogram


@pytest.mark.parametrize(
    ("shares", "mean", "spread"),
    [
        ([(0, 1.0)], 2.25, 0.0),  # below 2.5 Å
        ([(12, 1.0)], 8.25, 0.0),  # 8.0 to 8.5 Å
        ([(12, 0.5), (16, 0.5)], 9.25, 1.0),  # 8.25 or 10.25
        ([(12, 0.75), (16, 0.25)], 8.75, 3**0.5 / 2),  # variance .75 · .25 + .25 · 2.25 = .75
        ([(35, 1.0)], 19.75, 0.0),
        ([(36, 1.0)], 22.0, 0.0),  # 20 Å and more
    ],
)
def test_expected_distance_by_hand(shares: list[tuple[int, float]], mean: float, spread: float) -> None:
    found_mean, found_spread = expected_distance(one_hot(*shares))
    assert float(found_mean[0, 0]) == pytest.approx(mean, abs=1e-5)
    assert float(found_spread[0, 0]) == pytest.approx(spread, abs=0.02)  # a difference of squares in float32


def test_making_the_features_is_part_of_the_plan_and_can_be_done_without(model: LoadedModel) -> None:
    deep = alignment(200, 40)  # 84 bytes a cell four times, and matrices of 201 rows in float64
    taken = features_bytes(200, 40)
    assert taken > 4 * 84 * 200 * 40
    memory = Resources(int(taken / 0.95))
    assert plan_within(memory, model, 4, 40, "toy").fits
    message = r"N=4, L=40 needs .*; of it, .* to make co-evolution, --no-coevolution does without"
    with pytest.raises(PredictionError, match=message):
        predict(deep, model, name="toy", resources=memory)
    assert predict(deep, model, name="toy", resources=memory, coevolution=False).depth == 200
    assert predict(deep, model, name="toy", resources=Resources(2 * taken)).depth == 200
