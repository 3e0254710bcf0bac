"""Writing alignments: what each format holds, what is refused, and what is said to be lost."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
import zstandard

from data_tools.alignment import Alignment, Insertions
from data_tools.alphabet import encode
from data_tools.annotations import Annotations, ChainSegment
from data_tools.errors import AlignmentError
from data_tools.formats import FORMATS, find_losses, format_of_path, layout, parse_alignment, write_alignment
from data_tools.formats.writers import text_of
from data_tools.formats.written_names import renamed


def small(
    names: tuple[str, ...] = ("q", "h the homologue"),
    annotations: Annotations | None = None,
    *,
    is_known: bool = True,
) -> Alignment:
    """`MKV`, and `..waM-Vy` with two residues before the first column and one behind the last."""
    insertions = Insertions(np.frombuffer(b"way", dtype=np.uint8), np.array([0, 1], dtype=np.int32))
    return Alignment(
        names,
        np.stack([encode("MKV"), encode("M-V")]),
        np.array([[0, 0, 0], [2, 0, 0]], dtype=np.uint16),
        insertions=insertions if is_known else None,
        annotations=annotations or Annotations(),
    )


def written(alignment: Alignment, format: str) -> str:
    return b"".join(text_of(alignment, format)).decode()


TEXTS = {
    "a3m": ">q\nMKV\n>h the homologue\nwaM-Vy\n",
    "a2m": ">q\n..MKV.\n>h the homologue\nwaM-Vy\n",
    "fasta": ">q\n--MKV-\n>h the homologue\nWAM-VY\n",
    "stockholm": "# STOCKHOLM 1.0\n#=GS h DE the homologue\n\nq ..MKV.\nh waM-Vy\n#=GC RF ..xxx.\n//\n",
    "clustal": "CLUSTAL multiple sequence alignment\n\n\nq --MKV-\nh WAM-VY\n",
    "psicov": "MKV\nM-V\n",
}


@pytest.mark.parametrize("format", FORMATS)
def test_a_small_alignment_in_each_format(format: str) -> None:
    assert written(small(), format) == TEXTS[format]


def test_letters_that_are_not_known_are_written_as_x() -> None:
    alignment = small(is_known=False)
    assert written(alignment, "a3m") == ">q\nMKV\n>h the homologue\nxxM-V\n"
    assert written(alignment, "fasta") == ">q\n--MKV\n>h the homologue\nXXM-V\n"
    assert find_losses(alignment, "a3m") == (
        "the letters of 2 residues of insertions are not known: they are written as x",
    )


def test_clustal_wraps_its_rows_and_aligns_its_names() -> None:
    alignment = parse_alignment(b">q\n" + b"MK" * 65 + b"\n>long_name\n" + b"M-" * 65 + b"\n", "x")
    lines = written(alignment, "clustal").splitlines()
    assert lines[3] == "q         " + "MK" * 30
    assert lines[4] == "long_name " + "M-" * 30
    assert [len(line) for line in lines] == [35, *[0, 0, 70, 70] * 2, 0, 0, 20, 20]


def test_one_very_long_name_does_not_widen_the_others() -> None:
    alignment = small(names=("q", "h" * 5000))
    assert "\nq ..MKV." in written(alignment, "stockholm")
    assert "\nq --MKV-" in written(alignment, "clustal")


@pytest.mark.parametrize("cells", [1, 5, 7, 11])
def test_groups_of_rows_join_without_a_seam(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    rng = np.random.default_rng(2)
    rows = ["MKV", *("".join(rng.choice(list("MK-wa"), 6)) for _ in range(60))]
    rows = [row for row in rows if row == "MKV" or sum(map(row.count, "MK-")) == 3]
    text = "".join(f">s{n}\n{row}\n" for n, row in enumerate(rows))
    assert len(rows) > 10
    alignment = parse_alignment(text.encode(), "x")
    whole = written(alignment, "stockholm")
    monkeypatch.setattr(layout, "_GROUP_CELLS", cells)
    assert written(alignment, "a3m") == text
    assert written(alignment, "stockholm") == whole


@pytest.mark.parametrize(
    ("path", "format"),
    [
        *((f"x{suffix}", "a3m") for suffix in (".a3m", ".A3M", ".a3m.gz", ".txt", "", ".gz")),
        *((f"x{suffix}", "fasta") for suffix in (".fa", ".fasta", ".fas", ".afa", ".fasta.zst")),
        *((f"x{suffix}", "stockholm") for suffix in (".sto", ".stk", ".stockholm", ".sto.bz2")),
        *((f"x{suffix}", "clustal") for suffix in (".clustal", ".clw")),
        *((f"x{suffix}", "psicov") for suffix in (".psicov", ".aln", ".aln.xz")),
        ("x.a2m", "a2m"),
    ],
)
def test_the_format_follows_from_the_suffix(path: str, format: str) -> None:
    assert format_of_path(path) == format


def test_format_and_compression_follow_from_the_path(tmp_path: Path) -> None:
    openers = {"gz": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}
    openers["zst"] = lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)
    for suffix, opener in openers.items():
        contents = []
        for _ in range(2):
            write_alignment(small(), tmp_path / f"a.sto.{suffix}")
            contents.append((tmp_path / f"a.sto.{suffix}").read_bytes())
        assert opener(contents[0]).decode() == TEXTS["stockholm"]
        assert contents[0] == contents[1]
    write_alignment(small(), tmp_path / "a.sto", format="psicov")
    assert (tmp_path / "a.sto").read_text() == TEXTS["psicov"]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.a3m"
    path.write_text("before")
    with pytest.raises(AlignmentError, match="cannot hold the name"):
        write_alignment(small(names=("q", "a\nb")), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(AlignmentError, match=r"format must be one of a3m, a2m, .*, not 'sto'"):
        write_alignment(small(), path, format="sto")


REFUSED_NAMES = {
    "a\nb": "a3m a2m fasta stockholm clustal",
    "a\rb": "a3m a2m fasta stockholm clustal",
    "a\x00": "a3m a2m fasta stockholm clustal",
    "\ud800": "a3m a2m fasta stockholm clustal",
    " a": "a3m a2m fasta",
    "a\u00a0": "a3m a2m fasta",
    "ss_pred": "a3m a2m fasta",
    "Consensus x": "a3m a2m fasta",
    "": "stockholm clustal",
    " \t ": "a3m a2m fasta stockholm clustal",
    "#a": "stockholm",
    "//": "stockholm",
}


@pytest.mark.parametrize("name", REFUSED_NAMES, ids=ascii)
def test_a_name_that_would_not_be_read_back_is_refused(name: str) -> None:
    refused: list[tuple[str, str]] = []
    for format in FORMATS:
        try:
            written(small(names=("q", name)), format)
        except AlignmentError as error:
            refused.append((format, str(error)))
    assert [format for format, _ in refused] == REFUSED_NAMES[name].split()
    assert all("sequence 2: " in message and "cannot hold the name" in message for _, message in refused)


def test_consensus_may_be_the_query() -> None:
    assert written(small(names=("Consensus", "h")), "a3m").startswith(">Consensus\nMKV\n")


@pytest.mark.parametrize("format", ["stockholm", "clustal"])
def test_equal_ids_are_refused_where_they_would_be_joined(format: str) -> None:
    with pytest.raises(
        AlignmentError, match=r"sequences 1 and 2 have one id, 'q', by which .* would join them"
    ):
        written(small(names=("q one", "q two")), format)


def test_renamed_ids_differ_and_keep_their_descriptions() -> None:
    names = ["a x", "b", "a y", "a_2", "", "  ", "sequence", "a\tz"]
    new = renamed(names)
    assert new == ("a x", "b", "a_3 y", "a_2", "sequence_2", "sequence_3", "sequence", "a_4 z")
    assert renamed(new) == new
    assert len(renamed(["q"] * 20_000)) == len(set(renamed(["q"] * 20_000)))


FULL = Annotations(
    file={"ID": "x", "CC": "one\ntwo"},
    columns={"SS_cons": "HHC", "ss_pred": "CCC"},
    residues={"PP": {1: "9.8"}},
    chains=(ChainSegment(2, 1), ChainSegment(1, 2)),
)


def test_annotations_stand_where_the_format_has_a_place_for_them() -> None:
    alignment = small(annotations=FULL)
    assert written(alignment, "a3m").startswith("#2,1\t1,2\n>ss_pred\nCCC\n>q\n")
    assert written(alignment, "stockholm") == (
        "# STOCKHOLM 1.0\n#=GF ID x\n#=GF CC one\n#=GF CC two\n#=GS h DE the homologue\n\n"
        "q         ..MKV.\nh         waM-Vy\n#=GR h PP ..9.8.\n"
        "#=GC SS_cons ..HHC.\n#=GC ss_pred ..CCC.\n#=GC RF   ..xxx.\n//\n"
    )


LOST = {
    "a3m": [
        "the file are not written: ID, CC",
        "the columns are not written: SS_cons",
        "residues are not written: PP",
    ],
    "a2m": ["ID, CC", "SS_cons, ss_pred", "PP", "lengths and copies of 2 chains"],
    "fasta": ["ID, CC", "SS_cons, ss_pred", "PP", "2 chains"],
    "stockholm": ["2 chains"],
    "clustal": ["first word of 1 names", "ID, CC", "SS_cons, ss_pred", "PP", "2 chains"],
    "psicov": [
        "names of 2 sequences",
        "3 residues of insertions",
        "ID, CC",
        "SS_cons, ss_pred",
        "PP",
        "2 chains",
    ],
}


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_format_cannot_hold_is_said(format: str) -> None:
    losses = find_losses(small(annotations=FULL), format)
    assert len(losses) == len(LOST[format])
    for loss, words in zip(losses, LOST[format], strict=True):
        assert words in loss


def test_residues_the_query_has_outside_the_columns_are_said_to_become_columns() -> None:
    alignment = parse_alignment(b">q\nMaKb\n>h\nM-\n", "x", format="a3m")
    for format, words in (
        ("fasta", "become columns"),
        ("clustal", "become columns"),
        ("stockholm", "columns from RF"),
    ):
        (loss,) = find_losses(alignment, format)
        assert loss.startswith("2 residues that the query has outside the columns")
        assert loss.endswith(words)
    assert find_losses(alignment, "a3m") == find_losses(alignment, "a2m") == ()


def test_blanks_that_stockholm_writes_as_one_are_said() -> None:
    alignment = small(names=("q\tx", "h y"))
    assert find_losses(alignment, "stockholm") == (
        "the blanks behind the first word of 1 names are written as one space",
    )


@pytest.mark.parametrize(
    ("annotations", "match"),
    [
        (Annotations(file={"a b": "x"}), "Stockholm cannot hold an annotation of the name 'a b'"),
        (Annotations(file={"": "x"}), "Stockholm cannot hold an annotation of the name ''"),
        (Annotations(file={"CC": " x"}), "Stockholm cannot hold the annotation 'CC': blanks"),
        (Annotations(file={"CC": "x\ry"}), "Stockholm cannot hold the annotation 'CC'"),
        (Annotations(file={"CC": "\ud800"}), "Stockholm cannot hold the annotation 'CC'"),
        (Annotations(file={"\ud800": "x"}), "Stockholm cannot hold an annotation of the name"),
        (Annotations(columns={"SS": "H C"}), "the annotation 'SS' cannot be written: it needs 3 printable"),
        (Annotations(columns={"SS": "HHHC"}), "it needs 3 printable .* and has 4"),
        (Annotations(columns={"SS": "HHé"}), "the annotation 'SS' cannot be written"),
        (Annotations(residues={"P P": {}}), "annotation of the name 'P P'"),
        (Annotations(residues={"PP": {0: "9"}}), "the annotation 'PP' cannot be written"),
    ],
)
def test_an_annotation_that_would_not_be_read_back_is_refused(annotations: Annotations, match: str) -> None:
    with pytest.raises(AlignmentError, match=match):
        written(small(annotations=annotations), "stockholm")


def test_chains_that_do_not_fill_the_columns_are_refused() -> None:
    with pytest.raises(AlignmentError, match="correct the chains, or write the alignment without them"):
        written(small(annotations=Annotations(chains=(ChainSegment(2, 1),))), "a3m")


def test_padding_that_would_make_an_absurd_file_is_refused() -> None:
    deletions = np.zeros((2, 300), dtype=np.uint16)
    deletions[1] = 65_535
    names = tuple(f"s{row}" for row in range(400))
    alignment = Alignment(
        names,
        np.zeros((400, 300), dtype=np.uint8),
        np.concatenate([deletions, np.zeros((398, 300), dtype=np.uint16)]),
    )
    with pytest.raises(AlignmentError, match=r"400 rows of 19,660,800 columns, more than .*; write A3M"):
        written(alignment, "a2m")
