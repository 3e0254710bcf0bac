"""Co-evolution maps against the formula written out in plain loops, in float64."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from data_tools import coevolution
from data_tools.alphabet import AMINO_ACIDS, GAP, UNKNOWN, decode
from data_tools.coevolution import (
    Norm,
    average_product_correction,
    mean_field_dca,
    mutual_information_apc,
    shrunk_inverse_covariance,
)
from data_tools.formats import read_alignment
from data_tools.weights import sequence_weights
from msaformer.example import ALIGNMENT

Q = 21  # states: 20 amino acids, and gap or X
PSEUDOCOUNT = 0.5
# float32 products and sums of N rows against float64: relative error about 1e-7 · sqrt(N), amplified by the inverse
TOLERANCE = 1e-4

MAPS = [mean_field_dca, mutual_information_apc]


def random_alignment(
    depth: int, length: int, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Tokens with gaps and X, conserved enough to have structure, and weights."""
    rng = np.random.default_rng([seed, depth, length])
    tokens = rng.integers(0, 22, (depth, length), dtype=np.uint8)
    kept = rng.random((depth, length)) < 0.5
    tokens = np.where(kept, rng.integers(0, 20, length, dtype=np.uint8), tokens)
    return tokens, rng.uniform(0.05, 1.0, depth).astype(np.float32)


def state(token: int) -> int:
    return 20 if token in (GAP, UNKNOWN) else int(token)


def pair_frequencies(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """f_ij(a, b) `[L, L, 21, 21]` without pseudocount."""
    depth, length = tokens.shape
    frequencies = np.zeros((length, length, Q, Q))
    total = float(weights.sum(dtype=np.float64))
    for n in range(depth):
        states = [state(token) for token in tokens[n]]
        for i in range(length):
            for j in range(length):
                frequencies[i, j, states[i], states[j]] += float(weights[n]) / total
    return frequencies


def apc(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """s_ij - mean_i mean_j / mean over pairs i ≠ j."""
    length = len(scores)
    row = [sum(scores[i, k] for k in range(length) if k != i) / (length - 1) for i in range(length)]
    mean = sum(row) / length
    corrected = np.zeros_like(scores)
    for i in range(length):
        for j in range(length):
            if i != j:
                corrected[i, j] = scores[i, j] - row[i] * row[j] / mean
    return corrected


def plain_dca(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32], norm: Norm = "amino_acids"
) -> npt.NDArray[np.float64]:
    """Morcos et al. 2011, equations 4 to 8, with the Frobenius norm of Ekeberg et al. 2013, equation 26."""
    gauge_states = 20 if norm == "centred" else Q
    norm_states = Q if norm == "all_states" else 20
    length = tokens.shape[1]
    pairs = pair_frequencies(tokens, weights)
    mixed = (1 - PSEUDOCOUNT) * pairs + PSEUDOCOUNT / Q**2
    single = np.zeros((length, Q))
    for i in range(length):
        single[i] = (1 - PSEUDOCOUNT) * np.diag(pairs[i, i]) + PSEUDOCOUNT / Q
        mixed[i, i] = np.diag(single[i])
    covariance = np.zeros((length * (Q - 1), length * (Q - 1)))
    for i in range(length):
        for j in range(length):
            block = mixed[i, j] - np.outer(single[i], single[j])
            covariance[i * 20 : i * 20 + 20, j * 20 : j * 20 + 20] = block[:20, :20]
    inverse = np.linalg.inv(covariance)
    norms = np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            if i != j:
                couplings = np.zeros((Q, Q))  # the gap's are zero in this gauge
                couplings[:20, :20] = -inverse[i * 20 : i * 20 + 20, j * 20 : j * 20 + 20]
                couplings = couplings[:gauge_states, :gauge_states]
                couplings -= couplings.mean(axis=0, keepdims=True)
                couplings -= couplings.mean(axis=1, keepdims=True)
                norms[i, j] = np.sqrt((couplings[:norm_states, :norm_states] ** 2).sum())
    return apc(norms)


def plain_mutual_information(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    pairs = pair_frequencies(tokens, weights)
    length = len(pairs)
    information = np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            first, second = np.diag(pairs[i, i]), np.diag(pairs[j, j])
            for a in range(Q):
                for b in range(Q):
                    if i != j and pairs[i, j, a, b] > 0:
                        ratio = pairs[i, j, a, b] / (first[a] * second[b])
                        information[i, j] += pairs[i, j, a, b] * np.log(ratio)
    return apc(information)


@pytest.mark.parametrize("norm", ["amino_acids", "all_states", "centred"])
@pytest.mark.parametrize(("depth", "length"), [(7, 6), (90, 5), (250, 4), (41, 19), (500, 18)])
def test_mean_field_dca_equals_the_formula_whether_low_rank_or_dense(
    depth: int, length: int, norm: Norm
) -> None:
    tokens, weights = random_alignment(depth, length)
    expected = plain_dca(tokens, weights, norm)
    found = mean_field_dca(tokens, weights, norm=norm)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max())


def test_both_ways_to_invert_are_taken() -> None:
    """The sizes above stand on both sides of N + 1 = 20 L."""
    assert 7 + 1 < 20 * 6
    assert 90 + 1 < 20 * 5
    assert 250 + 1 >= 20 * 4
    for depth in (78, 79):  # the two sides of the border, L = 4, of nearly the same alignment
        tokens, weights = random_alignment(79, 4)
        expected = plain_dca(tokens[:depth], weights[:depth])
        np.testing.assert_allclose(
            mean_field_dca(tokens[:depth], weights[:depth]), expected, atol=TOLERANCE * np.abs(expected).max()
        )


@pytest.mark.parametrize(("depth", "length"), [(7, 6), (60, 5), (30, 19)])
def test_mutual_information_equals_the_formula(depth: int, length: int) -> None:
    tokens, weights = random_alignment(depth, length)
    expected = plain_mutual_information(tokens, weights)
    found = mutual_information_apc(tokens, weights)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize(("depth", "length"), [(9, 33), (500, 7)])
def test_maps_are_symmetric_with_a_zero_diagonal(method: object, depth: int, length: int) -> None:
    scores = method(*random_alignment(depth, length))  # type: ignore[operator]
    assert scores.dtype == np.float32
    assert scores.shape == (length, length)
    np.testing.assert_allclose(scores, scores.T, atol=1e-6)
    np.testing.assert_array_equal(np.diag(scores), 0)


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize(("depth", "length"), [(30, 11), (500, 7)])
def test_the_order_of_the_sequences_does_not_matter(method: object, depth: int, length: int) -> None:
    tokens, weights = random_alignment(depth, length)
    order = np.random.default_rng(3).permutation(depth)
    scores, shuffled = method(tokens, weights), method(tokens[order], weights[order])  # type: ignore[operator]
    np.testing.assert_allclose(shuffled, scores, atol=TOLERANCE * np.abs(scores).max())


@pytest.mark.parametrize("method", MAPS)
def test_only_the_ratio_of_the_weights_matters(method: object) -> None:
    tokens, weights = random_alignment(30, 11)
    scores = method(tokens, weights)  # type: ignore[operator]
    scaled = method(tokens, weights * np.float32(0.01))  # type: ignore[operator]
    np.testing.assert_allclose(scaled, scores, atol=TOLERANCE * np.abs(scores).max())


@pytest.mark.parametrize("method", MAPS)
def test_gap_and_unknown_are_one_state(method: object) -> None:
    tokens, weights = random_alignment(30, 11)
    replaced = np.where(tokens == UNKNOWN, np.uint8(GAP), tokens)
    assert (replaced != tokens).any()
    np.testing.assert_array_equal(method(tokens, weights), method(replaced, weights))  # type: ignore[operator]


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize("depth", [60, 900])
def test_a_planted_coupling_ranks_first(method: object, depth: int) -> None:
    rng = np.random.default_rng(4)
    tokens = rng.integers(0, 20, (depth, 20), dtype=np.uint8)
    coupled = rng.random(depth) < 0.9
    tokens[:, 15] = np.where(coupled, (tokens[:, 3] * 7 + 2) % 20, tokens[:, 15])
    scores = method(tokens, np.ones(depth, np.float32))  # type: ignore[operator]
    best = np.unravel_index(np.argmax(np.triu(scores)), scores.shape)
    assert [int(place) for place in best] == [3, 15]
    others = np.triu(scores, 1)
    others[3, 15] = 0
    assert scores[3, 15] > 2 * others.max()


def test_mean_field_dca_tells_direct_couplings_from_indirect_better_than_mutual_information() -> None:
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, 20, (900, 12), dtype=np.uint8)
    for left, right in ((2, 5), (5, 9)):
        copied = rng.random(900) < 0.8
        tokens[:, right] = np.where(copied, tokens[:, left], tokens[:, right])
    contrast = {}
    for method in MAPS:
        scores = method(tokens, np.ones(900, np.float32))
        contrast[method] = min(scores[2, 5], scores[5, 9]) / scores[2, 9]
    assert contrast[mean_field_dca] > 2
    assert contrast[mean_field_dca] > 1.2 * contrast[mutual_information_apc]


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize(("depth", "length"), [(1, 9), (1, 1), (40, 1)])
def test_one_sequence_or_one_residue_tells_nothing(method: object, depth: int, length: int) -> None:
    scores = method(*random_alignment(depth, length))  # type: ignore[operator]
    np.testing.assert_array_equal(scores, np.zeros((length, length), np.float32))


@pytest.mark.parametrize("method", MAPS)
@pytest.mark.parametrize("symbol", [4, GAP, UNKNOWN])
@pytest.mark.parametrize("depth", [2, 5, 700])
def test_copies_of_one_sequence_tell_nothing(method: object, symbol: int, depth: int) -> None:
    tokens = np.full((depth, 8), symbol, np.uint8)
    scores = method(tokens, np.full(depth, 1 / depth, np.float32))  # type: ignore[operator]
    np.testing.assert_allclose(scores, 0, atol=1e-5)  # float32 rounding


def test_two_residues_have_no_average_product_to_exceed() -> None:
    np.testing.assert_allclose(average_product_correction(np.array([[9.0, 2.0], [2.0, 9.0]])), 0)


def test_average_product_correction_by_hand() -> None:
    scores = np.array([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]])
    # row means over two others: 1.5, 2, 2.5; their mean: 2
    expected = [[0, 1 - 1.5, 2 - 1.875], [-0.5, 0, 3 - 2.5], [0.125, 0.5, 0]]
    np.testing.assert_allclose(average_product_correction(scores), expected)


@pytest.mark.parametrize("pseudocount", [0.0, 1.0, -0.1, float("nan")])
def test_a_pseudocount_outside_0_to_1_is_refused(pseudocount: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_field_dca(*random_alignment(3, 4), pseudocount=pseudocount)


def test_an_unknown_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="one of amino_acids, all_states, centred, not 'gap'"):
        mean_field_dca(*random_alignment(3, 4), norm="gap")  # type: ignore[arg-type]


def test_the_norms_of_pydca_and_of_the_shipped_weights_rank_alike_and_that_with_gaps_does_not() -> None:
    tokens = read_alignment(ALIGNMENT).tokens
    weights = sequence_weights(tokens)
    scores = {norm: upper(mean_field_dca(tokens, weights, norm=norm)) for norm in NORMS}
    assert np.corrcoef(scores["centred"], scores["amino_acids"])[0, 1] > 0.999
    assert np.corrcoef(scores["centred"], scores["all_states"])[0, 1] < 0.99


# Other programs

PYDCA = Path(__file__).parent / "data" / "dhfr_pydca_mean_field.csv"
NORMS: tuple[Norm, ...] = ("amino_acids", "all_states", "centred")


def upper(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The pairs i < j, row after row."""
    return scores[np.triu_indices(len(scores), 1)].astype(np.float64)


@pytest.mark.parametrize("columns", [60, 20])  # by low rank, and dense
def test_mean_field_dca_is_that_of_pydca(columns: int) -> None:
    with PYDCA.open(newline="") as file:
        expected = [float(row["score"]) for row in csv.DictReader(file) if int(row["columns"]) == columns]
    tokens = read_alignment(ALIGNMENT).tokens[:, :columns]
    first_of_each = np.unique(tokens, axis=0, return_index=True)[1]  # pydca leaves out copies
    tokens = tokens[np.sort(first_of_each)]
    assert (len(tokens) + 1 < 20 * columns) == (columns == 60)
    weights = sequence_weights(tokens, identity=0.8 + 1e-6)  # pydca counts those above 80 %, not at it
    found = upper(mean_field_dca(tokens, weights, norm="centred"))
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(expected))
    default = upper(mean_field_dca(tokens, weights))
    assert np.corrcoef(default, expected)[0, 1] > 0.998


@pytest.mark.skipif(shutil.which("freecontact") is None, reason="freecontact is not installed")
def test_mean_field_dca_is_close_to_freecontact(tmp_path: Path) -> None:
    """Its gauge, weights (70 %) and treatment of X differ: a coarse check."""
    tokens = read_alignment(ALIGNMENT).tokens
    path = tmp_path / "dhfr.aln"
    path.write_text("".join(f"{decode(row)}\n" for row in tokens))
    command = [
        "freecontact",
        "--threads",
        "1",
        "--parprof",
        "evfold",
        "--apply-gapth",
        "0",
        "--ali",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    expected = [float(line.split()[5]) for line in done.stdout.splitlines()]
    found = upper(mean_field_dca(tokens, sequence_weights(tokens, identity=0.7)))
    assert np.corrcoef(found, expected)[0, 1] > 0.8


# Inverses


@pytest.mark.parametrize("size", [1, 5, 383, 385, 700])
def test_the_inverse_by_halves_is_the_inverse(size: int) -> None:
    rng = np.random.default_rng(size)
    table = rng.normal(size=(size + 5, size))
    matrix = table.T @ table / size + 0.01 * np.eye(size)
    kept = matrix.copy()
    inverse = coevolution.inverse_of_positive(matrix)
    np.testing.assert_allclose(inverse @ matrix, np.eye(size), atol=1e-10)
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-10)
    np.testing.assert_array_equal(matrix, kept)


def plain_shrunk_inverse(
    tokens: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32], penalty: float, order: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Blocks `[L, L, 441]` and contacts `[L, L]` as trRosetta's published program forms them."""
    depth, length = tokens.shape
    one_hot = np.zeros((depth, length, Q))
    for n in range(depth):
        for i in range(length):
            token = int(tokens[n, i])
            one_hot[n, i, 20 if token in (GAP, UNKNOWN) else order.index(AMINO_ACIDS[token])] = 1
    w, flat = weights.astype(np.float64), one_hot.reshape(depth, -1)
    points = w.sum() - math.sqrt(w.mean())
    mean = sum(w[n] * flat[n] for n in range(depth)) / points
    covariance = sum(w[n] * np.outer(flat[n] - mean, flat[n] - mean) for n in range(depth)) / points
    inverse = np.linalg.inv(covariance + penalty / math.sqrt(w.sum()) * np.eye(length * Q))
    blocks, norms = np.zeros((length, length, Q * Q)), np.zeros((length, length))
    for i in range(length):
        for j in range(length):
            block = inverse[Q * i : Q * i + Q, Q * j : Q * j + Q]
            blocks[i, j] = block.ravel()
            norms[i, j] = 0 if i == j else math.sqrt((block[:20, :20] ** 2).sum())
    contacts = norms - np.outer(norms.sum(axis=1), norms.sum(axis=0)) / norms.sum()
    np.fill_diagonal(contacts, 0)
    return blocks, contacts


@pytest.mark.parametrize("order", [AMINO_ACIDS, "ARNDCQEGHILKMFPSTWYV"])
@pytest.mark.parametrize("penalty", [4.5, 1.0])
@pytest.mark.parametrize(("depth", "length"), [(7, 6), (104, 5), (105, 5), (106, 5), (400, 4)])
def test_the_shrunk_inverse_equals_the_formula_whether_low_rank_or_dense(
    depth: int, length: int, penalty: float, order: str
) -> None:
    tokens, weights = random_alignment(depth, length)
    blocks, contacts = plain_shrunk_inverse(tokens, weights, penalty, order)
    found = shrunk_inverse_covariance(tokens, weights, penalty=penalty, amino_acid_order=order)
    assert found.couplings.dtype == found.contacts.dtype == np.float32
    np.testing.assert_allclose(found.couplings, blocks, atol=1e-5 * np.abs(blocks).max())
    np.testing.assert_allclose(found.contacts, contacts, atol=1e-5 * np.abs(contacts).max())


@pytest.mark.parametrize(("depth", "length"), [(1, 9), (1, 1), (40, 1)])
def test_the_shrunk_inverse_of_one_sequence_or_residue_is_zero(depth: int, length: int) -> None:
    found = shrunk_inverse_covariance(*random_alignment(depth, length))
    np.testing.assert_array_equal(found.couplings, np.zeros((length, length, 441)))
    np.testing.assert_array_equal(found.contacts, np.zeros((length, length)))


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_a_shrinkage_that_is_not_positive_is_refused(penalty: float) -> None:
    with pytest.raises(ValueError, match="penalty must be above 0"):
        shrunk_inverse_covariance(*random_alignment(3, 4), penalty=penalty)


def test_weights_too_small_for_the_shrunk_covariance_are_refused() -> None:
    tokens, _ = random_alignment(2, 4)
    with pytest.raises(ValueError, match=r"sum to 0\.02, too little for 2 sequences"):
        shrunk_inverse_covariance(tokens, np.full(2, 0.01, np.float32))


def test_means_over_the_diagonal_too_by_hand() -> None:
    scores = np.array([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]])
    # row sums 3, 4, 5; their sum 12
    expected = [[0, 1 - 1, 2 - 1.25], [0, 0, 3 - 5 / 3], [0.75, 3 - 5 / 3, 0]]
    np.testing.assert_allclose(average_product_correction(scores, diagonal_counts=True), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("depth", "length", "bytes_a_cell", "size"),
    [(1300, 60, 16, 1200), (300, 60, 12, 1260), (1300, 60, 32, 1260)],
    ids=["mean field, dense", "shrunk, low rank", "shrunk, dense"],
)
def test_memory_stays_within_what_is_documented(
    depth: int, length: int, bytes_a_cell: int, size: int
) -> None:
    tokens, weights = random_alignment(depth, length)
    method = mean_field_dca if size == 20 * length else shrunk_inverse_covariance
    tracemalloc.start()
    method(tokens, weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    documented = bytes_a_cell * size**2 + 200 * depth * length
    assert 0.4 * documented < peak < 1.1 * documented


def test_few_sequences_take_no_table_of_all_states() -> None:
    tokens, weights = random_alignment(20, 150)
    tracemalloc.start()
    mean_field_dca(tokens, weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * (20 * 150) ** 2 / 5
