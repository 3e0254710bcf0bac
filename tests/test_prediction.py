"""The record of a prediction and its file."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from msaformer.errors import PredictionError
from msaformer.prediction import AttentionMaps, Prediction, load_prediction


def make_prediction(length=17, bins=6, seed=0, **changes):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(length, length, bins))
    logits = logits + logits.transpose(1, 0, 2)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    centres = np.linspace(4, 20, bins)
    mean = probs @ centres
    std = np.sqrt(probs @ centres**2 - mean**2)
    fields = {
        "name": "toy",
        "sequence": "ACDEFGHIKLMNPQRSTVWYX" * (length // 21) + "ACDEFGHIKLMNPQRSTVWYX"[: length % 21],
        "contact_probs": probs[..., 0].astype(np.float32),
        "distogram_probs": probs.astype(np.float32),
        "bin_edges": np.linspace(8, 20, bins - 1, dtype=np.float32),
        "expected_distance": mean.astype(np.float32),
        "distance_std": std.astype(np.float32),
        "depth": 321,
        "neff": 45.5,
        "model": {"name": "tiny", "sha256": "ab" * 32, "blocks": 4},
    }
    return Prediction(**(fields | changes))


def test_a_prediction_survives_its_file(tmp_path):
    before = make_prediction()
    before.save(tmp_path / "toy.npz")
    after = load_prediction(tmp_path / "toy.npz")
    for field in dataclasses.fields(Prediction):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name == "distogram_probs":
            np.testing.assert_allclose(new, old, atol=1e-3)
            np.testing.assert_allclose(new.sum(-1), 1, atol=1e-6)
        else:
            np.testing.assert_array_equal(new, old)
    assert Prediction.load(tmp_path / "toy.npz").name == "toy"
    assert [path.name for path in tmp_path.iterdir()] == ["toy.npz"]


def test_the_same_prediction_makes_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        make_prediction().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_contacts_lists_every_pair_once_the_most_probable_first():
    prediction = make_prediction(length=12)
    table = prediction.contacts()
    assert list(table.columns) == ["i", "j", "aa_i", "aa_j", "prob", "separation", "pred_distance"]
    assert len(table) == 12 * 11 // 2 == len(set(zip(table.i, table.j, strict=True)))
    assert (np.diff(table.prob) <= 0).all()
    for row in table.itertuples():
        assert 1 <= row.i < row.j <= 12
        assert row.separation == row.j - row.i
        assert (row.aa_i, row.aa_j) == (prediction.sequence[row.i - 1], prediction.sequence[row.j - 1])
        assert row.prob == prediction.contact_probs[row.i - 1, row.j - 1]
        assert row.pred_distance == prediction.expected_distance[row.i - 1, row.j - 1]


def test_equally_probable_contacts_keep_the_order_of_their_residues():
    table = make_prediction(length=5, contact_probs=np.full((5, 5), 0.5, dtype=np.float32)).contacts()
    assert list(zip(table.i, table.j, strict=True)) == sorted(zip(table.i, table.j, strict=True))


def test_a_single_residue_has_no_contacts():
    assert make_prediction(length=1).contacts().empty


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../up"}, "cannot be that of a file"),
        ({"name": ""}, "cannot be that of a file"),
        ({"name": "a\nb"}, "cannot be that of a file"),
        ({"sequence": "ACD"}, "contact_probs must be float32"),
        ({"contact_probs": np.full((17, 17), 1.5, np.float32)}, r"must lie in \[0, 1\]"),
        ({"contact_probs": np.full((17, 17), np.nan, np.float32)}, "not finite"),
        ({"contact_probs": np.full((17, 17), 0.5)}, "not float64"),
        ({"contact_probs": np.triu(np.ones((17, 17), np.float32))}, "not symmetric"),
        ({"distogram_probs": np.zeros((17, 17, 6), np.float32)}, "must sum to 1"),
        ({"bin_edges": np.array([8, 7, 9, 10, 11], np.float32)}, "must increase"),
    ],
)
def test_a_prediction_that_cannot_be_true_is_refused_at_birth(changes, message):
    with pytest.raises(PredictionError, match=message):
        make_prediction(**changes)


def test_the_arrays_of_a_prediction_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        make_prediction().contact_probs[0, 0] = 1


def damaged(kind, path):
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "flipped":
        data = bytearray(path.read_bytes())
        data[200:260] = bytes(60)
        path.write_bytes(data)
    elif kind == "plain array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "pickle":
        with path.open("wb") as file:
            np.savez(file, contact_probs=np.array([{}], dtype=object))
    elif kind == "other arrays":
        np.savez(path, a=np.zeros(3))


@pytest.mark.parametrize(
    "kind", ["text", "empty", "truncated", "flipped", "plain array", "pickle", "other arrays"]
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, kind):
    path = tmp_path / "toy.npz"
    make_prediction().save(path)
    damaged(kind, path)
    with pytest.raises(PredictionError, match=r"toy\.npz: .*msaformer predict") as caught:
        load_prediction(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PredictionError, match=r"none\.npz: no such file"):
        load_prediction(tmp_path / "none.npz")


def test_another_format_and_wrong_shapes_are_refused_by_file_name(tmp_path):
    path = tmp_path / "toy.npz"
    make_prediction().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    metadata = json.loads(str(arrays["metadata"]))
    for change, message in (
        ({"format": "x"}, "format is 'x'"),
        ({"sequence": "AC"}, "contact_probs must be"),
    ):
        np.savez(path, **(arrays | {"metadata": np.array(json.dumps(metadata | change))}))
        with pytest.raises(PredictionError, match=rf"toy\.npz: .*{message}"):
            load_prediction(path)
    for text in ("{", "[]", '{"format": "msaformer-prediction-1"}'):
        np.savez(path, **(arrays | {"metadata": np.array(text)}))
        with pytest.raises(PredictionError, match=r"toy\.npz: its metadata cannot be read"):
            load_prediction(path)


def test_reading_and_scoring_a_prediction_needs_no_torch():
    program = (
        "import sys, msaformer.prediction, msaformer.metrics, msaformer.report, msaformer.report.exports,"
        "msaformer.report.plots; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_contacts_say_what_is_true_and_what_is_unknown():
    prediction = make_prediction(length=5)
    distances = np.full((5, 5), 12.0, dtype=np.float32)
    distances[0, 1] = distances[1, 0] = 7.99
    distances[3] = distances[:, 3] = np.nan
    table = prediction.contacts(distances).set_index(["i", "j"])
    assert list(table.columns[-2:]) == ["distance", "is_contact"]
    assert table.loc[(1, 2), "is_contact"]
    assert table["is_contact"].sum() == 1
    unknown = [(1, 4), (2, 4), (3, 4), (4, 5)]
    assert table["is_contact"].isna().sum() == 4
    assert table.loc[unknown, ["distance", "is_contact"]].isna().all(axis=None)
    with pytest.raises(
        PredictionError, match="toy: the structure was mapped to 4 residues, the prediction has 5"
    ):
        prediction.contacts(distances[:4, :4])


def test_numbering_weights_and_attention_survive_the_file(tmp_path):
    rng = np.random.default_rng(3)
    maps = rng.random((2, 17, 17)).astype(np.float32)
    before = make_prediction(
        residue_index=np.arange(4, 38, 2, dtype=np.int32),
        chain_lengths=(10, 7),
        sequence_weights=rng.random(321).astype(np.float32),
        attention=AttentionMaps(np.array([[0, 1], [3, 0]], dtype=np.int32), maps),
    )
    before.save(tmp_path / "toy.npz")
    after = load_prediction(tmp_path / "toy.npz")
    assert after.chain_lengths == (10, 7)
    assert after.residue_numbers.tolist() == list(range(5, 39, 2))
    np.testing.assert_array_equal(after.sequence_weights, before.sequence_weights)
    np.testing.assert_array_equal(after.attention.heads, before.attention.heads)
    np.testing.assert_allclose(after.attention.probs, maps, atol=1e-3)


def test_a_file_of_an_earlier_version_has_one_chain_numbered_from_1(tmp_path):
    make_prediction().save(tmp_path / "toy.npz")
    with np.load(tmp_path / "toy.npz") as file:
        arrays = {key: file[key] for key in file if key != "residue_index"}
    metadata = json.loads(str(arrays["metadata"]))
    del metadata["chain_lengths"]
    arrays["metadata"] = np.array(json.dumps(metadata))
    np.savez(tmp_path / "old.npz", **arrays)
    old = load_prediction(tmp_path / "old.npz")
    assert old.chain_lengths == (17,)
    assert old.residue_numbers.tolist() == list(range(1, 18))
    assert old.sequence_weights is None
    assert old.attention is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"residue_index": np.zeros(17, dtype=np.int32)}, "17 increasing positions"),
        ({"chain_lengths": (10, 8)}, r"\(10, 8\) residues do not make the query's 17"),
        ({"chain_lengths": (17, 0)}, "do not make"),
        ({"sequence_weights": np.ones(3, dtype=np.float32)}, "alignment of 321 sequences"),
        ({"sequence_weights": np.full(321, np.nan, dtype=np.float32)}, r"must lie in \(0, 1\]"),
        ({"sequence_weights": np.zeros(321, dtype=np.float32)}, r"must lie in \(0, 1\]"),
        (
            {"attention": AttentionMaps(np.zeros((1, 2), np.int32), np.zeros((1, 5, 5), np.float32))},
            "for 17 residues",
        ),
    ],
)
def test_numbering_weights_and_attention_must_fit_the_sequence(changes, message):
    with pytest.raises(PredictionError, match=message):
        make_prediction(**changes)


def test_attention_maps_must_fit_their_heads():
    with pytest.raises(PredictionError, match="heads for"):
        AttentionMaps(np.zeros((2, 2), np.int32), np.zeros((1, 5, 5), np.float32))
    with pytest.raises(PredictionError, match="no probabilities"):
        AttentionMaps(np.zeros((1, 2), np.int32), np.full((1, 5, 5), -1, np.float32))
