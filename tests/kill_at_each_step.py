"""A program for `test_pipeline_kill.py`: kills a job with SIGKILL at its steps, one a run, and finishes it.

    kill_at_each_step.py EMPTY_FOLDER STRIDE    every STRIDE-th step; 1 for all

A step is a call that changes a name or writes to disk. The job runs in a forked process, without workers of its own,
so that hundreds of kills take seconds. Prints the number of steps; ends with an error when a finished store differs
from the undisturbed one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from pipeline_cases import InlinePool, files, write_alignment, write_folder

from data_tools import store as store_module
from data_tools.pipeline.inputs import Input
from data_tools.pipeline.job import featurize_inputs

BROKEN = ("c", "z")
STEPS = ("replace", "rename", "unlink", "fsync", "mkdir", "rmdir", "open")


def run(
    inputs: list[Input],
    store: Path,
    *,
    kill_at: int | None,
    retry_failed: bool = False,
    allowed: Collection[int] | None = None,
) -> tuple[int, int]:
    """Run the job in a process of its own, killed at a step; its exit status and the number of its steps."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        count = count_steps(kill_at)
        status = 1
        try:
            pool = InlinePool(allowed=allowed)
            featurize_inputs(inputs, store, lambda: pool, retry_failed=retry_failed)
            os.write(writer, str(count()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as opened:
        steps = int(opened.read() or 0)
    return os.waitpid(process, 0)[1], steps


def count_steps(kill_at: int | None) -> Callable[[], int]:
    """Count the steps of this process from now on, and end it at the start of step `kill_at`."""
    done = 0
    sync = os.fsync  # needed when the power fails, not after a kill; slow

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            if done == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return None if call is sync else call(*arguments, **named)

        return step

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
    return lambda: done


def check_all(
    inputs: list[Input], folder: Path, prepare: Callable[[Path], object], stride: int, *, retry_failed: bool
) -> int:
    """Kill at the steps of the job that `prepare` sets up, go on, and compare."""
    folder.mkdir()
    undisturbed = folder / "undisturbed"
    prepare(undisturbed)
    status, steps = run(inputs, undisturbed, kill_at=None, retry_failed=retry_failed)
    assert status == 0, "the undisturbed run failed"
    expected = files(undisturbed)
    is_retried_again = retry_failed
    killed_at = range(stride // 2, steps, stride)
    for kill_at in killed_at:
        store = folder / f"killed-{kill_at}"
        prepare(store)
        before = files(store) if retry_failed else expected
        status, _ = run(inputs, store, kill_at=kill_at, retry_failed=retry_failed)
        assert os.WTERMSIG(status) == signal.SIGKILL, f"step {kill_at} was not reached"
        is_finished = (store / "manifest.json").exists()
        failed = {index for index, one in enumerate(inputs) if one.id in BROKEN}
        allowed = failed if retry_failed else set() if is_finished else None
        is_retried_again = retry_failed and not is_retried_again  # every second time, a plain run goes on
        status, _ = run(inputs, store, kill_at=None, retry_failed=is_retried_again, allowed=allowed)
        assert status == 0, f"the run after a kill at step {kill_at} failed"
        found = files(store)
        was_not_begun = found == before and not is_retried_again
        assert found == expected or was_not_begun, (
            f"killed at step {kill_at}: {sorted(found)}, expected {sorted(expected)}"
        )
        shutil.rmtree(store)
    return len(killed_at)


def main() -> None:
    store_module._MAX_SHARD_EXAMPLES = 2  # type: ignore[misc]
    folder, stride = Path(sys.argv[1]), int(sys.argv[2])
    inputs = write_folder(folder / "msas", ["a", "b", "d", "e", "f"], broken=BROKEN)
    finished = folder / "finished"
    featurize_inputs(
        inputs, finished, InlinePool
    )  # here, so that the forked processes find all modules loaded
    kills = check_all(inputs, folder / "whole", lambda store: None, stride, retry_failed=False)
    write_alignment(folder / "msas" / "c.a3m")
    kills += check_all(
        inputs, folder / "retried", lambda store: shutil.copytree(finished, store), stride, retry_failed=True
    )
    print(kills)


if __name__ == "__main__":
    main()
