"""Files made to take time or memory: read or refused within declared bounds."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from data_tools.errors import AlignmentFormatError
from data_tools.formats import head, parse_alignment, records, rows
from data_tools.read_report import MAX_NOTES

NUM = 100_000
FEW = 30_000  # where memory is traced, which is slow
FAST_S = 5.0  # each takes well under a second; a quadratic search takes hours

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty records": (lambda: b">\n" * NUM, "x.a3m:1: sequence '' is empty"),
    "headers": (lambda: b">q\nMK\n" + b">h\n" * NUM, "x.a3m:3: sequence 'h' is empty"),
    "comments": (lambda: b"#\n" * NUM, "x.a3m: the file holds no sequence"),
    "blank lines": (lambda: b"\n \t\n" * NUM, "x.a3m: the file holds no sequence"),
    "annotation rows": (lambda: b">ss_pred\nCC\n" * NUM, "x.a3m: annotation rows only"),
    "consensus": (lambda: b">Consensus\n" * NUM, "x.a3m:1: sequence 'Consensus' is empty"),
    "stars": (lambda: b">q\n*\n" * NUM, "x.a3m:1: sequence 'q' is empty"),
    "blanks before marks": (lambda: b"  >q\n" * NUM, "x.a3m:1: sequence 'q' is empty"),
    "a fault in the last row": (
        lambda: b">q\nMK\n" * NUM + b">h\nM1\n",
        f"x.a3m:{2 * NUM + 2}: .* symbol '1'",
    ),
    "a short last row": (lambda: b">q\nMK\n" * NUM + b">h\nM\n", f"x.a3m:{2 * NUM + 1}: .*1 match columns"),
    "nearly too many insertions, again and again": (
        lambda: b">q\n" + b"M" * 60 + b"\n>h\n" + (b"a" * 65_535 + b"M") * 59 + b"\n",
        "x.a3m:3: .* has 59 match columns",
    ),
    "a long query over short rows": (
        lambda: b">q\n" + b"M" * 2_000_000 + b"\n" + b">h\nM\n" * NUM,
        "x.a3m:3: sequence 'h' has 1 match columns",
    ),
    "a long line": (lambda: b">q\n" + b"M" * (2**22 + 1), "x.a3m:1: a sequence of 4,194,305 bytes, at most"),
    "a long line of insertions": (lambda: b">q\nM" + b"m" * 2**22, "x.a3m:1: a sequence of 4,194,305 bytes"),
    "a long wrapped sequence": (
        lambda: b">q\nM\n>h\n" + b"MK\n" * 6_000_000,
        "x.a3m:3: a sequence of 18,000,000 b",
    ),
    "a long header": (lambda: b">q\nM\n>" + b"n" * (2**20 + 1), "x.a3m:3: a header of 1,048,577 bytes"),
    "a long line of text": (lambda: b"x" * 20_000_000, r"x.a3m:1: text before the first record: 'x{40}'"),
    "a long comment": (lambda: b"#" + b"1," * 10_000_000 + b"1\t1", "x.a3m: the file holds no sequence"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_at_once(name: str) -> None:
    make, message = REFUSED[name]
    data = make()
    started = time.perf_counter()
    with pytest.raises(AlignmentFormatError, match=message) as caught:
        parse_alignment(data, "x.a3m", format="a3m")
    assert time.perf_counter() - started < FAST_S
    assert len(str(caught.value)) < 400


def test_repair_of_many_broken_rows_takes_time_in_proportion() -> None:
    texts = (
        b">q\nMK\n" + b">bad\n" * NUM,
        b">q\nMK\n" + b">bad\nM1\n" * NUM,
        b">q\nMK\n" + b">bad\nM\n" * NUM,
        b">q\nMK\n" + b">ss_pred\nC\n" * NUM,
        b"junk\n" * NUM + b">q\nMK\n",
    )
    for data in texts:
        started = time.perf_counter()
        alignment = parse_alignment(data, "x.a3m", format="a3m", on_error="repair")
        assert time.perf_counter() - started < FAST_S
        assert alignment.depth == 1
        assert sum(alignment.report.counts.values()) == NUM
        assert len(alignment.report.notes) == MAX_NOTES


def test_records_and_lines_before_the_first_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORDS", 3)
    assert parse_alignment(b">q >\nMK\n>h\nMK\n>h\nMK\n", "x").depth == 3
    with pytest.raises(AlignmentFormatError, match="x: 4 records, at most 3 are read; filter"):
        parse_alignment(b">q\nMK\n" * 4, "x", on_error="repair")
    monkeypatch.setattr(head, "MAX_HEAD_LINES", 2)
    assert parse_alignment(b"#\n#\n>q\nMK\n", "x").depth == 1
    with pytest.raises(AlignmentFormatError, match="x: 3 lines before the first record, at most 2"):
        parse_alignment(b"#\n\n#\n>q\nMK\n", "x")


def test_the_largest_sequence_and_header_are_read() -> None:
    data = b">" + b"n" * 2**20 + b"\nM" + b"aM" * (2**21 - 1) + b"\n"
    alignment = parse_alignment(data, "x")
    assert alignment.length == 2**21
    assert alignment.insertions is not None
    assert alignment.insertions.letters.size == 2**21 - 1


def test_long_rows_are_read_in_blocks_of_bounded_size() -> None:
    assert rows._blocks(10, 2**24) == [slice(n, n + 1) for n in range(10)]
    assert rows._blocks(2000, 300) == [slice(0, 1024), slice(1024, 2000)]
    assert rows._blocks(5, 2**20 + 2**19) == [slice(0, 2), slice(2, 4), slice(4, 5)]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "short records": lambda: b">\nM\n" * FEW,
    "dense rows": lambda: b">q\n" + b"M" * 300 + b"\n" + (b">h\n" + b"M-K" * 100 + b"\n") * 20_000,
    "insertions everywhere": lambda: b">q\n" + b"aM" * 500 + b"\n" + (b">h\n" + b"mM" * 500 + b"\n") * 5_000,
    "gaps in the query": lambda: b">q\n" + b"-M" * 500 + b"\n" + (b">h\n" + b"MM" * 500 + b"\n") * 5_000,
    "soft-masked": lambda: b">q\n" + b"M" * 1000 + b"\n" + (b">h\n" + b"mM" * 500 + b"\n") * 5_000,
    "one long row": lambda: b">q\n" + b"aM" * (2**21 - 1) + b"\n",
    "comments": lambda: b"#\n" * FEW + b">q\nMK\n",
    "annotation rows": lambda: b">q\nMK\n" + b"".join(b">ss_pred%d\nCC\n" % n for n in range(FEW)),
    "wide characters": lambda: b">q\nMK\n" + b">\xf0\x9f\x98\x80\nMK\n" * FEW,
    "broken rows": lambda: b">q\nMK\n" + b">h\nM\n" * FEW,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_stays_within_the_declared_multiple_of_the_file(name: str) -> None:
    data = HOSTILE[name]()
    num_records = data.count(b">")
    allowed = (
        records.MEMORY_PER_BYTE * len(data) + records.MEMORY_PER_RECORD * num_records + records.MEMORY_FIXED
    )
    tracemalloc.start()
    try:
        parse_alignment(data, "x.a3m", on_error="repair")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print("MULT", name, peak / len(data), peak / num_records, len(data))
    assert peak < allowed, f"{peak / len(data):.1f} a byte, {peak / num_records:.0f} a record"
