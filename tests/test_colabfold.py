"""ColabFold's alignments of complexes: chains, paired rows, one alignment a chain."""

import pytest

from data_tools.alignment import Alignment
from data_tools.annotations import Annotations, ChainSegment
from data_tools.errors import AlignmentError, AlignmentFormatError
from data_tools.formats import parse_alignment
from data_tools.formats.colabfold import (
    chain_columns,
    chains_of_header,
    header_of_chains,
    paired_rows,
    split_chains,
)

DIMER = (
    "#2,3\t1,2\n"
    ">101\t102\nMKVLA\n"
    ">UniRef100_a\tUniRef100_b\nMRVL-\n"
    ">UniRef100_c\tUniRef100_d\nM-ggVcL-x\n"
    ">101\nMK---\n"
    ">hit one\ntMR---\n"
    ">boundary\nMRww---\n"
    ">102\n--VLA\n"
    ">hit two\n--iVLAe\n"
)


def parse(text: str) -> Alignment:
    return parse_alignment(text.encode(), "x.a3m")


def letters(alignment: Alignment) -> str:
    assert alignment.insertions is not None
    return alignment.insertions.letters.tobytes().decode()


def test_the_first_line_names_the_chains_and_is_no_comment() -> None:
    alignment = parse(DIMER)
    assert alignment.annotations.chains == (ChainSegment(2, 1), ChainSegment(3, 2))
    assert alignment.names[0] == "101\t102"
    assert alignment.report.notes == ()
    assert parse("\ufeff#3\t2\r\n>101\r\nMKV\r\n").annotations.chains == (ChainSegment(3, 2),)


@pytest.mark.parametrize(
    "line",
    [
        "#A3M#",
        "#3 1",
        "#3\t",
        "#3,\t1",
        "#3,4\t1",
        "#0\t1",
        "#3\t0",
        "#3\t-1",
        "#" + "9" * 10 + "\t1",
        "# 3\t1",
    ],
)
def test_any_other_comment_names_no_chains(line: str) -> None:
    assert chains_of_header(line) == ()
    alignment = parse(f"{line}\n>q\nMKV\n")
    assert alignment.annotations.chains == ()
    assert [(note.line, note.action) for note in alignment.report.notes] == [(1, "skipped")]


def test_only_the_first_line_names_chains() -> None:
    assert parse("#name\n#3\t1\n>q\nMKV\n").annotations.chains == ()
    assert parse("#3\t1\n#2,1\t1,1\n>q\nMKV\n").annotations.chains == (ChainSegment(3, 1),)


def test_header_and_chains_say_the_same() -> None:
    for line in ("#76\t1", "#76,120\t1,2", "#1,2,3\t4,5,6"):
        assert header_of_chains(chains_of_header(line)) == line


def test_chains_that_do_not_fill_the_columns_are_refused_with_both_numbers() -> None:
    text = DIMER.replace("#2,3", "#2,4")
    with pytest.raises(AlignmentFormatError, match=r"x\.a3m:1: .* 2 \+ 4 = 6 columns, the query has 5"):
        parse(text)
    repaired = parse_alignment(text.encode(), "x.a3m", on_error="repair")
    assert repaired.annotations.chains == ()
    assert [(note.line, note.action) for note in repaired.report.notes] == [(1, "dropped")]
    alignment = parse(DIMER)
    wrong = Alignment(
        alignment.names,
        alignment.tokens,
        alignment.deletion_matrix,
        annotations=Annotations(chains=(ChainSegment(1, 1), ChainSegment(3, 1))),
    )
    with pytest.raises(AlignmentError, match=r"1 \+ 3 = 4 columns, the query has 5"):
        chain_columns(wrong)


def test_chains_stand_side_by_side() -> None:
    assert chain_columns(parse(DIMER)) == (slice(0, 2), slice(2, 5))
    assert chain_columns(parse(">q\nMKV\n")) == (slice(0, 3),)


def test_a_row_with_residues_in_two_chains_is_paired() -> None:
    assert paired_rows(parse(DIMER)).tolist() == [0, 1, 2]
    three = "#1,1,1\t1,1,1\n>101\t102\t103\nMKV\n>a\nM-V\n>b\n-K-\n>c\n-KV\n>d\n---\n"
    assert paired_rows(parse(three)).tolist() == [0, 1, 3]
    assert paired_rows(parse(">q\nMKV\n>h\n--V\n")).tolist() == [0]


def test_only_the_names_of_paired_rows_are_taken_apart() -> None:
    text = "#2,3\t1,1\n>101\t102\nMKVLA\n>a\tb\nMRVL-\n>hit\t0.9\nMR---\n"
    first, second = split_chains(parse(text))
    assert first.names == ("101", "a", "hit\t0.9")
    assert second.names == ("102", "b")


def test_each_chain_has_its_part_of_the_query_and_its_rows_once() -> None:
    first, second = split_chains(parse(DIMER))
    assert (first.query, second.query) == ("MK", "VLA")
    assert first.names == ("101", "UniRef100_a", "UniRef100_c", "hit one", "boundary")
    assert second.names == ("102", "UniRef100_b", "UniRef100_d", "hit two")
    assert first.annotations.chains == (ChainSegment(2, 1),)
    assert second.annotations.chains == (ChainSegment(3, 2),)


def test_insertions_stay_with_their_chain() -> None:
    first, second = split_chains(parse(DIMER))
    assert letters(first) == "tww"
    assert first.deletion_matrix.tolist() == [[0, 0]] * 3 + [[1, 0], [0, 0]]
    assert first.insertions is not None
    assert first.insertions.trailing.tolist() == [0, 0, 0, 0, 2]
    assert letters(second) == "ggcxie"
    assert second.deletion_matrix.tolist() == [[0, 0, 0], [0, 0, 0], [2, 1, 0], [1, 0, 0]]
    assert second.insertions is not None
    assert second.insertions.trailing.tolist() == [0, 0, 1, 1]


def test_a_homodimer_is_one_chain_of_two_copies() -> None:
    (chain,) = split_chains(parse("#3\t2\n>101\nMKV\n>101\nMKV\n>h\nM-aVw\n>gaps\n---\n"))
    assert chain.names == ("101", "101", "h")
    assert letters(chain) == "aw"
    assert chain.annotations.chains == (ChainSegment(3, 2),)


def test_only_the_chain_itself_under_its_number_is_a_repetition() -> None:
    text = DIMER + ">other\nMK---\n>101\nMR---\n"
    assert split_chains(parse(text))[0].names[-2:] == ("other", "101")


def test_annotations_are_cut_with_the_columns() -> None:
    first, second = split_chains(parse(DIMER.replace(">101\t102\n", ">ss_pred\nCCHHH\n>101\t102\n")))
    assert (first.annotations.columns, second.annotations.columns) == ({"ss_pred": "CC"}, {"ss_pred": "HHH"})
    plain = parse(DIMER)
    marked = Alignment(
        plain.names,
        plain.tokens,
        plain.deletion_matrix,
        annotations=Annotations(chains=plain.annotations.chains, residues={"PP": {6: "..789", 2: "12345"}}),
    )
    first, second = split_chains(marked)
    assert first.insertions is None
    assert first.annotations.residues == {"PP": {2: "12"}}
    assert second.annotations.residues == {"PP": {2: "345"}}


def test_three_chains_are_taken_apart_by_columns() -> None:
    rows = ["MKV", "M-V", "-KV", "-K-"]
    text = "#1,1,1\t1,1,1\n" + "".join(f">{n}a\t{n}b\t{n}c\n{row}\n" for n, row in enumerate(rows))
    names = [chain.names for chain in split_chains(parse(text))]
    assert names == [("0a", "1a"), ("0b", "2b", "3a\t3b\t3c"), ("0c", "1c", "2c")]
