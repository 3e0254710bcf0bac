"""Repair of alignment files: only what is documented is dropped or mended, and all of it is reported."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_tools.alignment import Alignment
from data_tools.errors import AlignmentFormatError
from data_tools.formats import parse_alignment, write_alignment
from data_tools.formats.notes import NoteTaker, report_as_json
from data_tools.read_report import MAX_NOTES

Notes = list[tuple[int, str, str]]


def repair(text: str | bytes, format: str | None = None) -> Alignment:
    data = text.encode() if isinstance(text, str) else text
    return parse_alignment(data, "x.a3m", format=format, on_error="repair")


def rows(alignment: Alignment) -> list[tuple[str, list[int]]]:
    return list(zip(alignment.names, alignment.tokens.tolist(), strict=True))


def notes(alignment: Alignment) -> Notes:
    return [(note.line, note.record, note.action) for note in alignment.report.notes]


GOOD = ">q\nMKV\n>g\nM-aV\n"
REPAIRED: dict[str, Notes] = {
    GOOD: [],
    ">q\nMKV\n>bad\n>g\nM-aV\n": [(3, "bad", "dropped")],
    ">q\nMKV\n>bad\n...\n>g\nM-aV\n": [(3, "bad", "dropped")],
    ">q\nMKV\n>bad one\nMK1\n>g\nM-aV\n": [(3, "bad", "dropped")],
    ">q\nMKV\n>bad\nM*V\n>g\nM-aV\n>bad\nMK~\n": [(3, "bad", "dropped"), (7, "bad", "dropped")],
    ">q\nMKV\n\n\n>bad\nM\nKVA\n>g\nM-aV\n": [(5, "bad", "dropped")],
    ">q\nMKV\n>bad\nMK" + "a" * 65_536 + "V\n>g\nM-aV\n": [(3, "bad", "dropped")],
    "junk\n\nmore > junk\n>q\nMKV\n>g\nM-aV\n": [(1, "", "dropped"), (3, "", "dropped")],
    "; comment\n" + GOOD: [(1, "", "dropped")],
    "#5\t1\n" + GOOD: [(1, "", "dropped")],
    GOOD + ">half\nMK": [(5, "half", "dropped")],
    GOOD + ">half": [(5, "half", "dropped")],
    GOOD + ">late\nMKV\n# not here\n": [(5, "late", "dropped")],
}


@pytest.mark.parametrize("text", REPAIRED, ids=lambda text: repr(text)[:40])
def test_repair_drops_what_is_broken_and_keeps_the_rest_as_it_was(text: str) -> None:
    repaired, good = repair(text), parse_alignment(GOOD.encode(), "x.a3m")
    assert rows(repaired) == rows(good)
    assert repaired.deletion_matrix.tolist() == good.deletion_matrix.tolist()
    assert repaired.insertions is not None
    assert repaired.insertions.letters.tobytes() == b"a"
    assert repaired.annotations.chains == ()
    assert notes(repaired) == REPAIRED[text]
    assert repaired.report.counts == ({"dropped": len(REPAIRED[text])} if REPAIRED[text] else {})
    if REPAIRED[text]:
        with pytest.raises(AlignmentFormatError):
            parse_alignment(text.encode(), "x.a3m")


def test_the_report_says_why() -> None:
    text = ">q\nMKV\n>e\n>s\nM1V\n>u\nMKVV\n>i\n" + "a" * 65_536 + "MKV\n>half\nM"
    assert [(note.record, note.reason) for note in repair(text).report.notes] == [
        ("e", "is empty"),
        ("s", "has the symbol '1' at position 2"),
        ("u", "has 4 match columns (upper case and '-'), the query has 3"),
        ("i", "has more than 65,535 insertions in a row, the most that is stored"),
        (
            "half",
            "has 1 match columns (upper case and '-'), the query has 3; the file ends inside this record",
        ),
    ]


UNMENDABLE = {
    ">q\nMK1\n>h\nMKV\n": "x.a3m:2: sequence 'q' has the symbol '1'",
    ">q\n>h\nMKV\n": "x.a3m:1: sequence 'q' is empty",
    ">q\nM*V\n>h\nMKV\n": r"x.a3m:2: sequence 'q' has the symbol '\*'",
    ">q\nM" + "a" * 65_536 + "V\n": "x.a3m:1: sequence 'q' has more than 65,535 insertions",
    ">q\nM" + "a" * 40_000 + "-" + "a" * 40_000 + "V\n": "x.a3m:1: sequence 'q' has more than 65,535",
    ">q\nmkv\n>h\nMKV\n": "x.a3m:1: the query 'q' has no match columns",
    ">q\n---\n>h\nMKV\n": "x.a3m:1: the query 'q' holds gaps only",
    ">q\nMKV\n\x00>h\nMKV\n": "x.a3m:3: a NUL byte inside the file",
    "": "x.a3m: the file holds no sequence",
    ">ss_pred\nCCC\n": "x.a3m: annotation rows only",
    "\nMKV\nMRV\n": "x.a3m:2: text before the first record: 'MKV'",
    "\xff\xfe>\x00q\x00": "UTF-16",
}


@pytest.mark.parametrize("text", UNMENDABLE, ids=lambda text: repr(text)[:40])
def test_a_fault_of_the_query_or_of_the_whole_file_is_never_mended(text: str) -> None:
    data = text.encode("latin-1" if text.startswith("\xff") else "utf-8")
    with pytest.raises(AlignmentFormatError, match=UNMENDABLE[text]):
        repair(data, "a3m")


def test_only_a_file_cut_inside_a_line_is_called_cut() -> None:
    for end, is_cut in (("", True), ("\n", False), ("\n\x00", False), ("\x00", True)):
        (note,) = [note for note in repair(f"{GOOD}>half\nMK{end}").report.notes if note.record == "half"]
        assert note.reason.endswith("the file ends inside this record") == is_cut


def test_a_file_of_another_format_is_not_read_as_a3m_by_repair() -> None:
    for text, name in (
        ("# STOCKHOLM 1.0\nq MKV\n//\n>q\nMKV\n", "Stockholm"),
        ("CLUSTAL\n>q\nM\n", "Clustal"),
    ):
        with pytest.raises(AlignmentFormatError, match=f"x.a3m:1: this is a {name} file"):
            repair(text, "a3m")


def test_a_file_without_upper_case_is_read_as_upper_case() -> None:
    repaired = repair(">q\nmkv\n>h\nm-v\n")
    assert rows(repaired) == rows(parse_alignment(b">q\nMKV\n>h\nM-V\n", "x"))
    assert notes(repaired) == [(1, "q", "mended"), (3, "h", "mended")]
    assert repair(">q\nmk-v\n>h\nmkav\n").query == "MKV"
    assert repair(">q\nm-v\n>h\nm-v\n").query == "MV"
    assert repair(">q\nmkv\n>h\nm1V\n").query == "MKV"  # the only upper-case letter went with its row


def test_dots_for_gaps_become_gaps() -> None:
    repaired = repair(">q\nMKV\n>h\nM.V\n>g\nmkv\n")
    assert rows(repaired) == rows(parse_alignment(b">q\nMKV\n>h\nM-V\n>g\nMKV\n", "x"))
    assert notes(repaired) == [(3, "h", "mended")]
    assert repaired.report.format == "fasta"
    disagreeing = repair(">q\nMK.V\n>h\nM.KV\n")
    assert disagreeing.deletion_matrix.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert notes(disagreeing) == [(1, "q", "mended"), (3, "h", "mended")]


def test_rows_are_read_in_the_way_that_keeps_more_of_them() -> None:
    soft_masked = repair(">q\nMKV\n>a\nmkV\n>b\nMkv\n>short\nMK\n")
    assert soft_masked.names == ("q", "a", "b")
    assert notes(soft_masked) == [(7, "short", "dropped")]
    assert soft_masked.report.notes[0].reason == "has 2 columns, the query has 3"
    with_insertions = repair(">q\nMKV\n>a\nMkkKV\n>b\nMKVv\n>short\nMKv\n")
    assert with_insertions.names == ("q", "a", "b")
    assert repair(">q\nMKV\n>a\nMKv\n>b\nMKvV\n").names == ("q", "b")  # a tie: A3M


def test_a_named_format_decides_how_rows_are_judged() -> None:
    text = ">q\nMKV\n>a\nmkV\n>b\nMkv\n>c\nMaKV\n"
    assert repair(text, "a3m").names == ("q", "c")
    assert repair(text, "fasta").names == ("q", "a", "b")
    padded = ">q\nMK.V\n>h\nM.KV\n>g\nMKaV\n"
    assert repair(padded, "a2m").names == ("q", "g")
    assert notes(repair(padded, "a2m")) == [(3, "h", "dropped")]


def test_rows_too_crowded_once_columns_are_dropped_go_with_their_letters() -> None:
    text = ">q\nM-KV\n>a\nMaWbKV\n>bad\nM" + "c" * 65_535 + "WKV\n>z\nMWdKVe\n"
    repaired = repair(text)
    assert repaired.names == ("q", "a", "z")
    assert notes(repaired) == [(5, "bad", "dropped")]
    assert repaired.insertions is not None
    assert repaired.insertions.letters.tobytes() == b"awbwde"
    assert repaired.insertions.trailing.tolist() == [0, 0, 1]
    at_the_end = ">q\nMK-\n>bad\nMK" + "c" * 65_535 + "W\n"
    for broken, line in ((text, 5), (at_the_end, 3)):
        with pytest.raises(AlignmentFormatError, match=f"x.a3m:{line}: sequence 'bad' has more than 65,535"):
            parse_alignment(broken.encode(), "x.a3m")


def test_repair_may_leave_the_query_alone() -> None:
    repaired = repair(">q\nMKV\n>h\nMK\n")
    assert repaired.names == ("q",)
    assert repaired.report.counts == {"dropped": 1}


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.text("AK-a.*1 ", max_size=5), max_size=5),
    st.sampled_from(["", ">", "x\n", "#2\t1\n", "\ufeff"]),
)
@example(["A", "a.", "A-"], "")
@example(["a-", "k"], "")
def test_what_was_repaired_needs_no_second_repair(sequences: list[str], start: str) -> None:
    text = start + "".join(f">s{row}\n{sequence}\n" for row, sequence in enumerate(sequences))
    try:
        repaired = repair(text)
    except AlignmentFormatError:
        return
    with tempfile.TemporaryDirectory() as folder:
        write_alignment(repaired, Path(folder) / "a.a3m")
        again = repair((Path(folder) / "a.a3m").read_bytes())
    assert rows(again) == rows(repaired)
    assert again.deletion_matrix.tolist() == repaired.deletion_matrix.tolist()
    assert not {"mended", "dropped"} & set(again.report.counts)


def test_notes_are_bounded_and_all_are_counted() -> None:
    text = ">q\nMKV\n" + ">bad\nM1V\n" * (MAX_NOTES + 5) + ">g\nMKV\n"
    repaired = repair(text)
    assert repaired.names == ("q", "g")
    assert len(repaired.report.notes) == MAX_NOTES
    assert repaired.report.counts == {"dropped": MAX_NOTES + 5}


def test_a_note_keeps_a_long_name_short_and_notes_are_in_the_order_of_the_file() -> None:
    taker = NoteTaker("x", "a3m", repair=True)
    taker.note(7, "n" * 100, "skipped", "late")
    taker.note(2, "r", "mended", "early")
    report = taker.report()
    assert [(note.line, len(note.record)) for note in report.notes] == [(2, 1), (7, 60)]
    assert report_as_json(report) == {
        "source": "x",
        "format": "a3m",
        "counts": {"skipped": 1, "mended": 1},
        "notes": [
            {"line": 2, "record": "r", "action": "mended", "reason": "early"},
            {"line": 7, "record": "n" * 57 + "...", "action": "skipped", "reason": "late"},
        ],
    }
