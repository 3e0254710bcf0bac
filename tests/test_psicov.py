"""PSICOV's `.aln`: one row a line, no names."""

import pytest

from data_tools.alignment import Alignment
from data_tools.alphabet import decode
from data_tools.errors import AlignmentFormatError
from data_tools.formats import parse_alignment


def parse(text: str, **options: str) -> Alignment:
    return parse_alignment(text.encode(), "x.aln", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "MKV\nM-V\n",
        "MKV\nM-V",
        "\n MKV \n\tM.V\t\n\n",
        "MKV\r\nM-V\r\n",
        "mkv\rm-v\r",
        "\ufeffMKV\nM-V\n\x00",
    ],
)
def test_rows_are_lines_and_are_numbered(text: str) -> None:
    alignment = parse(text)
    assert alignment.names == ("sequence_1", "sequence_2")
    assert [decode(row) for row in alignment.tokens] == ["MKV", "M-V"]
    assert alignment.report.format == "psicov"


def test_one_row_is_read_when_the_format_is_named() -> None:
    assert parse("MKV\n", format="psicov").query == "MKV"


def test_columns_where_the_query_has_a_gap_become_insertions() -> None:
    alignment = parse("M-V-\nMAVC\n")
    assert alignment.deletion_matrix.tolist() == [[0, 0], [0, 1]]
    assert alignment.insertions is not None
    assert alignment.insertions.letters.tobytes() == b"ac"
    assert alignment.insertions.trailing.tolist() == [0, 1]


BAD_TEXTS = {
    "": "x.aln: the file holds no sequence; it is empty",
    "\n\x00": "x.aln: the file holds no sequence; it is empty",
    "\nMKV\nMK\n": "x.aln:3: sequence 'sequence_2' has 2 columns .*, the query has 3 columns",
    "MKV\n\nMKV\n": "x.aln:2: sequence 'sequence_2' is absent",
    "MKV\nM V\n": "x.aln:2: sequence 'sequence_2' has the symbol ' ' at position 2",
    "MKV\n>h\n": "x.aln:2: sequence 'sequence_2' has 2 columns",
    "--\nMK\n": "x.aln:1: the query 'sequence_1' holds gaps only",
}


@pytest.mark.parametrize("text", BAD_TEXTS, ids=repr)
def test_a_broken_file_is_refused_where_it_breaks(text: str) -> None:
    with pytest.raises(AlignmentFormatError, match=BAD_TEXTS[text]):
        parse(text, format="psicov")


def test_repair_drops_broken_rows_and_keeps_the_numbers_of_the_others() -> None:
    alignment = parse("MKV\nMK\n\nM1V\nM-V\n", format="psicov", on_error="repair")
    assert alignment.names == ("sequence_1", "sequence_5")
    assert [note.line for note in alignment.report.notes] == [2, 3, 4]
