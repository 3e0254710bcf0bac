"""Which format the bytes of a file are in, by what stands in them; other kinds of files are refused by name."""

from __future__ import annotations

import re
from typing import Final

from data_tools.alphabet import AMINO_ACIDS, SUBSTITUTED
from data_tools.errors import AlignmentFormatError
from data_tools.formats import clustal, stockholm_text
from data_tools.formats.blocks import quoted

FORMATS: Final = ("a3m", "a2m", "fasta", "stockholm", "clustal", "psicov")
"""Names that `read_alignment(format=...)` and `write_alignment(format=...)` take."""
_LEADING: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\s\x00]*")
_RECORD: Final = re.compile(rb"^[ \t]*>", re.MULTILINE)
_SYMBOLS: Final = (AMINO_ACIDS + "".join(SUBSTITUTED) + "X-.").encode()
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_LEAST_ROWS: Final = 2  # of a file without any mark: one word of letters alone is no evidence
_OTHER_KINDS: Final = (
    (rb"#=G[FCSR]\s", "Stockholm without its first line; put '# STOCKHOLM 1.0' on top"),
    (rb"#NEXUS", "a NEXUS file; convert it to aligned FASTA"),
    (rb"HMMER\d|HMM\s", "a profile HMM; give the alignment that it was built from"),
    (rb"HHsearch\s", "a profile of HH-suite (.hhm); give the alignment (.a3m) that it was built from"),
    (rb"Query\s+.*\n.*Match_columns\s", "a list of hits of HH-suite (.hhr); give the alignment (-oa3m)"),
    (rb"(?:!!AA_MULTIPLE_ALIGNMENT|PileUp|.*\bMSF:)", "an MSF file; convert it to aligned FASTA"),
    (rb"\d+\s+\d+\s*\n", "a PHYLIP file; convert it to aligned FASTA"),
    (rb"LOCUS\s", "a GenBank record; give an alignment"),
    (rb"ID   .*\n(?:AC|DT)   ", "a UniProt record; give an alignment"),
    (rb"(?i)data_\S*\s*\n", "a structure (mmCIF); give an alignment"),
    (
        rb"(?:HEADER|TITLE |COMPND|REMARK|CRYST1|SEQRES|MODEL |ATOM  |HETATM)",
        "a structure (PDB); give an alignment",
    ),
    (
        rb"(?i)<(?:!doctype|html|head|body)",
        "a web page, perhaps an error of the server; download the file again",
    ),
    (rb"<\?xml|<[A-Za-z]", "XML; give an alignment"),
    (rb"[\[{]", "JSON; give an alignment"),
    (rb"%PDF", "a PDF document; give an alignment"),
)


def detect_format(data: bytes, source: str) -> str:
    """Name the format, one of `FORMATS`; "a3m" stands for A2M and FASTA too, whose one parser tells them apart.

    Raises AlignmentFormatError for what is no alignment, naming what it looks like.

    >>> detect_format(b"# STOCKHOLM 1.0\\nquery MKV\\n//\\n", "doc")
    'stockholm'
    """
    found = _LEADING.match(data)
    start = found.end() if found else 0
    if data.startswith(stockholm_text.HEADER, start):
        return "stockholm"
    first_line = data[start : start + 200].splitlines()[0] if start < len(data) else b""
    if clustal.HEADER.match(first_line):
        return "clustal"
    if start == len(data) or data.startswith(b">", start) or data.startswith(_UTF16_MARKS):
        return "a3m"  # its parser says what is wrong with nothing, and with UTF-16
    beginning = data[start : start + 1000].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for pattern, what in _OTHER_KINDS:
        if re.match(pattern, beginning):
            line = data.count(b"\n", 0, start) + 1
            raise AlignmentFormatError(f"{source}:{line}: this is no alignment, but looks like {what}")
    if _has_rows_only(data[start:]):
        return "psicov"
    if first_line.startswith(b"#") or _RECORD.search(data):
        return "a3m"
    line = data.count(b"\n", 0, start) + 1
    raise AlignmentFormatError(
        f"{source}:{line}: no known format begins with {quoted(first_line)}; name the format, one of "
        f"{', '.join(FORMATS)}"
    )


def _has_rows_only(data: bytes) -> bool:
    """Tell whether all lines are rows of one width made of residues and gaps."""
    lines = [line.strip() for line in data.rstrip(b"\x00").splitlines()]
    rows = [line for line in lines if line]
    width = len(rows[0]) if rows else 0
    has_one_width = len(rows) >= _LEAST_ROWS and all(len(row) == width for row in rows)
    return has_one_width and not b"".join(rows).translate(None, _SYMBOLS + _SYMBOLS.lower())
