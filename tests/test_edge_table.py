"""Each row of the table of edge cases: read right, or refused with record and line, in every reader's blind spots."""

import gzip
from pathlib import Path

import pytest

from data_tools.alignment import Alignment
from data_tools.alphabet import encode
from data_tools.errors import AlignmentFormatError
from data_tools.formats import parse_alignment, read_alignment


def parse(text: str | bytes, format: str | None = None) -> Alignment:
    return parse_alignment(text.encode() if isinstance(text, str) else text, "x.a3m", format=format)


def letters(alignment: Alignment) -> str:
    assert alignment.insertions is not None
    return alignment.insertions.letters.tobytes().decode()


def trailing(alignment: Alignment) -> list[int]:
    assert alignment.insertions is not None
    return alignment.insertions.trailing.tolist()


def notes(alignment: Alignment) -> list[tuple[int, str, str]]:
    return [(note.line, note.record, note.action) for note in alignment.report.notes]


PLAIN = ">q\nMKV\n>h\nM-aV\n"


def assert_plain(alignment: Alignment) -> None:
    assert alignment.names == ("q", "h")
    assert alignment.tokens.tolist() == [encode("MKV").tolist(), encode("M-V").tolist()]
    assert alignment.deletion_matrix.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert (letters(alignment), trailing(alignment)) == ("a", [0, 0])


def test_insertions_without_dots_are_the_normal_case() -> None:
    assert_plain(parse(PLAIN))
    assert parse(PLAIN).report.counts == {}
    assert parse(PLAIN).report.format == "a3m"


def test_dots_opposite_insertions_are_skipped_and_not_counted() -> None:
    alignment = parse(">q\nMK.V\n>h\nM-aV\n")
    assert_plain(alignment)
    assert alignment.report.format == "a2m"


def test_insertions_before_the_first_column_are_counted_there_and_those_after_the_last_are_kept() -> None:
    alignment = parse(">q\nMKV\n>h\nabMKcVdef\n>g\nMKVz\n")
    assert alignment.deletion_matrix[1].tolist() == [2, 0, 1]
    assert letters(alignment) == "abcdefz"
    assert trailing(alignment) == [0, 3, 1]


def test_insertions_of_the_query_keep_the_numbers_of_its_residues() -> None:
    alignment = parse(">q\nmMKpqVw\n>h\nMKV\n")
    assert alignment.query == "MKV"
    assert letters(alignment) == "mpqw"
    assert alignment.residue_index.tolist() == [1, 2, 5]


def test_more_insertions_than_a_cell_counts_are_refused() -> None:
    most, beyond = "a" * 65_535, "a" * 65_536
    assert parse(f">q\nMK\n>h\nM{most}K\n").deletion_matrix[1].tolist() == [0, 65_535]
    assert trailing(parse(f">q\nMK\n>h\nMK{most}\n")) == [0, 65_535]
    for row in (f"{beyond}MK", f"M{beyond}K", f"MK{beyond}"):
        with pytest.raises(
            AlignmentFormatError, match=r"x\.a3m:3: sequence 'h' has more than 65,535 insertions"
        ):
            parse(f">q\nMK\n>h\n{row}\n")


@pytest.mark.parametrize("line", ["#A3M#", "#PF00001 a family", "#3\t1", "  # indented"])
def test_comments_before_the_first_record_are_skipped_and_reported(line: str) -> None:
    alignment = parse(f"{line}\n\n#second\n{PLAIN}")
    assert_plain(alignment)
    is_chains = line.startswith("#3")
    assert notes(alignment) == [(1, "", "skipped")] * (not is_chains) + [(3, "", "skipped")]
    if not is_chains:
        assert alignment.report.notes[0].reason == f"the comment '{line.strip()}'"


@pytest.mark.parametrize(
    "text",
    [
        "\n \n>q\n\nMKV\n\n>h\nM-aV",
        "  >q\n\t MKV\n >h\n M-aV",
        ">q\nM\nKV\n>h\nM-\naV",
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        ">q\r\nMKV\r>h\nM-aV\r",
        ">q\nM K\tV\n>h\nM - a V \n",
    ],
)
def test_blank_lines_blanks_wrapped_lines_and_all_line_ends_change_nothing(text: str) -> None:
    alignment = parse(text)
    assert_plain(alignment)
    assert alignment.report.counts == {}


def test_a_carriage_return_is_stripped_from_headers_too() -> None:
    assert parse(">q one\r\nMKV\r\n").names == ("q one",)
    assert parse(">q one\rMKV\r").names == ("q one",)


def test_nul_at_the_end_is_stripped_and_nul_inside_names_the_remedy() -> None:
    for end in ("\x00", "\x00\n", "\x00\x00\n\x00"):
        alignment = parse(PLAIN + end)
        assert_plain(alignment)
        assert notes(alignment) == [(5, "", "skipped")]
    with pytest.raises(AlignmentFormatError, match=r"x\.a3m:5: a NUL byte inside the file; .*unpackdb"):
        parse(f"{PLAIN}\x00{PLAIN}")


def test_a_byte_order_mark_is_stripped_and_utf_16_refused() -> None:
    alignment = parse("\ufeff" + PLAIN)
    assert_plain(alignment)
    assert notes(alignment) == [(1, "", "skipped")]
    assert_plain(parse("\ufeff\r\n#x\r\n" + PLAIN))
    with pytest.raises(AlignmentFormatError, match=r"x\.a3m: the file is UTF-16; save it as plain text"):
        parse(PLAIN.encode("utf-16"), "a3m")


def test_annotation_rows_are_set_aside_wherever_they_stand() -> None:
    text = (
        ">ss_pred PSIPRED\nCHE\n>ss_conf\n9\n 87\n>q\nMKV\n>sa_dssp x\nAB\n>h\nM-aV\n>aa_query\nMKV\n"
        ">ss_dssp\n-H~\n>ss_pred again\nEEE\n>ss_predå\nabc\n"
    )
    alignment = parse(text)
    assert_plain(alignment)
    assert alignment.annotations.columns == {
        "ss_pred": "CHE",
        "ss_conf": "987",
        "aa_query": "MKV",
        "ss_dssp": "-H~",
    }
    assert notes(alignment) == [
        (line, name, "set-aside")
        for line, name in zip(
            (1, 3, 8, 12, 14, 16, 18),
            ("ss_pred", "ss_conf", "sa_dssp", "aa_query", "ss_dssp", "ss_pred", "ss_predå"),
            strict=True,
        )
    ]
    assert "kept" in alignment.report.notes[0].reason
    assert "it has no character for each column" in alignment.report.notes[2].reason


def test_annotation_rows_follow_the_columns_kept() -> None:
    alignment = parse(">ss_pred\nC.HE-\n>ss_conf\n123\n>q\nM-KV-\n>h\nMAKVA\n")
    assert alignment.annotations.columns == {"ss_pred": "CHE", "ss_conf": "123"}


def test_consensus_is_the_query_when_first_and_else_dropped() -> None:
    alignment = parse(">q\nMKV\n>Consensus\nmKv\n>h\nM-aV\n>Consensus two\nA\n")
    assert_plain(alignment)
    assert notes(alignment) == [(3, "Consensus", "dropped"), (7, "Consensus", "dropped")]
    first = parse(">ss_pred\nCCC\n>Consensus\nMKV\n>h\nM-aV\n")
    assert first.names == ("Consensus", "h")
    assert first.report.counts == {"set-aside": 1}


def test_an_empty_row_is_refused() -> None:
    for body in ("", "\n", " \t\n", "..\n"):
        with pytest.raises(AlignmentFormatError, match=r"x\.a3m:3: sequence 'e' is empty; remove it"):
            parse(f">q\nMKV\n>e x\n{body}>h\nMKV\n")


def test_unequal_match_columns_are_refused_with_both_numbers() -> None:
    for row, found in (("MK", 2), ("MKVA", 4), ("mkv", 0), ("MKa", 2)):
        with pytest.raises(
            AlignmentFormatError,
            match=rf"x\.a3m:3: sequence 'h' has {found} match columns .*, the query has 3; is the file A3M",
        ):
            parse(f">q\nMKV\n>h\n{row}\n>g\nMaaaKV\n")


def test_a_file_in_lower_case_is_refused() -> None:
    for text in (">q\nmkv\n", ">q\nmkv\n>h\nm-v\n"):
        with pytest.raises(
            AlignmentFormatError, match=r"x\.a3m:1: the query 'q' has no match columns; .*lower case"
        ):
            parse(text)


def test_a_final_star_is_skipped_and_reported_and_one_inside_refused() -> None:
    alignment = parse(">q\nMKV*\n>h\nM-a\nV\n* \n")
    assert_plain(alignment)
    assert notes(alignment) == [(2, "q", "skipped"), (6, "h", "skipped")]
    for row, position in (("M*KV", 2), ("MKV**", 4), ("*MKV", 1)):
        with pytest.raises(
            AlignmentFormatError, match=rf"x\.a3m:4: sequence 'h' has the symbol '\*' at position {position}"
        ):
            parse(f">q\nMKV\n>h\n{row}\n")


@pytest.mark.parametrize("symbol", ["1", "?", "~", "_", "!", "@", "\x01", "\x7f", "\xa0", "é", ":"])
def test_digits_and_other_symbols_are_refused_with_record_and_position(symbol: str) -> None:
    with pytest.raises(
        AlignmentFormatError, match=r"x\.a3m:5: sequence 'h' has the symbol .* at position 3;"
    ):
        parse(f">q\nMKV\n>h\nM\nK{symbol}V\n")


def test_rare_letters_are_read_by_one_table() -> None:
    alignment = parse(">q\nUOBZJX\n>h\nAAubozjxAAAA\n")
    assert alignment.query == "CXDEXX"
    assert letters(alignment) == "ubozjx"


def test_a_record_starts_only_where_a_line_starts_and_names_keep_everything() -> None:
    alignment = parse(">q a>b\t>c  d\nMKV\n>" + "n" * 100_000 + " é\nMKV\n>\nMKV\n>q\nM-V\n")
    assert alignment.names == ("q a>b\t>c  d", "n" * 100_000 + " é", "", "q")


def test_a_latin_1_header_is_kept_and_does_not_spoil_a_utf_8_one() -> None:
    assert parse(b">caf\xe9\nMKV\n>\xc3\xa9t\xc3\xa9\nMKV\n").names == ("café", "été")


def test_two_sequences_of_one_name_are_both_kept() -> None:
    assert parse(">a\nMKV\n>b\nM-V\n>b\n-KV\n").names == ("a", "b", "b")


@pytest.mark.parametrize("text", ["; comment\n>q\nMKV\n", "\nMKV\n>q\nMKV\n"])
def test_text_before_the_first_record_is_refused_with_its_line(text: str) -> None:
    line = 1 if text.startswith(";") else 2
    with pytest.raises(AlignmentFormatError, match=rf"x\.a3m:{line}: text before the first record: '"):
        parse(text, "a3m")


@pytest.mark.parametrize("text", ["", "\n\n", "  ", "\x00", "\ufeff", "#A3M#\n", "#3\t1\n"])
def test_a_file_without_a_sequence_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(AlignmentFormatError, match=r"x\.a3m: the file holds no sequence"):
        parse(text)
    (tmp_path / "a.a3m.gz").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(AlignmentFormatError, match=r"a\.a3m\.gz: the file holds no sequence"):
        read_alignment(tmp_path / "a.a3m.gz")


def test_a_file_of_headers_only_is_refused() -> None:
    for text in (">", ">q", ">q\n>h\n", ">\n>\n"):
        with pytest.raises(AlignmentFormatError, match=r"x\.a3m:1: sequence '.?' is empty"):
            parse(text)


def test_a_header_without_description_is_a_name() -> None:
    assert parse(">Q9LHN6\nMKV\n").names == ("Q9LHN6",)


def test_a_named_format_is_enforced() -> None:
    lower = ">q\nM-KV\n>h\nMaKV\n"
    assert parse(lower).report.format == "fasta"
    assert parse(lower, "fasta").deletion_matrix.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert letters(parse(lower, "fasta")) == "a"
    for format in ("a3m", "a2m"):
        with pytest.raises(
            AlignmentFormatError, match=r"x\.a3m:3: sequence 'h' has 3 match .*name the format, fasta"
        ):
            parse(lower, format)
    assert parse(">q\nmkv\n>h\nM-v\n", "fasta").query == "MKV"
    with pytest.raises(AlignmentFormatError, match=r"x\.a3m:3: sequence 'h' has 4 columns, the query has 3"):
        parse(PLAIN, "fasta")
    with pytest.raises(AlignmentFormatError, match=r"x\.a3m:2: sequence 'q' has '\.', which is no gap"):
        parse(">q\nM.V\n>h\nMKV\n", "fasta")
    assert parse(PLAIN, "a2m").report.format == "a2m"


def test_columns_where_the_query_has_a_gap_become_letters_in_their_order() -> None:
    alignment = parse(">q\n-M-K--V--b\n>h\nxAyMzBwKCdD-EFf\n>g\n-M-K--V--\n", "a3m")
    assert alignment.query == "MKV"
    assert alignment.tokens[1].tolist() == encode("MK-").tolist()
    assert alignment.deletion_matrix[1].tolist() == [3, 3, 3]
    assert letters(alignment) == "b" + "xay" + "zbw" + "cdd" + "eff"
    assert trailing(alignment) == [1, 3, 0]
