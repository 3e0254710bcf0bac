"""The data behind the report's panels: alignment, weights, calibration, distributions, attention, identity."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib

import numpy as np
import pytest
from report_cases import BIN_EDGES, LENGTH, SEQUENCE, chain_like_distances, make_alignment, prediction_from

from data_tools.alignment import Alignment, alignment_sha256
from data_tools.alphabet import encode
from data_tools.weights import sequence_weights
from msaformer.errors import PredictionError
from msaformer.prediction import AttentionMaps
from msaformer.report.coverage import IDENTITY_BANDS, frequent_residues, identity_bands
from msaformer.report.packing import to_json
from msaformer.report.payload_alignment import (
    MAX_NAME,
    MAX_POINTS,
    alignment_part,
    is_predicted_from,
    weights_of,
    weights_part,
)
from msaformer.report.payload_attention import attention_part
from msaformer.report.payload_calibration import calibration_part
from msaformer.report.payload_distogram import distogram_part
from msaformer.report.payload_identity import identity_part


def unpack(text, dtype=np.uint8):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=dtype)


def alignment_of(*rows, names=None):
    tokens = np.stack([encode(row) for row in rows])
    names = names or tuple(f"row{k}" for k in range(len(rows)))
    return Alignment(tuple(names), tokens, np.zeros(tokens.shape, dtype=np.uint16))


@pytest.fixture
def prediction():
    return prediction_from(chain_like_distances(LENGTH), SEQUENCE)


# ---- alignment ----


def test_bands_of_identity_hold_their_lower_end_and_every_sequence_once():
    identity = np.array([1, 0.9, 0.8999, 0.7, 0.5, 0.3, 0.2, 0.1999, 0], dtype=np.float32)
    weights = np.arange(1, 10, dtype=np.float32)
    bands = identity_bands(identity, weights)
    assert [band.least for band in bands] == list(IDENTITY_BANDS) == [0.9, 0.7, 0.5, 0.3, 0.2, 0.0]
    assert [band.sequences for band in bands] == [2, 2, 1, 1, 1, 2]
    assert [band.weight for band in bands] == [3, 7, 5, 6, 7, 17]


def test_frequent_residues_are_weighed_and_leave_gap_and_x_out():
    tokens = np.stack([encode(row) for row in ("AC-", "GC-", "GXA", "-C-")])
    names, shares = frequent_residues(tokens, np.array([1, 0.25, 0.25, 1]), kinds=2)
    letters = ["".join("ACDEFGHIKLMNPQRSTVWY"[k] for k in row) for row in names]
    assert letters[0] == "AG"
    np.testing.assert_allclose(shares[0], [2 / 3, 1 / 3])
    np.testing.assert_allclose(shares[1], [1, 0])
    assert letters[2][0] == "A"
    np.testing.assert_allclose(shares[2], [1, 0])


def test_the_alignment_s_numbers_by_column_are_those_of_the_obvious_loop():
    alignment = make_alignment(rows=30)
    weights = sequence_weights(alignment.tokens)
    part = alignment_part(alignment, weights)
    counts, neff = unpack(part["counts"], "<u4"), unpack(part["columnNeff"], "<f4")
    for k in range(LENGTH):
        present = [row for row in range(30) if alignment.tokens[row, k] != 21]
        assert counts[k] == len(present)
        assert neff[k] == pytest.approx(sum(float(weights[row]) for row in present), rel=1e-6)
    assert part["depth"] == sum(band["sequences"] for band in part["bands"]) == 30
    assert sum(band["weight"] for band in part["bands"]) == pytest.approx(part["neff"], abs=0.05)
    assert unpack(part["percents"]).reshape(LENGTH, 3).sum(axis=1).max() <= 102  # rounded one by one
    bits = np.unpackbits(unpack(part["covered"]).reshape(30, -1), axis=1)[:, :LENGTH]
    assert np.array_equal(bits.sum(axis=0), counts)
    to_json(part)


def test_the_prediction_s_own_weights_are_taken_where_the_alignment_is_its_own(prediction):
    alignment = make_alignment(rows=9)
    own = np.linspace(0.1, 0.9, 9, dtype=np.float32)
    sha256 = alignment_sha256(alignment.tokens, alignment.deletion_matrix)
    known = dataclasses.replace(prediction, depth=9, sequence_weights=own, alignment_sha256=sha256)
    assert weights_of(known, alignment) is own
    assert weights_of(known, None) is own
    assert weights_of(prediction, None) is None
    other = dataclasses.replace(known, alignment_sha256="0" * 64)
    assert np.array_equal(weights_of(other, alignment), sequence_weights(alignment.tokens))
    assert [is_predicted_from(p, alignment) for p in (known, other, prediction)] == [True, False, None]
    with pytest.raises(PredictionError, match="toy: the alignment's query is not the predicted sequence"):
        weights_of(prediction, make_alignment(SEQUENCE[::-1]))


def test_half_of_neff_is_carried_by_the_fewest_heaviest_sequences():
    part = weights_part(np.array([0.25, 1, 0.25, 0.25, 0.25, 0.5, 0.5], dtype=np.float32))  # sums to 3
    assert (part["sequences"], part["neff"], part["half"], part["alone"], part["query"]) == (
        7,
        3.0,
        2,
        1,
        0.25,
    )
    curve = unpack(part["curve"], "<f4").reshape(-1, 3)
    np.testing.assert_allclose(curve[:, 0], [1, 2, 3, 4, 5, 6, 7])
    np.testing.assert_allclose(curve[:, 1], [1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25])
    np.testing.assert_allclose(curve[:, 2], np.array([4, 6, 8, 9, 10, 11, 12]) / 12)
    assert part["heaviest"] == []


def test_equal_weights_carry_half_with_half_of_the_sequences():
    tenth = np.full(30, 0.1, dtype=np.float32)
    assert weights_part(tenth)["half"] == 15
    assert weights_part(tenth[:1])["half"] == 1


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    part = weights_part(np.ones(10_000, dtype=np.float32))
    curve = unpack(part["curve"], "<f4").reshape(-1, 3)
    assert len(curve) == part["points"] == MAX_POINTS
    assert curve[0].tolist() == pytest.approx([1, 1, 1e-4])
    assert curve[-1].tolist() == [10_000, 1, 1]


def test_heaviest_sequences_are_named_in_their_order_and_hostile_names_are_cut():
    evil = "</script>\u202e\x00" + "z" * 100_000
    rows = ("ACDEFG", "ACDEFG", "WWWW--", "ACDEF-")
    alignment = alignment_of(*rows, names=("q", "copy", evil, "part"))
    weights = np.array([0.5, 0.5, 1, 0.75], dtype=np.float32)
    part = weights_part(weights, alignment)
    assert [row["weight"] for row in part["heaviest"]] == [1, 0.75, 0.5, 0.5]
    assert [row["name"] for row in part["heaviest"]][1:] == ["part", "q", "copy"]
    name = part["heaviest"][0]["name"]
    assert len(name) == MAX_NAME
    assert name.startswith("</script>��zz")
    assert name.endswith("z…")
    assert [row["identity"] for row in part["heaviest"]] == [0, 0.8333, 1, 1]
    assert [row["covered"] for row in part["heaviest"]] == [0.6667, 0.8333, 1, 1]
    assert len(to_json(part)) < 2000


# ---- calibration ----


def test_calibration_counts_each_range_by_itself_and_unknown_pairs_nowhere(prediction):
    distances = chain_like_distances(LENGTH)
    distances[5] = distances[:, 5] = np.nan
    ranges = {row["name"]: row for row in calibration_part(prediction, distances)["ranges"]}
    assert list(ranges) == ["all", "medium", "long"]
    for name, low, high in (("all", 6, 99), ("medium", 12, 23), ("long", 24, 99)):
        counts, hits = [0] * 10, [0] * 10
        for i in range(LENGTH):
            for j in range(i + low, min(i + high, LENGTH - 1) + 1):
                if 5 in (i, j):
                    continue
                k = min(int(10 * float(prediction.contact_probs[i, j])), 9)
                counts[k] += 1
                hits[k] += bool(distances[i, j] < 8)
        row = ranges[name]
        assert row["counts"] == counts
        assert (row["pairs"], row["contacts"]) == (sum(counts), sum(hits))
        assert row["true"] == [round(h / c, 4) if c else None for h, c in zip(hits, counts, strict=True)]
    json.dumps(ranges, allow_nan=False)


def test_pairs_of_two_chains_are_long_range_however_near_in_the_sequence(prediction):
    two = dataclasses.replace(prediction, chain_lengths=(20, 20))
    distances = chain_like_distances(LENGTH)
    ranges = {row["name"]: row for row in calibration_part(two, distances)["ranges"]}
    within = sum(20 - k for k in range(6, 20))  # pairs of one chain of 20, at least 6 apart
    assert ranges["all"]["pairs"] == 2 * within + 20 * 20
    assert ranges["long"]["pairs"] == 20 * 20
    assert ranges["medium"]["pairs"] == 2 * sum(20 - k for k in range(12, 20))


def test_a_range_without_pairs_has_no_error():
    single = prediction_from(np.zeros((1, 1)), "A")
    for row in calibration_part(single, np.zeros((1, 1), dtype=np.float32))["ranges"]:
        assert (row["pairs"], row["error"], set(row["true"])) == (0, None, {None})


# ---- distributions ----


def test_packed_distributions_are_those_of_the_listed_pairs(prediction):
    first, second = np.array([3, 0, 10]), np.array([17, 39, 20])
    part = distogram_part(prediction, first, second)
    assert (part["pairs"], part["bins"]) == (3, 37)
    assert part["edges"] == BIN_EDGES.tolist()
    packed = unpack(part["data"]).reshape(3, 37).astype(float)
    shares = packed / packed.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, prediction.distogram_probs[first, second], atol=3e-3)
    none = distogram_part(prediction, first[:0], second[:0])
    assert (none["pairs"], unpack(none["data"]).size) == (0, 0)


def test_distributions_of_the_weakest_pairs_are_left_out_of_a_page_too_large(prediction, monkeypatch):
    first, second = np.triu_indices(LENGTH, k=6)
    whole = distogram_part(prediction, first, second)
    monkeypatch.setattr("msaformer.report.payload_distogram.MAX_CHARACTERS", len(whole["data"]) // 2)
    part = distogram_part(prediction, first, second)
    assert len(first) / 5 < part["pairs"] < len(first)
    assert len(part["data"]) <= len(whole["data"]) // 2
    assert np.array_equal(unpack(part["data"]), unpack(whole["data"])[: part["pairs"] * 37])


# ---- attention ----


def attention_of(length, count, seed=0):
    probs = np.random.default_rng(seed).random((count, length, length)).astype(np.float32) ** 4
    probs /= probs.sum(axis=-1, keepdims=True)
    heads = np.array([[k // 4, k % 4] for k in range(count)], dtype=np.int32)
    return AttentionMaps(heads, probs)


def test_attention_travels_as_square_roots_of_the_map_s_own_scale():
    maps = attention_of(12, 5)
    part = attention_part(maps)
    assert (part["side"], part["pool"], part["gamma"], part["total"]) == (12, 1, 0.5, 5)
    assert [(one["block"], one["head"]) for one in part["maps"]] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]
    off = ~np.eye(12, dtype=bool)
    for one, probs in zip(part["maps"], maps.probs, strict=True):
        assert one["scale"] == pytest.approx(probs[off].max(), rel=1e-3)
        pixels = unpack(one["data"]).reshape(12, 12)
        again = (pixels / 255) ** 2 * one["scale"]
        # half a step of the square root, squared: 2 · √p · step / 2
        assert (
            np.abs(again - probs)[off] <= one["scale"] * (np.sqrt(probs / one["scale"])[off] + 0.01) / 255
        ).all()


def test_pixels_of_several_pairs_hold_the_largest(monkeypatch):
    monkeypatch.setattr("msaformer.report.payload_attention.MAX_SIDE", 3)
    probs = np.zeros((1, 7, 7), dtype=np.float32)
    probs[0, 4, 0] = 0.5
    probs[0, 6, 6] = 0.25
    part = attention_part(AttentionMaps(np.zeros((1, 2), dtype=np.int32), probs))
    assert (part["side"], part["pool"]) == (3, 3)
    pixels = unpack(part["maps"][0]["data"]).reshape(3, 3)
    assert pixels.tolist() == [[0, 0, 0], [255, 0, 0], [0, 0, round(255 * 0.5**0.5)]]


def test_as_many_maps_travel_as_fit(monkeypatch):
    maps = attention_of(20, 6)
    size = len(attention_part(maps)["maps"][0]["data"])
    monkeypatch.setattr("msaformer.report.payload_attention.MAX_CHARACTERS", int(3.5 * size))
    part = attention_part(maps)
    assert (len(part["maps"]), part["total"]) == (3, 6)


def test_many_maps_of_a_long_protein_travel_coarser_rather_than_not_at_all(monkeypatch):
    maps = attention_of(330, 4)
    size = len(attention_part(AttentionMaps(maps.heads[:1], maps.probs[:1]))["maps"][0]["data"])
    monkeypatch.setattr("msaformer.report.payload_attention.MAX_CHARACTERS", int(1.5 * size))
    part = attention_part(maps)
    assert (part["pool"], part["side"], len(part["maps"])) == (2, 165, 4)


def test_attention_of_a_single_residue_is_one_full_pixel():
    part = attention_part(
        AttentionMaps(np.zeros((1, 2), dtype=np.int32), np.ones((1, 1, 1), dtype=np.float32))
    )
    assert unpack(part["maps"][0]["data"]).tolist() == [255]


# ---- identity ----


def test_identity_lists_what_made_the_prediction_and_says_whose_alignment_is_shown(prediction):
    alignment = make_alignment(rows=9)
    sha256 = alignment_sha256(alignment.tokens, alignment.deletion_matrix)
    known = dataclasses.replace(prediction, alignment_sha256=sha256)
    part = identity_part(known, alignment)
    rows = dict(part["rows"])
    assert rows["target"] == "toy"
    assert rows["weights"] == "ab12" * 16
    assert rows["alignment sha256"] == sha256
    assert rows["Neff at 80 % identity"] == "871.25"
    assert "is the one predicted from" in part["note"]
    assert identity_part(known, None)["note"] is None
    assert "does not say" in identity_part(prediction, alignment)["note"]
    assert "alignment sha256" not in dict(identity_part(prediction, None)["rows"])


def test_identity_of_a_hostile_file_is_cut():
    model = {f"k{k}\u202e": "v" * 10_000 for k in range(1000)}
    part = identity_part(prediction_from(np.zeros((3, 3)), "ACD", model=model), None)
    assert len(part["rows"]) == 43
    assert part["rows"][1][0] == "k0�"
    assert max(len(value) for _, value in part["rows"]) == 200
