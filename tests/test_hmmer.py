"""HMMER: real searches of 45 globins, the alignments they write turned into A3M, and settings checked."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fake_programs import make
from search_database_cases import TUTORIAL, needs_jackhmmer

from data_tools.errors import InvalidQueryError, OutputInvalidError, ToolFailedError
from data_tools.formats import read_alignment
from data_tools.search.hmmer import (
    HmmsearchConfig,
    JackhmmerConfig,
    Thresholds,
    hmmsearch,
    jackhmmer,
    read_profile,
)
from data_tools.search.hmmer_rows import Rows, model_centred_rows, query_centred_rows
from data_tools.search.process import run
from data_tools.search.query import Query, read_query
from data_tools.search.sequence_database import SequenceDatabase
from data_tools.search.tool import find_tool

needs_examples = pytest.mark.skipif(not TUTORIAL.exists(), reason="needs hmmer-examples")
PATHS = (Path("/bin/p"), Path("/query"), Path("/database"), Path("/out"))
JACKHMMER_OUTPUT = """# STOCKHOLM 1.0
#=GF ID q-i2

#=GS hit/1-5 DE a globin, see http://x
#=GS hit/1-5 AC P1

query    --MK-V--LA
hit/1-5  a-MKcV--LA
#=GR hit/1-5 PP *********
other/2  ..M-.-GG-A
#=GC RF  xx
//
"""


@pytest.fixture
def globins() -> SequenceDatabase:
    """45 globins."""
    return SequenceDatabase.open(TUTORIAL / "globins45.fa")


@needs_jackhmmer
@needs_examples
def test_jackhmmer_finds_the_globins_and_its_a3m_is_what_its_stockholm_says(
    globins: SequenceDatabase, tmp_path: Path
) -> None:
    query = read_query(TUTORIAL / "HBB_HUMAN")
    config = JackhmmerConfig(iterations=2)
    result = jackhmmer(query, globins, tmp_path / "o ut.a3m", config)
    ours = read_alignment(tmp_path / "o ut.a3m")
    assert result.num_sequences == ours.depth == 46
    assert ours.names[0] == query.name
    assert ours.query == query.sequence
    assert [path.name for path in tmp_path.iterdir()] == ["o ut.a3m"]

    query.write(tmp_path / "q.fasta")
    argv = config.argv(find_tool("jackhmmer").path, tmp_path / "q.fasta", globins.path, tmp_path / "o.sto")
    run(argv, timeout_s=60)
    truth = read_alignment(tmp_path / "o.sto", format="stockholm")
    assert np.array_equal(ours.tokens, truth.tokens)
    assert np.array_equal(ours.deletion_matrix, truth.deletion_matrix)
    assert ours.deletion_matrix.any()
    assert [name.split()[0] for name in ours.names[1:]] == [name.split()[0] for name in truth.names[1:]]


@needs_jackhmmer
@needs_examples
def test_more_rows_than_the_limit_are_left_out_with_a_warning(
    globins: SequenceDatabase, tmp_path: Path
) -> None:
    query = read_query(TUTORIAL / "HBB_HUMAN")
    result = jackhmmer(query, globins, tmp_path / "o.a3m", JackhmmerConfig(max_rows=10))
    assert result.num_sequences == read_alignment(tmp_path / "o.a3m").depth == 10
    assert result.warnings == ("reading stopped after max_rows = 10 rows; more were found",)


@needs_jackhmmer
@needs_examples
def test_no_hits_give_the_query_or_the_consensus_alone(globins: SequenceDatabase, tmp_path: Path) -> None:
    query = Query("lonely", "MKWWCCCHHHPPPGGGMKWWCCC")
    assert jackhmmer(query, globins, tmp_path / "o.a3m").num_sequences == 1
    assert read_alignment(tmp_path / "o.a3m").query == query.sequence
    assert hmmsearch(TUTORIAL / "fn3.hmm", globins, tmp_path / "o.a3m").num_sequences == 1
    assert read_alignment(tmp_path / "o.a3m").names == ("fn3",)


@needs_jackhmmer
@needs_examples
def test_hmmsearch_aligns_its_hits_to_the_profile(globins: SequenceDatabase, tmp_path: Path) -> None:
    profile = TUTORIAL / "globins4.hmm"
    config = HmmsearchConfig()
    result = hmmsearch(profile, globins, tmp_path / "o.a3m", config)
    ours = read_alignment(tmp_path / "o.a3m")
    assert result.num_sequences == ours.depth == 46
    assert (ours.names[0], ours.query) == ("globins4", read_profile(profile).sequence)
    run(config.argv(find_tool("hmmsearch").path, profile, globins.path, tmp_path / "o.sto"), timeout_s=60)
    rows = [
        line.split() for line in (tmp_path / "o.sto").read_text().splitlines() if line and line[0] not in "#/"
    ]
    written = (tmp_path / "o.a3m").read_text().split(">")[2:]
    assert [(text.split()[0], text.split()[-1]) for text in written] == [
        (name, row.replace(".", "")) for name, row in rows
    ]


@needs_jackhmmer
@needs_examples
def test_errors_that_hmmer_writes_on_standard_output_are_told(
    globins: SequenceDatabase, tmp_path: Path
) -> None:
    query = Query("q", "MKVLAAGIC")
    with pytest.raises(ToolFailedError, match='Failed to parse command line: No such option "--foo"'):
        jackhmmer(query, globins, tmp_path / "o.a3m", JackhmmerConfig(extra_args=("--foo",)))
    missing = replace(globins, path=tmp_path / "absent.fa")
    with pytest.raises(ToolFailedError, match="Failed to open target sequence database"):
        jackhmmer(query, missing, tmp_path / "o.a3m")
    assert not list(tmp_path.iterdir())


def rows_of(text: str, tmp_path: Path, max_rows: int = 99) -> tuple[Rows, str]:
    (tmp_path / "in.sto").write_text(text)
    rows = query_centred_rows(tmp_path / "in.sto", tmp_path / "out.a3m", max_rows=max_rows)
    return rows, (tmp_path / "out.a3m").read_text()


def test_the_querys_gaps_are_insertions_of_the_others(tmp_path: Path) -> None:
    rows, text = rows_of(JACKHMMER_OUTPUT, tmp_path)
    assert rows == Rows(3, is_cut=False)
    assert text == ">query\nMKVLA\n>hit/1-5 a globin, see http://x\naMKcVLA\n>other/2\nM--gg-A\n"
    assert rows_of(JACKHMMER_OUTPUT, tmp_path, 3)[0] == Rows(3, is_cut=False)
    assert rows_of(JACKHMMER_OUTPUT, tmp_path, 2) == (
        Rows(2, is_cut=True), ">query\nMKVLA\n>hit/1-5 a globin, see http://x\naMKcVLA\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# STOCKHOLM 1.0\n", "", r"in\.sto:1: no Stockholm alignment"),
        ("//\n", "", r"in\.sto: the closing // is missing: is the file cut"),
        ("..M-.-GG-A", "..M-.-GG-", r"row 'other/2' has 9 columns, the first 10: is the file cut"),
        ("#=GC RF  xx\n", "\nquery AA\n", r"in\.sto:12: not an alignment in one block"),
        ("..M-.-GG-A", "..M-. -GG-A", r"in\.sto:10: not an alignment in one block"),
        ("other/2  ..M-.-GG-A", "other/2", r"in\.sto:10: not an alignment in one block"),
    ],
)
def test_damaged_output_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(OutputInvalidError, match=message):
        rows_of(JACKHMMER_OUTPUT.replace(old, new), tmp_path)


def test_rows_that_do_not_fit_the_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in.sto").write_text("# STOCKHOLM 1.0\na  MK.V\nb  M-cV\nc  MKcVL\n//\n")
    with pytest.raises(OutputInvalidError, match="row 'c' has 4 match columns, the model 3"):
        model_centred_rows(tmp_path / "in.sto", tmp_path / "out", ("model", "MKV"), max_rows=9)
    rows = model_centred_rows(tmp_path / "in.sto", tmp_path / "out", ("model", "MKV"), max_rows=3)
    assert rows == Rows(3, is_cut=True)
    assert (tmp_path / "out").read_text() == ">model\nMKV\n>a\nMKV\n>b\nM-cV\n"


def test_a_program_that_writes_another_query_or_nothing_is_refused(tmp_path: Path) -> None:
    database = SequenceDatabase(path=tmp_path / "db.fa", size_bytes=1, fingerprint="f")
    query = Query("q", "MKVLA")
    other = make(tmp_path / "other", "write('# STOCKHOLM 1.0\\nq MKVLW\\n//\\n', '-A')", name="jackhmmer")
    with pytest.raises(
        OutputInvalidError, match="jackhmmer wrote an alignment whose first row is not the query"
    ):
        jackhmmer(query, database, tmp_path / "o.a3m", tool=other)
    nothing = make(tmp_path / "nothing", "pass", name="jackhmmer")
    with pytest.raises(
        OutputInvalidError, match=r"jackhmmer ended with exit code 0 but wrote no result\.sto"
    ):
        jackhmmer(query, database, tmp_path / "o.a3m", tool=nothing)
    cut = make(tmp_path / "cut", "write('# STOCKHOLM 1.0\\nq MKVLA\\n', '-A')", name="jackhmmer")
    with pytest.raises(OutputInvalidError, match="the closing // is missing") as caught:
        jackhmmer(query, database, tmp_path / "o.a3m", tool=cut)
    assert caught.value.command[0] == str(cut.path)
    assert not (tmp_path / "o.a3m").exists()


@needs_examples
def test_a_profile_that_did_not_search_is_an_error(tmp_path: Path) -> None:
    database = SequenceDatabase(path=tmp_path / "db.fa", size_bytes=1, fingerprint="f")
    nothing = make(tmp_path / "nothing", "pass", name="hmmsearch")
    with pytest.raises(OutputInvalidError, match="hmmsearch ended with exit code 0 but wrote no"):
        hmmsearch(TUTORIAL / "globins4.hmm", database, tmp_path / "o.a3m", tool=nothing)


@needs_examples
def test_a_profile_is_read_with_its_consensus() -> None:
    profile = read_profile(TUTORIAL / "globins4.hmm")
    assert profile.name == "globins4"
    assert len(profile.sequence) == 149
    assert profile.sequence.startswith(
        "VVLSEAEKTKVKAVWAKVEADVEESGADILVRLFKSTPATQEFFEKFKDLSTEDELKKSADVKKHGKKVLDALSDALAKL"
    )


@needs_examples
def test_what_is_not_one_protein_profile_is_refused(tmp_path: Path) -> None:
    text = (TUTORIAL / "globins4.hmm").read_text()
    path = tmp_path / "p.hmm"
    cases = {
        "no HMMER 3 profile": ">q\nMKV\n",
        "2 whole profiles where one is expected": text * 2,
        "0 whole profiles where one is expected": text[: len(text) // 2],
        "a profile of DNA letters": text.replace("ALPH  amino", "ALPH  DNA"),
        "149 columns where LENG says 150": text.replace("LENG  149", "LENG  150"),
    }
    for message, content in cases.items():
        path.write_text(content)
        with pytest.raises(InvalidQueryError, match=message):
            read_profile(path)
    with pytest.raises(InvalidQueryError, match="absent"):
        read_profile(tmp_path / "absent")


@pytest.mark.parametrize(
    ("kind", "field", "values"),
    [
        (JackhmmerConfig, "iterations", (0, 21, 1.5)),
        (JackhmmerConfig, "max_rows", (0,)),
        (JackhmmerConfig, "num_threads", (0, -1)),
        (JackhmmerConfig, "timeout_s", (0,)),
        (HmmsearchConfig, "max_rows", (0,)),
        (HmmsearchConfig, "max_memory_gb", (0,)),
        (Thresholds, "evalue", (0, -1, float("nan"))),
        (Thresholds, "domain_evalue", (0,)),
        (Thresholds, "inclusion_evalue", (0,)),
        (Thresholds, "inclusion_domain_evalue", (0,)),
        (Thresholds, "f1", (0, 1.1)),
        (Thresholds, "f2", (0, 1.1)),
        (Thresholds, "f3", (0, 1.1)),
    ],
)
def test_nonsense_is_refused_at_birth(kind: type, field: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"^{field} must be "):
            kind(**{field: value})


@pytest.mark.parametrize("kind", [JackhmmerConfig, HmmsearchConfig])
def test_every_option_that_is_set_cannot_be_set_again_even_shortened(kind: type) -> None:
    options = {word for word in kind().argv(*PATHS) if word.startswith("-")}
    assert options >= {"-A", "-o", "--noali", "--notextw", "-E", "--incE", "--cpu", "--F1", "--tformat"}
    for option in options:
        with pytest.raises(ValueError, match=f"sets {option}, which the configuration does"):
            kind(extra_args=(option, "1"))
    for word in ("--cp", "--cpu=4", "--inc", "--tblout"):
        with pytest.raises(ValueError, match="extra_args"):
            kind(extra_args=(word,))
    assert kind(extra_args=("-Z", "1000", "--nobias")).argv(*PATHS)[-5:-2] == ("-Z", "1000", "--nobias")


def test_the_arguments_hold_every_value_that_matters() -> None:
    thresholds = Thresholds(1, 2, 3, 4, 0.1, 0.2, 0.3)
    for config in (JackhmmerConfig(3, thresholds, num_threads=5), HmmsearchConfig(thresholds, num_threads=5)):
        words = config.argv(*PATHS)
        pairs = dict(pairwise(words))
        expected = {
            "-E": "1.0",
            "--domE": "2.0",
            "--incE": "3.0",
            "--incdomE": "4.0",
            "--F1": "0.1",
            "--F2": "0.2",
        }
        expected |= {"--F3": "0.3", "--cpu": "5", "--seed": "42", "-o": "/dev/null", "-A": "/out"}
        assert {option: pairs[option] for option in expected} == expected
        assert words[0] == "/bin/p"
        assert words[-2:] == ("/query", "/database")
    assert dict(pairwise(JackhmmerConfig(3).argv(*PATHS)))["-N"] == "3"
