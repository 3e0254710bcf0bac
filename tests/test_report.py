"""The report's data and its file, without a browser (which test_report_browser.py has)."""

import base64
import dataclasses
import zlib

import numpy as np
import pytest
from report_cases import (
    LENGTH,
    SEQUENCE,
    chain_like_distances,
    make_alignment,
    make_labels,
    prediction_from,
)

from msaformer.errors import PredictionError
from msaformer.metrics import top_pairs
from msaformer.report import packing, payload
from msaformer.report.coverage import alignment_coverage
from msaformer.report.viewer import view_structure


@pytest.fixture
def distances():
    return chain_like_distances(LENGTH)


@pytest.fixture
def prediction(distances):
    return prediction_from(distances, SEQUENCE)


def unpack(text, dtype=np.uint8):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=dtype)


def test_packed_triangles_unpack_to_the_map(prediction, distances):
    labels = make_labels(distances)
    packed = payload.build_payload(prediction, labels=labels)
    upper = np.triu_indices(LENGTH, k=1)
    assert np.abs(unpack(packed["prob"]) / 255 - prediction.contact_probs[upper]).max() <= 0.5 / 255 + 1e-6
    steps = unpack(packed["expected"]) * packed["distanceStep"]
    assert np.abs(steps - prediction.expected_distance[upper]).max() <= packed["distanceStep"] / 2 + 1e-5
    assert np.array_equal(unpack(packed["truth"]["distances"]) < 40, distances[upper] < 8)
    for i, j in ((0, 1), (3, 17), (LENGTH - 2, LENGTH - 1)):  # the page's own formula for the place of a pair
        cell = i * (2 * LENGTH - i - 1) // 2 + (j - i - 1)
        assert unpack(packed["prob"])[cell] == round(float(prediction.contact_probs[i, j]) * 255)


def test_packing_a_distance_never_moves_it_across_eight_angstrom():
    below, above = np.nextafter(np.float32(8), np.float32(0)), np.nextafter(np.float32(8), np.float32(9))
    values = np.array([0, 7.9, below, 8.0, above, 8.1, 50.9, 999, np.nan], dtype=np.float32)
    assert payload.packed_distances(values).tolist() == [0, 39, 39, 40, 40, 40, 254, 254, 255]


@pytest.mark.parametrize("separation", payload.SEPARATIONS)
@pytest.mark.parametrize("lost", [(), (0, 7, 8, 33)])
def test_the_listed_pairs_hold_whatever_the_reader_can_ask_for(prediction, distances, separation, lost):
    labels = make_labels(distances, lost=lost)
    known = ~np.isnan(labels.distances)
    listed = list(zip(*payload.shown_pairs(prediction, known), strict=True))
    ranked = zip(*top_pairs(prediction.contact_probs, min_separation=separation), strict=True)
    judged, expected = 0, []
    for pair in ranked:
        judged += bool(known[pair])
        if judged > 3 * LENGTH:
            break
        expected.append(pair)
    assert [pair for pair in listed if pair[1] - pair[0] >= separation][: len(expected)] == expected


def test_listed_numbers_are_exact(prediction, distances):
    labels = make_labels(distances, lost=(5,))
    packed = payload.build_payload(prediction, labels=labels)["pairs"]
    data, count = zlib.decompress(base64.b64decode(packed["data"])), packed["count"]
    first, second = (np.frombuffer(data, "<u2", count, offset=2 * k * count) for k in (0, 1))
    prob, expected, true = (np.frombuffer(data, "<f4", count, offset=4 * (k + 1) * count) for k in (0, 1, 2))
    assert np.array_equal(prob, prediction.contact_probs[first, second])
    assert np.array_equal(expected, prediction.expected_distance[first, second])
    assert np.array_equal(true, labels.distances[first, second], equal_nan=True)
    assert np.isnan(true[(first == 5) | (second == 5)]).all()


def test_unresolved_residues_are_marked_unknown_and_have_no_coordinates(prediction, distances):
    truth = payload.build_payload(prediction, labels=make_labels(distances, lost=(3, 4)))["truth"]
    assert [k for k, known in enumerate(truth["known"]) if not known] == [3, 4]
    assert truth["numbers"][2:6] == ["103", "", "", "106"]
    assert truth["atoms"][3] is None
    assert truth["unresolved"] == 2


def test_residues_outside_the_chain_have_no_number(prediction, distances):
    labels = make_labels(distances)
    index = labels.chain_index.copy()
    index[0] = -1
    truth = payload.build_payload(prediction, labels=dataclasses.replace(labels, chain_index=index))["truth"]
    assert truth["numbers"][:2] == [None, "102"]
    assert truth["atoms"][0] is None


def test_a_precision_that_does_not_exist_is_null():
    prediction = prediction_from(np.zeros((3, 3)), "ACD")
    packed = payload.build_payload(prediction, labels=make_labels(np.zeros((3, 3), np.float32), "ACD"))
    assert {row["p_at_l"] for row in packed["truth"]["precision"]} == {None}
    packing.to_json(packed)  # has no NaN to refuse


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x1bc", "a�b�c"),
        ("x\u202ey", "x�y"),
        ("\ud800", "�"),
        ("é ü", "é ü"),
        ("z" * 300, "z" * 199 + "…"),
    ],
)
def test_texts_from_outside_are_made_fit_to_show(text, shown):
    assert packing.plain_text(text) == shown


def test_coverage_sorts_by_identity_and_counts_the_whole_alignment():
    alignment = make_alignment(rows=30)
    full, few = alignment_coverage(alignment), alignment_coverage(alignment, max_rows=7)
    assert len(full.identity) == full.depth == few.depth == 30
    assert full.identity[0] == 1
    assert (np.diff(full.identity) <= 0).all()
    assert len(few.identity) == 7
    assert few.identity[-1] == full.identity[-1]
    assert full.counts.tolist() == [sum(row[k] != 21 for row in alignment.tokens) for k in range(LENGTH)]
    assert np.array_equal(full.counts, few.counts)
    assert full.counts.tolist() == full.covered.sum(axis=0).tolist()


def test_the_notebook_view_draws_true_and_false_contacts(prediction, distances):
    labels = make_labels(distances, lost=(int(top_pairs(prediction.contact_probs, min_separation=6)[0][0]),))
    script = view_structure(prediction, labels, "ATOM", num_pairs=10)._make_html()
    first, second = top_pairs(prediction.contact_probs, min_separation=6, known=~np.isnan(labels.distances))
    hits = int((distances[first[:10], second[:10]] < 8).sum())
    assert (script.count("#0072B2"), script.count("#D55E00")) == (hits, 10 - hits)
    with pytest.raises(PredictionError, match="labels have 3"):
        view_structure(prediction, make_labels(distances[:3, :3], "ACD"), "")
