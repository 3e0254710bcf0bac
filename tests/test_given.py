"""What the network is given: sequences by weight, several samples of them averaged, co-evolution or none."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from prediction_cases import alignment, assert_same, random_model
from training_cases import MODEL, hairpin, tiny_config

from data_tools import features as features_module
from data_tools.features import featurize
from data_tools.weights import sample_rows
from msaformer.config import ModelConfig
from msaformer.data.dataset import full_sample, training_sample
from msaformer.errors import PredictionError
from msaformer.given import Given, mean_maps, samples_of
from msaformer.model.execution import UNOBSERVED, Execution
from msaformer.model.heads import NUM_BINS
from msaformer.predict import Resources, plan_within, predict, predict_features
from msaformer.pretrained import LoadedModel
from msaformer.training.memory_plan import frugal_plan


@pytest.fixture(scope="module", params=["none", "maps", "couplings"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    """Networks whose every weight is random, one for each kind of co-evolution input."""
    return random_model(coevolution=request.param, scale=0.2)


@pytest.mark.parametrize("depth", [1, 10, 100, 1_000, 20_000])
def test_the_rows_of_any_depth_are_the_query_and_others_once_each(depth: int) -> None:
    weights = np.random.default_rng(1).uniform(0.001, 1, depth).astype(np.float32)
    rows = sample_rows(weights, 128, np.random.default_rng(0))
    assert len(rows) == min(depth, 128)
    assert rows[0] == 0
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(sample_rows(weights, 128, np.random.default_rng(0)), rows)


def test_a_crowd_of_near_copies_gets_no_more_rows_than_a_single_sequence_of_its_own() -> None:
    """19,000 copies in 40 groups, and 960 sequences unlike any: 1,000 weights of one, 128 rows, 5 of the crowd."""
    weights = np.concatenate([np.full(19_000, 40 / 19_000), np.ones(960)]).astype(np.float32)
    drawn = [sample_rows(weights, 128, np.random.default_rng(seed))[1:] for seed in range(20)]
    crowd = np.mean([np.count_nonzero(rows < 19_000) for rows in drawn])
    assert crowd == pytest.approx(127 * 0.04, abs=1.5)  # standard error 0.5


def test_the_maps_of_several_samples_are_the_mean_of_those_of_each(model: LoadedModel) -> None:
    given = alignment(12, 13)
    features, network = featurize(given), model.network
    singles = []
    for seed in range(3):
        sample = full_sample(
            *(features, 4, np.random.default_rng(seed)),
            with_couplings=network.config.coevolution == "couplings",
        )
        singles.append(mean_maps(network, iter([sample]), Execution(), UNOBSERVED))
    assert not np.array_equal(singles[0][0], singles[1][0])
    found = predict(given, model, name="toy", ensembles=3)
    contacts, distogram = (np.mean(maps, axis=0) for maps in zip(*singles, strict=True))
    np.testing.assert_allclose(found.contact_probs, contacts, atol=1e-6)
    np.testing.assert_allclose(found.distogram_probs, distogram, atol=1e-6)
    assert (found.model["ensembles"], found.model["sequences_used"]) == (3, 4)
    np.testing.assert_array_equal(found.contact_probs, found.contact_probs.T)
    one = predict(given, model, name="toy")
    np.testing.assert_array_equal(one.contact_probs, singles[0][0])
    np.testing.assert_array_equal(one.distogram_probs, singles[0][1])


def test_samples_share_all_but_their_sequences() -> None:
    features = hairpin("x", length=13, depth=12).features
    config = ModelConfig(**MODEL | {"coevolution": "couplings"})
    first, second = samples_of(features, config, 4, 2, coevolution=True)
    assert second.coevolution is first.coevolution
    assert second.couplings is first.couplings
    np.testing.assert_array_equal(second.tokens[0], first.tokens[0])
    assert not np.array_equal(second.tokens, first.tokens)
    drawn = sample_rows(features.weights, 4, np.random.default_rng(1))
    np.testing.assert_array_equal(second.deletions, features.deletion_matrix[drawn])


@pytest.mark.parametrize(
    ("max_depth", "held"), [(9, "all sequences"), (50, "all sequences"), (1, "the query alone")]
)
def test_samples_that_cannot_differ_are_predicted_once_and_that_is_said(
    max_depth: int, held: str, caplog: pytest.LogCaptureFixture
) -> None:
    model, given = random_model(coevolution="maps", scale=0.2), alignment(9, 13)
    with caplog.at_level(logging.WARNING):
        found = predict(given, model, name="toy", max_depth=max_depth, ensembles=5)
    assert caplog.messages == [f"toy: one sample holds {held}; predicted once, not 5 times"]
    assert found.model["ensembles"] == 1
    assert_same(found, predict(given, model, name="toy", max_depth=max_depth))


def test_attention_is_that_of_the_first_sample() -> None:
    model, given, heads = random_model(coevolution="maps", scale=0.2), alignment(12, 13), ((0, 1),)
    one = predict(given, model, name="toy", attention=heads)
    three = predict(given, model, name="toy", attention=heads, ensembles=3)
    assert one.attention is not None
    assert three.attention is not None
    np.testing.assert_array_equal(three.attention.probs, one.attention.probs)


@pytest.mark.parametrize("name", ["max_depth", "ensembles"])
def test_numbers_below_1_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        predict(alignment(3, 5), random_model(coevolution="none", scale=0.2), name="toy", **{name: 0})


def test_the_sums_over_samples_are_in_the_memory_plan() -> None:
    model, size = random_model(coevolution="maps", scale=0.2), 4 * (1 + NUM_BINS) * 300**2
    smallest = frugal_plan(plan_within(Resources(2**30), model, 3, 300, "toy").setting).peak
    limit = int(smallest / 0.95) + 1000
    plan_within(Resources(limit), model, 3, 300, "toy")
    plan_within(Resources(limit + size), model, 3, 300, "toy", num_samples=4)
    with pytest.raises(PredictionError, match=r"needs .*; sums over samples take 13\.7 MB of .* beside"):
        plan_within(Resources(limit + size // 2), model, 3, 300, "toy", num_samples=4)
    with pytest.raises(PredictionError, match=r"maps of the complex take 13\.7 MB of .* beside"):
        plan_within(Resources(limit + size // 2), model, 3, 300, "toy", is_complex=True)


def test_without_co_evolution_no_map_is_made_and_the_network_sees_what_a_share_of_its_training_saw(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = alignment(9, 13)
    whole = predict(given, model, name="toy")
    with monkeypatch.context() as patched:
        for name in ("mean_field_dca", "mutual_information_apc"):
            patched.setattr(features_module, name, lambda *_: pytest.fail("a map is made"))
        found = predict(given, model, name="toy", coevolution=False)
    assert found.model["coevolution"] == "left out"
    assert np.isfinite(found.distogram_probs).all()
    reads = model.network.config.coevolution != "none"
    assert np.array_equal(found.contact_probs, whole.contact_probs) != reads
    config = tiny_config(Path("s"), Path("o"), data__drop_coevolution=1.0, data__mask_ratio=0.0).data
    trained = training_sample(hairpin("x", length=13, depth=9), config, np.random.default_rng(0))
    features = featurize(given, with_coevolution=False)
    shown = next(samples_of(features, model.network.config, 4, 1, coevolution=False))
    assert trained.coevolution is shown.coevolution is None
    assert trained.couplings is shown.couplings is None
    np.testing.assert_array_equal(shown.profile, trained.profile)
    assert shown.neff == trained.neff


def test_features_made_are_not_given_where_co_evolution_is_left_out() -> None:
    model, given = random_model(coevolution="couplings", scale=0.2), alignment(9, 13)
    left_out = predict(given, model, name="toy", coevolution=False)
    features = featurize(given)
    choice = Given(coevolution=False)
    assert_same(predict_features(features, given.query, model, name="toy", given=choice), left_out)
