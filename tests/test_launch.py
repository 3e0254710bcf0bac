"""Who am I among the processes of a run? What torchrun, deepspeed, srun and nobody say, and what is wrong with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msaformer.errors import ConfigError
from msaformer.parallel import launch as module
from msaformer.parallel.launch import Launch, find_launch, first_host, process_group

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "29501",
}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_NODELIST": "gpu[03-04]",
}


def test_without_a_launcher_there_is_one_process() -> None:
    assert find_launch({}) == Launch(rank=0, world_size=1, local_rank=0, local_size=1)


def test_torchrun_says_all() -> None:
    expected = Launch(rank=5, world_size=8, local_rank=1, local_size=4, address="node1", port=29501)
    assert find_launch(TORCHRUN) == expected


def test_the_deepspeed_launcher_says_the_number_of_local_ranks_by_another_name() -> None:
    environment = {**TORCHRUN, "LOCAL_SIZE": "4"}
    del environment["LOCAL_WORLD_SIZE"]
    assert find_launch(environment).local_size == 4


def test_srun_s_variables_are_enough() -> None:
    found = find_launch(SRUN)
    assert found == Launch(
        rank=9, world_size=16, local_rank=1, local_size=8, address="gpu03", port=20_000 + 3456
    )


def test_all_tasks_of_a_job_agree_on_the_port_and_jobs_beside_it_on_another() -> None:
    ports = {find_launch({**SRUN, "SLURM_PROCID": str(rank)}).port for rank in range(16)}
    assert len(ports) == 1
    assert find_launch({**SRUN, "SLURM_JOB_ID": "123457"}).port not in ports
    assert find_launch({**SRUN, "MASTER_PORT": "4444", "MASTER_ADDR": "head"}).port == 4444


def test_a_batch_script_without_srun_is_one_process() -> None:
    assert find_launch({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}).world_size == 1


def test_an_interactive_srun_of_one_task_is_one_process() -> None:
    assert find_launch({**SRUN, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}).world_size == 1


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("gpu[007-010,12],login", "gpu007"),
        ("gpu[3,5-7]", "gpu3"),
        ("rack1-n[01-04].site", "rack1-n01.site"),
    ],
)
def test_the_first_host_of_slurm_s_notation(nodes: str, host: str) -> None:
    assert first_host(nodes) == host


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"RANK": "x"}, "RANK is 'x', not a number"),
        ({"RANK": "8"}, "rank 8 of 8.*left over from another job"),
        ({"LOCAL_RANK": "4"}, "local rank 4 of 4"),
        ({"LOCAL_RANK": None}, "LOCAL_RANK is not set; start with torchrun"),
        ({"MASTER_PORT": "http"}, "MASTER_PORT is 'http'"),
    ],
)
def test_a_wrong_variable_is_named(changed: dict[str, str | None], message: str) -> None:
    environment = {key: value for key, value in (TORCHRUN | changed).items() if value is not None}
    with pytest.raises(ConfigError, match=message):
        find_launch(environment)


def test_one_process_joins_nothing() -> None:
    import torch.distributed as dist

    with process_group(Launch(), axial=1, timeout_s=10, use_cuda=False) as ranks:
        assert (ranks.rank, ranks.world_size, ranks.data_ranks) == (0, 1, 1)
        assert not dist.is_initialized()
    assert not module._started


def test_axial_must_divide_the_ranks() -> None:
    with (
        pytest.raises(ConfigError, match=r"parallel\.axial: 3 ranks cannot share each sample among 4"),
        process_group(Launch(0, 4, 0, 4), axial=3, timeout_s=10, use_cuda=False),
    ):
        pass


def test_a_process_that_was_in_no_group_ends_as_usual() -> None:
    with pytest.raises(SystemExit) as end:
        module.leave(3)
    assert end.value.code == 3


def test_a_process_of_a_group_flushes_and_skips_the_teardown() -> None:
    code = (
        "import atexit\nfrom msaformer.parallel import launch\nlaunch._started = True\n"
        "atexit.register(print, 'torn down')\nprint('said')\nlaunch.leave(143)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert (done.returncode, done.stdout) == (143, "said\n")
