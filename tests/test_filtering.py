"""Selecting rows and columns: by hand, against obvious loops, and what must never be lost."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.alignment import Alignment, Insertions
from data_tools.alphabet import GAP, decode, encode
from data_tools.annotations import Annotations, ChainSegment
from data_tools.errors import AlignmentError
from data_tools.filtering import (
    FilterSettings,
    columns_by_gaps,
    coverage,
    diverse_rows,
    filter_alignment,
    first_rows,
    identity_to_query,
    nonredundant_rows,
    random_rows,
    rows_by_coverage,
    rows_by_identity,
    select_columns,
)
from data_tools.filtering.rows import Denominator

Tokens = npt.NDArray[np.uint8]


def table(*rows: str) -> Tokens:
    return np.stack([encode(row) for row in rows])


def from_a3m(*rows: str, letters: bool = True, annotations: Annotations | None = None) -> Alignment:
    """An alignment from the lines of an A3M, by the obvious loop over letters."""
    tokens, deletions, inserted, trailing = [], [], [], []
    for row in rows:
        cells, waiting = [], 0
        for letter in row:
            if letter.islower():
                waiting += 1
                inserted.append(ord(letter))
            else:
                cells.append((letter, waiting))
                waiting = 0
        tokens.append(encode("".join(letter for letter, _ in cells)))
        deletions.append([count for _, count in cells])
        trailing.append(waiting if letters else 0)
    return Alignment(
        names=tuple(f"row{number}" for number in range(len(rows))),
        tokens=np.stack(tokens),
        deletion_matrix=np.array(deletions, dtype=np.uint16),
        insertions=Insertions(np.array(inserted, dtype=np.uint8), np.array(trailing, dtype=np.int32))
        if letters
        else None,
        annotations=annotations or Annotations(),
    )


def to_a3m(alignment: Alignment) -> list[str]:
    """The lines of an A3M, by the obvious loop."""
    assert alignment.insertions is not None
    letters = iter(alignment.insertions.letters.tobytes().decode())
    lines = []
    for row, deletions, trailing in zip(
        alignment.tokens,
        alignment.deletion_matrix.tolist(),
        alignment.insertions.trailing.tolist(),
        strict=True,
    ):
        line = ""
        for symbol, count in zip(decode(row), deletions, strict=True):
            line += "".join(next(letters) for _ in range(count)) + symbol
        lines.append(line + "".join(next(letters) for _ in range(trailing)))
    return lines


def left_out(line: str, columns: Sequence[int]) -> str:
    """An A3M line in which only `columns` are columns still."""
    text, column = "", -1
    for letter in line:
        column += not letter.islower()
        is_kept = letter.islower() or column in columns
        text += letter if is_kept else letter.lower().replace("-", "")
    return text


@st.composite
def alignments(draw: st.DrawFn) -> Alignment:
    length = draw(st.integers(1, 8))
    rows = []
    for number in range(draw(st.integers(1, 5))):
        symbols = draw(st.text("ACDWX" if number == 0 else "ACDX-", min_size=length, max_size=length))
        runs = draw(st.lists(st.text("acdefx", max_size=3), min_size=length + 1, max_size=length + 1))
        rows.append("".join(run + symbol for run, symbol in zip(runs, symbols, strict=False)) + runs[-1])
    return from_a3m(*rows)


def some_columns(data: st.DataObject, length: int) -> npt.NDArray[np.int64]:
    return np.array(sorted(data.draw(st.sets(st.integers(0, length - 1), min_size=1))), dtype=np.int64)


def family(depth: int, length: int, seed: int) -> Tokens:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 20, (4, length))[rng.integers(0, 4, depth)]
    is_mutated = rng.random((depth, length)) < rng.random((depth, 1)) * 0.4
    is_mutated[0] = False
    tokens = np.where(is_mutated, rng.integers(0, 22, (depth, length)), tokens)
    starts, stops = rng.integers(0, length // 2 + 1, depth), rng.integers(length // 2, length + 1, depth)
    for row in range(1, depth, 3):
        tokens[row, : starts[row]] = GAP
        tokens[row, stops[row] :] = GAP
    return tokens.astype(np.uint8)


# Rows


def test_coverage_counts_residues_of_all_columns_x_included() -> None:
    tokens = table("ACDE", "AX--", "----")
    assert coverage(tokens).tolist() == [1.0, 0.5, 0.0]
    assert rows_by_coverage(tokens, 0.5).tolist() == [0, 1]
    assert rows_by_coverage(tokens, 0.51).tolist() == [0]
    assert rows_by_coverage(tokens, 0.0).tolist() == [0, 1, 2]


def test_identity_to_the_query_is_of_the_aligned_columns_or_of_all() -> None:
    tokens = table("ACDE", "AC--", "AG--", "----", "WWWW")
    assert identity_to_query(tokens).tolist() == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert identity_to_query(tokens, denominator="length").tolist() == [1.0, 0.5, 0.25, 0.0, 0.0]
    assert rows_by_identity(tokens, 0.5).tolist() == [0, 1, 2]
    assert rows_by_identity(tokens, 0.5, denominator="length").tolist() == [0, 1]
    assert rows_by_identity(tokens, 0.0, 0.5).tolist() == [0, 2, 3, 4]
    assert rows_by_identity(tokens, 0.0, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_a_gap_in_the_query_matches_nothing() -> None:
    assert identity_to_query(table("A-", "A-", "AC")).tolist() == [1.0, 1.0, 1.0]
    assert identity_to_query(table("A-", "A-", "AC"), denominator="length").tolist() == [0.5, 0.5, 0.5]


def test_a_row_of_gaps_reaches_no_identity_above_zero() -> None:
    assert rows_by_identity(table("AC", "--"), 1e-12).tolist() == [0]


def test_rounding_of_a_fraction_moves_no_row() -> None:
    assert 0.55 * 100 > 55
    assert 0.29 * 100 < 29
    tokens = table("A" * 100, "A" * 55 + "-" * 45, "A" * 29 + "C" * 71)
    assert rows_by_coverage(tokens, 0.55).tolist() == [0, 1, 2]
    assert rows_by_identity(tokens, 0.55, denominator="length").tolist() == [0, 1]
    assert rows_by_identity(tokens, 0.0, 0.29).tolist() == [0, 2]


@pytest.mark.parametrize("value", [-0.1, 1.5, 80, float("nan")])
def test_what_is_no_fraction_is_refused(value: float) -> None:
    tokens = table("AC")
    for select in (rows_by_coverage, rows_by_identity, columns_by_gaps):
        with pytest.raises(ValueError, match="must be a fraction"):
            select(tokens, value)
    with pytest.raises(ValueError, match="must be a fraction"):
        nonredundant_rows(tokens, value)


def test_wrong_settings_are_refused_with_their_name() -> None:
    with pytest.raises(ValueError, match=r"0\.6 is above"):
        rows_by_identity(table("AC"), 0.6, 0.5)
    for denominator_user in (rows_by_identity, nonredundant_rows):
        with pytest.raises(ValueError, match="'aligned' or 'length', not 'query'"):
            denominator_user(table("AC"), 0.5, denominator="query")
    bad: list[tuple[dict[str, object], str]] = [
        ({"min_coverage": 2.0}, "min_coverage must be"),
        ({"redundancy": 0.0}, "redundancy must be above 0"),
        ({"min_identity": 0.9, "max_identity": 0.3}, "above max_identity"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"select": "best"}, "select must be one of first, random, diverse, not 'best'"),
        ({"seed": -1}, "seed must not be negative"),
    ]
    for settings_, message in bad:
        with pytest.raises(ValueError, match=message):
            FilterSettings(**settings_)  # type: ignore[arg-type]


# Redundancy


def test_a_copy_of_a_row_kept_is_dropped_and_a_copy_of_a_row_dropped_is_not() -> None:
    # Each differs from the one before it in one column of five: 80 %, from the one before that in two.
    tokens = table("AAAAA", "AAAAC", "AAACC", "AACCC")
    assert nonredundant_rows(tokens, 0.8).tolist() == [0, 2]
    assert nonredundant_rows(tokens, 0.6).tolist() == [0, 3]
    assert nonredundant_rows(tokens, 0.81).tolist() == [0, 1, 2, 3]


def test_redundancy_over_aligned_columns_drops_fragments_and_over_the_length_does_not() -> None:
    tokens = table("ACDEF", "AC---", "---EF", "AW---", "-----", "-----")
    assert nonredundant_rows(tokens, 0.9).tolist() == [0, 3, 4, 5]
    assert nonredundant_rows(tokens, 0.9, denominator="length").tolist() == [0, 1, 2, 3, 4]
    assert nonredundant_rows(tokens, 1.0).tolist() == [0, 3, 4, 5]


def greedy(tokens: Tokens, limit: float, denominator: Denominator) -> list[int]:
    kept: list[int] = []
    for number, row in enumerate(tokens):
        for other in kept:
            both = (row != GAP) & (tokens[other] != GAP)
            equal = (row == tokens[other]) & (both if denominator == "aligned" else True)
            columns = both.sum() if denominator == "aligned" else len(row)
            if columns and equal.sum() / columns >= limit - 1e-12:
                break
        else:
            kept.append(number)
    return kept


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 90),
    st.integers(2, 140),
    st.integers(0, 2**32),
    st.sampled_from([0.3, 0.62, 0.8, 0.9, 1.0]),
    st.sampled_from(["aligned", "length"]),
)
def test_redundancy_is_that_of_the_obvious_loop(
    depth: int, length: int, seed: int, limit: float, denominator: Denominator
) -> None:
    tokens = family(depth, length, seed)
    expected = greedy(tokens, limit, denominator)
    assert nonredundant_rows(tokens, limit, denominator=denominator).tolist() == expected


def test_more_rows_than_a_tile_holds_are_compared_with_all_rows_kept() -> None:
    rng = np.random.default_rng(0)
    strangers = rng.integers(0, 20, (4500, 12)).astype(np.uint8)
    copies = strangers[rng.permutation(4500)]
    first_of = np.unique(strangers, axis=0, return_index=True)[1]
    rows = nonredundant_rows(np.concatenate([strangers, copies]), 1.0)
    assert rows.tolist() == sorted(first_of)


def test_memory_of_redundancy_is_far_below_a_table_of_all_pairs() -> None:
    tokens = np.random.default_rng(1).integers(0, 20, (5000, 20)).astype(np.uint8)
    tracemalloc.start()
    nonredundant_rows(tokens, 0.9, denominator="length")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5000**2 / 4


# Depth


def test_the_first_rows_are_the_first() -> None:
    assert first_rows(5, 3).tolist() == [0, 1, 2]
    assert first_rows(2, 3).tolist() == [0, 1]


def test_a_random_sample_keeps_the_query_and_repeats_with_its_seed() -> None:
    draws = [random_rows(100, 20, np.random.default_rng(seed)).tolist() for seed in (7, 7, 8)]
    assert draws[0] == draws[1] != draws[2]
    for draw in draws:
        assert draw[0] == 0
        assert draw == sorted(set(draw))
        assert len(draw) == 20
    assert random_rows(5, 9, np.random.default_rng(0)).tolist() == [0, 1, 2, 3, 4]
    assert random_rows(5, 1, np.random.default_rng(0)).tolist() == [0]


def test_every_row_but_the_query_is_drawn_equally_often() -> None:
    generator = np.random.default_rng(3)
    counts = np.bincount(np.concatenate([random_rows(6, 3, generator) for _ in range(3000)]), minlength=6)
    assert counts[0] == 3000
    assert (abs(counts[1:] - 1200) < 150).all()  # 5 standard deviations of 1200


def test_rows_are_drawn_in_proportion_to_their_weights() -> None:
    generator = np.random.default_rng(3)
    weights = np.array([0.0, 1.0, 3.0, 0.0])
    draws = [int(random_rows(4, 2, generator, weights=weights)[1]) for _ in range(2000)]
    assert set(draws) == {1, 2}
    assert abs(draws.count(2) - 1500) < 100
    with pytest.raises(ValueError, match="3 rows are to be drawn, but only 2 have"):
        random_rows(5, 4, generator, weights=np.array([1.0, 1.0, 3.0, 0.0, 0.0]))


def test_diverse_rows_by_hand() -> None:
    # Distances to the query: 1, 3, 4. The last is farthest (4); then by mean: row 1 is 1 + 4, row 2 is 3 + 4.
    tokens = table("AAAA", "AAAC", "AGGG", "WWWW")
    assert diverse_rows(tokens, 2).tolist() == [0, 3]
    assert diverse_rows(tokens, 3).tolist() == [0, 2, 3]
    assert diverse_rows(tokens, 9).tolist() == [0, 1, 2, 3]
    assert diverse_rows(tokens, 1).tolist() == [0]


def test_the_nearest_or_the_mean_decides_which_row_is_farthest() -> None:
    # Chosen first: 0 and 1 (distance 6). Row 2 is 6 and 1 away (mean 3.5), row 3 is 3 and 3 (mean 3).
    tokens = table("AAAAAA", "CCCCCC", "CCCCCD", "CCCAAA")
    assert diverse_rows(tokens, 3, criterion="mean").tolist() == [0, 1, 2]
    assert diverse_rows(tokens, 3, criterion="minimum").tolist() == [0, 1, 3]


def test_no_row_is_chosen_twice_however_far_it_is_from_the_later_ones() -> None:
    tokens = table("AAAAAA", "CCCCCC", "CCCCCD", "CCCCDC", "CCCDCC", "CCCCCC")
    for criterion in ("mean", "minimum"):
        assert diverse_rows(tokens, 5, criterion=criterion).tolist() == [0, 1, 2, 3, 4]  # type: ignore[arg-type]


def test_of_equally_far_rows_the_first_is_taken() -> None:
    assert diverse_rows(table("AA", "CC", "DD", "CC"), 2).tolist() == [0, 1]
    assert diverse_rows(table("AA", "AA", "AA", "AA"), 3).tolist() == [0, 1, 2]


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 40), st.integers(2, 100), st.integers(0, 2**32), st.sampled_from(["mean", "minimum"]))
def test_diverse_rows_are_those_of_the_obvious_loop(
    depth: int, length: int, seed: int, criterion: str
) -> None:
    tokens = family(depth, length, seed)
    wanted = depth // 2 + 1
    distances = (tokens[:, None] != tokens[None]).sum(axis=2)
    chosen = [0]
    while len(chosen) < wanted:
        far = {
            row: distances[row, chosen].sum() if criterion == "mean" else distances[row, chosen].min()
            for row in range(depth)
            if row not in chosen
        }
        chosen.append(max(far, key=lambda row: (far[row], -row)))
    assert diverse_rows(tokens, wanted, criterion=criterion).tolist() == sorted(chosen)  # type: ignore[arg-type]


def test_a_depth_or_criterion_that_makes_no_sense_is_refused() -> None:
    tokens = table("AC", "AC")
    for choose in (
        lambda: first_rows(2, 0),
        lambda: random_rows(2, 0, np.random.default_rng(0)),
        lambda: diverse_rows(tokens, 0),
    ):
        with pytest.raises(ValueError, match="depth must be at least 1"):
            choose()
    with pytest.raises(ValueError, match="criterion must be"):
        diverse_rows(tokens, 1, criterion="max")  # type: ignore[arg-type]


# Columns


def test_columns_by_gaps_counts_all_rows() -> None:
    tokens = table("ACDE", "A-X-", "A--G")
    assert columns_by_gaps(tokens, 0.0).tolist() == [0]
    assert columns_by_gaps(tokens, 1 / 3).tolist() == [0, 2, 3]
    assert columns_by_gaps(tokens, 2 / 3).tolist() == [0, 1, 2, 3]


def test_residues_of_columns_left_out_become_insertions_in_their_order() -> None:
    alignment = from_a3m("ACDEF", "aA-rDsEtFu", "-wC-yE-z")
    selected = select_columns(alignment, np.array([1, 3]))
    assert to_a3m(selected) == ["aCdEf", "aa-rdsEtfu", "wCyEz"]
    assert selected.deletion_matrix.tolist() == [[1, 1], [2, 3], [1, 1]]
    assert selected.insertions is not None
    assert selected.insertions.trailing.tolist() == [1, 3, 1]
    assert selected.tokens.tolist() == table("CE", "-E", "CE").tolist()


def test_residue_numbers_of_kept_columns_do_not_change() -> None:
    alignment = from_a3m("gACDEF", "ACDEF")
    columns = np.array([0, 2, 4])
    selected = select_columns(alignment, columns)
    assert selected.residue_index.tolist() == alignment.residue_index[columns].tolist() == [1, 3, 5]


def test_unknown_letters_stay_unknown_and_are_counted() -> None:
    selected = select_columns(from_a3m("ACD", "A-D", letters=False), np.array([2]))
    assert selected.insertions is None
    assert selected.deletion_matrix.tolist() == [[2], [1]]


def test_annotations_follow_their_columns() -> None:
    notes = Annotations(
        file={"ID": "x"},
        columns={"SS_cons": "HECHE"},
        residues={"PP": {1: "98765"}},
        chains=(ChainSegment(2, 1), ChainSegment(1, 2), ChainSegment(2, 3)),
    )
    selected = select_columns(from_a3m("ACDEF", "ACDEF", annotations=notes), np.array([0, 3, 4])).annotations
    assert selected.file == {"ID": "x"}
    assert selected.columns == {"SS_cons": "HHE"}
    assert selected.residues == {"PP": {1: "965"}}
    assert selected.chains == (ChainSegment(1, 1), ChainSegment(2, 3))


@settings(deadline=None)
@given(alignments(), st.data())
def test_selected_lines_are_those_of_the_obvious_loop(alignment: Alignment, data: st.DataObject) -> None:
    columns = some_columns(data, alignment.length)
    expected = [left_out(line, columns.tolist()) for line in to_a3m(alignment)]
    selected = to_a3m(select_columns(alignment, columns))
    assert selected == expected
    residues = [line.replace("-", "").lower() for line in to_a3m(alignment)]
    assert [line.replace("-", "").lower() for line in selected] == residues


@settings(deadline=None)
@given(alignments())
def test_selecting_all_columns_changes_nothing(alignment: Alignment) -> None:
    selected = select_columns(alignment, np.arange(alignment.length))
    assert to_a3m(selected) == to_a3m(alignment)
    np.testing.assert_array_equal(selected.deletion_matrix, alignment.deletion_matrix)


@settings(deadline=None)
@given(alignments(), st.data())
def test_selecting_twice_is_selecting_the_columns_of_both(alignment: Alignment, data: st.DataObject) -> None:
    first = some_columns(data, alignment.length)
    second = some_columns(data, len(first))
    twice = select_columns(select_columns(alignment, first), second)
    once = select_columns(alignment, first[second])
    assert to_a3m(twice) == to_a3m(once)
    np.testing.assert_array_equal(twice.deletion_matrix, once.deletion_matrix)
    assert twice.residue_index.tolist() == alignment.residue_index[first[second]].tolist()


@pytest.mark.parametrize("columns", [[], [-1, 0], [0, 3], [1, 0], [1, 1], [[0, 1]]])
def test_columns_that_are_no_selection_are_refused(columns: list[int]) -> None:
    message = "no column would be left" if columns in ([], [[0, 1]]) else "ascending numbers from 0 to 2"
    with pytest.raises(AlignmentError, match=message):
        select_columns(from_a3m("ACD"), np.array(columns, dtype=np.int64))


def test_more_residues_than_the_deletion_matrix_holds_are_an_error() -> None:
    alignment = from_a3m("ACD", "ACD", letters=False)
    deletions = np.array([[0, 0, 0], [0, 65_534, 0]], dtype=np.uint16)
    alignment = Alignment(("q", "long one"), alignment.tokens, deletions)
    assert select_columns(alignment, np.array([1])).deletion_matrix.tolist() == [[1], [65_535]]
    with pytest.raises(AlignmentError, match=r"'long' would have 65536 residues left out before column 3"):
        select_columns(alignment, np.array([2]))


# All in one


def test_filters_run_in_their_order_and_tell_what_they_took() -> None:
    alignment = from_a3m("ACDEFGHIKL", "ACDEFGHIK-", "ACDEFGHIWW", "AC--------", "WWWWWWWWWW", "ACDWWWWWW-")
    everything = FilterSettings(
        min_coverage=0.5, min_identity=0.2, max_identity=0.95, redundancy=0.8, max_column_gaps=0.4, depth=2
    )
    result = filter_alignment(alignment, everything)
    steps = [(step.name, step.rows_removed, step.columns_removed) for step in result.steps]
    assert steps == [
        ("min_coverage", 1, 0),
        ("min_identity", 1, 0),
        ("max_identity", 1, 0),
        ("redundancy", 1, 0),
        ("max_column_gaps", 0, 1),
        ("depth", 0, 0),
    ]
    assert to_a3m(result.alignment) == ["ACDEFGHIKl", "ACDWWWWWW"]
    assert result.alignment.names == ("row0", "row5")


def test_a_bound_on_one_side_leaves_the_other_open() -> None:
    alignment = from_a3m("ACDE", "ACDE", "WWWW", "ACWW")
    most = filter_alignment(alignment, FilterSettings(max_identity=0.5)).alignment
    least = filter_alignment(alignment, FilterSettings(min_identity=0.5)).alignment
    assert most.names == ("row0", "row2", "row3")
    assert least.names == ("row0", "row1", "row3")


def test_no_setting_is_no_step() -> None:
    alignment = from_a3m("AC", "AC")
    result = filter_alignment(alignment, FilterSettings())
    assert result.steps == ()
    assert result.alignment is alignment


@pytest.mark.parametrize(("select", "rows"), [("first", ["q", "a"]), ("diverse", ["q", "c"])])
def test_depth_takes_the_rows_that_select_names(select: str, rows: list[str]) -> None:
    tokens = table("AAAA", "AAAC", "AACC", "WWWW")
    alignment = Alignment(("q", "a", "b", "c"), tokens, np.zeros(tokens.shape, dtype=np.uint16))
    chosen = FilterSettings(depth=2, select=select)  # type: ignore[arg-type]
    assert list(filter_alignment(alignment, chosen).alignment.names) == rows


def test_random_depth_repeats_with_its_seed() -> None:
    tokens = family(60, 10, seed=1)
    alignment = Alignment(tuple(map(str, range(60))), tokens, np.zeros(tokens.shape, dtype=np.uint16))
    names = [
        filter_alignment(alignment, FilterSettings(depth=10, select="random", seed=seed)).alignment.names
        for seed in (1, 1, 2)
    ]
    assert names[0] == names[1] != names[2]


def test_another_redundancy_filter_takes_the_place_of_ours() -> None:
    alignment = from_a3m("AC", "AC", "AC")
    result = filter_alignment(
        alignment, FilterSettings(redundancy=0.5), redundancy=lambda given: np.array([0, 2])
    )
    assert result.alignment.names == ("row0", "row2")


def test_filtering_away_every_column_is_an_error() -> None:
    with pytest.raises(AlignmentError, match="no column would be left"):
        filter_alignment(from_a3m("AC", "--"), FilterSettings(max_column_gaps=0.1))
