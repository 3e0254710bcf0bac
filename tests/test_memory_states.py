"""What stays in memory for a run, by ZeRO's arithmetic, and the memory there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from memory_cases import tiny

from msaformer import device
from msaformer.model.model import MSAFormer
from msaformer.training.memory_states import count_parameters, training_states

RANKS = 3


def states(ranks: int = RANKS, **parallel: object) -> dict[str, int]:
    """By name, in units of bytes."""
    found = training_states(tiny(parallel=parallel), ranks, "cpu")
    return {name: getattr(found, name) for name in found.__slots__}


def test_parameters_are_counted_without_making_them() -> None:
    model = tiny().model
    sizes = [parameter.numel() for parameter in MSAFormer(model).parameters()]
    count = count_parameters(model)
    assert (count.total, count.largest) == (sum(sizes), max(sizes))


@pytest.mark.parametrize(
    ("stage", "shared"),
    [(0, ()), (1, ("optimizer",)), (2, ("optimizer", "gradients")), (3, ("parameters", "gradients"))],
)
def test_each_zero_stage_shares_one_thing_more(stage: int, shared: tuple[str, ...]) -> None:
    total = count_parameters(tiny().model).total
    part = -(-total // RANKS)
    found = states(zero_stage=stage)
    assert found["parameters"] == 4 * (part if "parameters" in shared else total)
    assert found["gradients"] == 4 * (part if "gradients" in shared else total)
    assert found["optimizer"] == (
        12 * part if stage else 8 * total
    )  # two moments, and with ZeRO the master copy
    assert found["average"] == found["parameters"]
    assert found["host"] == 0


def test_what_is_offloaded_stands_in_the_hosts_memory() -> None:
    kept, moved = states(zero_stage=3), states(zero_stage=3, offload_optimizer=True, offload_parameters=True)
    assert moved["optimizer"] == moved["parameters"] == 0
    assert moved["host"] == kept["optimizer"] + kept["parameters"]


def test_one_process_keeps_all_of_it_without_buffers() -> None:
    total = count_parameters(tiny().model).total
    found = states(ranks=1)
    assert [found[name] for name in ("parameters", "gradients", "optimizer", "average", "buffers")] == [
        *(4 * total, 4 * total, 8 * total, 4 * total, 0)
    ]


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("4:memory:/jobs/a", "memory/jobs/a", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
        ("0::/jobs/a", "jobs/a", ("memory.max", "memory.current")),
    ],
)
def test_the_free_memory_is_the_least_that_system_and_control_groups_leave(
    line: str, folder: str, names: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_ROOT", tmp_path)
    group = tmp_path / "sys/fs/cgroup" / folder
    for path in (tmp_path / "proc/self", group):
        path.mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 5000 kB\n")
    cpu = torch.device("cpu")
    assert device.memory_bytes(cpu) == 5000 * 1024
    (tmp_path / "proc/self/cgroup").write_text(f"{line}\n")
    (group / names[0]).write_text("3000000\n")
    (group / names[1]).write_text("1000000\n")
    (group / "memory.stat").write_text("inactive_file 400000\n")
    assert device.memory_bytes(cpu) == 2_400_000
    assert device.memory_bytes(cpu, ranks_here=2) == 1_200_000
    (group / names[0]).write_text("99999999999\n")
    assert device.memory_bytes(cpu) == 5000 * 1024
