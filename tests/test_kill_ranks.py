"""kill -9, twenty times: training goes on from a complete checkpoint and ends as a run that nothing disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked_ranks import TESTS, Job, processes_of, start
from rank_faults import kill_in_save, kill_within
from training_cases import last_state, log_records, tiny_config, write_hairpins

from msaformer.config_file import dump_config

STEPS = 8
LAST_WORDS_S = (
    30.0  # a survivor ends in a second; a wait for the time limit of its group would take parallel.timeout_s
)
RANDOM = random.Random(20)
MOMENTS = [(RANDOM.randint(3, STEPS - 2), round(RANDOM.uniform(0.0, 1.5), 2)) for _ in range(7)]
"""Steps after the first save, and the part of a step's time after their end."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hairpins(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="module")
def alone(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an undisturbed process."""
    return undisturbed(store, tmp_path_factory.mktemp("runs") / "alone", 1)


@pytest.fixture(scope="module")
def both(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of two undisturbed ranks that share each sample, ZeRO 2."""
    return undisturbed(store, tmp_path_factory.mktemp("runs") / "both", 2)


def undisturbed(store: Path, output: Path, size: int) -> Path:
    job = train(store, output, size)
    assert job.wait() == [0] * size, job.said()
    return output


def arguments(store: Path, output: Path, size: int, workers: int = 0) -> list[str]:
    config = tiny_config(
        store,
        output,
        training__steps=STEPS,
        training__checkpoint_every=2,
        training__keep_checkpoints=1,
        data__validation=None,
        data__num_workers=workers,
    )
    shared = config.parallel.model_copy(update={"axial": size})
    path = output.with_suffix(".yaml")
    path.write_text(dump_config(config.model_copy(update={"parallel": shared})))
    return ["train", "-c", str(path)]


def train(store: Path, output: Path, size: int = 1, *, workers: int = 0, faults: Any = None) -> Job:
    return start(
        arguments(store, output, size, workers), output.with_suffix(".log"), size=size, faults=faults
    )


def assert_goes_on(store: Path, output: Path, reference: Path, size: int = 1) -> None:
    """--resume ends in the same bytes, and nothing half-written is left."""
    said = output.with_suffix(".log")
    job = start([*arguments(store, output, size), "--resume"], said, size=size)
    assert job.wait() == [0] * size, job.said()
    assert last_state(output) == last_state(reference)
    assert log_records(output) == log_records(reference)
    assert (output / "weights.safetensors").read_bytes() == (reference / "weights.safetensors").read_bytes()
    assert names(output) == names(reference)


def names(output: Path) -> list[str]:
    """All files and folders of a run, hidden ones too, but for those of TensorBoard, which a resume adds to."""
    relative = [path.relative_to(output) for path in output.rglob("*")]
    return sorted(str(path) for path in relative if path.parts[0] != "tensorboard")


@pytest.mark.parametrize("call", [-1, 0, 2, 5, 8, 10, 12, 14, 20, 21])
def test_a_process_killed_inside_a_save_goes_on_bit_for_bit(
    call: int, store: Path, alone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    job = train(store, output, faults={0: partial(kill_in_save, 4, call)})
    assert job.wait() == [-signal.SIGKILL], job.said()
    assert_goes_on(store, output, alone)


@pytest.mark.parametrize(("step", "share"), MOMENTS[:5])
def test_a_process_killed_at_any_moment_goes_on_bit_for_bit(
    step: int, share: float, store: Path, alone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    job = train(store, output, faults={0: partial(kill_within, step, share)})
    assert job.wait() == [-signal.SIGKILL], job.said()
    assert_goes_on(store, output, alone)


def test_the_workers_of_a_killed_process_end_by_themselves(store: Path, alone: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    job = train(store, output, workers=1)
    job.wait_until((output / "checkpoints" / "step-00000002").exists)
    pid = job.ranks[0].pid
    assert pid is not None
    assert len(processes_of(job)) > 1
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + LAST_WORDS_S
    while processes_of(job):
        assert time.monotonic() < deadline, "the workers go on without their run"
        time.sleep(0.05)
    assert_goes_on(store, output, alone)


@pytest.mark.parametrize(
    ("rank", "fault"), [(1, partial(kill_within, *MOMENTS[5])), (0, partial(kill_in_save, 4, 6))]
)
def test_one_rank_killed_ends_the_other_with_one_line_and_both_go_on(
    rank: int, fault: Any, store: Path, both: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    begun = time.monotonic()
    job = train(store, output, 2, faults={rank: fault})
    codes = job.wait()
    assert codes[rank] == -signal.SIGKILL
    assert codes[1 - rank] == 1
    assert time.monotonic() - begun < 2 * LAST_WORDS_S
    (line,) = job.said()
    assert line.startswith(f"error: rank {1 - rank}: another rank was lost")
    assert_goes_on(store, output, both, 2)


def test_all_ranks_and_their_workers_killed_at_once_go_on(store: Path, both: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    job = train(store, output, 2, workers=1)
    job.wait_until((output / "checkpoints" / "step-00000002").exists)
    time.sleep(MOMENTS[6][1] * 0.05)
    job.kill()
    assert job.wait() == [-signal.SIGKILL] * 2
    assert processes_of(job) == []
    assert_goes_on(store, output, both, 2)


def test_torchrun_ends_in_seconds_when_a_rank_is_killed(store: Path, both: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    path = os.pathsep.join([str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    with subprocess.Popen(
        [*command, "-m", "msaformer", *arguments(store, output, 2), "-o", "training.log_every=1"],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as torchrun:
        try:
            deadline = time.monotonic() + 4 * LAST_WORDS_S
            while not (output / "checkpoints" / "step-00000002").exists():
                assert torchrun.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.002)
            os.kill(rank_of(torchrun.pid, 1), signal.SIGKILL)
            begun = time.monotonic()
            said = torchrun.communicate(timeout=LAST_WORDS_S)[1]
        finally:
            torchrun.kill()
    assert torchrun.returncode == 1  # torchrun's own, whatever its processes end with
    assert time.monotonic() - begun < LAST_WORDS_S
    assert len([line for line in said.splitlines() if line.startswith("error: ")]) <= 1
    assert "Exitcode: -9" in said.title() or "SIGKILL" in said or "-9" in said
    assert_goes_on(store, output, both, 2)


def rank_of(launcher: int, rank: int) -> int:
    """Process number of a rank that a launcher has started."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    for child in children:
        if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            return int(child)
    raise AssertionError(f"no rank {rank} among the processes {children}")
