"""HH-suite: real searches of a small real database, hit lists read, and settings that it would take silently."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fake_programs import children, make
from search_database_cases import TUTORIAL, family_a3m, needs_hhsuite, write_families

from data_tools.errors import (
    AlignmentError,
    InvalidQueryError,
    OutputInvalidError,
    ToolCrashedError,
    ToolFailedError,
    ToolTimeoutError,
)
from data_tools.formats import parse_alignment, read_alignment
from data_tools.search.hh_database import HHDatabase
from data_tools.search.hhr import parse_hhr, read_hhr
from data_tools.search.hhsuite import hhalign, hhblits, hhfilter, hhmake, hhsearch
from data_tools.search.hhsuite_config import (
    HHalignConfig,
    HHblitsConfig,
    HHfilterConfig,
    HHmakeConfig,
    HHsearchConfig,
    RowFilter,
)
from data_tools.search.query import Query, read_query

CONFIGS = (HHblitsConfig, HHsearchConfig, HHalignConfig, HHfilterConfig, HHmakeConfig)
PROGRAM, QUERY, OUTPUT = Path("/bin/hhblits"), Path("/q.fasta"), Path("/out")


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two families as A3M files."""
    return write_families(tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="session")
def database(families: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> HHDatabase:
    """A real database of the families, in a folder whose name has a space."""
    return HHDatabase.build(families, tmp_path_factory.mktemp("hh database") / "db")[0]


@pytest.fixture(scope="session")
def haemoglobin() -> Query:
    """A query that belongs to one of the families."""
    return read_query(TUTORIAL / "HBB_HUMAN")


@needs_hhsuite
def test_hhblits_finds_the_querys_family(database: HHDatabase, haemoglobin: Query, tmp_path: Path) -> None:
    lines: list[str] = []
    out = tmp_path / "out put.a3m"
    result = hhblits(haemoglobin, [database], out, HHblitsConfig(iterations=2), on_line=lines.append)
    alignment = read_alignment(out)
    assert alignment.names[0] == haemoglobin.name == "HBB_HUMAN Human beta hemoglobin."
    assert alignment.query == haemoglobin.sequence
    assert result.num_sequences == alignment.depth == 4
    assert set(alignment.names[1:]) == {"HBA_HUMAN", "MYG_PHYCA", "GLB5_PETMA"}
    assert alignment.deletion_matrix.any()
    assert any("Iteration 2" in line for line in lines)
    assert result.warnings == ()
    assert [path.name for path in tmp_path.iterdir()] == ["out put.a3m"]


@needs_hhsuite
def test_a_query_without_relatives_gives_itself(database: HHDatabase, tmp_path: Path) -> None:
    query = Query("lonely", "MKWWCCCHHHPPPGGGMKWWCCC")
    assert hhblits(query, [database], tmp_path / "o.a3m", HHblitsConfig(iterations=1)).num_sequences == 1
    assert (tmp_path / "o.a3m").read_text() == f">lonely\n{query.sequence}\n"


@needs_hhsuite
def test_real_hhblits_says_what_it_cuts_and_does_not_know(
    database: HHDatabase, haemoglobin: Query, tmp_path: Path
) -> None:
    with pytest.raises(OutputInvalidError, match=r"left out part of its input.*sequences exceeded"):
        hhblits(haemoglobin, [database], tmp_path / "o.a3m", HHblitsConfig(iterations=1, maxseq=2))
    with pytest.raises(ToolFailedError, match="does not know an option"):
        hhblits(haemoglobin, [database], tmp_path / "o.a3m", HHblitsConfig(extra_args=("-foo", "3")))
    assert not list(tmp_path.iterdir())


@needs_hhsuite
def test_real_hhblits_is_ended_at_its_time_limit_and_its_crash_is_told(
    database: HHDatabase, haemoglobin: Query, tmp_path: Path
) -> None:
    before = children()
    with pytest.raises(ToolTimeoutError, match=r"time limit of 0\.05 s"):
        hhblits(haemoglobin, [database], tmp_path / "o.a3m", HHblitsConfig(timeout_s=0.05))
    assert children() == before
    for file in database.prefix.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    (tmp_path / "db_cs219.ffdata").write_bytes(b"")
    damaged = replace(database, prefix=tmp_path / "db")  # `open` would refuse it
    with pytest.raises(ToolCrashedError, match=r"SIGSEGV .*is the database damaged"):
        hhblits(haemoglobin, [damaged], tmp_path / "o.a3m", HHblitsConfig(iterations=1, timeout_s=60))
    assert not (tmp_path / "o.a3m").exists()


@needs_hhsuite
def test_hhsearch_lists_the_family_first(
    database: HHDatabase, families: dict[str, Path], tmp_path: Path
) -> None:
    result = hhsearch(families["globins4"], [database], tmp_path / "o.hhr")
    best = result.hits.hits[0]
    query = read_alignment(families["globins4"]).query
    assert best.id == "globins4"
    assert best.probability > 99
    assert best.evalue < 1e-20
    assert best.query.sequence == best.template.sequence == query
    assert (best.query.first, best.query.last, best.query.length) == (1, len(query), len(query))
    assert (best.num_aligned, best.identity) == (len(query), 100.0)
    assert result.hits.num_columns == len(query)
    assert result.hits.num_searched == 2
    assert read_hhr(tmp_path / "o.hhr") == result.hits


@needs_hhsuite
def test_hhalign_pairs_the_columns_of_two_alignments(families: dict[str, Path], tmp_path: Path) -> None:
    query = parse_alignment(families["globins4"].read_bytes(), "globins")
    cut = tmp_path / "cut.a3m"
    cut.write_text(f">part one\n{query.query[20:90]}\n")
    (hit,) = hhalign(cut, families["globins4"], tmp_path / "o.hhr").hits.hits
    assert hit.query.sequence == hit.template.sequence == query.query[20:90]
    assert (hit.query.first, hit.query.last) == (1, 70)
    assert (hit.template.first, hit.template.last) == (21, 90)


@needs_hhsuite
@pytest.mark.parametrize("suffix", [".a3m", ".sto"])
def test_hhfilter_keeps_the_query_and_rows_apart(
    suffix: str, families: dict[str, Path], tmp_path: Path
) -> None:
    source = families["fn3"] if suffix == ".a3m" else TUTORIAL / "fn3.sto"
    before = read_alignment(source)
    result = hhfilter(source, tmp_path / "o.a3m", HHfilterConfig(RowFilter(max_identity=30, diff=0)))
    after = read_alignment(tmp_path / "o.a3m")
    assert 1 < after.depth < before.depth
    assert result.num_sequences == after.depth
    assert after.names[0] == before.names[0]
    rows = [before.names.index(name) for name in after.names]
    assert np.array_equal(after.tokens, before.tokens[rows])
    assert np.array_equal(after.deletion_matrix, before.deletion_matrix[rows])


@needs_hhsuite
def test_hhmake_builds_a_whole_hmm_of_a_family_whose_annotation_crashes_it(tmp_path: Path) -> None:
    source = (
        TUTORIAL / "fn3.sto"
    )  # has SS_cons, from which HH-suite's own script makes a row that hhmake aborts on
    result = hhmake(source, tmp_path / "o.hhm", name="fn3")
    text = (tmp_path / "o.hhm").read_text()
    assert text.startswith("HHsearch")
    assert text.endswith("//\n")
    assert "NAME  fn3" in text
    assert result.num_columns == read_alignment(source).length
    assert result.neff > 5


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An alignment of three columns."""
    (tmp_path / "small.a3m").write_text(">q\nMKV\n>b\nM-cV\n")
    return tmp_path / "small.a3m"


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ("LENG  3 match states\nNEFF  1.5\n//\n", True),
        ("LENG  3 match states\nNEFF  1.5\n", False),
        ("LENG  4 match states\nNEFF  1.5\n//\n", False),
        ("LENG  3 match states\n//\n", False),
        ("NEFF  1.5\n//\n", False),
        ("", False),
    ],
)
def test_an_hmm_is_taken_only_when_whole_and_of_the_alignment(
    text: str, is_whole: bool, small: Path, tmp_path: Path
) -> None:
    tool = make(tmp_path, f"write({text!r}, '-o')", name="hhmake")
    if is_whole:
        assert hhmake(small, tmp_path / "o.hhm", tool=tool).neff == 1.5
        return
    with pytest.raises(
        OutputInvalidError, match=r"hhmake (wrote an HMM that is cut|ended with exit code 0 but)"
    ):
        hhmake(small, tmp_path / "o.hhm", tool=tool)
    assert not (tmp_path / "o.hhm").exists()


def test_hits_of_another_query_are_refused(small: Path, tmp_path: Path) -> None:
    tool = make(tmp_path, f"write({HHR!r}, '-o')", name="hhalign")
    with pytest.raises(
        OutputInvalidError, match="hhalign wrote hits of a query with 12 columns, this one has 3"
    ):
        hhalign(small, small, tmp_path / "o.hhr", tool=tool)
    small.write_text(">q\nMKVLAAGICRTW\n")
    assert len(hhalign(small, small, tmp_path / "o.hhr", tool=tool).hits.hits) == 2
    cut = make(tmp_path, f"write({HHR[:-60]!r}, '-o')", name="hhalign")
    with pytest.raises(OutputInvalidError, match="hhalign wrote a damaged result: ") as caught:
        hhalign(small, small, tmp_path / "cut.hhr", tool=cut)
    assert caught.value.command[0] == str(cut.path)
    assert not (tmp_path / "cut.hhr").exists()


def test_a_filter_that_adds_rows_or_changes_the_query_is_refused(small: Path, tmp_path: Path) -> None:
    more = make(tmp_path, "write(open(options['-i']).read() + '>c\\nMKV\\n', '-o')", name="hhfilter")
    with pytest.raises(OutputInvalidError, match="hhfilter made 3 rows of 2"):
        hhfilter(small, tmp_path / "o.a3m", tool=more)
    other = make(tmp_path, "write('>q\\nMKL\\n', '-o')", name="hhfilter")
    with pytest.raises(OutputInvalidError, match="first row is not the query 'q'"):
        hhfilter(small, tmp_path / "o.a3m", tool=other)
    same = make(tmp_path, "write(open(options['-i']).read(), '-o')", name="hhfilter")
    assert hhfilter(small, tmp_path / "o.a3m", tool=same).num_sequences == 2


def test_programs_are_given_alignments_without_annotation_rows(tmp_path: Path) -> None:
    source = tmp_path / "in.a3m"
    source.write_text(">ss_pred\nCCC\n>q\nMKV\n>b\nM-cV\n>ss_dssp\nCCC\n")
    body = f"write(open(options['-i']).read(), '-o')\nopen({str(tmp_path / 'seen')!r}, 'w').write(' '.join(sys.argv))"
    hhfilter(source, tmp_path / "o.a3m", tool=make(tmp_path, body, name="hhfilter"))
    assert (tmp_path / "o.a3m").read_text() == ">q\nMKV\n>b\nM-cV\n"
    assert str(source) not in (tmp_path / "seen").read_text()


def test_a_name_that_is_an_option_is_refused(tmp_path: Path) -> None:
    for name in ("-o", "a b", "", "a\nb"):
        with pytest.raises(ValueError, match="name must be one word"):
            hhmake(tmp_path / "in.a3m", tmp_path / "o.hhm", name=name)


@needs_hhsuite
def test_an_alignment_that_cannot_be_read_is_refused_before_anything_runs(
    database: HHDatabase, tmp_path: Path
) -> None:
    (tmp_path / "bad.a3m").write_text(">q\nMKV\n>b\nMK\n")
    for call in (
        lambda: hhsearch(tmp_path / "bad.a3m", [database], tmp_path / "o"),
        lambda: hhalign(tmp_path / "bad.a3m", tmp_path / "bad.a3m", tmp_path / "o"),
        lambda: hhfilter(tmp_path / "bad.a3m", tmp_path / "o"),
        lambda: hhmake(tmp_path / "bad.a3m", tmp_path / "o"),
    ):
        with pytest.raises(AlignmentError, match=r"bad\.a3m"):
            call()
    (tmp_path / "long.a3m").write_text(f">q\n{'A' * 30}\n")
    with pytest.raises(InvalidQueryError, match="30 residues, of which hhfilter would keep 28"):
        hhfilter(tmp_path / "long.a3m", tmp_path / "o", HHfilterConfig(maxres=30))


# What hhblits 3.3.0 does with each: exit code 0, at most a warning.
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("iterations", (0, 9, -1, 1.5, "3", True, None)),
        ("evalue", (0, -1, 1.1, float("inf"), float("nan"), "1e-3")),
        ("num_threads", (0, -1, 1025, 1.5)),
        ("maxfilt", (0, 1e5)),
        ("realign_max", (0,)),
        ("min_prefilter_hits", (0,)),
        ("alternatives", (0,)),
        ("neffmax", (0.5, 21)),
        ("maxseq", (1,)),
        ("maxres", (9,)),
        ("maxmem_gb", (0.5, float("inf"))),
        ("timeout_s", (0, -1, float("nan"))),
        ("max_memory_gb", (0, -1)),
    ],
)
def test_nonsense_is_refused_at_birth(field: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=rf"^{field} must be "):
            HHblitsConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["max_identity", "min_coverage", "min_query_identity"])
def test_percentages_are_whole_and_within_a_hundred(field: str) -> None:
    for value in (-1, 101, 0.9):
        with pytest.raises(ValueError, match=f"{field} must be an integer from 0 to 100"):
            RowFilter(**{field: value})
    with pytest.raises(ValueError, match="diff must be an integer"):
        RowFilter(diff=-1)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (HHsearchConfig, "evalue", 0),
        (HHsearchConfig, "max_listed_evalue", 0),
        (HHsearchConfig, "min_probability", 101),
        (HHsearchConfig, "max_hits", 0),
        (HHsearchConfig, "realign_max", 0),
        (HHsearchConfig, "alternatives", 0),
        (HHsearchConfig, "maxseq", 0),
        (HHsearchConfig, "num_threads", 0),
        (HHalignConfig, "max_listed_evalue", -1),
        (HHalignConfig, "min_probability", -1),
        (HHalignConfig, "alternatives", 0),
        (HHalignConfig, "maxres", 0),
        (HHalignConfig, "timeout_s", 0),
        (HHfilterConfig, "maxseq", 0),
        (HHfilterConfig, "max_memory_gb", 0),
        (HHmakeConfig, "maxres", 0),
        (HHmakeConfig, "timeout_s", -1),
    ],
)
def test_the_other_programs_settings_are_checked_too(kind: type, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be "):
        kind(**{field: value})


def words_of(config: object) -> tuple[str, ...]:
    """The argument list of any configuration."""
    if isinstance(config, HHblitsConfig | HHsearchConfig):
        return config.argv(PROGRAM, QUERY, [Path("/a b/db"), Path("/c")], OUTPUT)
    if isinstance(config, HHmakeConfig):
        return config.argv(PROGRAM, QUERY, OUTPUT, "name")
    if isinstance(config, HHalignConfig):
        return config.argv(PROGRAM, QUERY, Path("/t"), OUTPUT)
    assert isinstance(config, HHfilterConfig)
    return config.argv(PROGRAM, QUERY, OUTPUT)


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_option_that_is_set_cannot_be_set_again(kind: type) -> None:
    options = {word for word in words_of(kind()) if word.startswith("-")}
    assert options >= {"-i", "-o", "-id", "-diff", "-maxseq", "-maxres", "-v", "-M"}
    for option in options | {"-h"}:
        with pytest.raises(
            ValueError, match=f"extra_args: '{option}' sets {option}, which the configuration does"
        ):
            kind(extra_args=(option, "1"))
    assert words_of(kind(extra_args=("-nocontxt",)))[-1] == "-nocontxt"


@pytest.mark.parametrize("option", ["-oa3m", "-ohhm", "-opsi", "-atab", "-scores", "-Ofas", "-all"])
def test_options_that_write_files_or_have_a_field_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match="extra_args"):
        HHblitsConfig(extra_args=(option,))


@pytest.mark.parametrize("extra", ["-foo", ("",), ("a\0",), (3,)])
def test_extra_arguments_are_words(extra: object) -> None:
    with pytest.raises(ValueError, match="extra_args"):
        HHblitsConfig(extra_args=extra)  # type: ignore[arg-type]


def test_the_arguments_of_hhblits_hold_every_value_that_matters() -> None:
    assert words_of(HHblitsConfig()) == (
        *("/bin/hhblits", "-i", "/q.fasta", "-d", "/a b/db", "-d", "/c", "-oa3m", "/out", "-o", "/dev/null"),
        *("-M", "a2m", "-v", "2", "-cpu", "1", "-n", "3", "-e", "0.001"),
        *("-id", "90", "-diff", "1000", "-cov", "0", "-qid", "0", "-maxfilt", "20000", "-realign_max", "500"),
        *("-min_prefilter_hits", "100", "-alt", "4", "-neffmax", "20.0", "-maxseq", "1000000"),
        *("-maxres", "20001", "-maxmem", "3.0"),
    )
    assert "-all" in words_of(HHblitsConfig(all_seqs=True))


@pytest.mark.parametrize("kind", CONFIGS)
def test_equal_settings_have_equal_arguments_and_others_others(kind: type) -> None:
    assert words_of(kind()) == words_of(kind())
    changed = replace(kind(), row_filter=RowFilter(1, 2, 3, 4), maxseq=77, maxres=99)
    words = words_of(changed)
    pairs = dict(pairwise(words))
    expected = {"-id": "1", "-diff": "2", "-cov": "3", "-qid": "4", "-maxseq": "77", "-maxres": "99"}
    assert {option: pairs[option] for option in expected} == expected
    assert words_of(replace(kind(), timeout_s=5.0, max_memory_gb=1.0)) == words_of(kind())


def test_one_number_has_one_spelling() -> None:
    assert words_of(HHblitsConfig(evalue=1)) == words_of(HHblitsConfig(evalue=1.0))
    assert "1e-10" in words_of(HHblitsConfig(evalue=0.0000000001))


HHR = """Query         the query
Match_columns 12
No_of_seqs    4 out of 4
Neff          2.2
Searched_HMMs 7
Date          Mon
Command       hhsearch

 No Hit                             Prob E-value P-value  Score    SS Cols Query HMM  Template HMM
  1 Q9LHN6                          99.9 7.1E-36 7.2E-36  181.9   0.0   10    1-10      3-13  (20)
  2 name of > it                     0.1    0.46    0.47    9.7   0.0    3    8-10      1-3   (20)

No 1
>Q9LHN6
Probab=99.93  E-value=7.1e-36  Score=181.90  Aligned_cols=10  Identities=90%  Similarity=1.558  Sum_probs=57.8

Q ss_pred             CCCCCC
Q q                 1 MKVL-A    5 (12)
Q Consensus         1 ~kvl-a    5 (12)
                      ++||++
T Consensus         3 mkvlaa    8 (20)
T Q9LHN6            3 MKVLGA    8 (20)
T ss_dssp             CCCCCC
Confidence            589999

Q q                 6 AGICR   10 (12)
Q Consensus         6 agicr   10 (12)
                      ++|||
T Consensus         9 aGICW   13 (20)
T Q9LHN6            9 AGICW   13 (20)


No 2
>name of > it
Probab=0.12  E-value=0.46  Score=9.66  Aligned_cols=3  Identities=20%  Similarity=0.315  Sum_probs=4.1

Q q                 8 ICR   10 (12)
T Consensus         1 ICR    3 (20)
"""


def test_a_hit_list_is_read_with_positions_and_all_blocks() -> None:
    found = parse_hhr(HHR, "x.hhr")
    assert (found.query, found.num_columns, found.neff, found.num_searched) == ("the query", 12, 2.2, 7)
    first, second = found.hits
    assert (first.id, first.description) == ("Q9LHN6", "Q9LHN6")  # without description, which others refuse
    assert (first.probability, first.evalue, first.pvalue, first.score) == (99.93, 7.1e-36, 7.2e-36, 181.9)
    assert (first.num_aligned, first.identity) == (10, 90.0)
    assert first.query.sequence == "MKVL-AAGICR"
    assert (first.query.first, first.query.last, first.query.length) == (1, 10, 12)
    assert first.template.sequence == "MKVLGAAGICW"
    assert (first.template.first, first.template.last, first.template.length) == (3, 13, 20)
    assert (second.id, second.description, second.template.sequence) == ("name", "name of > it", "ICR")


def test_no_hits_are_a_list() -> None:
    assert parse_hhr(HHR[: HHR.index("  1 Q9")] + "\n", "x").hits == ()


def test_long_numbers_in_the_table_do_not_shift_the_p_value() -> None:
    wide = HHR.replace("99.9 7.1E-36 7.2E-36  181.9", "99.9 7.1E-136 7.2E-136 181.9")
    assert parse_hhr(wide, "x").hits[0].pvalue == 7.2e-136


def test_a_hit_of_one_column_that_is_not_shown_has_its_place_from_the_table() -> None:
    text = HHR[: HHR.rindex("Q q ")].replace("0.0    3    8-10      1-3 ", "0.0    1    8-8       2-2 ")
    hit = parse_hhr(text.replace("Aligned_cols=3", "Aligned_cols=1"), "x").hits[1]
    assert (hit.query.first, hit.query.last, hit.query.length, hit.query.sequence) == (8, 8, 12, "")
    assert (hit.template.first, hit.template.last, hit.template.length) == (2, 2, 20)


def test_a_description_may_hold_any_character() -> None:
    text = HHR.replace("name of > it", "x \x0b\u2028\x85 No 1")
    assert parse_hhr(text, "x").hits[1].description == "x \x0b\u2028\x85 No 1"


def test_a_table_without_p_value_has_none() -> None:
    assert math.isnan(parse_hhr(HHR.replace(" 0.47    9.7   0.0", " 0.479.70.0"), "x").hits[1].pvalue)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (HHR[HHR.index("No 2\n") :], "", "names 2 hits, 1 alignments follow: is the file cut"),
        ("Match_columns 12\n", "", "x.hhr:1: the head of a .hhr file is damaged"),
        ("Neff          2.2", "Neff          much", "x.hhr:1: the head"),
        ("Probab=99.93", "Prob", "x.hhr:13: this hit is damaged or cut"),
        ("T Q9LHN6            9 AGICW   13 (20)\n", "", "x.hhr:13: .*rows of 'Q9LHN6' are missing"),
        ("MKVLGA ", "MKVL-A ", "10 residues are said to be 3-13 of 20"),
        ("MKVL-A ", "MKVLA ", "10 columns of the query stand against 11"),
        ("Aligned_cols=3 ", "Aligned_cols=4 ", "x.hhr:33: 3 pairs are aligned, 4 are said to be"),
        ("10 (12)\nT", "10 (9)\nT", "3 residues are said to be 8-10 of 9"),
        (">Q9LHN6\n", "", "x.hhr:13: this hit is cut"),
        (HHR[HHR.rindex("Q q ") :], "", "x.hhr:33: this hit is damaged or cut: an alignment is missing"),
    ],
)
def test_a_damaged_hit_list_is_refused(old: str, new: str, message: str) -> None:
    assert old in HHR
    with pytest.raises(OutputInvalidError, match=message):
        parse_hhr(HHR.replace(old, new), "x.hhr")


def test_a_hit_list_that_is_cut_anywhere_is_refused() -> None:
    whole = parse_hhr(HHR, "x").hits
    for end in range(HHR.index("Searched"), len(HHR.rstrip()) - 1):
        in_the_table = end < HHR.index("  2 name")
        try:
            assert in_the_table or parse_hhr(HHR[:end], "x").hits == whole
        except OutputInvalidError:
            continue
        assert in_the_table, f"cut at {end}"


def test_a_missing_hit_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputInvalidError, match=r"absent\.hhr"):
        read_hhr(tmp_path / "absent.hhr")


def test_a_family_in_these_tests_is_what_the_reader_makes_of_it() -> None:
    if not TUTORIAL.exists():
        pytest.skip("needs hmmer-examples")
    ours = read_alignment(TUTORIAL / "globins4.sto")
    loop = parse_alignment(family_a3m("globins4").encode(), "globins4")
    assert np.array_equal(ours.tokens, loop.tokens)
