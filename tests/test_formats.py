"""Reading and writing A3M and aligned FASTA: what is accepted, and what it means."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from Bio.SeqIO.FastaIO import SimpleFastaParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_tools.alignment import Alignment
from data_tools.alphabet import GAP, SUBSTITUTED, SYMBOLS, encode
from data_tools.errors import AlignmentError
from data_tools.formats import parse_alignment, read_alignment, write_alignment

COLUMNS = "ACDEFGHIKLMNPQRSTVWYX" + "".join(SUBSTITUTED) + "-" * 10
Rows = tuple[list[list[int]], list[list[int]], str, list[int]]


def read_slowly(rows: list[str]) -> Rows:
    """Tokens, deletions, inserted letters and trailing ones of A3M rows, one character at a time."""
    return cut_slowly(rows, [letter != "-" for letter in rows[0] if not letter.islower()])


def cut_slowly(rows: list[str], is_kept: list[bool]) -> Rows:
    """Likewise where only some columns, upper-case letters and gaps, are kept."""
    tokens, deletions, letters, trailing = [], [], "", []
    for row in rows:
        row_tokens, row_deletions, waiting, column = [], [], 0, 0
        for letter in row:
            kept = not letter.islower() and is_kept[column]
            column += not letter.islower()
            if kept:
                row_tokens.append(SYMBOLS.index(SUBSTITUTED.get(letter, letter)))
                row_deletions.append(waiting)
                waiting = 0
            elif letter != "-":
                waiting += 1
                letters += letter.lower()
        tokens.append(row_tokens)
        deletions.append(row_deletions)
        trailing.append(waiting)
    return tokens, deletions, letters, trailing


def fasta(rows: list[str], line_end: str = "\n") -> bytes:
    return "".join(f">s{n} text{line_end}{row}{line_end}" for n, row in enumerate(rows)).encode()


def as_lists(alignment: Alignment) -> Rows:
    insertions = alignment.insertions
    assert insertions is not None
    arrays = alignment.tokens.tolist(), alignment.deletion_matrix.tolist()
    return *arrays, insertions.letters.tobytes().decode(), insertions.trailing.tolist()


def parse(text: str | bytes) -> Alignment:
    return parse_alignment(text.encode() if isinstance(text, str) else text, "x.a3m")


@st.composite
def a3m_rows(draw: st.DrawFn) -> list[str]:
    length = draw(st.integers(1, 12))
    insertion = st.text("acxyz", max_size=3)
    rows = []
    for row in range(draw(st.integers(1, 6))):
        columns = st.text(COLUMNS, min_size=length, max_size=length)
        letters = draw(columns if row else columns.filter(lambda query: set(query) != {"-"}))
        insertions = draw(st.lists(insertion, min_size=length + 1, max_size=length + 1))
        rows.append("".join(i + c for i, c in zip(insertions, letters + " ", strict=True)).rstrip())
    return rows


@st.composite
def aligned_rows(draw: st.DrawFn) -> list[str]:
    width = draw(st.integers(1, 15))
    query = draw(st.text("ACX-", min_size=width, max_size=width).filter(lambda row: set(row) != {"-"}))
    row = st.text("ACWXBZUJO-", min_size=width, max_size=width)
    return [query, *draw(st.lists(row, max_size=5))]


@settings(deadline=None)
@given(a3m_rows())
@example(["A"])
@example(["ACD", "aaACDaa", "---"])
@example(["A-C-", "aBbBcCdDe", "----"])
def test_a3m_reads_as_the_per_character_loop_does(rows: list[str]) -> None:
    assert as_lists(parse(fasta(rows))) == read_slowly(rows)


@settings(deadline=None)
@given(aligned_rows())
@example(["--A-C--", "WWAWCWW", "-------"])
def test_columns_where_the_query_has_a_gap_become_deletions(rows: list[str]) -> None:
    assert as_lists(parse(fasta(rows))) == read_slowly(rows)


def test_blocks_of_rows_join_without_a_seam() -> None:
    rng = np.random.default_rng(5)
    rows = ["ACDE"]
    for _ in range(2500):
        pieces = rng.choice(list("ACDE-"), 4), rng.integers(0, 3, 5)
        rows.append("".join("w" * n + c for n, c in zip(pieces[1], [*pieces[0], ""], strict=True)))
    assert as_lists(parse(fasta(rows))) == read_slowly(rows)
    gapped = ["A-C", *(f"A{'W-'[n % 2]}{'defgh'[n % 5]}C" for n in range(2500))]
    assert as_lists(parse(fasta(gapped))) == read_slowly(gapped)


def test_insertions_count_at_the_next_column_and_those_after_the_last_are_dropped() -> None:
    alignment = parse(">q\nMKV\n>h\naaM-cVddd\n")
    assert alignment.tokens[1].tolist() == encode("M-V").tolist()
    assert alignment.deletion_matrix[1].tolist() == [2, 0, 1]


def test_insertions_of_a_row_add_to_residues_opposite_gaps_of_the_query() -> None:
    alignment = parse(">q\nM--V\n>h\nMaKKcV\n")
    assert alignment.query == "MV"
    assert alignment.deletion_matrix[1].tolist() == [0, 4]


def test_aligned_rows_with_lower_case_residues_are_aligned_fasta() -> None:
    alignment = parse(">q\nM-KV-\n>h\nMpKVa\n>soft-masked\nm-kv-\n")
    assert [alignment.query, *alignment.names] == ["MKV", "q", "h", "soft-masked"]
    assert alignment.tokens[2].tolist() == encode("MKV").tolist()
    assert alignment.deletion_matrix.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_dots_opposite_insertions_are_padding() -> None:
    alignment = parse(">q\nM..KV\n>h\nMaaKV\n>g\nMa.-V\n")
    assert as_lists(alignment) == read_slowly(["MKV", "MaaKV", "Ma-V"])


def test_a_substituted_letter_reads_as_its_stand_in() -> None:
    assert parse(">q\nBZUJO\n").query == "DECXX"


PLAIN = ">q one\nMKV\n>h\nM-aV\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.rstrip("\n"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        PLAIN + "\x00",
        PLAIN + "\x00\n\x00",
        "#A3M#\n" + PLAIN,
        "#2,1\t1,1\n\n# again\n" + PLAIN,
        "\n  \n" + PLAIN,
        "  " + PLAIN.replace("\n>", "\n \t>"),
        PLAIN.replace("\n>", "\n\n\n>"),
        ">q one\nM\nK\nV\n>h\nM-\na\n\nV\n",
        ">q one\n  M KV\n>h\nM\t-aV  \n",
        ">q one\nMKV*\n>h\nM-aV\n*\n",
        ">ss_pred\nCCC\n>q one\nMKV\n>ss_conf\n123456\n>sa_dssp\n>h\nM-aV\n>aa_pred x\n11\n>ss_dssp\n--\n",
        ">q one\nMKV\n>Consensus\nMMMMMMMMM\n>h\nM-aV\n>Consensus of all\nA\n",
    ],
)
def test_a_harmless_variation_of_the_text_changes_nothing(text: str) -> None:
    alignment = parse(text)
    assert alignment.names == ("q one", "h")
    assert as_lists(alignment) == read_slowly(["MKV", "M-aV"])


def test_consensus_is_the_query_when_it_comes_first() -> None:
    assert parse(">ss_pred\nCC\n>Consensus\nMK\n>h\nM-\n").names == ("Consensus", "h")


def test_a_name_that_only_begins_like_consensus_is_a_sequence() -> None:
    assert parse(">q\nMK\n>Consensus2\nMK\n").names == ("q", "Consensus2")


def test_names_keep_every_byte() -> None:
    greek, latin = "Å β".encode(), b"caf\xe9\t>sp|x"
    names = parse(b">q " + greek + b"\nMK\n>" + latin + b"\nMK\n>\nMK\n").names
    assert names == ("q Å β", "café\t>sp|x", "")
    assert len(parse(">" + "n" * 100_000 + "\nMK\n").names[0]) == 100_000


@settings(deadline=None)
@given(a3m_rows())
def test_written_and_read_again_nothing_changes(rows: list[str]) -> None:
    alignment = parse(fasta(rows))
    with tempfile.TemporaryDirectory() as folder:
        for path in (Path(folder) / "a.a3m", Path(folder) / "a.a3m.gz"):
            write_alignment(alignment, path)
            again = read_alignment(path)
            assert again.names == alignment.names
            assert as_lists(again) == as_lists(alignment)
        assert path.read_bytes().startswith(b"\x1f\x8b")


def test_deleted_residues_are_written_as_x(tmp_path: Path) -> None:
    tokens = np.array([[10, 8], [10, GAP]], dtype=np.uint8)
    alignment = Alignment(("q", "h"), tokens, np.array([[0, 0], [1, 2]], dtype=np.uint16))
    write_alignment(alignment, tmp_path / "a.a3m")
    assert (tmp_path / "a.a3m").read_text() == ">q\nMK\n>h\nxMxx-\n"


@pytest.mark.parametrize("name", ["two\nlines", "ss_pred", "Consensus", "nul\x00"])
def test_a_name_that_could_not_be_read_back_is_refused(name: str, tmp_path: Path) -> None:
    tokens = np.array([[10, 8], [10, 8]], dtype=np.uint8)
    alignment = Alignment(("q", name), tokens, np.zeros((2, 2), dtype=np.uint16))
    with pytest.raises(AlignmentError, match="sequence 2: A3M cannot hold the name"):
        write_alignment(alignment, tmp_path / "a.a3m")
    assert list(tmp_path.iterdir()) == []


def test_gzip_is_known_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "no_suffix"
    members = gzip.compress(b">q\nMK\n") + gzip.compress(b">h\nM-\n")
    path.write_bytes(members)
    assert read_alignment(path).names == ("q", "h")


def test_the_shipped_example_reads_as_another_parser_and_the_loop_do() -> None:
    path = Path(__file__).parents[1] / "msaformer/example/dhfr.a3m"
    with path.open() as file:
        records = list(SimpleFastaParser(file))
    alignment = read_alignment(path)
    assert alignment.names == tuple(name for name, _ in records)
    assert as_lists(alignment) == read_slowly([row for _, row in records])
