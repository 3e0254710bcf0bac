"""Inputs of published networks, by hand and against loops that follow the papers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from Bio.Data.IUPACData import protein_letters_3to1

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP, SYMBOLS, UNKNOWN, encode
from data_tools.network_features import alphafold2_features, alphafold3_features, trrosetta_features
from data_tools.network_features.alphafold2 import (
    MSA_CHANNELS,
    AlphaFold2Features,
    deletion_value,
    nearest_centres,
)
from data_tools.network_features.residue_order import BY_CODE, BY_CODE_TO_OURS, OURS_TO_BY_CODE
from data_tools.weights import sequence_weights


def alignment(*rows: str, deletions: npt.ArrayLike | None = None) -> Alignment:
    tokens = np.stack([encode(row) for row in rows])
    counts = np.zeros(tokens.shape) if deletions is None else np.asarray(deletions)
    return Alignment(tuple(f"s{n}" for n in range(len(rows))), tokens, counts.astype(np.uint16))


def random_alignment(depth: int, length: int, seed: int = 0) -> Alignment:
    """Relatives of three ancestors, with gaps, X and deletions; the query has neither gaps nor deletions."""
    rng = np.random.default_rng([seed, depth, length])
    ancestors = rng.integers(0, 20, (3, length), dtype=np.uint8)
    tokens = ancestors[rng.integers(0, 3, depth)]
    tokens = np.where(rng.random(tokens.shape) < 0.4, rng.integers(0, 22, tokens.shape), tokens).astype(
        np.uint8
    )
    tokens[0] = ancestors[0]
    deletions = np.where(rng.random(tokens.shape) < 0.2, rng.integers(1, 9, tokens.shape), 0).astype(
        np.uint16
    )
    deletions[0] = 0
    return Alignment(tuple(f"s{n}" for n in range(depth)), tokens, deletions)


def float_arrays(features: object) -> dict[str, npt.NDArray[np.float32]]:
    arrays = {name: getattr(features, name) for name in features.__slots__}  # type: ignore[attr-defined]
    return {name: array for name, array in arrays.items() if array.dtype == np.float32}


# Order of the residues


def test_residues_are_ordered_by_their_three_letter_codes() -> None:
    letters = protein_letters_3to1
    assert "".join(letters[code] for code in sorted(letters)) == BY_CODE


def test_the_two_permutations_undo_each_other_and_keep_the_letters() -> None:
    ours, theirs = SYMBOLS, BY_CODE + "X-"
    assert "".join(ours[token] for token in BY_CODE_TO_OURS) == theirs
    assert "".join(theirs[number] for number in OURS_TO_BY_CODE) == ours
    np.testing.assert_array_equal(OURS_TO_BY_CODE[BY_CODE_TO_OURS], np.arange(22))


def test_our_order_is_that_of_hhblits_in_alphafold_2() -> None:
    assert SYMBOLS == "ACDEFGHIKLMNPQRSTVWYX-"  # HHBLITS_AA_TO_ID of its residue_constants


# AlphaFold 2


def plain_alphafold2(
    case: Alignment, found: AlphaFold2Features
) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """msa_feat, extra_msa_feat and clusters by loops, given which rows were drawn as centres and extras."""
    theirs = BY_CODE + "X-"
    rows = [[theirs.index(SYMBOLS[token]) for token in row] for row in case.tokens]
    deletions = case.deletion_matrix
    clusters = {int(row): [int(row)] for row in found.cluster_rows}
    for row in range(case.depth):
        if row in clusters:
            continue
        agreements = []
        for centre in found.cluster_rows:
            same = [a == b and a != 21 for a, b in zip(rows[row], rows[int(centre)], strict=True)]
            agreements.append(sum(same))
        clusters[int(found.cluster_rows[agreements.index(max(agreements))])].append(row)

    def value(count: float) -> float:
        return 2 / math.pi * math.atan(count / 3)

    msa = np.zeros((len(clusters), case.length, 49))
    for k, (centre, members) in enumerate(clusters.items()):
        for i in range(case.length):
            msa[k, i, rows[centre][i]] = 1
            msa[k, i, 23] = min(1, deletions[centre, i])
            msa[k, i, 24] = value(deletions[centre, i])
            for member in members:
                msa[k, i, 25 + rows[member][i]] += 1 / len(members)
            msa[k, i, 48] = value(sum(float(deletions[member, i]) for member in members) / len(members))
    extra = np.zeros((len(found.extra_rows), case.length, 25))
    for k, row in enumerate(found.extra_rows):
        for i in range(case.length):
            extra[k, i, rows[row][i]] = 1
            extra[k, i, 23] = min(1, deletions[row, i])
            extra[k, i, 24] = value(deletions[row, i])
    of_row = np.empty(case.depth, np.int64)
    for k, members in enumerate(clusters.values()):
        of_row[members] = k
    return msa, extra, of_row


@pytest.mark.parametrize(("clusters", "extra"), [(1, 5), (4, 6), (4, 0), (29, 1), (30, 10), (512, 1024)])
def test_alphafold2_features_equal_the_loop(clusters: int, extra: int) -> None:
    case = random_alignment(30, 11)
    found = alphafold2_features(case, np.random.default_rng(5), max_clusters=clusters, max_extra=extra)
    assert len(found.cluster_rows) == min(30, clusters)
    assert len(found.extra_rows) == min(30 - len(found.cluster_rows), extra)
    msa, extra_msa, of_row = plain_alphafold2(case, found)
    np.testing.assert_allclose(found.msa_feat, msa, atol=1e-6)
    np.testing.assert_allclose(found.extra_msa_feat, extra_msa, atol=1e-6)
    np.testing.assert_array_equal(found.cluster_of_row, of_row)


def test_alphafold2_features_by_hand() -> None:
    case = alignment("AR", "AR", "A-", deletions=[[0, 0], [0, 3], [6, 0]])
    found = alphafold2_features(case, np.random.default_rng(0), max_clusters=1, max_extra=1)
    query_first, query_second = found.msa_feat[0, 0], found.msa_feat[0, 1]
    assert np.flatnonzero(query_first[:23]).tolist() == [0]  # A
    assert np.flatnonzero(query_second[:23]).tolist() == [1]  # R
    profile = query_second[MSA_CHANNELS["cluster_profile"]]
    assert {int(k): pytest.approx(float(profile[k])) for k in np.flatnonzero(profile)} == {
        1: 2 / 3,
        21: 1 / 3,
    }
    means = found.msa_feat[0, :, 48]  # mean deletions: 2 and 1
    np.testing.assert_allclose(
        means, [2 / math.pi * math.atan(2 / 3), 2 / math.pi * math.atan(1 / 3)], rtol=1e-6
    )
    np.testing.assert_array_equal(np.flatnonzero(found.target_feat[0]), [1])
    np.testing.assert_array_equal(np.flatnonzero(found.target_feat[1]), [2])


def test_deletion_values_are_known() -> None:
    # arctan(1) = π/4, arctan(√3) = π/3
    np.testing.assert_allclose(deletion_value(np.array([0, 3.0, 3 * 3**0.5])), [0, 0.5, 2 / 3], rtol=1e-6)


def test_an_unknown_query_residue_has_the_last_target_channel() -> None:
    found = alphafold2_features(alignment("XV"), np.random.default_rng(0))
    assert np.argmax(found.target_feat, axis=1).tolist() == [21, 20]
    assert found.target_feat.sum() == 2


def test_gaps_agree_with_nothing_unknown_with_itself_and_ties_go_to_the_first() -> None:
    gap, x = 21, 20
    centres = np.array([[gap, gap, 1], [2, x, 3]], dtype=np.uint8)
    others = np.array([[gap, gap, 4], [gap, x, 4], [gap, gap, 3]], dtype=np.uint8)
    assert nearest_centres(centres, others).tolist() == [0, 1, 1]


def test_the_query_is_the_first_centre_and_every_row_is_used_once() -> None:
    found = alphafold2_features(
        random_alignment(30, 11), np.random.default_rng(1), max_clusters=7, max_extra=99
    )
    assert found.cluster_rows[0] == 0
    assert sorted([*found.cluster_rows, *found.extra_rows]) == list(range(30))
    np.testing.assert_array_equal(found.cluster_of_row[found.cluster_rows], np.arange(7))


def test_other_rows_are_drawn_evenly_and_by_the_generator_alone() -> None:
    case = random_alignment(8, 5)
    drawn = np.zeros(8)
    for seed in range(400):
        found = alphafold2_features(case, np.random.default_rng(seed), max_clusters=3, max_extra=1)
        drawn[found.cluster_rows] += 1
        again = alphafold2_features(case, np.random.default_rng(seed), max_clusters=3, max_extra=1)
        np.testing.assert_array_equal(found.msa_feat, again.msa_feat)
        np.testing.assert_array_equal(found.extra_rows, again.extra_rows)
    assert drawn[0] == 400
    np.testing.assert_allclose(drawn[1:] / 400, 2 / 7, atol=0.09)  # four standard deviations


@pytest.mark.parametrize(("clusters", "extra"), [(0, 1), (1, -1)])
def test_sizes_that_make_no_sense_are_refused(clusters: int, extra: int) -> None:
    with pytest.raises(ValueError, match="max_clusters must be at least 1 and max_extra at least 0"):
        alphafold2_features(alignment("AC"), np.random.default_rng(0), max_clusters=clusters, max_extra=extra)


# AlphaFold 3


def test_alphafold3_features_by_hand() -> None:
    case = alignment("AW", "A-", "XW", "AW", deletions=[[0, 0], [1, 0], [0, 8], [2, 0]])
    found = alphafold3_features(case)
    assert {(i, SYMBOLS[k]): float(found.profile[i, k]) for i, k in np.argwhere(found.profile)} == {
        (0, "A"): 0.75,
        (0, "X"): 0.25,
        (1, "W"): 0.75,
        (1, "-"): 0.25,
    }
    assert found.deletion_mean.tolist() == [0.75, 2.0]
    program = [*BY_CODE, "X", "-", *"AGCU", "DA", "DG", "DC", "DT", "N"]
    restypes = found.as_restypes()
    assert restypes.shape == (2, len(program)) == (2, 31)
    assert {(int(i), int(k)): float(restypes[i, k]) for i, k in np.argwhere(restypes)} == {
        (0, program.index("A")): 0.75,
        (0, program.index("X")): 0.25,
        (1, program.index("W")): 0.75,
        (1, program.index("-")): 0.25,
    }


def test_many_deletions_do_not_overflow_their_mean() -> None:
    found = alphafold3_features(alignment("A", "A", "A", deletions=[[0], [65535], [65535]]))
    assert found.deletion_mean.tolist() == [43690.0]


# trRosetta


def plain_trrosetta(case: Alignment) -> npt.NDArray[np.float64]:
    """`[L, L, 526]` as the published program computes it, in float64, with our weights."""
    order = BY_CODE + "-"
    states = np.array([[order.index(SYMBOLS[t]) if t != UNKNOWN else 20 for t in row] for row in case.tokens])
    one_hot = np.eye(21)[states]
    weights = sequence_weights(case.tokens).astype(np.float64)
    depth, length, _ = one_hot.shape
    frequencies = np.zeros((length, 21))
    for n in range(depth):
        frequencies += weights[n] * one_hot[n] / weights.sum()
    frequencies += 1e-9
    entropy = -(frequencies * np.log(frequencies)).sum(axis=1)
    one_d = np.concatenate([one_hot[0, :, :20], frequencies, entropy[:, None]], axis=1)
    flat = one_hot.reshape(depth, -1)
    points = weights.sum() - math.sqrt(weights.mean())
    mean = (weights[:, None] * flat).sum(axis=0) / points
    covariance = np.zeros((length * 21, length * 21))
    for n in range(depth):
        covariance += weights[n] * np.outer(flat[n] - mean, flat[n] - mean) / points
    inverse = np.linalg.inv(covariance + np.eye(length * 21) * 4.5 / math.sqrt(weights.sum()))
    result = np.zeros((length, length, 526))
    norms = np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            block = inverse[21 * i : 21 * i + 21, 21 * j : 21 * j + 21]
            result[i, j] = np.concatenate([one_d[i], one_d[j], block.ravel(), [0]])
            if i != j:
                norms[i, j] = math.sqrt((block[:20, :20] ** 2).sum())
    corrected = norms - np.outer(norms.sum(axis=1), norms.sum(axis=0)) / norms.sum()
    np.fill_diagonal(corrected, 0)
    result[:, :, -1] = corrected
    return result


@pytest.mark.parametrize(("depth", "length"), [(12, 6), (150, 4)])
def test_trrosetta_features_equal_the_published_formula(depth: int, length: int) -> None:
    case = random_alignment(depth, length)
    found = trrosetta_features(case).network_input()
    expected = plain_trrosetta(case)
    assert found.shape == (length, length, 526)
    for channels in (slice(0, 84), slice(84, 525), slice(525, 526)):
        scale = np.abs(expected[:, :, channels]).max()
        np.testing.assert_allclose(found[:, :, channels], expected[:, :, channels], atol=1e-5 * scale)


def test_trrosetta_features_of_one_sequence() -> None:
    found = trrosetta_features(alignment("RX"))
    assert found.pairs.shape == (2, 2, 442)
    assert not found.pairs.any()
    np.testing.assert_array_equal(found.residues[0, :20], np.eye(20)[BY_CODE.index("R")])
    assert not found.residues[1, :20].any()  # X is no amino acid
    np.testing.assert_allclose(found.residues[:, 41], 0, atol=1e-6)  # entropy
    np.testing.assert_allclose(found.residues[1, 20:41], np.eye(21)[20], atol=1e-8)


def test_trrosetta_takes_other_weights() -> None:
    case = random_alignment(12, 6)
    weights = np.linspace(0.1, 1, 12, dtype=np.float32)
    found = trrosetta_features(case, weights=weights)
    first = case.tokens[:, 0]
    shares = [weights[first == token].sum() / weights.sum() for token in BY_CODE_TO_OURS[:20]]
    np.testing.assert_allclose(found.residues[0, 20:40], shares, atol=1e-6)
    missing = weights[np.isin(first, (GAP, UNKNOWN))].sum() / weights.sum()
    np.testing.assert_allclose(found.residues[0, 40], missing, atol=1e-6)
    assert not np.allclose(found.pairs, trrosetta_features(case).pairs, atol=1e-3)


# Zero copy


@pytest.mark.parametrize("network", ["alphafold2", "alphafold3", "trrosetta"])
def test_torch_shares_the_memory_of_every_float_array(network: str) -> None:
    case = random_alignment(12, 6)
    features = {
        "alphafold2": lambda: alphafold2_features(case, np.random.default_rng(0), max_clusters=4),
        "alphafold3": lambda: alphafold3_features(case),
        "trrosetta": lambda: trrosetta_features(case),
    }[network]()
    arrays = float_arrays(features)
    assert arrays
    for name, array in arrays.items():
        assert array.flags.c_contiguous, name
        tensor = torch.from_numpy(array)
        assert tensor.data_ptr() == array.ctypes.data
        tensor.view(-1)[0] = 7.0
        assert array.flat[0] == 7.0, name
