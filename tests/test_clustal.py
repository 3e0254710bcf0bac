"""Clustal: headers, blocks, marks and counts; what is refused."""

import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.alignment import Alignment
from data_tools.alphabet import decode
from data_tools.errors import AlignmentFormatError
from data_tools.formats import parse_alignment, read_alignment

GLOBINS = Path("/usr/share/doc/hmmer/examples/tutorial/globins45.fa")


def parse(text: str, **options: str) -> Alignment:
    return parse_alignment(text.encode(), "x.aln", **options)  # type: ignore[arg-type]


PLAIN = """CLUSTAL W (1.83) multiple sequence alignment


query      MK-V
hit        M-AV
           *  *

query      LL
hit        -L
            *
"""


def is_plain(alignment: Alignment) -> bool:
    assert alignment.insertions is not None
    return (
        alignment.names == ("query", "hit")
        and [decode(row) for row in alignment.tokens] == ["MKVLL", "M-V-L"]
        and alignment.deletion_matrix.tolist() == [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
        and alignment.insertions.letters.tobytes() == b"a"
        and alignment.report.format == "clustal"
    )


HEADERS = [
    "CLUSTAL",
    "CLUSTALW",
    "CLUSTAL X (1.81) multiple sequence alignment",
    "CLUSTAL O(1.2.4) multiple sequence alignment",
    "CLUSTAL 2.1 multiple sequence alignment",
    "CLUSTAL format alignment by MAFFT L-INS-i (v7.5)",
    "MUSCLE (3.8) multiple sequence alignment",
    "PROBCONS version 1.12 multiple sequence alignment",
    "Kalign (2.0) alignment in ClustalW format",
    "T-COFFEE, Version_11 alignment",
]


@pytest.mark.parametrize("header", HEADERS)
def test_the_header_of_any_program_is_known(header: str) -> None:
    assert is_plain(parse(PLAIN.replace(PLAIN.splitlines()[0], header)))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        "\n\n" + PLAIN + "\n\n\x00",
        PLAIN.rstrip("\n"),
        PLAIN.replace("           *  *\n", "").replace("            *\n", ""),
        PLAIN.replace("           *  *\n", " " * 15 + "\n"),
        PLAIN.replace("*", ":").replace("\n\nquery", "\nquery"),
        PLAIN.replace("MK-V\n", "MK-V 3\n").replace("M-AV\n", "M-AV\t3\n").replace("LL\n", "LL 5\n"),
        PLAIN.replace("MK-V", "mk.v"),
        PLAIN.replace("query      LL\nhit        -L", "hit        -L\nquery      LL"),
    ],
)
def test_a_harmless_variation_of_the_text_changes_nothing(text: str) -> None:
    assert is_plain(parse(text))


BAD_TEXTS = {
    "CLUSTAL W\n\n": "x.aln: the file holds no sequence",
    "CLUSTAL W\n\nq MKV\nh\n": "x.aln:4: a name and a row of symbols are expected, not 'h'",
    "CLUSTAL W\n\nq MKV\nh M KV x\n": "x.aln:4: a name and a row of symbols are expected, not 'h M KV x'",
    "CLUSTAL W\n\nq MKV\n h MKV\n": "x.aln:4: a name and a row of symbols are expected, not 'h MKV'",
    "CLUSTAL W\n\nq MKV\nh MKV x\n": "x.aln:4: behind the row only a count of residues may stand, not 'x'",
    "CLUSTAL W\n\nq MKV\nh MK\n": "x.aln:4: sequence 'h' has 2 columns in this block, the query has 3",
    "CLUSTAL W\n\nq MKV\nh M!V\n": "x.aln:4: sequence 'h' has the symbol '!' at position 2",
    "CLUSTAL W\n\nq MKV\nq MKV\n": "x.aln:4: sequence 'q' is twice in one block",
    "CLUSTAL W\n\nq MK\nh MK\n\nq V\n": "x.aln:6: sequence 'h' is absent from this block",
    "CLUSTAL W\n\nq MK\nh MK\n\nq V\nh V\ng V\n": "x.aln:8: sequence 'g' is not in the first block",
    "CLUSTAL W\n\nq ---\nh MKV\n": "x.aln:3: the query 'q' holds gaps only",
}


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: repr(text)[12:52])
def test_a_broken_file_is_refused_where_it_breaks(text: str) -> None:
    with pytest.raises(AlignmentFormatError, match=BAD_TEXTS[text]):
        parse(text)


def test_a_file_without_header_is_refused_when_the_format_is_named() -> None:
    with pytest.raises(
        AlignmentFormatError, match=r"x.aln:1: the first line must begin with 'CLUSTAL', not 'q MKV'"
    ):
        parse("q MKV\n", format="clustal")
    with pytest.raises(AlignmentFormatError, match=r"x.aln: the file holds no sequence; it is empty"):
        parse("\n", format="clustal")


def test_repair_drops_broken_rows_and_says_so() -> None:
    alignment = parse("CLUSTAL W\n\nq M-V\na MK\nb M?V\nh MAV\n", on_error="repair")
    assert alignment.names == ("q", "h")
    assert alignment.deletion_matrix.tolist() == [[0, 0], [0, 1]]
    assert [(note.line, note.record) for note in alignment.report.notes] == [(4, "a"), (5, "b")]


@settings(deadline=None)
@given(st.data(), st.integers(1, 150), st.integers(1, 5))
def test_what_biopython_writes_reads_as_biopython_reads_it(
    data: st.DataObject, width: int, depth: int
) -> None:
    from Bio import AlignIO
    from Bio.Align import MultipleSeqAlignment
    from Bio.Seq import Seq
    from Bio.SeqRecord import SeqRecord

    rows = ["M" + data.draw(st.text("ACDWY-", min_size=width, max_size=width)) for _ in range(depth)]
    records = [SeqRecord(Seq(row), id=f"s{n}") for n, row in enumerate(rows)]
    file = StringIO()
    AlignIO.write(MultipleSeqAlignment(records), file, "clustal")
    ours = parse(file.getvalue())
    theirs = AlignIO.read(StringIO(file.getvalue()), "clustal")
    kept = [column for column, letter in enumerate(rows[0]) if letter != "-"]
    assert list(ours.names) == [record.id for record in theirs]
    assert [decode(row) for row in ours.tokens] == [
        "".join(record.seq[at] for at in kept) for record in theirs
    ]


@pytest.mark.skipif(
    shutil.which("kalign") is None or not GLOBINS.exists(), reason="needs kalign and hmmer-examples"
)
def test_the_output_of_kalign_reads_as_its_fasta_output(tmp_path: Path) -> None:
    for name in ("clu", "fasta"):
        out = tmp_path / f"out.{name}"
        command = ["kalign", "-i", str(GLOBINS), "--format", name, "-o", str(out)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    clustal, fasta = read_alignment(tmp_path / "out.clu"), read_alignment(tmp_path / "out.fasta")
    assert (clustal.report.format, fasta.report.format) == ("clustal", "a3m")
    assert clustal.depth == 45
    assert [decode(row) for row in clustal.tokens] == [decode(row) for row in fasta.tokens]
    assert clustal.deletion_matrix.tolist() == fasta.deletion_matrix.tolist()
