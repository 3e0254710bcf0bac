"""Searching with many queries: what is done stays done, what failed is told, and nothing is half-written."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from search_database_cases import (
    family_a3m,
    install_fake_hhblits,
    make_hh,
    needs_hhsuite,
    searches,
    write_families,
)

from data_tools.errors import (
    DatabaseError,
    DataToolsError,
    InvalidQueryError,
    OutputInvalidError,
    PipelineError,
    ToolCrashedError,
    ToolError,
    ToolFailedError,
    ToolTimeoutError,
)
from data_tools.search import batch
from data_tools.search.batch import bounded_workers, run_many
from data_tools.search.batch_queries import BatchQuery, read_queries, safe_id
from data_tools.search.database import HHDatabase, SequenceDatabase
from data_tools.search.hhsuite_config import HHblitsConfig
from data_tools.search.hmmer import JackhmmerConfig, Thresholds
from data_tools.search.journal import Journal, JournalEntry, read_journal
from data_tools.search.outcome import Outcome, RetryPolicy
from data_tools.search.query import Query
from data_tools.search.searcher import Searcher


@dataclass
class Bench:
    """A stand-in for hhblits, a database, and a folder for results."""

    folder: Path
    searcher: Searcher
    out: Path

    def run(self, *sequences: str, **options: object) -> list[Outcome]:
        return run_many(batch_of(*sequences), self.searcher, self.out, **options)  # type: ignore[arg-type]

    @property
    def searched(self) -> list[str]:
        return searches(self.folder)

    def files(self) -> set[str]:
        return {file.name for file in self.out.iterdir()}


def batch_of(*sequences: str) -> list[BatchQuery]:
    """Queries called by their sequence."""
    return [BatchQuery(s.lower(), Query(f"{s.lower()} of a test", s), f"{s}.fa:1") for s in sequences]


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def prepare(folder: Path, config: HHblitsConfig | None = None) -> Searcher:
    return Searcher.prepare(config or HHblitsConfig(), [HHDatabase.open(folder / "db")])


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    folder = tmp_path / "bench"
    folder.mkdir()
    make_hh(folder)
    monkeypatch.setenv("MSAFORMER_HHBLITS", str(install_fake_hhblits(folder)))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    return Bench(folder, prepare(folder), tmp_path / "out")


def test_each_query_gives_an_alignment_under_its_own_name(bench: Bench) -> None:
    outcomes = bench.run("MKV", "WARN")
    assert states(outcomes) == ["searched", "searched"]
    assert bench.files() == {"mkv.a3m", "warn.a3m", "journal.jsonl"}
    assert (bench.out / "mkv.a3m").read_text() == ">mkv of a test\nMKV\n>relative\nMKV\n"
    assert [outcome.num_sequences for outcome in outcomes] == [2, 2]
    assert outcomes[0].warnings == ()
    assert "something odd" in outcomes[1].warnings[0]


def test_what_is_done_is_not_searched_again(bench: Bench) -> None:
    bench.run("MKV", "WWW")
    before = (bench.out / "mkv.a3m").stat().st_mtime_ns
    outcomes = bench.run("MKV", "WWW", "AAA")
    assert states(outcomes) == ["kept", "kept", "searched"]
    assert outcomes[0].num_sequences == 2
    assert (bench.out / "mkv.a3m").stat().st_mtime_ns == before
    assert bench.searched == ["MKV", "WWW", "AAA"]


def test_all_is_searched_again_on_request(bench: Bench) -> None:
    bench.run("MKV")
    assert states(bench.run("MKV", resume=False)) == ["searched"]


@pytest.mark.parametrize("what", ["sequence", "settings", "version", "database", "result", "no result"])
def test_a_result_of_anything_else_is_searched_again(
    what: str, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run("MKV")
    searcher, queries = bench.searcher, batch_of("MKV")
    if what == "sequence":
        queries = [BatchQuery("mkv", Query("mkv", "MKVW"), "x")]
    elif what == "settings":
        searcher = prepare(bench.folder, HHblitsConfig(evalue=1e-4))
    elif what == "version":
        program = bench.folder / "hhblits"
        program.write_text(program.read_text().replace("3.3.0", "3.4.0"))
        searcher = prepare(bench.folder)
    elif what == "database":
        os.utime(bench.folder / "db_a3m.ffdata", ns=(1, 1))
        searcher = prepare(bench.folder)
    elif what == "result":
        (bench.out / "mkv.a3m").write_text(">mkv\nMKV\n")
    else:
        (bench.out / "mkv.a3m").unlink()
    assert states(run_many(queries, searcher, bench.out)) == ["searched"]
    assert states(run_many(queries, searcher, bench.out)) == ["kept"]
    assert ("was changed after the search" in caplog.text) == (what == "result")


def test_threads_and_limits_change_no_result(bench: Bench) -> None:
    bench.run("MKV")
    searcher = prepare(bench.folder, HHblitsConfig(num_threads=2, timeout_s=60, max_memory_gb=4))
    assert states(run_many(batch_of("MKV"), searcher, bench.out)) == ["kept"]


def test_the_key_holds_what_no_argument_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jackhmmer = tmp_path / "jackhmmer"
    jackhmmer.write_text("#!/bin/sh\necho '# HMMER 3.3.2'\n")
    jackhmmer.chmod(0o755)
    monkeypatch.setenv("MSAFORMER_JACKHMMER", str(jackhmmer))
    (tmp_path / "x.fa").write_text(">a\nMKV\n")
    database = SequenceDatabase.open(tmp_path / "x.fa")
    configs = [
        JackhmmerConfig(),
        JackhmmerConfig(max_rows=10),
        JackhmmerConfig(iterations=2),
        JackhmmerConfig(thresholds=Thresholds(evalue=1e-5)),
    ]
    keys = [Searcher.prepare(config, [database]).key(Query("q", "MKV")) for config in configs]
    assert len(set(keys)) == len(keys)


def test_a_failure_stops_nobody_and_is_listed(bench: Bench) -> None:
    (bench.folder / "failing").touch()
    outcomes = bench.run("FAIL", "MKV")
    assert states(outcomes) == ["failed", "searched"]
    assert bench.files() == {"mkv.a3m", "failures.tsv", "journal.jsonl"}
    header, line = (bench.out / "failures.tsv").read_text().splitlines()
    assert header.split("\t") == ["query", "error", "message", "command"]
    name, kind, message, command = line.split("\t")
    assert (name, kind) == ("fail", "ToolFailedError")
    assert "exit code 3" in message
    assert "cannot do this" in message
    assert command.startswith(str(bench.folder / "hhblits"))


def test_what_failed_is_tried_again_by_the_next_batch(bench: Bench) -> None:
    (bench.folder / "failing").touch()
    bench.run("FAIL", "MKV")
    assert states(bench.run("FAIL", "MKV")) == ["failed", "kept"]
    (bench.folder / "failing").unlink()
    assert states(bench.run("FAIL", "MKV")) == ["searched", "kept"]
    assert bench.files() == {"mkv.a3m", "fail.a3m", "journal.jsonl"}


def test_a_result_of_other_settings_does_not_stand_in_for_one_that_failed(bench: Bench) -> None:
    bench.run("FAIL")
    (bench.folder / "failing").touch()
    searcher = prepare(bench.folder, HHblitsConfig(evalue=1e-5))
    assert states(run_many(batch_of("FAIL"), searcher, bench.out)) == ["failed"]
    assert not (bench.out / "fail.a3m").exists()


def test_a_crash_is_tried_once_more(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    assert states(bench.run("CRASH")) == ["searched"]
    assert bench.searched == ["CRASH", "CRASH"]
    assert "tried again" in caplog.text
    assert read_journal(bench.out / "journal.jsonl")["crash"].attempts == 2


@pytest.mark.parametrize("crashes", [0, 2])
def test_the_policy_says_how_often(crashes: int, bench: Bench) -> None:
    (bench.folder / "always").touch()
    outcomes = bench.run("CRASH", retry=RetryPolicy(crashes=crashes))
    assert states(outcomes) == ["failed"]
    assert outcomes[0].error == "ToolCrashedError"
    assert len(bench.searched) == 1 + crashes


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ToolCrashedError("x"), 4),
        (ToolTimeoutError("x"), 3),
        (ToolFailedError("x"), 1),
        (OutputInvalidError("x"), 1),
        (InvalidQueryError("x"), 1),
    ],
)
def test_only_what_may_pass_is_tried_again(error: DataToolsError, attempts: int) -> None:
    assert RetryPolicy(crashes=3, timeouts=2).attempts(error) == attempts


def test_a_search_that_takes_too_long_is_a_failure(bench: Bench) -> None:
    (bench.folder / "slow").touch()
    searcher = prepare(bench.folder, HHblitsConfig(timeout_s=0.3))
    outcomes = run_many(batch_of("SLEEP", "MKV"), searcher, bench.out)
    assert states(outcomes) == ["failed", "searched"]
    assert outcomes[0].error == "ToolTimeoutError"
    assert bench.searched == ["SLEEP", "MKV"]


def test_workers_search_at_the_same_time(bench: Bench) -> None:
    (bench.folder / "slow").touch()
    queries = batch_of("SLEEPA", "SLEEPW", "MKV")

    def release(outcome: Outcome) -> None:  # the third gets through only beside the two that wait
        wait_until(lambda: len(bench.searched) == 3)
        (bench.folder / "slow").unlink(missing_ok=True)

    assert (
        states(run_many(queries, bench.searcher, bench.out, workers=3, on_outcome=release))
        == ["searched"] * 3
    )


@pytest.mark.parametrize(
    ("workers", "threads", "bound"),
    [(1, 1, 1), (4, 1, 4), (9, 1, 4), (2, 2, 2), (3, 2, 2), (2, 4, 1), (1, 8, 1)],
)
def test_workers_are_held_within_the_cores(
    workers: int, threads: int, bound: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    assert bounded_workers(workers, threads) == bound
    assert ("do not fit into 4 cores" in caplog.text) == (bound < workers)


# The folder


def test_a_file_that_no_search_made_is_not_replaced(bench: Bench) -> None:
    bench.out.mkdir()
    (bench.out / "mkv.a3m").write_text("mine")
    with pytest.raises(PipelineError, match=r"mkv.a3m exists, but no search made it"):
        bench.run("AAA", "MKV")
    assert (bench.out / "mkv.a3m").read_text() == "mine"
    assert bench.searched == []


def test_two_searches_do_not_share_a_folder(bench: Bench) -> None:
    bench.run("MKV")
    with Journal(bench.out / "journal.jsonl"), pytest.raises(PipelineError, match="another search works"):
        bench.run("MKV")
    assert states(bench.run("MKV")) == ["kept"]


def test_a_folder_that_cannot_be_made_is_told(bench: Bench) -> None:
    bench.out.write_text("a file")
    with pytest.raises(PipelineError, match="cannot be made"):
        bench.run("MKV")


def test_two_queries_of_one_name_are_refused(bench: Bench) -> None:
    queries = [*batch_of("MKV"), BatchQuery("MKV", Query("x", "WWW"), "y.fa:1")]
    with pytest.raises(
        InvalidQueryError, match=r"y.fa:1: its result would be written as MKV.a3m, as that of MKV.fa:1"
    ):
        run_many(queries, bench.searcher, bench.out)


def test_left_overs_of_a_killed_search_are_removed(bench: Bench) -> None:
    bench.run("MKV")
    (bench.out / ".searching").mkdir()
    (bench.out / ".searching" / "half.a3m").write_text(">half")
    bench.run("MKV")
    assert bench.files() == {"mkv.a3m", "journal.jsonl"}


# The journal


def test_a_torn_line_at_the_end_is_dropped(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.run("MKV", "AAA")
    journal = bench.out / "journal.jsonl"
    os.truncate(journal, journal.stat().st_size - 20)
    assert states(bench.run("MKV", "AAA")) == ["kept", "searched"]
    assert all(json.loads(line) for line in journal.read_text().splitlines())
    assert caplog.text == ""
    assert states(bench.run("MKV", "AAA")) == ["kept", "kept"]


@pytest.mark.parametrize(
    "line",
    [
        b"{nonsense}",
        b"[]",
        b'{"id": 3}',
        b'{"id": "mkv", "key": "k", "state": "asleep", "warnings": []}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_line_is_told_and_its_work_done_again(
    line: bytes, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run("MKV", "AAA")
    journal = bench.out / "journal.jsonl"
    lines = journal.read_bytes().splitlines()
    done = next(number for number, text in enumerate(lines) if b'"mkv"' in text and b'"done"' in text)
    lines[done] = line
    journal.write_bytes(b"\n".join(lines) + b"\n")
    assert states(bench.run("MKV", "AAA")) == ["searched", "kept"]
    assert f"journal.jsonl:{done + 1}: no entry of a journal" in caplog.text


def test_the_journal_tells_what_happened_in_order(bench: Bench) -> None:
    (bench.folder / "failing").touch()
    bench.run("MKV", "FAIL")
    entries = [json.loads(line) for line in (bench.out / "journal.jsonl").read_text().splitlines()]
    told = [(entry["id"], entry["state"]) for entry in entries]
    assert told == [("mkv", "started"), ("mkv", "done"), ("fail", "started"), ("fail", "failed")]
    assert len(entries[1]["key"]) == len(entries[1]["sha256"]) == 64
    assert (entries[1]["num_sequences"], entries[1]["attempts"]) == (2, 1)
    assert entries[3]["error"] == "ToolFailedError"
    assert entries[1]["time"].endswith("+00:00")


def test_a_journal_survives_appending_from_many_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    entries = [JournalEntry(str(number), "k" * 64, "done", message="x" * 3000) for number in range(200)]
    with Journal(tmp_path / "j") as journal, ThreadPoolExecutor(8) as pool:
        list(pool.map(journal.append, entries))
        assert journal.latest("7") == entries[7]
    assert set(read_journal(tmp_path / "j")) == {entry.id for entry in entries}


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "no") == {}
    with pytest.raises(PipelineError, match="cannot be read"):
        read_journal(tmp_path)
    with pytest.raises(PipelineError, match="cannot be opened"):
        Journal(tmp_path).__enter__()


# The cache


def test_a_result_is_found_in_the_cache_under_the_name_of_the_query(bench: Bench, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    bench.run("MKV", cache=cache)
    other = [BatchQuery("other", Query("another name", "MKV"), "x")]
    assert states(run_many(other, bench.searcher, tmp_path / "out2", cache=cache)) == ["cached"]
    assert (tmp_path / "out2" / "other.a3m").read_text() == ">another name\nMKV\n>relative\nMKV\n"
    assert states(run_many(other, bench.searcher, tmp_path / "out2")) == ["kept"]
    assert bench.searched == ["MKV"]
    assert states(run_many(other, bench.searcher, tmp_path / "out3", cache=cache, resume=False)) == [
        "searched"
    ]
    searcher = prepare(bench.folder, HHblitsConfig(evalue=1e-9))
    assert states(run_many(other, searcher, tmp_path / "out4", cache=cache)) == ["searched"]


def test_a_damaged_cache_is_searched_again_and_mended(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    bench.run("MKV", cache=cache)
    (kept,) = cache.rglob("*.a3m")
    kept.write_text(">mkv\nMKA\n")
    assert states(run_many(batch_of("MKV"), bench.searcher, tmp_path / "out2", cache=cache)) == ["searched"]
    assert "is damaged" in caplog.text
    assert states(run_many(batch_of("MKV"), bench.searcher, tmp_path / "out3", cache=cache)) == ["cached"]


def test_a_cache_without_the_checksum_is_not_believed(bench: Bench, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    bench.run("MKV", cache=cache)
    (digest,) = cache.rglob("*.sha256")
    digest.unlink()
    assert states(run_many(batch_of("MKV"), bench.searcher, tmp_path / "out2", cache=cache)) == ["searched"]


# Interrupted and killed


def test_an_interrupt_ends_the_programs_and_keeps_what_is_done(bench: Bench) -> None:
    (bench.folder / "slow").touch()

    def interrupt(outcome: Outcome) -> None:
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench.run("SLEEPA", "MKV", "SLEEPW", "AAA", "WWW", workers=2, on_outcome=interrupt)
    assert time.monotonic() - begun < 10
    assert {"sleepa.a3m", "sleepw.a3m", ".searching", "failures.tsv"}.isdisjoint(bench.files())
    assert "mkv.a3m" in bench.files()
    assert all(entry.state != "failed" for entry in read_journal(bench.out / "journal.jsonl").values())
    (bench.folder / "slow").unlink()
    outcomes = bench.run("SLEEPA", "MKV", "SLEEPW", "AAA", "WWW", workers=2)
    assert states(outcomes)[:3] == ["searched", "kept", "searched"]
    assert len(list(bench.out.glob("*.a3m"))) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_search_goes_on_where_it_was(number: signal.Signals, bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "slow").touch()
    fasta = tmp_path / "queries.fa"
    fasta.write_text("".join(f">{s.lower()}\n{s}\n" for s in ("MKV", "AAA", "SLEEP", "WWW")))
    command = [sys.executable, "-m", "msaformer", "search", str(fasta), "-o", str(bench.out)]
    command += ["--database", str(bench.folder / "db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: "SLEEP" in bench.searched)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else -9)
    if number == signal.SIGINT:
        assert errors.strip() == "error: interrupted"
        assert bench.files() == {"mkv.a3m", "aaa.a3m", "journal.jsonl"}
    wait_until(lambda: not running(bench.folder / "hhblits"))
    assert not (bench.out / "sleep.a3m").exists()
    (bench.folder / "slow").unlink()
    result = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)["queries"]
    assert {name: outcome["state"] for name, outcome in told.items()} == {
        "mkv": "kept",
        "aaa": "kept",
        "sleep": "searched",
        "www": "searched",
    }
    assert bench.files() == {"mkv.a3m", "aaa.a3m", "sleep.a3m", "www.a3m", "journal.jsonl"}
    assert bench.searched == ["MKV", "AAA", "SLEEP", "SLEEP", "WWW"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running(program: Path) -> bool:
    """Whether a process of this program lives."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(program).encode() in words:
            return True
    return False


# Reading queries


def test_every_record_of_every_file_is_a_query(tmp_path: Path) -> None:
    (tmp_path / "T1.fa").write_text(">sp|P1|X long name\nMKV\n")
    (tmp_path / "many.fasta").write_text("\n>a b\nMK\nVV\n>sp|P2|Y\nWWW\n")
    queries, failures = read_queries([tmp_path / "T1.fa", tmp_path / "many.fasta"])
    assert not failures
    assert [(query.id, query.query.name, query.query.sequence) for query in queries] == [
        ("T1", "sp|P1|X long name", "MKV"),
        ("a", "a b", "MKVV"),
        ("sp_P2_Y", "sp|P2|Y", "WWW"),
    ]
    assert queries[2].source.endswith("many.fasta:5")


def test_a_bad_record_is_told_with_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "many.fa"
    path.write_text(">a\nMKV\n>b\nM?V\n>c\n\n>d\nWWW\n")
    queries, failures = read_queries([path, tmp_path / "gone.fa"])
    assert [query.id for query in queries] == ["a", "d"]
    assert list(failures) == [f"{path}:3", f"{path}:5", str(tmp_path / "gone.fa")]
    assert f"{path}:3" in failures[f"{path}:3"]
    assert "'?'" in failures[f"{path}:3"]
    assert failures[f"{path}:5"].startswith(f"{path}:5: ")
    assert "no such file" in failures[str(tmp_path / "gone.fa")]


@pytest.mark.parametrize("text", ["", "MKV\n", "MKV\n>a\nMKV\n>b\nMKV\n"])
def test_text_that_is_no_fasta_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(text)
    _, failures = read_queries([tmp_path / "x.fa"])
    assert len(failures) == 1


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(">a\nMKV\n>A\nWWW\n")
    with pytest.raises(
        InvalidQueryError, match=r"x.fa:3: its result would be written as A.a3m, as that of .*x.fa:1"
    ):
        read_queries([tmp_path / "x.fa"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "etc_passwd"),
        (".hidden", "hidden"),
        ("a" * 300, "a" * 100),
        ("", "query"),
        ("é", "query"),
    ],
)
def test_an_id_cannot_leave_its_folder(name: str, expected: str) -> None:
    assert safe_id(name) == expected
    with pytest.raises(InvalidQueryError, match="cannot name a file"):
        BatchQuery(name, Query("x", "MKV"), "x.fa")


# What is searched with what


def test_a_program_searches_databases_of_its_own_kind(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "x.fa").write_text(">a\nMKV\n")
    fasta, hh = SequenceDatabase.open(tmp_path / "x.fa"), HHDatabase.open(bench.folder / "db")
    with pytest.raises(DatabaseError, match=r"x.fa: a SequenceDatabase, but hhblits searches a HHDatabase"):
        Searcher.prepare(HHblitsConfig(), [fasta])
    with pytest.raises(DatabaseError, match="jackhmmer needs one database, 2 were given"):
        Searcher.prepare(JackhmmerConfig(), [fasta, fasta])
    with pytest.raises(DatabaseError, match="at least one"):
        Searcher.prepare(HHblitsConfig(), [])
    with pytest.raises(ToolError, match="cores"):
        Searcher.prepare(HHblitsConfig(num_threads=64), [hh])


@needs_hhsuite
def test_real_searches_give_the_same_with_one_worker_and_two(tmp_path: Path) -> None:
    database, _ = HHDatabase.build(write_families(tmp_path), tmp_path / "db")
    rows = family_a3m("globins4").split("\n")
    queries = [
        BatchQuery(f"q{number}", Query(f"q{number}", rows[2 * number + 1].replace("-", "").upper()), "x")
        for number in (0, 2)
    ]
    searcher = Searcher.prepare(HHblitsConfig(iterations=1), [database])
    for workers in (1, 2):
        outcomes = run_many(queries[:workers], searcher, tmp_path / f"out{workers}", workers=workers)
        assert states(outcomes) == ["searched"] * workers
        assert all(outcome.num_sequences > 2 for outcome in outcomes)
    one, two = ((tmp_path / f"out{workers}" / "q0.a3m").read_bytes() for workers in (1, 2))
    assert one == two


def test_an_error_of_the_folder_ends_the_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch, "file_sha256", full)
    logging.getLogger("data_tools").setLevel(logging.WARNING)
    with pytest.raises(OSError, match="No space"):
        bench.run("MKV", "AAA")
    assert "mkv.a3m" not in bench.files()
