"""The report's data and its file, without a browser (which test_report_browser.py has)."""

import base64
import dataclasses
import re
import zlib
from importlib import resources

import numpy as np
import pytest
from report_cases import (
    LENGTH,
    SEQUENCE,
    chain_like_distances,
    chain_like_positions,
    make_alignment,
    make_truth,
    prediction_from,
)

from msaformer.metrics import top_pairs
from msaformer.pair_scores import PairScores
from msaformer.report import packing, payload
from msaformer.report.coverage import alignment_coverage
from msaformer.report.pair_list import listed_pairs


@pytest.fixture
def distances():
    return chain_like_distances(LENGTH)


@pytest.fixture
def positions():
    return chain_like_positions(LENGTH)


@pytest.fixture
def prediction(distances):
    return prediction_from(distances, SEQUENCE)


def unpack(text, dtype=np.uint8):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=dtype)


def triangle(packed):
    """The upper triangle of a packed map as data.js reads it, pair after pair."""
    values = unpack(packed["data"]).astype(int)
    if not packed["isGradient"]:
        return values
    matrix, rest = np.zeros((LENGTH, LENGTH), dtype=int), iter(values)
    for i in range(LENGTH):
        for j in range(i + 1, LENGTH):
            up = matrix[i - 1, j] if i else None
            left = matrix[i, j - 1] if j > i + 1 else up or 0
            up = left if up is None else up
            diagonal = matrix[i - 1, j - 1] if i and j > i + 1 else up
            low, high = sorted((left, up))
            matrix[i, j] = (min(max(left + up - diagonal, low), high) + next(rest)) % 256
    return matrix[np.triu_indices(LENGTH, k=1)]


@pytest.mark.parametrize("is_smooth", [True, False])
def test_packed_triangles_unpack_to_the_map(distances, is_smooth):
    prediction = prediction_from(distances, SEQUENCE, noise=0 if is_smooth else 6)
    packed = payload.build_payload(prediction)
    upper = np.triu_indices(LENGTH, k=1)
    steps, probs = triangle(packed["prob"]), prediction.contact_probs[upper]
    assert (np.abs((steps + 0.5) / packed["probSteps"] - probs) <= 0.5 / packed["probSteps"] + 1e-6).all()
    for name, values in (("expected", prediction.expected_distance), ("spread", prediction.distance_std)):
        step = packed[name]["step"]
        assert np.abs(triangle(packed[name]) * step - values[upper]).max() <= step / 2 + 1e-5
    assert packed["expected"]["isGradient"] == is_smooth
    for i, j in ((0, 1), (3, 17), (LENGTH - 2, LENGTH - 1)):  # the page's own formula for the place of a pair
        cell = i * (2 * LENGTH - i - 1) // 2 + (j - i - 1)
        assert steps[cell] == int(200 * float(prediction.contact_probs[i, j]))


def test_a_map_of_noise_is_packed_in_coarser_steps_so_that_the_page_stays_small():
    noise = np.random.default_rng(0).uniform(0, 20, size=(600, 600)).astype(np.float32)
    packed = payload.packed_distances(noise, (0.1, 0.25, 4.0), max_bits=3)
    assert packed["step"] == 4
    assert payload.packed_distances(noise[:60, :60], (0.1, 4.0), max_bits=3)["step"] == 0.1


def test_a_packed_probability_never_crosses_a_threshold():
    below, above = np.nextafter(np.float32(0.5), np.float32([0, 1]))
    probs = np.array([0, 0.0049, below, 0.5, above, 0.995, 1.00001], dtype=np.float32)
    assert payload.packed_probs(probs).tolist() == [0, 0, 99, 100, 100, 199, 200]


def test_true_distances_are_computed_from_the_coordinates_in_the_order_that_numpy_uses(positions):
    truth = make_truth(positions, lost=(3,))
    packed = payload.build_payload(prediction_from(truth.distances, SEQUENCE), truth=truth)["truth"]
    atoms = unpack(packed["atoms"], "<f4").reshape(LENGTH, 3).astype(float)
    for i, j in ((0, 1), (3, 9), (5, 39)):  # as data.js does
        x, y, z = atoms[i] - atoms[j]
        assert np.array_equal(
            np.float32((x * x + y * y + z * z) ** 0.5), truth.distances[i, j], equal_nan=True
        )


@pytest.mark.parametrize("window", [(6, 99), (12, 99), (24, 99), (6, 11), (12, 23)])
@pytest.mark.parametrize("lost", [(), (0, 7, 8, 33)])
def test_the_listed_pairs_hold_whatever_a_click_can_ask_for(prediction, positions, window, lost):
    truth = make_truth(positions, lost=lost)
    known = ~np.isnan(truth.distances)
    listed = list(zip(*listed_pairs(prediction, truth), strict=True))
    ranked = top_pairs(prediction.contact_probs, min_separation=window[0], max_separation=window[1])
    judged, expected = 0, []
    for pair in zip(*ranked, strict=True):
        judged += bool(known[pair])
        if judged > 3 * LENGTH:
            break
        expected.append(pair)
    inside = [pair for pair in listed if window[0] <= pair[1] - pair[0] <= window[1]]
    assert inside[: len(expected)] == expected


def test_every_true_contact_is_listed_so_that_a_missed_one_can_be_asked_about(prediction, positions):
    truth = make_truth(positions)
    first, second = np.nonzero(np.triu(truth.distances < 8, k=6))
    assert set(zip(first, second, strict=True)) <= set(zip(*listed_pairs(prediction, truth), strict=True))


def test_contacts_between_chains_are_listed_however_near_in_the_sequence(prediction, positions):
    probs = prediction.contact_probs.copy()
    probs[24, 25] = probs[25, 24] = probs[23, 24] = probs[24, 23] = 0
    weak = dataclasses.replace(prediction, contact_probs=probs, chain_lengths=(25, 15))
    truth = make_truth(positions)
    assert truth.distances[24, 25] < 8
    listed = set(zip(*listed_pairs(weak, truth), strict=True))
    assert (24, 25) in listed
    assert (23, 24) not in listed


def test_pairs_between_chains_are_listed_however_near_in_the_sequence(prediction):
    chains = dataclasses.replace(prediction, chain_lengths=(25, 15))
    listed = set(zip(*listed_pairs(chains), strict=True))
    near = {(22, 26), (23, 25), (24, 25), (24, 26)}
    assert near <= listed
    assert not near & set(zip(*listed_pairs(prediction), strict=True))


def test_listed_numbers_are_exact_and_a_second_prediction_s_unlisted_pairs_have_none(prediction):
    other = prediction_from(chain_like_distances(LENGTH, seed=1), SEQUENCE)
    scores = dataclasses.replace(PairScores.of(other), is_listed=other.contact_probs > 0.3)
    packed = payload.build_payload(prediction, compare=scores)["pairs"]
    data, count = zlib.decompress(base64.b64decode(packed["data"])), packed["count"]
    sizes, columns, start = ("<u2", "<u2", "<u2", "<f4", "<f4", "<f4"), [], 0
    for size in sizes:
        width = int(size[-1])
        planes = np.frombuffer(data, np.uint8, width * count, offset=start).reshape(width, count)
        columns.append(np.ascontiguousarray(planes.T).view(size)[:, 0])
        start += width * count
    first, second, spread, prob, expected, score = columns
    assert np.array_equal(prob, prediction.contact_probs[first, second])
    assert np.array_equal(expected, prediction.expected_distance[first, second])
    assert np.abs(spread / 1000 - prediction.distance_std[first, second]).max() <= 0.0005 + 1e-6
    is_listed = scores.is_listed[first, second]
    assert np.array_equal(score[is_listed], other.contact_probs[first, second][is_listed])
    assert np.isnan(score[~is_listed]).all()
    assert (~is_listed).any()


def test_scores_without_a_scale_are_shown_by_rank():
    scores = -np.arange(16, dtype=np.float32).reshape(4, 4)
    assert payload.packed_ranks(scores)[np.triu_indices(4, k=1)].tolist() == [200, 160, 133, 114, 100, 88]


def test_residues_have_their_query_seqres_and_author_numbers(positions):
    truth = make_truth(positions, lost=(3, 4), outside=(0,))
    index = np.arange(LENGTH, dtype=np.int32) + np.where(np.arange(LENGTH) > 20, 5, 0).astype(np.int32)
    prediction = prediction_from(truth.distances, SEQUENCE, residue_index=index)
    packed = payload.build_payload(prediction, truth=truth)
    assert packed["numbers"][19:22] == [20, 21, 27]
    assert packed["truth"]["numbers"][:6] == [None, "102", "103", None, None, "106"]
    assert packed["truth"]["chainNames"][:2] == ["", "A"]
    assert packed["truth"]["seqres"][:2] == [0, 8]
    assert packed["truth"]["unresolved"] == 3
    assert packed["truth"]["secondary"][:6] == " HH  H"
    plain = prediction_from(truth.distances, SEQUENCE)
    assert payload.build_payload(plain)["numbers"] is None


def test_chains_are_named_by_the_author_where_the_structure_has_them(prediction, positions):
    chains = dataclasses.replace(prediction, chain_lengths=(25, 10, 5))
    names = ("H",) * 25 + ("",) * 10 + ("",) + ("L",) * 4
    truth = make_truth(positions, chain_names=names)
    assert payload.build_payload(chains, truth=truth)["chains"] == [
        {"name": "H", "length": 25},
        {"name": "B", "length": 10},
        {"name": "L", "length": 5},
    ]
    assert payload.build_payload(prediction)["chains"] == [{"name": "A", "length": LENGTH}]


def test_a_precision_that_does_not_exist_is_null():
    prediction = prediction_from(np.zeros((3, 3)), "ACD")
    packed = payload.build_payload(prediction, truth=make_truth(np.zeros((3, 3), np.float32)))
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


def test_what_the_page_says_of_a_neff_is_what_the_model_card_measured():
    card = (resources.files("msaformer") / "pretrained" / "README.md").read_text(encoding="utf-8")
    names = {"< 30": 30, "30–100": 100, "100–300": 300, "300–1,000": 1000, "≥ 1,000": None}
    measured = {limit: [] for limit in names.values()}
    for name, share in re.findall(r"^\| ([<≥\d,–  ]+) \| \d+ \| (\.\d\d) /", card, re.MULTILINE):
        measured[names[name]].append(float(share))
    assert {band.below: [band.low, band.high] for band in payload.NEFF_BANDS} == {
        limit: [min(shares), max(shares)] for limit, shares in measured.items()
    }
