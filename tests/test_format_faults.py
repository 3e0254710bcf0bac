"""Alignment files that are refused: each error names file, line and remedy."""

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools import formats
from data_tools.errors import AlignmentError, AlignmentFormatError
from data_tools.formats import parse_alignment, read_alignment

BAD_TEXTS = {
    "": "x.a3m: the file holds no sequence",
    "\n\n": "x.a3m: the file holds no sequence",
    "# only a comment": "x.a3m: the file holds no sequence",
    "\x00\x00": "x.a3m: the file holds no sequence",
    "MKV\n>q\nMKV\n": "x.a3m:1: text before the first record: 'MKV'",
    "#A3M#\n; comment\n>q\nMKV\n": "x.a3m:2: text before the first record: '; comment'",
    ">ss_pred\nCCC\n": "x.a3m: annotation rows only, no query",
    ">q\nMKV\n\x00>h\nMKV\n": "x.a3m:3: a NUL byte inside the file; .*mmseqs unpackdb",
    ">q\nMKV\n>h\n>i\nMKV\n": "x.a3m:3: sequence 'h' is empty",
    ">q\n\n>h\nMKV\n": "x.a3m:1: sequence 'q' is empty",
    ">q\n...\n": "x.a3m:1: sequence 'q' is empty",
    ">q\nMKV\n>h\n*\n": "x.a3m:3: sequence 'h' is empty",
    ">q\nmkv\n>h\nmkv\n": "x.a3m:1: the query 'q' has no match columns; is it in lower case",
    ">q\nmkv\n>h\nMKV\n": "x.a3m:1: the query 'q' has no match columns",
    ">q\n---\n>h\nMKV\n": "x.a3m:1: the query 'q' holds gaps only",
    ">q\nMKV\n>h text\nMK1\n": "x.a3m:4: sequence 'h' has the symbol '1' at position 3",
    "#\n\n>q\nMKV\n>h\nM\n\nK \nw.V?\n": r"x.a3m:9: sequence 'h' has the symbol '\?' at position 6",
    ">q\r\nMKV\r\n>h\r\nMK\xa0\r\n": r"x.a3m:4: sequence 'h' has the symbol .* at position 3",
    ">q\nMKV\n>h\nM*V\n": r"x.a3m:4: sequence 'h' has the symbol '\*' at position 2",
    ">q\nMKV\n>h\nMKV**\n": r"x.a3m:4: sequence 'h' has the symbol '\*' at position 4",
    ">q\nMKV\n# late\n>h\nMKV\n": "x.a3m:3: sequence 'q' has the symbol '#' at position 4",
    ">q\nMKV\n>h\nM~V\n": "x.a3m:4: sequence 'h' has the symbol '~' at position 2",
    ">q\nMKV\n>g\nMKV\n>h\nMKVA\n": "x.a3m:5: sequence 'h' has 4 match .*the query has 3; is the file A3M",
    ">q\nMKV\n>h\nMK\n": "x.a3m:3: sequence 'h' has 2 match columns",
    ">q\nMKVMKV\n>h\nM\n": "x.a3m:3: sequence 'h' has 1 match columns",
    ">q\nMKV\n>h\nMKVA\n>g\nMK\n": "x.a3m:3: sequence 'h' has 4 match columns",
    ">q\nMKV\n>h\nM.V\n": "x.a3m:3: sequence 'h' has 2 match .*if it stands for a gap, replace it by '-'",
    ">q\nMK.V\n>h\nM.KV\n": "x.a3m:3: .*disagree on whether position 2 is a column .*replace it by '-'",
    ">q\nMK-.\n>h\nMa.K\n": "x.a3m:3: sequence 'h' has 2 match .*replace it by '-'",
    ">q\nMpK-V\n>h\nM.KV\n": "x.a3m:3: sequence 'h' has 3 match columns",
    ">q\nM" + "a" * 65_536 + "V\n>h\nM" + "a" * 65_536 + "V\n": "x.a3m:1: sequence 'q' has more than 65,535",
    ">q\nMKV\n>h\nMK" + "a" * 65_536 + "V\n": "x.a3m:3: sequence 'h' has more than 65,535 insertions",
    ">q\nMKV\n>h\nMKV" + "a" * 65_536 + "\n": "x.a3m:3: sequence 'h' has more than 65,535 insertions",
    ">q\nM" + "-" * 65_536 + "V\n>h\nM" + "A" * 65_536 + "V\n": "x.a3m:3: sequence 'h' has more than 65,535",
    ">" + "n" * 100 + "\nM1\n": "sequence 'n{57}\\.\\.\\.' has the symbol",
}


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: repr(text)[:40])
def test_a_broken_file_is_refused_where_it_breaks(text: str) -> None:
    with pytest.raises(AlignmentFormatError, match=BAD_TEXTS[text]) as caught:
        parse_alignment(text.encode(), "x.a3m")
    assert "\n" not in str(caught.value)


def test_the_most_insertions_that_fit_are_counted() -> None:
    text = ">q\nMKV\n>h\nMK" + "a" * 65_535 + "V\n"
    assert parse_alignment(text.encode(), "x.a3m").deletion_matrix[1].tolist() == [0, 0, 65_535]


def test_faults_beyond_the_first_block_of_rows_are_found() -> None:
    text = ">q\nMKV\n" * 1500 + ">h\nMK!\n" + ">q\nMKV\n" * 1500
    with pytest.raises(AlignmentFormatError, match=r"x.a3m:3002: sequence 'h' has the symbol '!'"):
        parse_alignment(text.encode(), "x.a3m")
    text = ">q\nM-V\n" * 1500 + ">h\nM" + "a" * 65_535 + "AV\n"
    with pytest.raises(AlignmentFormatError, match=r"x.a3m:3001: sequence 'h' has more than 65,535"):
        parse_alignment(text.encode(), "x.a3m")


def test_a_long_query_over_many_short_rows_allocates_nothing() -> None:
    text = ">q\n" + "M" * 2_000_000 + "\n" + ">h\nM\n" * 200_000  # 400 GB if believed
    with pytest.raises(AlignmentFormatError, match="sequence 'h' has 1 match columns"):
        parse_alignment(text.encode(), "x.a3m")


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.text("AK-a.*1 \n\r\t>#\x00", max_size=40).map(lambda text: b">q\n" + text.encode())
)
def test_any_bytes_parse_or_raise_the_format_error(data: bytes) -> None:
    try:
        parse_alignment(data, "x.a3m")
    except AlignmentFormatError as error:
        message = str(error)
    else:
        message = "x.a3m: parsed"
    assert re.match("x.a3m:.*$", message), message
    assert "\n" not in message


def test_a_truncated_gzip_file_is_refused_at_every_length(tmp_path: Path) -> None:
    whole = gzip.compress(b">q\nMKV\n" * 50, mtime=0)
    path = tmp_path / "a.a3m.gz"
    for size in range(2, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(AlignmentFormatError, match=r"a\.a3m\.gz: the gzip file is truncated .*again"):
            read_alignment(path)


@pytest.mark.parametrize("at", [3, 15, -6])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, at: int) -> None:
    damaged = bytearray(gzip.compress(np.random.default_rng(1).bytes(2000), mtime=0))
    damaged[at] ^= 0xFF
    path = tmp_path / "a.a3m.gz"
    path.write_bytes(damaged)
    with pytest.raises(AlignmentFormatError, match=r"the gzip file is (damaged|truncated)"):
        read_alignment(path)


def test_a_gzip_file_with_an_impossible_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.a3m.gz"
    path.write_bytes(gzip.compress(b"")[:10] + b"\xff" * 20)
    with pytest.raises(AlignmentFormatError, match=r"the gzip file is damaged \(.*invalid block type"):
        read_alignment(path)


def test_bytes_after_a_gzip_member_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.a3m.gz"
    path.write_bytes(gzip.compress(b">q\nMKV\n") + b">h\nMKV\n")
    with pytest.raises(AlignmentFormatError, match="the gzip file is damaged"):
        read_alignment(path)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_decompression_stops_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: type[bytes]
) -> None:
    path = tmp_path / "bomb.a3m.gz"
    path.write_bytes(compress(b">q\n" + b"M" * 997))
    monkeypatch.setattr(formats, "MAX_FILE_BYTES", 1000)
    assert read_alignment(path).length == 997
    monkeypatch.setattr(formats, "MAX_FILE_BYTES", 999)
    with pytest.raises(
        AlignmentFormatError, match=r"bomb\.a3m\.gz: holds more than 999 bytes .*; give a smaller file"
    ):
        read_alignment(path)


def test_a_file_of_another_format_is_refused_under_a_wrong_name() -> None:
    for text, what in (
        ("# STOCKHOLM 1.0\nq MKV\n//\n", "a Stockholm"),
        ("\nCLUSTAL W\n\nq MKV\n", "a Clustal"),
        ("HMMER3/f\n", "an HMM"),
    ):
        line = 1 + text.startswith("\n")
        with pytest.raises(AlignmentFormatError, match=f"x.a3m:{line}: this is {what} file; convert it"):
            parse_alignment(text.encode(), "x.a3m", format="a3m")


def test_a_missing_file_and_a_folder_are_one_line_errors(tmp_path: Path) -> None:
    with pytest.raises(AlignmentError, match=r"none\.a3m: there is no such file"):
        read_alignment(tmp_path / "none.a3m")
    with pytest.raises(AlignmentError, match="this is a folder"):
        read_alignment(tmp_path)
    with pytest.raises(AlignmentError, match="cannot be read: File name too long"):
        read_alignment(tmp_path / ("n" * 300))


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything"
)
def test_an_unreadable_file_is_a_one_line_error(tmp_path: Path) -> None:
    path = tmp_path / "a.a3m"
    path.touch(mode=0o000)
    with pytest.raises(AlignmentError, match="cannot be read: Permission denied"):
        read_alignment(path)
