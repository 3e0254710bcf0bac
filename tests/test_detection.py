"""Formats are known by content, or named; what is no alignment is refused by name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.errors import AlignmentError, AlignmentFormatError
from data_tools.formats import FORMATS, detect_format, parse_alignment

KNOWN = {
    b"# STOCKHOLM 1.0\nq MK\n//\n": "stockholm",
    b"\xef\xbb\xbf\r\n # STOCKHOLM 1.0\r\nq MK\r\n//\r\n": "stockholm",
    b"CLUSTAL W\n\nq MK\n": "clustal",
    b"\nMUSCLE (3.8) multiple sequence alignment\n\nq MK\n": "clustal",
    b">q\nMK\n": "a3m",
    b"\xef\xbb\xbf  >q\nMK\n": "a3m",
    b"#A3M#\n>q\nMK\n": "a3m",
    b"#3,4\t1,1\n>q\nMK\n": "a3m",
    b"# only a comment": "a3m",
    b"": "a3m",
    b"\x00\n": "a3m",
    b"text\n>q\nMK\n": "a3m",
    b"MK-V\nM..V\n": "psicov",
    b"MUSCLE\nMKVLAA\n": "psicov",
    b"\nmkv\r\nMKV": "psicov",
    b"ATOM\nMKVL\n": "psicov",
}


@pytest.mark.parametrize("data", KNOWN, ids=lambda data: repr(data)[:30])
def test_a_format_is_known_by_what_stands_in_the_file(data: bytes) -> None:
    assert detect_format(data, "x") == KNOWN[data]


REFUSED = {
    "#=GF ID x\nq MK\n//\n": "x:1: this is no alignment, but looks like Stockholm without its first line",
    "#NEXUS\nbegin data;\n": "NEXUS",
    "HMMER3/f [3.3.2]\nNAME x\n": "profile HMM; give the alignment",
    "HHsearch 1.5\nNAME x\n": r"\.hhm",
    "Query         x\nMatch_columns 12\n": r"\.hhr",
    "\n\n!!AA_MULTIPLE_ALIGNMENT 1.0\n": "x:3: .* MSF",
    " x.msf  MSF: 12  Type: P\n": "MSF",
    " 2 3\nq  MKV\nh  MKV\n": "PHYLIP",
    "LOCUS       X\n": "GenBank",
    "ID   HBB_HUMAN\nAC   P68871;\n": "UniProt",
    "data_1ABC\n#\n": "mmCIF",
    "HEADER    OXYGEN TRANSPORT\n": "PDB",
    "ATOM      1  N   MET A   1\n": "PDB",
    "<!DOCTYPE html>\n<p>502 Bad Gateway": "web page, perhaps an error of the server",
    "<HTML><body>": "web page",
    "<?xml version='1.0'?>": "XML",
    '{"sequences": []}': "JSON",
    "[1]": "JSON",
    "%PDF-1.4": "PDF",
    "hello\n": "no known format begins with 'hello'; name the format, one of a3m, a2m, fasta, stockholm",
    "MKV\n": "no known format begins with 'MKV'",
    "MKV\nMK\n": "no known format begins with 'MKV'",
    "MKV\n\nname MKV\n": "no known format begins",
    "\x01\x02": "no known format begins",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text)[:30])
def test_what_is_no_alignment_is_refused_by_name(text: str) -> None:
    with pytest.raises(AlignmentFormatError, match=REFUSED[text]) as caught:
        parse_alignment(text.encode(), "x")
    assert str(caught.value).startswith("x:")
    assert "\n" not in str(caught.value)


def test_utf_16_is_named_as_such() -> None:
    for coding in ("utf-16-le", "utf-16-be"):
        with pytest.raises(AlignmentFormatError, match="the file is UTF-16; save it as plain text"):
            parse_alignment("\ufeffMK\nMV\n".encode(coding), "x")


def test_a_named_format_is_not_guessed() -> None:
    assert parse_alignment(b"MKV\n", "x", format="psicov").report.format == "psicov"
    with pytest.raises(AlignmentFormatError, match="the first line must be '# STOCKHOLM"):
        parse_alignment(b">q\nMKV\n", "x", format="stockholm")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"format": "sto"}, f"format must be one of {', '.join(FORMATS)}, not 'sto'"),
        ({"on_error": "ignore"}, "on_error must be one of raise, repair, not 'ignore'"),
        ({"match_columns": "x"}, "match_columns must be one of query, rf, not 'x'"),
    ],
)
def test_an_argument_that_is_no_choice_is_refused(options: dict[str, str], match: str) -> None:
    with pytest.raises(AlignmentError, match=match):
        parse_alignment(b">q\nMKV\n", "x", **options)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from([None, *FORMATS]), st.sampled_from(["raise", "repair"]))
def test_any_bytes_parse_or_raise_the_format_error(data: bytes, name: str | None, on_error: str) -> None:
    try:
        parse_alignment(data, "x", format=name, on_error=on_error)  # type: ignore[arg-type]
    except AlignmentFormatError as error:
        message = str(error)
    else:
        message = "x: parsed"
    assert message.startswith("x:")
    assert "\n" not in message
