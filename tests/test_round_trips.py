"""Written in any format and read again, nothing changes but what `find_losses` says."""

import tempfile
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.alignment import Alignment, Insertions
from data_tools.alphabet import encode
from data_tools.annotations import Annotations
from data_tools.formats import FORMATS, find_losses, parse_alignment, read_alignment, write_alignment
from data_tools.formats.writers import text_of

RESIDUES = "ACDEFGHIKLMNPQRSTVWYX"
INSERTED = "abcdefghijklmnopqrstuvwxyz"
WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Zs", "Cc", "Cs")),
    min_size=1,
    max_size=8,
).filter(lambda word: not word.startswith(("#", "//", "ss_", "sa_", "aa_", "Consensus")))
DESCRIPTIONS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=("Cc", "Cs")), max_size=8
)


@st.composite
def alignments(draw: st.DrawFn, *, query_has_insertions: bool = False) -> Alignment:
    depth, length = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    rows = [
        draw(st.text(RESIDUES + ("--" if row else ""), min_size=length, max_size=length))
        for row in range(depth)
    ]
    insertion = st.one_of(st.just(""), st.text(INSERTED, max_size=4))
    inserted = [
        draw(st.lists(insertion, min_size=length + 1, max_size=length + 1))
        if row or query_has_insertions
        else [""] * (length + 1)
        for row in range(depth)
    ]
    counts = np.array([[len(text) for text in texts] for texts in inserted])
    letters = "".join("".join(texts) for texts in inserted).encode()
    words = draw(st.lists(WORDS, min_size=depth, max_size=depth, unique=True))
    names = [f"{word} {draw(DESCRIPTIONS).strip()}".strip() for word in words]
    symbols = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=length, max_size=length)
    features = st.text("ABCDss_", min_size=1, max_size=4)
    lines = DESCRIPTIONS.map(str.strip)
    annotations = Annotations(
        file=draw(
            st.dictionaries(features, st.lists(lines, min_size=1, max_size=2).map("\n".join), max_size=2)
        ),
        columns=draw(st.dictionaries(features, symbols, max_size=2)),
        residues=draw(
            st.dictionaries(
                features,
                st.dictionaries(st.integers(0, depth - 1), symbols, min_size=1, max_size=2),
                max_size=2,
            )
        ),
    )
    return Alignment(
        tuple(names),
        np.stack([encode(row) for row in rows]),
        counts[:, :-1].astype(np.uint16),
        Insertions(np.frombuffer(letters, dtype=np.uint8), counts[:, -1].astype(np.int32)),
        annotations,
    )


def again(alignment: Alignment, format: str, **options: str) -> Alignment:
    text = b"".join(text_of(alignment, format))
    return parse_alignment(text, "x", format=format, **options)  # type: ignore[arg-type]


def same_rows(one: Alignment, other: Alignment) -> bool:
    assert one.insertions is not None
    assert other.insertions is not None
    return (
        np.array_equal(one.tokens, other.tokens)
        and np.array_equal(one.deletion_matrix, other.deletion_matrix)
        and np.array_equal(one.insertions.letters, other.insertions.letters)
        and np.array_equal(one.insertions.trailing, other.insertions.trailing)
    )


@settings(deadline=None)
@given(alignments(query_has_insertions=True))
def test_a3m_and_a2m_keep_names_and_rows(alignment: Alignment) -> None:
    for format in ("a3m", "a2m"):
        back = again(alignment, format)
        assert same_rows(back, alignment)
        assert back.names == alignment.names


@settings(deadline=None)
@given(alignments())
def test_aligned_formats_keep_names_and_rows(alignment: Alignment) -> None:
    for format in ("fasta", "stockholm", "clustal"):
        back = again(alignment, format)
        assert same_rows(back, alignment)
        names = alignment.names
        words = tuple(name.encode().split()[0].decode() for name in names)
        assert back.names == (words if format == "clustal" else names)


@settings(deadline=None)
@given(alignments())
def test_psicov_keeps_the_columns(alignment: Alignment) -> None:
    back = again(alignment, "psicov")
    assert np.array_equal(back.tokens, alignment.tokens)
    assert not back.deletion_matrix.any()


@settings(deadline=None)
@given(alignments())
def test_stockholm_keeps_annotations(alignment: Alignment) -> None:
    back = again(alignment, "stockholm").annotations
    columns = dict(back.columns)
    if "RF" not in alignment.annotations.columns:
        assert set(columns.pop("RF", "x")) == {"x"}
    assert (back.file, columns) == (alignment.annotations.file, alignment.annotations.columns)
    assert back.residues == alignment.annotations.residues


@settings(deadline=None)
@given(alignments(query_has_insertions=True))
def test_stockholm_keeps_residues_of_the_query_outside_the_columns_by_rf(alignment: Alignment) -> None:
    text = b"".join(text_of(alignment, "stockholm"))
    if b"#=GC RF" in text:
        back = parse_alignment(text, "x", match_columns="rf")
        assert same_rows(back, alignment)
        assert np.array_equal(back.residue_index, alignment.residue_index)


@settings(deadline=None)
@given(alignments())
def test_a_format_without_losses_gives_all_back_and_is_found_by_content(alignment: Alignment) -> None:
    for format in FORMATS:
        if find_losses(alignment, format):
            continue
        text = b"".join(text_of(alignment, format))
        back = parse_alignment(text, "x")
        assert back.names == alignment.names
        assert same_rows(back, alignment)
        assert back.annotations.file == alignment.annotations.file
        assert back.annotations.residues == alignment.annotations.residues


@settings(deadline=None, max_examples=30)
@given(alignments(), st.sampled_from(["", ".gz", ".bz2", ".xz", ".zst"]))
def test_compressed_files_read_as_plain_ones(alignment: Alignment, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.sto{suffix}"
        write_alignment(alignment, path)
        assert same_rows(read_alignment(path), alignment)


@settings(deadline=None)
@given(alignments())
def test_biopython_reads_what_is_written(alignment: Alignment) -> None:
    from Bio import AlignIO

    alignment = replace(alignment, annotations=Annotations())  # Biopython fails on empty lines of them
    for format in ("fasta", "stockholm", "clustal"):
        text = b"".join(text_of(alignment, format))
        theirs = AlignIO.read(StringIO(text.decode()), format)
        assert len(theirs) == alignment.depth
        read = again(alignment, format)
        kept = [column for column, letter in enumerate(str(theirs[0].seq)) if letter not in "-."]
        columns = ["".join(str(record.seq)[at] for at in kept).upper() for record in theirs]
        assert [encode(row).tolist() for row in columns] == read.tokens.tolist()
