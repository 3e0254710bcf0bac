"""Sequence weights and Neff against the definition, counted pair by pair."""

import importlib.util
import math
import sys
import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_tools.alphabet import encode
from data_tools.weights import Kernel, effective_sequences, sequence_weights
from data_tools.weights.identity import _takes_compiled

Tokens = npt.NDArray[np.uint8]


def table(*rows: str) -> Tokens:
    return np.stack([encode(row) for row in rows])


def family(depth: int, length: int, seed: int) -> Tokens:
    """Relatives of a few ancestors, mutated at every rate between 0 and 60 %."""
    rng = np.random.default_rng(seed)
    ancestors = rng.integers(0, 22, (3, length))
    tokens = ancestors[rng.integers(0, 3, depth)]
    is_mutated = rng.random((depth, length)) < rng.random((depth, 1)) * 0.6
    return np.where(is_mutated, rng.integers(0, 22, (depth, length)), tokens).astype(np.uint8)


def weigh_slowly(tokens: Tokens, identity: float) -> list[float]:
    needed = math.ceil(identity * tokens.shape[1] - 1e-9)
    rows = tokens.tolist()
    counts = [sum(sum(map(int.__eq__, one, other)) >= needed for other in rows) for one in rows]
    return [1 / count for count in counts]


def test_weights_of_a_small_alignment_computed_by_hand() -> None:
    # 4 of 5 columns agree: exactly 80 %. Rows 0-1 and 1-2 are alike, rows 0-2 are not; row 3 is alone.
    tokens = table("ACDEF", "ACDEG", "ACDHG", "WWWWW")
    assert sequence_weights(tokens).tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 2, 1.0])
    assert effective_sequences(sequence_weights(tokens)) == pytest.approx(7 / 3)


def test_gaps_and_unknowns_are_compared_as_symbols() -> None:
    assert sequence_weights(table("A----", "C----")).tolist() == [0.5, 0.5]
    assert sequence_weights(table("AXXXX", "CXXXX")).tolist() == [0.5, 0.5]
    assert sequence_weights(table("AXXXX", "A----")).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("matches", range(11))
def test_the_threshold_is_reached_by_equality(matches: int) -> None:
    tokens = table("A" * 10, "A" * matches + "C" * (10 - matches))
    for tenths in range(1, 11):
        expected = 0.5 if matches >= tenths else 1.0
        assert sequence_weights(tokens, identity=tenths / 10).tolist() == [expected, expected]


def test_rounding_of_the_threshold_moves_no_pair() -> None:
    assert 0.55 * 100 > 55
    tokens = table("A" * 100, "A" * 55 + "C" * 45)
    assert sequence_weights(tokens, identity=0.55).tolist() == [0.5, 0.5]


@settings(deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 200),
    st.integers(0, 2**32),
    st.sampled_from([0.3, 0.62, 0.8, 0.9, 1.0]),
)
@example(1, 1, 0, 0.8)
@example(33, 64, 1, 0.8)
@example(65, 65, 2, 0.62)
def test_weights_are_those_of_the_pair_by_pair_count(
    depth: int, length: int, seed: int, identity: float
) -> None:
    tokens = family(depth, length, seed)
    expected = np.array(weigh_slowly(tokens, identity), dtype=np.float32)
    np.testing.assert_array_equal(sequence_weights(tokens, identity=identity), expected)


def test_tiles_of_rows_and_columns_join_without_a_seam() -> None:
    tokens = family(4300, 70, seed=7)
    num_alike = np.zeros(len(tokens), dtype=np.int64)
    for row in tokens:
        num_alike += (tokens == row).sum(axis=1) >= 56
    assert len(set(num_alike)) > 50
    np.testing.assert_array_equal(sequence_weights(tokens), (1 / num_alike).astype(np.float32))


def test_more_mismatches_than_a_byte_holds_are_counted() -> None:
    assert sequence_weights(table("A" * 300, "A" * 40 + "C" * 260)).tolist() == [1.0, 1.0]


def test_weights_follow_their_rows_when_the_rows_are_permuted() -> None:
    tokens = family(150, 40, seed=3)
    order = np.random.default_rng(4).permutation(150)
    np.testing.assert_array_equal(sequence_weights(tokens[order]), sequence_weights(tokens)[order])


def test_neff_is_one_for_copies_and_n_for_strangers() -> None:
    copies = np.repeat(family(1, 30, seed=1), 7, axis=0)
    strangers = np.repeat(np.arange(20, dtype=np.uint8)[:, None], 30, axis=1)
    assert effective_sequences(sequence_weights(copies)) == pytest.approx(1.0, rel=1e-6)
    assert effective_sequences(sequence_weights(strangers)) == 20.0


def test_weights_are_float32_in_zero_to_one() -> None:
    weights = sequence_weights(family(40, 25, seed=2))
    assert weights.dtype == np.float32
    assert weights.shape == (40,)
    assert ((weights > 0) & (weights <= 1)).all()


@pytest.mark.parametrize("identity", [0.0, -0.1, 1.0001, 80, math.nan])
def test_an_identity_that_is_no_fraction_is_refused(identity: float) -> None:
    with pytest.raises(ValueError, match="identity must be a fraction"):
        sequence_weights(table("ACD"), identity=identity)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 0), (2, 3, 1)])
def test_what_is_no_table_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="non-empty uint8"):
        sequence_weights(np.zeros(shape, dtype=np.uint8))


def test_what_holds_no_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="non-empty uint8"):
        sequence_weights(np.zeros((2, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="token 32 does not fit"):
        sequence_weights(np.full((1, 1), 32, dtype=np.uint8))


def test_both_kernels_count_alike_across_the_edges_of_tiles() -> None:
    pytest.importorskip("numba")
    for depth, length in ((1, 1), (2, 64), (17, 65), (2049, 20), (4300, 70)):
        tokens = family(depth, length, seed=depth)
        for identity in (0.62, 0.8, 1.0):
            by_numpy = sequence_weights(tokens, identity=identity, kernel="numpy")
            by_numba = sequence_weights(tokens, identity=identity, kernel="numba")
            np.testing.assert_array_equal(by_numba, by_numpy)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 200), st.integers(0, 2**32), st.sampled_from([0.3, 0.62, 0.8, 1.0]))
def test_the_compiled_kernel_agrees_with_the_pair_by_pair_count(
    depth: int, length: int, seed: int, identity: float
) -> None:
    pytest.importorskip("numba")
    tokens = family(depth, length, seed)
    expected = np.array(weigh_slowly(tokens, identity), dtype=np.float32)
    np.testing.assert_array_equal(sequence_weights(tokens, identity=identity, kernel="numba"), expected)


def test_numba_is_loaded_only_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "data_tools.weights.compiled", raising=False)
    is_installed = importlib.util.find_spec("numba") is not None
    assert not _takes_compiled("auto", 10**8)
    assert _takes_compiled("auto", 10**10) == is_installed
    assert not _takes_compiled("numpy", 10**12)


def test_once_loaded_the_compiled_kernel_is_taken_for_small_alignments_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setitem(sys.modules, "data_tools.weights.compiled", sys)
    assert _takes_compiled("auto", 1)


def test_without_numba_numpy_counts_and_asking_for_numba_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not _takes_compiled("auto", 10**12)
    with pytest.raises(ValueError, match=r"pip install 'msaformer\[fast\]'"):
        sequence_weights(table("ACD"), kernel="numba")


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel must be 'auto', 'numpy' or 'numba', not 'cuda'"):
        sequence_weights(table("ACD"), kernel="cuda")  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", ["numpy", "numba"])
def test_memory_is_far_below_a_table_of_all_pairs(kernel: Kernel) -> None:
    if kernel == "numba":
        pytest.importorskip("numba")
    tokens = family(6000, 20, seed=5)
    sequence_weights(tokens[:10], kernel=kernel)  # compiles
    tracemalloc.start()
    sequence_weights(tokens, kernel=kernel)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(tokens) ** 2 / 8  # one byte a pair would be eight times as much
