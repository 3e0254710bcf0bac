"""Stockholm: what is read, what it means, and what is refused."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_tools.alignment import Alignment
from data_tools.alphabet import SUBSTITUTED, decode
from data_tools.errors import AlignmentError, AlignmentFormatError
from data_tools.formats import column_rows, parse_alignment, read_alignment

EXAMPLES = Path("/usr/share/doc/hmmer/examples")  # Debian's package hmmer-examples
REAL_FILES = [
    *(EXAMPLES / "tutorial" / name for name in ("globins4.sto", "fn3.sto", "Pkinase.sto")),
    *(EXAMPLES / "testsuite" / name for name in ("3box.sto", "LuxC.sto.gz", "SMC_N.sto.gz", "RRM_1.sto.gz")),
]
LETTERS = "ACDEFGHIKLMNPQRSTVWYX" + "".join(SUBSTITUTED)


def parse(text: str, **options: str) -> Alignment:
    return parse_alignment(text.encode(), "x.sto", **options)  # type: ignore[arg-type]


def stockholm(*blocks: list[str], markup: str = "") -> str:
    body = "\n\n".join("\n".join(f"s{n}/1-9 {row}" for n, row in enumerate(block)) for block in blocks)
    return f"# STOCKHOLM 1.0\n{markup}\n{body}\n//\n"


def read_slowly(rows: list[str], marks: str) -> tuple[list[str], list[list[int]], str, list[int]]:
    """Rows, deletions, letters of insertions and trailing counts, one character at a time."""
    sequences, deletions, letters, trailing = [], [], "", []
    for row in rows:
        sequence, counts, waiting = "", [], 0
        for symbol, of_query, mark in zip(row, rows[0], marks, strict=True):
            symbol = "-" if symbol in "-._~" else SUBSTITUTED.get(symbol.upper(), symbol.upper())
            if of_query not in "-._~" and mark == "x":
                sequence += symbol
                counts.append(waiting)
                waiting = 0
            elif symbol != "-":
                waiting += 1
        sequences.append(sequence)
        deletions.append(counts)
        trailing.append(waiting)
        letters += "".join(
            symbol.lower()
            for symbol, of_query, mark in zip(row, rows[0], marks, strict=True)
            if symbol not in "-._~" and (of_query in "-._~" or mark != "x")
        )
    return sequences, deletions, letters, trailing


def agrees(alignment: Alignment, rows: list[str], marks: str | None = None) -> bool:
    sequences, deletions, letters, trailing = read_slowly(rows, marks or "x" * len(rows[0]))
    assert alignment.insertions is not None
    return (
        [decode(row) for row in alignment.tokens] == sequences
        and alignment.deletion_matrix.tolist() == deletions
        and alignment.insertions.letters.tobytes().decode() == letters
        and alignment.insertions.trailing.tolist() == trailing
    )


@st.composite
def aligned_rows(draw: st.DrawFn) -> list[str]:
    width = draw(st.integers(1, 15))
    symbols = st.sampled_from(LETTERS + LETTERS.lower() + "----....__~~")
    row = st.lists(symbols, min_size=width, max_size=width).map("".join)
    query = draw(row.filter(lambda text: not set(text) <= set("-._~")))
    return [query, *draw(st.lists(row, max_size=5))]


@settings(deadline=None)
@given(aligned_rows(), st.integers(1, 15))
@example(["--A-c..", "WWawCWW", "-.-.-.-"], 3)
def test_rows_read_as_the_per_character_loop_does_however_they_are_cut(rows: list[str], cut: int) -> None:
    blocks = [[row[at : at + cut] for row in rows] for at in range(0, len(rows[0]), cut)]
    assert agrees(parse(stockholm(*blocks)), rows)


@settings(deadline=None)
@given(aligned_rows(), st.data())
def test_columns_that_rf_marks_and_the_query_fills_are_kept_on_demand(
    rows: list[str], data: st.DataObject
) -> None:
    width = len(rows[0])
    marks = data.draw(st.text("x.", min_size=width, max_size=width))
    text = stockholm(rows).replace("//", f"#=GC RF {marks}\n//")
    if any(mark == "x" and symbol not in "-._~" for mark, symbol in zip(marks, rows[0], strict=True)):
        alignment = parse(text, match_columns="rf")
        assert agrees(alignment, rows, marks)
        assert set(alignment.annotations.columns["RF"]) == {"x"}
    else:
        with pytest.raises(AlignmentFormatError, match="holds gaps only in the columns that RF marks"):
            parse(text, match_columns="rf")


def test_groups_of_rows_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    rows = ["".join(rng.choice(list("AC-w."), 7)) for _ in range(50)]
    rows[0] = "A-C.W-K"
    whole = parse(stockholm(rows))
    assert agrees(whole, rows)
    for cells in (1, 7, 20, 49, 349):
        monkeypatch.setattr(column_rows, "_GROUP_CELLS", cells)
        assert agrees(parse(stockholm(rows)), rows)


def test_a_residue_the_query_has_outside_rf_stays_as_its_insertion() -> None:
    alignment = parse("# STOCKHOLM 1.0\nq MKVL\nh MKVL\n#=GC RF x.xx\n//\n", match_columns="rf")
    assert alignment.query == "MVL"
    assert alignment.residue_index.tolist() == [0, 2, 3]


MARKED = """# STOCKHOLM 1.0
#=GF ID  family
#=GF CC first line
#=GF CC second  line
#=GS q/1-4 DE the query
#=GS h DE a homologue; [x]
#=GS h AC P12345
#=GS h OS Homo sapiens
#=GS absent DE nobody

q/1-4          MK.V
#=GR q/1-4 SS  HH.C
h              M-aV
#=GR h PP      9.87
#=GC SS_cons   HHHC

q/1-4          L
h              l
#=GR q/1-4 SS  E
#=GR h PP      *
#=GC SS_cons   E
//
"""


def test_markup_is_kept_at_the_columns_kept() -> None:
    alignment = parse(MARKED)
    assert alignment.names == ("q/1-4 the query", "h a homologue; [x]")
    assert alignment.annotations.file == {"ID": "family", "CC": "first line\nsecond  line"}
    assert alignment.annotations.columns == {"SS_cons": "HHCE"}
    assert alignment.annotations.residues == {"SS": {0: "HHCE"}, "PP": {1: "9.7*"}}
    assert agrees(alignment, ["MK.VL", "M-aVl"])


def test_markup_that_is_not_kept_is_in_the_report() -> None:
    report = parse(MARKED).report
    assert (report.format, report.source, report.counts) == ("stockholm", "x.sto", {"skipped": 3})
    assert [(note.line, note.action) for note in report.notes] == [
        (7, "skipped"),
        (8, "skipped"),
        (9, "skipped"),
    ]
    assert "#=GS AC" in report.notes[0].reason
    assert (report.notes[2].record, report.notes[2].reason) == ("absent", "#=GS DE of no sequence")


PLAIN = "# STOCKHOLM 1.0\n\nq  MK-V\nh  M-AV\n\nq  LL\nh  -L\n//\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        PLAIN + "\x00",
        PLAIN.rstrip("\n"),
        "\n \n" + PLAIN + "\n\n# a comment\n",
        PLAIN.replace("\n\n", "\n \t \n\n\n"),
        PLAIN.replace("\nq", "\n# comment\nq"),
        PLAIN.replace("\nq", "\n  q").replace("MK-V", "\tMK-V  "),
        PLAIN.replace("q  LL\nh  -L", "h  -L\nq  LL"),
        PLAIN.replace("1.0", "1.0 more"),
        PLAIN.replace("-", "."),
        PLAIN.lower().replace("# stockholm", "# STOCKHOLM"),
    ],
)
def test_a_harmless_variation_of_the_text_changes_nothing(text: str) -> None:
    alignment = parse(text)
    assert alignment.names == ("q", "h")
    assert agrees(alignment, ["MK-VLL", "M-AV-L"])


BAD_TEXTS = {
    "# STOCKHOLM 1.0\n//\n": r"x.sto: the file holds no sequence",
    "# STOCKHOLM 1.0\nq MKV\n": r"x.sto:3: the file ends without '//': it is truncated",
    "# STOCKHOLM 1.0\nq MKV\n# STOCKHOLM 1.0\nq MKV\n//\n": r"x.sto:3: a second alignment starts before '//'",
    "# STOCKHOLM 1.0\nq MKV\n//\n# STOCKHOLM 1.0\nq MKV\n//\n": r"x.sto:4: a second alignment starts here",
    "# STOCKHOLM 1.0\nq MKV\n//\nq MKV\n": r"x.sto:4: text behind the end mark '//': 'q MKV'",
    "# STOCKHOLM 1.0\nq MKV\nh\n//\n": r"x.sto:3: a name and a row of symbols are expected, not 'h'",
    "# STOCKHOLM 1.0\nq MKV\nh M KV\n//\n": r"x.sto:3: a name and a row of symbols are expected, not 'h M KV'",
    "# STOCKHOLM 1.0\nq MKV\nh MKV\nh MKV\n//\n": r"x.sto:4: sequence 'h' is twice in one block; give each",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nq V\nq V\n//\n": r"x.sto:6: sequence 'q' is twice in one block",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nh V\nh V\n//\n": r"x.sto:6: sequence 'h' is twice in one block",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nq V\nh V\nq V\n//\n": r"x.sto:7: sequence 'q' is twice in one block",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nq V\n//\n": r"x.sto:5: sequence 'h' is absent from this block",
    "# STOCKHOLM 1.0\nq MK\nh MK\ni MK\n\nq V\ni V\n//\n": r"x.sto:6: sequence 'h' is absent from this block",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nq V\nh V\ng V\n//\n": r"x.sto:7: sequence 'g' is not in the first block",
    "# STOCKHOLM 1.0\nq MKV\nh MK\n//\n": r"x.sto:3: sequence 'h' has 2 columns in this block, the query has 3",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nq V\nh VV\n//\n": r"x.sto:6: sequence 'h' has 2 columns in this block",
    "# STOCKHOLM 1.0\nq MKV\nh M1V\n//\n": r"x.sto:3: sequence 'h' has the symbol '1' at position 2; letters",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nq V\nh *\n//\n": r"x.sto:6: sequence 'h' has the symbol '\*' at position 3",
    "# STOCKHOLM 1.0\nq MK\nh MK\n\nq ?\nh V\n//\n": r"x.sto:5: sequence 'q' has the symbol '\?' at position 3",
    "# STOCKHOLM 1.0\nq ...\nh MKV\n//\n": r"x.sto:2: the query 'q' holds gaps only; put a real",
    "# STOCKHOLM 1.0\nq MKV\n#=GC SS HH\n//\n": r"x.sto:3: '#=GC SS' has 2 columns .*, the query has 3; correct",
    "# STOCKHOLM 1.0\nq MKV\n#=GR q SS HHHH\n//\n": r"x.sto:3: '#=GR q SS' has 4 columns",
    "# STOCKHOLM 1.0\n#=GX q\nq MKV\n//\n": r"x.sto:2: '#=GX q' is no complete #=GF",
    "# STOCKHOLM 1.0\nq MKV\x00\nh MKV\n//\n": r"x.sto:2: a NUL byte inside",
    "# STOCKHOLM 1.0\nq M"
    + "-" * 65_536
    + "V\nh M"
    + "A" * 65_536
    + "V\n//\n": r"x.sto:3: sequence 'h' has more "
    "than 65,535 insertions in a row",
}


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: repr(text)[19:59])
def test_a_broken_file_is_refused_where_it_breaks(text: str) -> None:
    with pytest.raises(AlignmentFormatError, match=BAD_TEXTS[text]) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_file_without_header_is_refused_when_the_format_is_named() -> None:
    with pytest.raises(
        AlignmentFormatError, match=r"x.sto:2: the first line must be '# STOCKHOLM 1.0', not 'q MKV'"
    ):
        parse("\nq MKV\n//\n", format="stockholm")
    with pytest.raises(AlignmentFormatError, match=r"x.sto: the file holds no sequence"):
        parse("", format="stockholm")


REPAIRED = {
    "# STOCKHOLM 1.0\nq MKV\na MK\nh M-V\n//\n": (3, "a", "has 2 columns"),
    "# STOCKHOLM 1.0\nq MKV\na M1V\nh M-V\n//\n": (3, "a", "the symbol '1' at position 2"),
    "# STOCKHOLM 1.0\nq MK\na MK\nh M-\n\nq V\nh V\n//\n": (6, "a", "is absent from this block"),
    "# STOCKHOLM 1.0\nq MK\nh M-\n\nq V\nh V\na V\n//\n": (7, "a", "not in the first block"),
    "# STOCKHOLM 1.0\nq MKV\nh M-V\n#=GC SS HH\n//\n": (4, "#=GC SS", "has 2 columns, the query has 3"),
    "# STOCKHOLM 1.0\nq MKV\nh M-V\n#=GR h SS HH\n//\n": (4, "#=GR h SS", "has 2 columns, the query has 3"),
    "# STOCKHOLM 1.0\nq MKV\nh M-V\n#=GX\n//\n": (4, "", "'#=GX' is no complete"),
}


@pytest.mark.parametrize("text", REPAIRED, ids=lambda text: repr(text)[19:59])
def test_repair_drops_what_is_broken_and_says_so(text: str) -> None:
    alignment = parse(text, on_error="repair")
    assert alignment.names == ("q", "h")
    assert agrees(alignment, ["MKV", "M-V"])
    (note,) = alignment.report.notes
    line, record, reason = REPAIRED[text]
    assert (note.line, note.record, note.action) == (line, record, "dropped")
    assert reason in note.reason


def test_repair_keeps_letters_and_markup_with_their_rows() -> None:
    text = "# STOCKHOLM 1.0\nq M-K-\nbad MA1A\nh MW-Y\n#=GR h PP 1234\nlong M-K\n#=GR bad PP 9999\n//\n"
    alignment = parse(text, on_error="repair")
    assert agrees(alignment, ["M-K-", "MW-Y"])
    assert alignment.annotations.residues == {"PP": {1: "13"}}
    assert alignment.report.counts["dropped"] == 2
    long = (
        "# STOCKHOLM 1.0\nq M" + "-" * 65_536 + "V\nh M" + "A" * 65_536 + "V\ng M" + "-" * 65_535 + "AV\n//\n"
    )
    alignment = parse(long, on_error="repair")
    assert (alignment.names, alignment.deletion_matrix.tolist()) == (("q", "g"), [[0, 0], [0, 1]])


@pytest.mark.parametrize(
    "text",
    [
        "# STOCKHOLM 1.0\nq M?\nh MK\n//\n",
        "# STOCKHOLM 1.0\nq --\nh MK\n//\n",
        "# STOCKHOLM 1.0\nq MK\nh MK\n",
        "# STOCKHOLM 1.0\nq MK\nh MK\n\nh V\n//\n",
    ],
)
def test_repair_never_touches_the_query_nor_completes_a_file(text: str) -> None:
    with pytest.raises(AlignmentFormatError):
        parse(text, on_error="repair")


def test_a_block_without_the_query_is_refused() -> None:
    with pytest.raises(AlignmentFormatError, match=r"x.sto:5: the query 'q' is absent from this block"):
        parse("# STOCKHOLM 1.0\nq MK\nh MK\n\nh V\n//\n")


def test_rf_is_refused_where_there_is_none() -> None:
    with pytest.raises(AlignmentFormatError, match="there is no such line; take those of the query"):
        parse(PLAIN, match_columns="rf")
    with pytest.raises(AlignmentFormatError, match=r"x.sto:3: '#=GC RF' has 2 columns"):
        parse("# STOCKHOLM 1.0\nq MKV\n#=GC RF xx\n//\n", match_columns="rf", on_error="repair")
    with pytest.raises(
        AlignmentError, match="match columns from RF exist in Stockholm only, the file is a3m"
    ):
        parse(">q\nMKV\n", match_columns="rf")


def test_many_equal_names_are_refused_quickly() -> None:
    with pytest.raises(AlignmentFormatError, match="sequence 'q' is twice"):
        parse("# STOCKHOLM 1.0\n" + "q M\n" * 200_000 + "//\n")


@settings(deadline=None)
@given(
    st.text("AK-.*1qh \n\r\t#=GCRSF/\x00", max_size=60).map(
        lambda text: f"# STOCKHOLM 1.0\nq AK\n{text}\n//\n"
    )
)
def test_any_text_parses_or_raises_the_format_error(text: str) -> None:
    for on_error in ("raise", "repair"):
        try:
            parse(text, on_error=on_error)
        except AlignmentFormatError as error:
            message = str(error)
        else:
            message = "x.sto: parsed"
        assert message.startswith("x.sto:"), message
        assert "\n" not in message


@pytest.mark.skipif(not EXAMPLES.exists(), reason="needs Debian's hmmer-examples")
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_files_read_as_biopython_reads_them(path: Path) -> None:
    from Bio import AlignIO

    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    plain = text.decode("latin-1")
    from io import StringIO

    theirs = AlignIO.read(StringIO(plain), "stockholm")
    ours = read_alignment(path)
    assert agrees(ours, [str(record.seq) for record in theirs])
    names = [name.split()[0] for name in ours.names]
    assert [name.partition("/")[0] for name in names] == [record.name.partition("/")[0] for record in theirs]
    kept = [column for column, symbol in enumerate(str(theirs[0].seq)) if symbol not in "-."]
    if "secondary_structure" in theirs.column_annotations:
        marks = theirs.column_annotations["secondary_structure"]
        assert ours.annotations.columns["SS_cons"] == "".join(marks[column] for column in kept)
    for row, texts in ours.annotations.residues.get("SS", {}).items():
        marks = theirs[row].letter_annotations["secondary_structure"]
        assert texts == "".join(marks[column] for column in kept)


PYHMMER = """
import json, sys, pyhmmer
with pyhmmer.easel.MSAFile(sys.argv[1], format="stockholm", digital=False) as file:
    msa = file.read()
print(json.dumps([[n.decode() if isinstance(n, bytes) else n for n in msa.names], list(msa.alignment)]))
"""


@pytest.mark.skipif(not EXAMPLES.exists(), reason="needs Debian's hmmer-examples")
def test_real_files_read_as_easel_reads_them() -> None:
    pytest.importorskip("pyhmmer")
    for path in REAL_FILES[:4]:
        run = subprocess.run(  # a process of its own: broken input could end it
            [sys.executable, "-c", PYHMMER, str(path)], capture_output=True, text=True, check=True, timeout=60
        )
        names, rows = json.loads(run.stdout)
        ours = read_alignment(path)
        assert [name.split()[0] for name in ours.names] == names
        assert agrees(ours, rows)


@pytest.mark.skipif(
    shutil.which("jackhmmer") is None or not EXAMPLES.exists(), reason="needs hmmer and hmmer-examples"
)
def test_the_output_of_jackhmmer_is_read_in_many_blocks_and_in_one(tmp_path: Path) -> None:
    tutorial = EXAMPLES / "tutorial"
    alignments = []
    for name, flags in (("many.sto", []), ("one.sto", ["--notextw"])):
        out = tmp_path / name
        command = ["jackhmmer", "-N", "2", "--cpu", "1", *flags, "-A", str(out), "-o", "/dev/null"]
        subprocess.run(
            [*command, str(tutorial / "HBB_HUMAN"), str(tutorial / "globins45.fa")], check=True, timeout=60
        )
        alignments.append(read_alignment(out))
    many, one = alignments
    assert many.depth > 40
    assert many.names == one.names
    assert many.names[0].startswith("HBB_HUMAN")
    assert np.array_equal(many.tokens, one.tokens)
    assert np.array_equal(many.deletion_matrix, one.deletion_matrix)
    assert many.annotations.residues == one.annotations.residues
    assert len(many.annotations.residues["PP"]) >= 40
    assert all(len(text) == many.length for text in many.annotations.residues["PP"].values())
    rf = read_alignment(tmp_path / "many.sto", match_columns="rf")
    assert rf.length <= many.length
