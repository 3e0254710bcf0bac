"""What a step holds, how fast steps go, and the memory they took."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from loss_cases import make_batch, set_distance

from msaformer.config import LossConfig
from msaformer.training.throughput import Throughput, batch_statistics, crop_statistics, peak_memory_mib

CONFIG = LossConfig(min_separation=3)


def test_sums_count_what_is_real_and_scored() -> None:
    batch = make_batch()  # 5 residues × 3 sequences, 4 × 2
    set_distance(batch, 0, 0, 4, 7.0)
    set_distance(batch, 0, 0, 1, 7.0)  # too near in the sequence
    set_distance(batch, 0, 1, 4, float("nan"))
    expected = {
        "examples": 2,
        "residues": 9,
        "sequences": 5,
        "pairs": 25 + 16,
        "tokens": 15 + 8,
        "scored_pairs": 6 - 2 + 2,
        "contacts": 2,
    }
    assert batch_statistics([batch], CONFIG) == expected
    twice = batch_statistics([batch, batch], CONFIG)
    assert twice == {name: 2 * value for name, value in expected.items()}
    assert crop_statistics(twice) == {"mean_length": 4.5, "mean_depth": 2.5, "contact_share": 2 / 6}


def test_a_step_without_labels_has_no_share_of_contacts() -> None:
    batch = make_batch()
    unlabelled = replace(batch, distances=torch.full_like(batch.distances, torch.nan))
    assert crop_statistics(batch_statistics([unlabelled], CONFIG)).keys() == {"mean_length", "mean_depth"}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_of_the_time_within_steps_since_the_last_record() -> None:
    clock = Clock()
    throughput = Throughput(torch.device("cpu"), clock)
    for seconds, pairs in ((2.0, 100), (4.0, 500)):
        with throughput.step():
            clock.now += seconds
            throughput.add({"pairs": pairs, "tokens": 30})
        clock.now += 50.0  # validation
    first = throughput.record()
    assert (first["step_seconds"], first["pairs_per_second"], first["tokens_per_second"]) == (
        3.0,
        100.0,
        10.0,
    )
    with throughput.step():
        clock.now += 0.5
        throughput.add({"pairs": 1, "tokens": 2})
    second = throughput.record()
    assert (second["step_seconds"], second["pairs_per_second"], second["tokens_per_second"]) == (
        0.5,
        2.0,
        4.0,
    )


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux shows what a process holds")
def test_memory_on_the_cpu_is_the_peak_of_this_process() -> None:
    held = torch.ones(64 * 2**20, dtype=torch.uint8)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    del held
    peak = peak_memory_mib(torch.device("cpu"))
    assert 0.99 * resident <= peak < 100 * resident  # the kernel's counters lag by some pages


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_memory_on_cuda_is_the_peak_of_the_allocator() -> None:
    device = torch.device("cuda")
    torch.ones(64 * 2**20, dtype=torch.uint8, device=device)
    assert peak_memory_mib(device) >= 64
