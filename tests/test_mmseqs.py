"""MMseqs2: a real search of 45 globins, its four steps, and settings checked."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from fake_programs import PRELUDE
from search_database_cases import TUTORIAL, needs_mmseqs

from data_tools.errors import InvalidQueryError, OutputInvalidError, ToolFailedError, ToolTimeoutError
from data_tools.formats import read_alignment
from data_tools.search.mmseqs import MMseqsSearchConfig, mmseqs_search
from data_tools.search.mmseqs_database import MMseqsDatabase
from data_tools.search.query import Query, read_query
from data_tools.search.tool import Tool

needs_examples = pytest.mark.skipif(not TUTORIAL.exists(), reason="needs hmmer-examples")
PATHS = (Path("/bin/mmseqs"), Path("/query"), Path("/database"), Path("/hits"), Path("/scratch"))
QUICK = MMseqsSearchConfig(
    iterations=1, extra_args=("-k", "5")
)  # the tables of longer k-mers take seconds to make
QUERY = Query("the query", "MKVLAAGICRTWYDENQHFP")
STEPS = """
step = sys.argv[1]
open(LOG, "a").write(step + "\\n")
if step == "createdb":
    open("query", "w").write(open("query.fasta").read().split("\\n")[1])
if step == "unpackdb":
    open("unpacked/0.a3m", "w").write(">msaformer_query\\n" + open("query").read() + "\\n")
"""


@pytest.fixture(scope="session")
def globins(tmp_path_factory: pytest.TempPathFactory) -> MMseqsDatabase:
    """45 globins, in a folder whose name has a space."""
    prefix = tmp_path_factory.mktemp("mmseqs database") / "db"
    return MMseqsDatabase.build({"globins": TUTORIAL / "globins45.fa"}, prefix)[0]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go; its name has a space."""
    folder = tmp_path / "scratch folder"
    folder.mkdir()
    monkeypatch.setenv("MSAFORMER_TMP", str(folder))
    return folder


def fake(tmp_path: Path, body: str = "") -> Tool:
    """A program that does the four steps well, after `body`."""
    path = tmp_path / "mmseqs"
    path.write_text(PRELUDE + f"LOG = {str(tmp_path / 'log')!r}\n" + STEPS + body)
    path.chmod(0o755)
    return Tool("mmseqs", path, (14,), "14")


def database() -> MMseqsDatabase:
    return MMseqsDatabase(
        prefix=Path("/db"), num_entries=1, kind="amino acids", size_bytes=1, fingerprint="f"
    )


@needs_mmseqs
@needs_examples
def test_mmseqs_finds_the_globins(globins: MMseqsDatabase, tmp_path: Path, scratch: Path) -> None:
    query = read_query(TUTORIAL / "HBB_HUMAN")
    result = mmseqs_search(query, globins, tmp_path / "o ut.a3m", QUICK)
    alignment = read_alignment(tmp_path / "o ut.a3m")
    assert result.num_sequences == alignment.depth > 20
    assert (alignment.names[0], alignment.query) == (query.name, query.sequence)
    assert "HBA_AILME" in {name.split()[0] for name in alignment.names}
    assert alignment.deletion_matrix.any()
    assert not list(scratch.iterdir())


@needs_mmseqs
@needs_examples
def test_without_hits_or_with_rare_letters_the_query_comes_back(
    globins: MMseqsDatabase, tmp_path: Path, scratch: Path
) -> None:
    query = Query("rare", "MKUBZJOWWCCHHHHPPPP")
    config = MMseqsSearchConfig(iterations=1, with_scores=True, extra_args=("-k", "5"))
    assert mmseqs_search(query, globins, tmp_path / "o.a3m", config).num_sequences == 1
    assert (tmp_path / "o.a3m").read_text() == f">rare\n{query.sequence}\n"
    with pytest.raises(ToolFailedError, match='failed with exit code 1: "Unrecognized parameter'):
        mmseqs_search(query, globins, tmp_path / "o.a3m", MMseqsSearchConfig(extra_args=("--foo", "1")))
    assert not list(scratch.iterdir())


def test_the_four_steps_run_in_order_in_one_folder(tmp_path: Path, scratch: Path) -> None:
    result = mmseqs_search(QUERY, database(), tmp_path / "o.a3m", tool=fake(tmp_path))
    assert (tmp_path / "log").read_text().split() == ["createdb", "search", "result2msa", "unpackdb"]
    assert (tmp_path / "o.a3m").read_text() == f">the query\n{QUERY.sequence}\n"
    assert result.process.argv[1] == "search"
    assert result.warnings == ()
    assert not list(scratch.iterdir())


def test_a_step_that_fails_ends_the_search(tmp_path: Path, scratch: Path) -> None:
    tool = fake(tmp_path, "if step == 'result2msa': print('Error: no', file=sys.stderr); sys.exit(1)")
    with pytest.raises(ToolFailedError, match=r'exit code 1: "Error: no"') as caught:
        mmseqs_search(QUERY, database(), tmp_path / "o.a3m", tool=tool)
    assert caught.value.command[1] == "result2msa"
    assert (tmp_path / "log").read_text().split() == ["createdb", "search", "result2msa"]
    assert not (tmp_path / "o.a3m").exists()
    assert not list(scratch.iterdir())


def test_one_time_limit_holds_for_all_steps(tmp_path: Path, scratch: Path) -> None:
    slow = fake(tmp_path, "time.sleep(0.4)")
    with pytest.raises(ToolTimeoutError):
        mmseqs_search(QUERY, database(), tmp_path / "o.a3m", MMseqsSearchConfig(timeout_s=1.0), tool=slow)
    assert len((tmp_path / "log").read_text().split()) in (2, 3)
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("if step == 'unpackdb': open('unpacked/1.a3m', 'w')", "more than one alignment of one query"),
        ("if step == 'unpackdb': os.remove('unpacked/0.a3m')", r"wrote no 0\.a3m"),
        (
            "if step == 'unpackdb': open('unpacked/0.a3m', 'w').write('>a\\nMKVLW\\n')",
            "first row is not the query",
        ),
    ],
)
def test_a_result_that_is_not_one_alignment_of_the_query_is_refused(
    body: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputInvalidError, match=message):
        mmseqs_search(QUERY, database(), tmp_path / "o.a3m", tool=fake(tmp_path, body))
    assert not (tmp_path / "o.a3m").exists()


def test_a_query_too_short_for_mmseqs_is_searched_with_a_warning(tmp_path: Path) -> None:
    result = mmseqs_search(Query("q", "MKVLAAGICRT"), database(), tmp_path / "o.a3m", tool=fake(tmp_path))
    assert result.warnings == ("query 'q' has 11 residues; mmseqs finds nothing for less than 12",)
    assert (
        mmseqs_search(
            Query("q", "MKVLAAGICRTW"), database(), tmp_path / "o.a3m", tool=fake(tmp_path)
        ).warnings
        == ()
    )


def test_a_query_longer_than_mmseqs_keeps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidQueryError, match="65,536 residues, of which mmseqs would keep 65,535"):
        mmseqs_search(Query("q", "A" * 65_536), database(), tmp_path / "o.a3m", tool=fake(tmp_path))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("iterations", (0, 9)),
        ("sensitivity", (0.9, 7.6, float("nan"))),
        ("evalue", (0, -1)),
        ("profile_evalue", (0,)),
        ("max_seqs", (0,)),
        ("min_coverage", (-0.1, 1.1)),
        ("min_identity", (-0.1, 1.1)),
        ("load_mode", (-1, 4)),
        ("split_memory_gb", (-1,)),
        ("num_threads", (0,)),
        ("timeout_s", (0,)),
        ("max_memory_gb", (0,)),
    ],
)
def test_nonsense_is_refused_at_birth(field: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"^{field} must be "):
            MMseqsSearchConfig(**{field: value})  # type: ignore[arg-type]


def test_every_option_that_is_set_cannot_be_set_again() -> None:
    options = {word for word in MMseqsSearchConfig().argv(*PATHS) if word.startswith("-")}
    assert options >= {
        "-s",
        "-e",
        "-a",
        "--threads",
        "--remove-tmp-files",
        "--num-iterations",
        "--db-load-mode",
    }
    for option in options:
        with pytest.raises(ValueError, match=f"sets {option}, which the configuration does"):
            MMseqsSearchConfig(extra_args=(option, "1"))
    assert MMseqsSearchConfig(extra_args=("-k", "5")).argv(*PATHS)[-2:] == ("-k", "5")


def test_the_arguments_hold_every_value_that_matters() -> None:
    config = MMseqsSearchConfig(
        2, 4.0, 1.0, 0.5, 77, 0.25, 0.125, num_threads=3, load_mode=1, split_memory_gb=1.5
    )
    words = config.argv(*PATHS)
    assert words[:6] == ("/bin/mmseqs", "search", "/query", "/database", "/hits", "/scratch")
    pairs = dict(pairwise(words))
    expected = {"--num-iterations": "2", "-s": "4.0", "-e": "1.0", "--e-profile": "0.5", "--max-seqs": "77"}
    expected |= {
        "-c": "0.25",
        "--cov-mode": "2",
        "--min-seq-id": "0.125",
        "--threads": "3",
        "--db-load-mode": "1",
    }
    expected |= {"--split-memory-limit": "1536M", "-a": "1", "--remove-tmp-files": "1", "--search-type": "1"}
    assert {option: pairs[option] for option in expected} == expected
