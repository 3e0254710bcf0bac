"""Neff under its named definitions: values by hand, bounds, and hhmake's own figure."""

import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.alphabet import GAP, decode, encode
from data_tools.neff import (
    column_neff,
    hhsuite_column_neff,
    neff62,
    neff80,
    neff_henikoff,
    neff_hhsuite,
    neff_identity,
    neff_per_sqrt_length,
)
from data_tools.weights import weights_alphafold

Tokens = npt.NDArray[np.uint8]

SCALARS: dict[str, Callable[[Tokens], float]] = {
    "neff80": neff80,
    "neff62": neff62,
    "neff_henikoff": neff_henikoff,
    "neff_hhsuite": neff_hhsuite,
}


def table(*rows: str) -> Tokens:
    return np.stack([encode(row) for row in rows])


def fragments(depth: int, length: int, seed: int) -> Tokens:
    """Relatives of one ancestor with gaps, end gaps and X; the query is whole."""
    rng = np.random.default_rng(seed)
    is_mutated = rng.random((depth, length)) < rng.random((depth, 1)) * 0.7
    is_mutated[0] = False
    tokens = np.where(is_mutated, rng.integers(0, 22, (depth, length)), rng.integers(0, 20, length))
    for row in tokens[1:]:
        start, stop = np.sort(rng.integers(0, length + 1, 2))
        if rng.random() < 0.7:
            row[: start // 2] = GAP
            row[stop:] = GAP
    return tokens.astype(np.uint8)


def test_neff_at_80_and_62_percent_computed_by_hand() -> None:
    # 10 columns; the second row has 8 of the first's, the third 7: alike at 62 %, not at 80 %.
    tokens = table("A" * 10, "A" * 8 + "CC", "A" * 7 + "DDD")
    assert neff80(tokens) == pytest.approx(1 / 2 + 1 / 2 + 1)
    assert neff62(tokens) == pytest.approx(1.0)
    assert neff_identity(tokens, 1.0) == pytest.approx(3.0)
    assert neff_per_sqrt_length(neff80(tokens), 10) == pytest.approx(2 / math.sqrt(10))


@pytest.mark.parametrize(("neff", "matches"), [(neff80, 80), (neff62, 62)])
def test_the_threshold_is_reached_by_equality(neff: Callable[[Tokens], float], matches: int) -> None:
    for number, expected in ((matches, 1.0), (matches - 1, 2.0)):
        assert neff(table("A" * 100, "A" * number + "C" * (100 - number))) == expected


def test_column_neff_sums_the_weights_of_the_rows_that_cover_the_column() -> None:
    tokens = table("ACDEF", "ACDE-", "A----", "--X--")
    weights = np.array([0.5, 0.5, 0.25, 1.0], dtype=np.float32)
    assert column_neff(tokens, weights).tolist() == [1.25, 1.0, 2.0, 1.0, 0.5]
    assert column_neff(tokens, weights_alphafold(tokens)).tolist() == [2.0, 1.0, 2.0, 1.0, 0.5]


def test_neff_of_henikoff_is_the_exponential_of_the_mean_entropy() -> None:
    # Weights of both rows 1/2; entropies log 2, 0, and 0 for a column with one residue and a gap: (log 2) / 3.
    assert neff_henikoff(table("ACD", "CCA")) == pytest.approx(2 ** (2 / 3))
    assert neff_henikoff(table("ACX", "CC-")) == pytest.approx(2 ** (1 / 3))
    twenty = np.repeat(np.arange(20, dtype=np.uint8)[:, None], 3, axis=1)
    assert neff_henikoff(twenty) == pytest.approx(20.0)


def test_hhsuites_neff_counts_only_the_rows_that_cover_a_column() -> None:
    # The second row covers columns 1 to 12. There: 12 columns, of which 6 hold A and C, so 2 ** (6 / 12).
    # Columns 13 to 24 are covered by the query alone, whose columns have one symbol each.
    tokens = table("A" * 24, "C" * 6 + "A" * 6 + "-" * 12)
    expected = [2**0.5] * 12 + [1.0] * 12
    np.testing.assert_allclose(hhsuite_column_neff(tokens), expected, rtol=1e-6)
    assert neff_hhsuite(tokens) == pytest.approx(np.mean(expected), rel=1e-6)


def test_hhsuites_neff_weighs_few_columns_as_the_whole_alignment() -> None:
    # The second row covers 4 columns, fewer than 10, so both rows have their global weights there:
    # 20 columns: the query has 16 alone (1 each), shares 2 of the 4, and differs in 2 (1/2 each).
    tokens = table("A" * 20, "CCAA" + "-" * 16)
    query = (16 + 2 / 2 + 2 / 2) / (20 + 30)
    other = (2 / 2 + 2 / 2) / (4 + 30)
    share = other / (query + other)
    entropy = -2 * (share * math.log(share) + (1 - share) * math.log(1 - share)) / 4
    np.testing.assert_allclose(hhsuite_column_neff(tokens)[:4], math.exp(entropy), rtol=1e-9)


def test_a_column_that_no_amino_acid_covers_has_neff_one() -> None:
    assert hhsuite_column_neff(table("X" * 12, "-" * 12)).tolist() == [1.0] * 12


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**32))
def test_every_neff_keeps_its_bounds_and_no_order_of_rows_changes_it(
    depth: int, length: int, seed: int
) -> None:
    tokens = fragments(depth, length, seed)
    shuffled = tokens[np.random.default_rng(seed).permutation(depth)]
    for name, neff in SCALARS.items():
        value = neff(tokens)
        assert 1 - 1e-6 <= value <= depth * (1 + 1e-6), name
        assert neff(shuffled) == pytest.approx(value, rel=1e-6), name
    assert neff62(tokens) <= neff80(tokens) * (1 + 1e-6)
    assert max(neff_henikoff(tokens), neff_hhsuite(tokens)) <= 20 * (1 + 1e-9)


@pytest.mark.parametrize("name", SCALARS)
def test_copies_count_once(name: str) -> None:
    tokens = fragments(12, 40, seed=3)
    assert SCALARS[name](np.repeat(tokens[:1], 9, axis=0)) == pytest.approx(1.0, rel=1e-6)
    doubled = np.concatenate([tokens, tokens])
    assert SCALARS[name](doubled) == pytest.approx(SCALARS[name](tokens), rel=1e-6)


@pytest.mark.parametrize("name", [*SCALARS, "hhsuite_column_neff"])
def test_what_is_no_table_is_refused(name: str) -> None:
    functions: dict[str, Callable[[Tokens], object]] = {**SCALARS, "hhsuite_column_neff": hhsuite_column_neff}
    with pytest.raises(ValueError, match="non-empty uint8"):
        functions[name](np.zeros((0, 3), dtype=np.uint8))


@pytest.mark.parametrize("count", [neff_henikoff, hhsuite_column_neff])
def test_a_mask_token_has_no_entropy_and_is_refused(count: Callable[[Tokens], object]) -> None:
    with pytest.raises(ValueError, match="token 22 is outside the 22 symbols"):
        count(np.full((2, 3), 22, dtype=np.uint8))


@pytest.mark.skipif(shutil.which("hhmake") is None, reason="hhmake is not installed")
@pytest.mark.parametrize(("depth", "length", "seed"), [(60, 90, 1), (200, 45, 2), (5, 30, 3)])
def test_hhmake_finds_the_same_neff_in_every_column(
    depth: int, length: int, seed: int, tmp_path: Path
) -> None:
    tokens = fragments(depth, length, seed)
    tokens = tokens[(tokens < GAP - 1).sum(axis=1) > 0]
    rows = [f">row{number}\n{decode(row)}\n" for number, row in enumerate(tokens)]
    (tmp_path / "in.a3m").write_text("".join(rows))
    unfiltered = ["-id", "100", "-diff", "0", "-cov", "0", "-qid", "0", "-qsc", "-1000"]
    command = ["hhmake", "-i", "in.a3m", "-o", "out.hhm", "-v", "0", *unfiltered]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    written = (tmp_path / "out.hhm").read_text()
    assert f"{len(tokens)} out of {len(tokens)} sequences passed" in written
    columns = re.findall(r"^[A-Z] \d+\s.*\n.*\t(\d+)\t\d+\t\d+\s*$", written, re.MULTILINE)
    ours = hhsuite_column_neff(tokens)
    np.testing.assert_allclose([int(thousandths) / 1000 for thousandths in columns], ours, atol=2e-3)
    assert float(re.findall(r"^NEFF\s+(\S+)", written, re.MULTILINE)[0]) == pytest.approx(
        neff_hhsuite(tokens), abs=0.06
    )
