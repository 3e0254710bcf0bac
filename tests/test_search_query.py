"""A query reaches a program as it is, or is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from data_tools.errors import InvalidQueryError
from data_tools.search.query import FILE_ID, MAX_RESIDUES, Query, parse_query, read_query


def test_a_clean_query_is_taken_as_it_is() -> None:
    assert parse_query(">P1 a kinase\nMKV\nLA\n") == Query("P1 a kinase", "MKVLA", ())


@pytest.mark.parametrize("letter", "UOBZJX")
def test_rare_letters_are_kept(letter: str) -> None:
    assert parse_query(f">q\nMK{letter}\n").sequence == f"MK{letter}"


@pytest.mark.parametrize(
    "text",
    [
        ">q\r\nMKV\r\nLA\r\n",
        ">q\rMKV\rLA\r",
        "\n\n  >q\n MKV\n\n\tL A\n\n",
        "\ufeff>q\nMKVLA",
        ">q\nMKVLA\n\0",
    ],
    ids=["CRLF", "CR", "blanks", "BOM", "NUL at the end"],
)
def test_how_lines_end_and_wrap_does_not_matter(text: str) -> None:
    assert parse_query(text) == Query("q", "MKVLA", ())


def test_what_is_changed_is_reported() -> None:
    assert parse_query(">q\nmkVLA*\n") == Query(
        "q", "MKVLA", ("2 lower-case letters made upper-case", "final * taken off")
    )


@pytest.mark.parametrize(
    ("sequence", "symbol", "position"),
    [("MK1V", "1", 3), ("M*KV", "*", 2), ("MKV**", "*", 4), ("-MKV", "-", 1), ("MK.V", ".", 3), ("MKÄ", "Ä", 3),
     ("MKß", "ß", 3), ("mkß", "ß", 3), ("MK?", "?", 3), ("MK\0V", "\0", 3)],
)  # fmt: skip
def test_a_symbol_that_programs_drop_is_refused(sequence: str, symbol: str, position: int) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        parse_query(f">q\n{sequence}\n", "file.fa")
    assert str(caught.value).startswith(f"file.fa: query 'q': symbol {symbol!r} at position {position} ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file.fa: the file is empty"),
        (" \n\n", "file.fa: the file is empty"),
        ("MKV\n", "file.fa:1: expected a FASTA header"),
        ("\n;c\n>q\nMKV", "file.fa:2: expected a FASTA header"),
        (">q\n\n", "file.fa: query 'q' has no residues"),
        (">q\n*\n", "file.fa: query 'q' has no residues"),
        (">q", "file.fa: query 'q' has no residues"),
        (">\nMKV", "file.fa:1: the header is empty"),
        (">a\nMKV\n>b\nMKV\n", "file.fa:3: a second sequence, 'b'"),
        (">a\x1b[31m\nMKV\n", "file.fa: a query's name must be one line of printable text"),
    ],
)
def test_what_is_not_one_sequence_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidQueryError) as caught:
        parse_query(text, "file.fa")
    assert str(caught.value).startswith(message)


def test_a_query_of_impossible_length_is_refused() -> None:
    assert len(parse_query(">q\n" + "A" * MAX_RESIDUES).sequence) == MAX_RESIDUES
    with pytest.raises(InvalidQueryError, match="100,001 residues, more than 100,000"):
        parse_query(">q\n" + "A" * (MAX_RESIDUES + 1))
    with pytest.raises(InvalidQueryError, match="a header of 100,001 characters"):
        parse_query(f">{'h' * 100_001}\nMKV")


def test_a_programs_own_limit_is_told_with_both_numbers() -> None:
    query = Query("q", "A" * 11)
    query.check_length("hhblits", longest=11)
    with pytest.raises(InvalidQueryError, match="11 residues, of which hhblits would keep 10 "):
        query.check_length("hhblits", longest=10)


@pytest.mark.parametrize("name", ["; rm -rf x", "$(touch x)", "-d evil", "a|b 'c' \"d\"", "ss_pred", "Æ ü"])
def test_a_hostile_header_is_kept_but_not_shown_to_a_program(name: str, tmp_path: Path) -> None:
    query = parse_query(f">{name}\nMKV\n".encode())
    assert query.name == name
    assert query.id == name.split()[0]
    query.write(tmp_path / "query.fasta")
    assert (tmp_path / "query.fasta").read_text() == f">{FILE_ID}\nMKV\n"


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "", "  ", "a\0b"])
def test_a_name_of_several_lines_or_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidQueryError, match="a query's name must be one line"):
        Query(name, "MKV")


def test_a_header_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    assert parse_query(b">caf\xe9\nMKV\n").id == "caf\ufffd"


def test_a_query_is_read_from_a_plain_or_compressed_file(tmp_path: Path) -> None:
    (tmp_path / "q.fa").write_text(">q\nMKV\n")
    (tmp_path / "q.fa.gz").write_bytes(gzip.compress(b">q\nMKV\n"))
    assert read_query(tmp_path / "q.fa") == read_query(tmp_path / "q.fa.gz") == Query("q", "MKV")
    with pytest.raises(InvalidQueryError, match=r"absent\.fa"):
        read_query(tmp_path / "absent.fa")
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b">q\nMKV\n")[:-9])
    with pytest.raises(InvalidQueryError, match=r"bad\.gz"):
        read_query(tmp_path / "bad.gz")
