"""Precision at L/k against a plain loop, and its conventions one by one."""

import math

import numpy as np
import pytest

from msaformer.errors import PredictionError
from msaformer.metrics import RANGES, precision_table, top_pairs


def symmetric(rng, length):
    upper = np.triu(rng.random((length, length)), k=1)
    return upper + upper.T


def loop_precision(scores, distances, low, high, count):
    """Sort a list of pairs and count: the definition, written as slowly as it reads."""
    pairs = []
    for i in range(len(scores)):
        for j in range(i + 1, len(scores)):
            is_in_range = j - i >= low and (high is None or j - i <= high)
            if is_in_range and not math.isnan(distances[i][j]):
                pairs.append((-scores[i][j], i, j))
    pairs.sort()
    best = pairs[:count]
    if not best:
        return math.nan
    return sum(distances[i][j] < 8.0 for _, i, j in best) / len(best)


@pytest.mark.parametrize("length", [1, 7, 13, 30, 61])
@pytest.mark.parametrize("coarse", [False, True])
def test_precision_table_equals_the_plain_loop(length, coarse):
    rng = np.random.default_rng(length)
    scores = symmetric(rng, length)
    if coarse:
        scores = np.round(scores, 1)  # many ties
    distances = symmetric(rng, length) * 20
    lost = rng.choice(length, size=length // 6, replace=False)
    distances[lost] = np.nan
    distances[:, lost] = np.nan
    for row in precision_table(scores, distances):
        low, high = RANGES[row.range]
        for value, divisor in ((row.p_at_l, 1), (row.p_at_l2, 2), (row.p_at_l5, 5)):
            expected = loop_precision(scores, distances, low, high, max(length // divisor, 1))
            np.testing.assert_equal(value, expected)


def test_ranges_are_those_of_the_field_and_count_their_pairs():
    rows = {row.range: row for row in precision_table(np.zeros((40, 40)), np.full((40, 40), 5.0))}
    assert list(rows) == ["short", "medium", "long", "medium_long"]
    assert rows["short"].num_pairs == sum(40 - s for s in range(6, 12))
    assert rows["medium"].num_pairs == sum(40 - s for s in range(12, 24))
    assert rows["long"].num_pairs == sum(40 - s for s in range(24, 40))
    assert rows["medium_long"].num_pairs == rows["medium"].num_pairs + rows["long"].num_pairs
    assert all(row.num_contacts == row.num_pairs and row.p_at_l == 1 for row in rows.values())


def test_a_pair_at_exactly_eight_angstrom_is_no_contact():
    distances = np.full((30, 30), 8.0)
    assert precision_table(np.zeros((30, 30)), distances)[2].num_contacts == 0
    assert precision_table(np.zeros((30, 30)), np.nextafter(distances, 0))[2].num_contacts == 15 + 6


def test_pairs_of_unknown_distance_are_left_out_of_the_ranking():
    scores, distances = np.zeros((30, 30)), np.full((30, 30), 20.0)
    scores[0, 29] = 1.0
    distances[0, 29] = np.nan
    scores[0, 28], distances[0, 28] = 0.9, 5.0
    long_range = precision_table(scores, distances)[2]
    assert (long_range.num_pairs, long_range.num_contacts) == (20, 1)
    assert long_range.p_at_l5 == 1 / 6  # of L // 5 = 6 pairs


def test_a_range_without_pairs_has_no_precision():
    rows = precision_table(np.zeros((5, 5)), np.zeros((5, 5)))
    assert all(math.isnan(row.p_at_l) and row.num_pairs == 0 for row in rows)


def test_top_pairs_are_sorted_within_their_separation_and_equal_scores_keep_their_order():
    scores = np.zeros((9, 9))
    scores[2, 8] = 0.5
    first, second = top_pairs(scores, min_separation=5, max_separation=6)
    assert list(zip(first, second, strict=True))[:3] == [(2, 8), (0, 5), (0, 6)]
    assert set((second - first).tolist()) == {5, 6}


@pytest.mark.parametrize("lengths", [(30,), (13, 17), (1, 28, 1), (10, 10, 10), (1,) * 30])
def test_between_chains_there_is_no_separation_and_a_row_of_its_own(lengths):
    rng = np.random.default_rng(3)
    scores, distances = np.round(symmetric(rng, 30), 1), symmetric(rng, 30) * 20
    distances[4] = distances[:, 4] = np.nan
    chain = [number for number, length in enumerate(lengths) for _ in range(length)]
    ranges = {**RANGES, "inter_chain": (1000, None)} if len(lengths) > 1 else RANGES
    rows = precision_table(scores, distances, chain_lengths=lengths)
    assert [row.range for row in rows] == list(ranges)
    for row in rows:
        low, high = ranges[row.range]
        pairs = []
        for i in range(30):
            for j in range(i + 1, 30):
                separation = j - i if chain[i] == chain[j] else math.inf
                if low <= separation <= (math.inf if high is None else high) and not math.isnan(
                    distances[i, j]
                ):
                    pairs.append((-scores[i, j], i, j))
        pairs.sort()
        hits = [distances[i, j] < 8 for _, i, j in pairs]
        assert (row.num_pairs, row.num_contacts) == (len(hits), sum(hits))
        for value, count in ((row.p_at_l, 30), (row.p_at_l2, 15), (row.p_at_l5, 6)):
            best = hits[:count]
            np.testing.assert_equal(value, sum(best) / len(best) if best else math.nan)
        if row.range in RANGES:
            found = top_pairs(
                scores,
                min_separation=low,
                max_separation=high,
                known=~np.isnan(distances),
                chain_lengths=lengths,
            )
            assert list(zip(*found, strict=True)) == [(i, j) for _, i, j in pairs]


def test_chains_that_do_not_make_the_query_are_refused():
    with pytest.raises(PredictionError, match=r"chains of \(2, 2\) residues do not make the 5"):
        top_pairs(np.zeros((5, 5)), min_separation=1, chain_lengths=(2, 2))
    with pytest.raises(PredictionError, match="do not make the 5"):
        precision_table(np.zeros((5, 5)), np.zeros((5, 5)), chain_lengths=(6,))


@pytest.mark.parametrize(
    ("scores", "distances", "message"),
    [
        (np.zeros((3, 3)), np.zeros((4, 4)), r"\(3, 3\) and distances \(4, 4\)"),
        (np.zeros((3, 4)), np.zeros((3, 4)), "same"),
        (np.full((3, 3), np.nan), np.zeros((3, 3)), "not a number"),
    ],
)
def test_what_cannot_be_scored_is_refused(scores, distances, message):
    with pytest.raises(PredictionError, match=message):
        precision_table(scores, distances)
