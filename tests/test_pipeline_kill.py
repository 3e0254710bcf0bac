"""A job that is killed goes on: at each step of its own, and in the middle of the work of real processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_cases import DeadlyPath, InlinePool, files, write_alignment, write_folder

from data_tools.errors import PipelineError
from data_tools.pipeline import workers as workers_module
from data_tools.pipeline.job import featurize_inputs
from data_tools.pipeline.task import Task
from data_tools.pipeline.workers import ProcessPool
from data_tools.store import open_store

TESTS = Path(__file__).parent
NAMES = [f"p{number:03d}" for number in range(80)]  # half a second of work for two processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small alignments, a few of them broken, and the store that an undisturbed run makes of them."""
    root = tmp_path_factory.mktemp("many")
    inputs = write_folder(root / "msas", NAMES, broken=["broken1", "zbroken"])
    featurize_inputs(inputs, root / "expected", InlinePool, program=program())
    return root


def program() -> str:
    from msaformer import __version__

    return f"msaformer {__version__}"


def start(folder: Path, store: Path, *options: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "msaformer",
        "featurize",
        str(folder / "msas"),
        "-o",
        str(store),
        *options,
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(folder: Path, store: Path, *options: str) -> tuple[int, str, str]:
    process = start(folder, store, *options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def await_parts(store: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the first inputs are done."""
    deadline = time.monotonic() + 60
    while not any((store / ".job" / "parts").glob("*.arrow")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)


def children(process: subprocess.Popen[str]) -> list[int]:
    """Ids of the processes that a process has started; none where the system does not tell."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(number) for number in listed.read_text().split()] if listed.exists() else []


def await_end(numbers: Sequence[int], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while any(Path(f"/proc/{number}").exists() and not is_zombie(number) for number in numbers):
        assert time.monotonic() < deadline, "workers live on without their job"
        time.sleep(0.01)


def is_zombie(number: int) -> bool:
    """It has ended, and whoever inherited it has not asked how."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def kill_at_steps(folder: Path, stride: int) -> int:
    command = [sys.executable, str(TESTS / "kill_at_each_step.py"), str(folder), str(stride)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_job_killed_at_any_of_its_steps_ends_with_the_same_store(tmp_path: Path) -> None:
    assert kill_at_steps(tmp_path, stride=7) > 30


@pytest.mark.slow
def test_a_job_killed_at_each_of_its_steps_ends_with_the_same_store(tmp_path: Path) -> None:
    assert kill_at_steps(tmp_path, stride=1) > 200


def kill_again_and_again(folder: Path, store: Path, kills: int, seed: int) -> None:
    """SIGKILL the command at random times, then let it finish; compare with the undisturbed run."""
    pauses = random.Random(seed)
    for _ in range(kills):
        process = start(folder, store, "--workers", str(1 + pauses.randrange(2)))
        if pauses.random() < 0.8:
            with process:
                await_parts(store, process)
                time.sleep(pauses.random() * 0.5)
                started = children(process)
                process.kill()
        else:
            with process:
                time.sleep(pauses.random())
                started = children(process)
                process.kill()
        await_end(started)
        if (store / "manifest.json").exists():
            break
    code, _, err = finish(folder, store, "--workers", "2")
    assert code == 3, err
    assert files(store) == files(folder / "expected")


def test_the_command_killed_in_the_middle_ends_with_the_same_store(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = start(folder, store, "--workers", "2")
    with process:
        await_parts(store, process)
        started = children(process)
        process.kill()
    await_end(started)
    assert not (store / "manifest.json").exists()
    code, out, err = finish(folder, store, "--workers", "2")
    assert code == 3, err
    assert "80 examples" in out
    assert "were done before" in out
    assert "Traceback" not in err
    assert files(store) == files(folder / "expected")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_command_killed_at_random_times_ends_with_the_same_store(
    folder: Path, tmp_path: Path, seed: int
) -> None:
    kill_again_and_again(folder, tmp_path / "store", kills=5, seed=seed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_signal_ends_the_job_cleanly_and_it_goes_on_later(
    folder: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    store = tmp_path / "store"
    process = start(folder, store)
    await_parts(store, process)
    started = children(process)
    os.killpg(process.pid, number)  # as a terminal or a scheduler does: to all processes of the job
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    lines = [line for line in err.splitlines() if "broken" not in line]
    assert lines == [f"error: stopped by {number.name}; run the same command again to go on"]
    await_end(started)
    assert (store / ".job" / "plan.json").exists()


class DeadlyPool(ProcessPool):
    """Sends some of the inputs to their workers with a path that kills them, so many times."""

    def __init__(self, num_workers: int, marks: Path, deaths: dict[str, int]) -> None:
        super().__init__(num_workers)
        self._marks = marks
        self._deaths_of = deaths

    def submit(self, task: Task) -> None:
        times = self._deaths_of.pop(task.given.id, None)
        if times is not None:
            marks = self._marks / task.given.id
            marks.mkdir()
            deadly = DeadlyPath(task.input.alignment, marks, times)
            task = replace(task, input=replace(task.input, alignment=deadly))
        super().submit(task)


def test_an_input_whose_worker_dies_is_tried_again_then_recorded(tmp_path: Path) -> None:
    inputs = write_folder(tmp_path / "msas", ["a", "b", "c", "d"])
    pool = DeadlyPool(2, tmp_path, {"b": 1, "c": 2})
    summary = featurize_inputs(inputs, tmp_path / "store", lambda: pool)
    assert open_store(tmp_path / "store", verify=True).ids == ("a", "b", "d")
    assert summary.num_failed == 1
    failed = (tmp_path / "store" / "failures.tsv").read_text().splitlines()[1]
    assert "c.a3m: the worker process was ended by SIGKILL, 2 times (out of memory?" in failed
    assert (len(os.listdir(tmp_path / "b")), len(os.listdir(tmp_path / "c"))) == (1, 2)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the workers")
def test_a_worker_does_not_outlive_its_job_by_the_time_of_its_task(tmp_path: Path) -> None:
    (tmp_path / "msas").mkdir()
    write_alignment(tmp_path / "msas" / "long.a3m", depth=3000, length=400)  # several seconds
    process = start(tmp_path, tmp_path / "store")
    with process:
        deadline = time.monotonic() + 60
        while not (started := [number for number in children(process) if cpu_s(number) > 1.0]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    await_end(started, timeout_s=1.0)


def cpu_s(number: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_workers_that_cannot_start_are_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    inputs = write_folder(tmp_path / "msas", ["a"])
    monkeypatch.setattr(workers_module, "serve", sys.exit)  # any program that ends at once, not well
    with pytest.raises(PipelineError, match="a worker process cannot start"):
        featurize_inputs(inputs, tmp_path / "store", lambda: ProcessPool(1))
    capfd.readouterr()
