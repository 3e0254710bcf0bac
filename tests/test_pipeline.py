"""Jobs: the right store comes out of any mixture of inputs, whatever was done, stopped or failed before."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pipeline_cases import InlinePool, StoppedError, files, write_alignment, write_folder

from data_tools import store as store_module
from data_tools.errors import PipelineError, StoreError
from data_tools.features import featurize
from data_tools.folder_lock import locked
from data_tools.formats import read_alignment
from data_tools.pipeline import task as task_module
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.job import Summary, featurize_inputs
from data_tools.pipeline.task import Options, Outcome
from data_tools.store import Example, open_store, write_store

GOOD = ("a", "bb", "ccc", "e", "ff", "ggg", "h")
BROKEN = ("0", "d", "z")  # first, in the middle and at the end of the order


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_MAX_SHARD_EXAMPLES", 2)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Input]:
    """Seven good ones and three broken ones."""
    return write_folder(tmp_path / "msas", GOOD, broken=BROKEN)


@pytest.fixture
def expected(inputs: Sequence[Input], tmp_path: Path) -> dict[str, bytes]:
    """The store that an undisturbed run makes."""
    run(inputs, tmp_path / "undisturbed")
    return files(tmp_path / "undisturbed")


def run(inputs: Sequence[Input], store: Path, pool: InlinePool | None = None, **options: object) -> Summary:
    used = pool or InlinePool()
    return featurize_inputs(inputs, store, lambda: used, **options)  # type: ignore[arg-type]


def stop_after(inputs: Sequence[Input], store: Path, count: int) -> None:
    """Run until `count` inputs were begun; at that time one shard at least is finished when count is 8."""
    with pytest.raises(StoppedError):
        run(inputs, store, InlinePool(1, stop_after=count))


def test_the_store_is_the_one_that_featurizing_one_by_one_makes(
    inputs: Sequence[Input], tmp_path: Path
) -> None:
    summary = run(inputs, tmp_path / "store")
    examples = [
        Example(one.id, featurize(read_alignment(one.alignment)), None) for one in inputs if one.id in GOOD
    ]
    write_store(examples, tmp_path / "plain")
    made, plain = files(tmp_path / "store"), files(tmp_path / "plain")
    assert {name: made[name] for name in plain} == plain
    assert set(made) - set(plain) == {"failures.tsv", "sources.tsv", "featurize.json"}
    assert (summary.num_inputs, summary.num_examples, summary.num_failed) == (10, 7, 3)
    assert (summary.num_labelled, summary.num_done_before) == (0, 0)
    assert summary.examples_per_s > 0


def test_failures_are_listed_in_order_with_line_and_reason(inputs: Sequence[Input], tmp_path: Path) -> None:
    run(inputs, tmp_path / "store")
    lines = (tmp_path / "store" / "failures.tsv").read_text().splitlines()
    assert lines[0] == "input\terror\tid"
    fields = [line.split("\t") for line in lines[1:]]
    assert [line[2] for line in fields] == ["0", "d", "z"]
    assert fields[1][0] == str(tmp_path / "msas" / "d.a3m")
    assert re.match(r".*/msas/d\.a3m:\d+: .*4 match columns", fields[1][1])


def test_sources_say_where_each_example_came_from(inputs: Sequence[Input], tmp_path: Path) -> None:
    import hashlib

    run(inputs, tmp_path / "store")
    lines = [line.split("\t") for line in (tmp_path / "store" / "sources.tsv").read_text().splitlines()]
    assert lines[0][:4] == ["id", "alignment", "alignment_bytes", "alignment_sha256"]
    assert [line[0] for line in lines[1:]] == list(GOOD)
    content = (tmp_path / "msas" / "ccc.a3m").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    assert lines[3][1:4] == [str(tmp_path / "msas" / "ccc.a3m"), str(len(content)), sha256]


def test_messages_name_files_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "msas", ["a"], broken=["b"])
    monkeypatch.chdir(tmp_path)
    run([Input("a", "msas/a.a3m"), Input("b", "msas/b.a3m")], tmp_path / "store")
    failed = (tmp_path / "store" / "failures.tsv").read_text().splitlines()[1]
    assert re.match(r"msas/b\.a3m\tmsas/b\.a3m:\d+: ", failed)


@pytest.mark.parametrize("capacity", [1, 2, 7])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_in_which_tasks_end_does_not_matter(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path, capacity: int, seed: int
) -> None:
    pool = InlinePool(capacity, seed=seed)
    run(inputs, tmp_path / "store", pool)
    assert files(tmp_path / "store") == expected
    assert pool.most_under_way == capacity


@pytest.mark.parametrize("count", range(11))
def test_a_stopped_job_goes_on_without_repeating_work(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path, count: int
) -> None:
    store = tmp_path / "store"
    if count < len(inputs):
        stop_after(inputs, store, count)
    assert not (store / "manifest.json").exists()
    pool = InlinePool()
    outcomes: list[Outcome | None] = []
    summary = run(inputs, store, pool, on_outcome=outcomes.append)
    assert files(store) == expected
    done_before = count if count < len(inputs) else 0
    assert summary.num_done_before == done_before == outcomes.count(None)
    assert sorted(pool.given) == list(range(done_before, len(inputs)))
    assert len(outcomes) == len(inputs)


def test_a_finished_store_is_left_as_it_is_by_the_same_call(inputs: Sequence[Input], tmp_path: Path) -> None:
    first = run(inputs, tmp_path / "store")
    before = files(tmp_path / "store")
    pool = InlinePool()
    again = run(inputs, tmp_path / "store", pool)
    assert pool.given == []
    assert files(tmp_path / "store") == before
    assert (again.num_examples, again.num_failed, again.num_done_before) == (7, 3, 10)
    assert again.num_labelled == first.num_labelled


def test_an_unfinished_job_of_other_inputs_or_options_is_refused(
    inputs: Sequence[Input], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    stop_after(inputs, store, 4)
    before = files(store)
    with pytest.raises(PipelineError, match="unfinished job with num_inputs 10, now 9; run that one again"):
        run(inputs[1:], store)
    with pytest.raises(PipelineError, match="unfinished job with other inputs"):
        run([*inputs[:-1], Input("other", inputs[-1].alignment)], store)
    with pytest.raises(PipelineError, match=r"'max_depth': None\}, now .*'max_depth': 2"):
        run(inputs, store, options=Options(max_depth=2))
    with pytest.raises(PipelineError, match="program data_tools, now msaformer 9"):
        run(inputs, store, program="msaformer 9")
    assert files(store) == before


def test_a_finished_store_of_other_inputs_is_kept_unless_overwriting_is_allowed(
    inputs: Sequence[Input], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    run(inputs, store)
    (store / "notes.txt").write_text("mine")
    before = files(store)
    for choice in (False, True):
        with pytest.raises(StoreError, match="is not empty: it holds a finished store of other inputs"):
            run(inputs[1:4], store, retry_failed=choice)
    assert files(store) == before
    run(inputs[1:4], store, overwrite=True)
    assert open_store(store, verify=True).ids == ("a", "bb", "ccc")
    assert (store / "notes.txt").read_text() == "mine"


def test_overwriting_goes_on_with_its_own_unfinished_job(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    run(inputs[:4], store)
    with pytest.raises(StoppedError):
        run(inputs, store, InlinePool(1, stop_after=6), overwrite=True)
    pool = InlinePool()
    run(inputs, store, pool, overwrite=True)
    assert len(pool.given) == 4
    assert files(store) == expected


def test_overwriting_a_finished_store_begins_again(inputs: Sequence[Input], tmp_path: Path) -> None:
    run(inputs, tmp_path / "store")
    pool = InlinePool()
    run(inputs, tmp_path / "store", pool, overwrite=True)
    assert len(pool.given) == 10


def test_a_folder_of_other_things_is_not_touched(inputs: Sequence[Input], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    with pytest.raises(StoreError, match="is not empty; choose another"):
        run(inputs, mine)
    assert files(mine) == {"thesis.txt": b"x"}
    assert list(mine.iterdir()) == [mine / "thesis.txt"]
    with pytest.raises(StoreError, match="is a file, not a folder"):
        run(inputs, mine / "thesis.txt")


def test_without_any_example_only_the_list_of_failures_stays(tmp_path: Path) -> None:
    inputs = write_folder(tmp_path / "msas", [], broken=["x", "y"])
    store = tmp_path / "store"
    summary = run(inputs, store)
    assert (summary.num_examples, summary.num_failed) == (0, 2)
    assert [path.name for path in store.iterdir()] == ["failures.tsv"]
    write_alignment(tmp_path / "msas" / "x.a3m")
    assert run(inputs, store).num_examples == 1
    write_alignment(tmp_path / "msas" / "y.a3m")
    run(inputs, store, retry_failed=True)
    assert open_store(store, verify=True).ids == ("x", "y")
    assert not (store / "failures.tsv").exists()


@pytest.mark.parametrize("begun", [3, 5, 8, 9, None])
def test_failed_inputs_are_retried_and_the_others_kept(
    inputs: Sequence[Input], tmp_path: Path, begun: int | None
) -> None:
    store = tmp_path / "store"
    if begun is None:
        run(inputs, store)
    else:
        stop_after(inputs, store, begun)
    for name in ("0", "d"):
        path = write_alignment(tmp_path / "msas" / f"{name}.a3m")
        os.utime(path, ns=(1, 1))
    pool = InlinePool()
    summary = run(inputs, store, pool, retry_failed=True)
    never_begun = set() if begun is None else set(range(begun, 10))
    assert set(pool.given) == never_begun | {0, 4, 9}
    assert summary.num_failed == 1
    run(inputs, tmp_path / "fresh")
    assert files(store) == files(tmp_path / "fresh")


def test_retrying_without_failures_changes_nothing(tmp_path: Path) -> None:
    inputs = write_folder(tmp_path / "msas", GOOD)
    run(inputs, tmp_path / "store")
    before = files(tmp_path / "store")
    pool = InlinePool()
    run(inputs, tmp_path / "store", pool, retry_failed=True)
    assert pool.given == []
    assert files(tmp_path / "store") == before


def test_a_file_that_changed_before_its_shard_was_finished_is_read_again(
    inputs: Sequence[Input], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    stop_after(inputs, store, 2)  # 0 and a: a part and a failure
    for name in ("a", "0"):
        os.utime(write_alignment(tmp_path / "msas" / f"{name}.a3m", length=12), ns=(1, 1))
    run(inputs, store)
    run(inputs, tmp_path / "fresh")
    assert files(store) == files(tmp_path / "fresh")
    assert open_store(store).lengths[:2] == (12, 12)


def test_a_file_that_changed_after_its_shard_was_finished_is_refused(
    inputs: Sequence[Input], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    stop_after(inputs, store, 5)
    changed = tmp_path / "msas" / "bb.a3m"
    os.utime(changed, ns=(1, 1))
    stop_after(inputs, store, 0)  # only touched: its content is the same
    write_alignment(changed, length=12)
    with pytest.raises(PipelineError, match=r"bb\.a3m, or its structure, has changed since"):
        run(inputs, store)
    run(inputs, store, overwrite=True)
    assert open_store(store, verify=True).lengths[1] == 12


def test_an_input_that_is_no_regular_file_fails_instead_of_hanging(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.a3m")
    os.mkfifo(tmp_path / "b.a3m")
    inputs = [Input(name, str(tmp_path / f"{name}.a3m")) for name in ("a", "b", "absent")]
    summary = run(inputs, tmp_path / "store")
    assert summary.num_failed == 2
    text = (tmp_path / "store" / "failures.tsv").read_text()
    assert "no regular file" in text
    assert "there is no such file" in text


def test_options_apply_to_every_input(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.a3m", depth=6)
    (tmp_path / "b.a3m").write_text(">q\nMKVL\n>x\nMKVLL\n>y\nMKIL\n")
    inputs = [Input(name, str(tmp_path / f"{name}.a3m")) for name in ("a", "b")]
    run(inputs, tmp_path / "store", options=Options(repair=True, max_depth=4))
    store = open_store(tmp_path / "store", verify=True)
    assert store.depths == (4, 2)
    np.testing.assert_array_equal(store[0].features.tokens, read_alignment(tmp_path / "a.a3m").tokens[:4])
    notes = (tmp_path / "store" / "sources.tsv").read_text().splitlines()[2].split("\t")[-1]
    assert notes == "dropped 1"


def test_a_second_run_in_the_same_folder_is_refused(inputs: Sequence[Input], tmp_path: Path) -> None:
    store = tmp_path / "store"
    with (
        locked(store / ".job" / "lock"),
        pytest.raises(PipelineError, match=f"{store}: process {os.getpid()} on .* is at work in this folder"),
    ):
        run(inputs, store)
    run(inputs, store)  # the holder is gone


def test_a_lock_that_its_last_holder_removes_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "job" / "lock"
    opened: list[int] = []
    take = fcntl.flock

    def remove_then_take(descriptor: int, operation: int) -> None:
        if not opened:  # between our opening and our locking, the holder ends and removes its folder
            lock.unlink()
        opened.append(os.fstat(descriptor).st_ino)
        take(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_then_take)
    with locked(lock):
        assert len(opened) == 2
        assert lock.stat().st_ino == opened[1]


def test_retrying_leaves_the_shards_before_the_first_failure_alone(tmp_path: Path) -> None:
    inputs = write_folder(tmp_path / "msas", GOOD, broken=["d"])
    store = tmp_path / "store"
    run(inputs, store)
    first, second = (store / f"shard-0000{number}.parquet" for number in (0, 1))
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in (first, second)]
    write_alignment(tmp_path / "msas" / "d.a3m")
    run(inputs, store, retry_failed=True)
    after = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in (first, second)]
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert open_store(store, verify=True).ids == tuple(sorted([*GOOD, "d"]))


def test_a_shard_without_a_record_does_not_stay(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    stop_after(inputs, store, 5)
    (store / "shard-00009.parquet").write_text("of a run killed before its record, of inputs that fail now")
    run(inputs, store)
    assert files(store) == expected


def test_a_job_killed_while_it_is_removed_is_not_done_again(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    remove = shutil.rmtree

    def stop_in_the_middle(folder: Path, ignore_errors: bool) -> None:
        if folder.name != ".job":
            return remove(folder, ignore_errors=ignore_errors)
        remove(folder / "shards")
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", stop_in_the_middle)
        with pytest.raises(StoppedError):
            run(inputs, store)
    pool = InlinePool()
    run(inputs, store, pool)
    assert pool.given == []
    assert files(store) == expected


def test_a_full_disk_is_one_error_and_the_job_goes_on_later(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "part")

    with monkeypatch.context() as patched:
        patched.setattr(task_module, "write_part", full)
        with pytest.raises(PipelineError, match="cannot go on: part: no space left on device; once that"):
            run(inputs, store)
    with monkeypatch.context() as patched:
        patched.setattr(store_module.ShardWriter, "add", full)
        with pytest.raises(PipelineError, match="no space left on device"):
            run(inputs, store)
    assert run(inputs, store).num_done_before > 0
    assert files(store) == expected


def test_too_little_memory_is_a_failure_of_the_input(
    inputs: Sequence[Input], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*_: object) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(task_module, "featurize", greedy)
    run(inputs[1:2], tmp_path / "store")
    assert "not enough memory (Unable to allocate 9 TiB)" in (tmp_path / "store/failures.tsv").read_text()


def test_a_part_that_does_not_arrive_is_an_error(
    inputs: Sequence[Input], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_tools.pipeline.job._VISIBLE_WITHIN_S", 0.0)
    monkeypatch.setattr(task_module, "write_part", lambda *_: None)
    with pytest.raises(PipelineError, match="must share the file system"):
        run(inputs[1:2], tmp_path / "store")


@pytest.mark.parametrize("content", [b"{", b"3", b'{"num_inputs": 10}'])
def test_a_damaged_plan_is_an_error(inputs: Sequence[Input], tmp_path: Path, content: bytes) -> None:
    store = tmp_path / "store"
    stop_after(inputs, store, 4)
    (store / ".job" / "plan.json").write_bytes(content)
    with pytest.raises(PipelineError, match="--overwrite"):
        run(inputs, store)
    assert run(inputs, store, overwrite=True).num_done_before == 0


def test_a_shard_that_was_cut_short_is_refused_or_made_again(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    stop_after(inputs, store, 5)
    shard = store / "shard-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"shard-00000\.parquet is damaged"):
        run(inputs, store)
    run(inputs, store, overwrite=True)
    assert files(store) == expected


def test_a_damaged_record_or_part_never_gets_into_the_store(
    inputs: Sequence[Input], expected: dict[str, bytes], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    stop_after(inputs, store, 5)
    (part,) = (store / ".job" / "parts").glob("*.arrow")
    part.write_bytes(part.read_bytes()[:-20])
    for failure in (store / ".job" / "parts").glob("*4.json"):
        failure.write_text("")
    record = store / ".job" / "shards" / "shard-00000.json"
    saved = record.read_text()
    record.write_text(json.dumps({"shard": {}}))
    with pytest.raises(PipelineError, match=r"shard-00000\.json: damaged"):
        run(inputs, store)
    record.write_text(saved)
    run(inputs, store)
    assert files(store) == expected


def test_a_damaged_shard_is_found_before_it_is_taken_apart(inputs: Sequence[Input], tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(inputs, store)
    shard = store / "shard-00001.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(StoreError, match="SHA-256"):
        run(inputs, store, retry_failed=True)
