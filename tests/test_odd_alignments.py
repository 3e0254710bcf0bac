"""Alignments as they come: tiny, gappy, fragmentary, of copies, of one row; predicted without a warning, all finite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prediction_cases import random_model
from training_cases import hairpin, tiny_config

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP, UNKNOWN
from data_tools.annotations import Annotations, ChainSegment
from data_tools.features import featurize
from data_tools.store import open_store, write_store
from msaformer.data.dataset import full_sample, training_sample
from msaformer.model.heads import NUM_BINS
from msaformer.predict import predict
from msaformer.pretrained import LoadedModel, load_model

LENGTH = 24


@pytest.fixture(scope="module", params=["none", "maps", "couplings"])
def model(request: pytest.FixtureRequest) -> LoadedModel:
    return random_model(scale=0.2, coevolution=request.param, pair_convolutions=2)


def odd_tokens(kind: str) -> np.ndarray:
    """Tokens `[N, 24]` of a family of 9 in which the rows after the third are odd."""
    rng = np.random.default_rng(6)
    query = rng.integers(0, 20, LENGTH, dtype=np.uint8)
    tokens = np.where(rng.random((9, LENGTH)) < 0.4, rng.integers(0, 20, (9, LENGTH), dtype=np.uint8), query)
    tokens[0] = query
    if kind == "one row":
        return tokens[:1]
    if kind == "fragments":  # each covers a tenth of the query
        for row in range(3, 9):
            tokens[row, : 2 * row - 2] = tokens[row, 2 * row :] = GAP
    elif kind == "gaps":
        tokens[3:] = GAP
    elif kind == "only gaps":
        tokens[1:] = GAP
    elif kind == "unknown":
        tokens[3:] = UNKNOWN
    elif kind == "copies":
        tokens[:] = query
    elif kind == "query with X":
        tokens[0, 4:9] = UNKNOWN
    elif kind == "query of X":
        tokens[0] = UNKNOWN
    elif kind == "gap columns":
        tokens[1:, :12] = GAP
    else:
        raise AssertionError(kind)
    return tokens


def alignment_of(tokens: np.ndarray) -> Alignment:
    names = tuple(f"s{row}" for row in range(len(tokens)))
    return Alignment(names, np.ascontiguousarray(tokens), np.zeros(tokens.shape, np.uint16))


def assert_sound(given: Alignment, model: LoadedModel) -> None:
    """Symmetry, ranges and sums are checked by `Prediction` itself."""
    found = predict(given, model, name="odd")
    length = given.length
    assert found.distogram_probs.shape == (length, length, NUM_BINS)
    assert np.isfinite(found.contact_probs).all()
    assert np.isfinite(found.expected_distance).all()
    assert np.isfinite(found.distance_std).all()
    np.testing.assert_array_equal(found.contact_probs, found.contact_probs.T)
    assert 1 <= found.neff <= given.depth


ODD = (
    *("one row", "fragments", "gaps", "only gaps", "unknown", "copies"),
    *("query with X", "query of X", "gap columns"),
)


@pytest.mark.parametrize("kind", ODD)
def test_odd_rows_are_predicted_from_all_the_same(kind: str, model: LoadedModel) -> None:
    assert_sound(alignment_of(odd_tokens(kind)), model)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 19, 20])
@pytest.mark.parametrize("depth", [1, 2, 6])
def test_proteins_of_any_length_are_predicted(length: int, depth: int, model: LoadedModel) -> None:
    given = hairpin("x", length=length, depth=depth).features
    assert_sound(alignment_of(given.tokens), model)


@pytest.mark.parametrize("kind", ["fragments", "only gaps", "query with X"])
def test_the_released_weights_predict_from_odd_rows(kind: str) -> None:
    assert_sound(alignment_of(odd_tokens(kind)), load_model())


def test_a_break_between_chains_reaches_a_training_crop_through_a_store(tmp_path: Path) -> None:
    """What a complex needs in training: residues shown far apart, whatever is cut out of it."""
    example = hairpin("ab", length=30, depth=6)
    config = tiny_config(tmp_path, tmp_path, data__two_segment_share=0.0)
    chains = Annotations(chains=(ChainSegment(14, 1), ChainSegment(16, 1)))
    features = featurize(replace(alignment_of(example.features.tokens), annotations=chains))
    index = np.where(np.arange(30) < 14, 0, 200) + np.arange(30)
    write_store([replace(example, features=features)], tmp_path / "store")
    stored = open_store(tmp_path / "store")[0]
    np.testing.assert_array_equal(
        full_sample(stored.features, 3, np.random.default_rng(0)).residue_index, index
    )
    crops = [training_sample(stored, config.data, np.random.default_rng(seed)) for seed in range(9)]
    breaks = [np.flatnonzero(np.diff(crop.residue_index) == 201) for crop in crops]
    assert max(map(len, breaks)) == 1
