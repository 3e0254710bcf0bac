#!/usr/bin/env python
"""Is the plan right? Predicted peaks against measured ones, and how long a protein fits with and without a policy.

    benchmark_plan.py [--quick] [--only plan | longest]

    plan      32 settings, training (two optimizer steps of the torch engine) and prediction, of two models: the peak
              that `msaformer plan` predicts against the most that torch's CPU allocator held; each pair is printed
    longest   the longest protein predicted within 8 GiB at N = 256 with configs/medium.yaml: as planned, against the
              same network written plainly with all tables held. At 1 GiB the longest is really predicted, by two blocks
              of that network: further blocks take nothing in inference, and 8 GiB would take hours

Also parts of `benchmark.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmark_measure import MIB, Figure, peak_memory, table

if TYPE_CHECKING:
    from msaformer.config import Config
    from msaformer.training.memory_plan import MemoryPlan, Setting

CONFIGS: Final = Path(__file__).resolve().parents[1] / "configs"
MAX_ERROR: Final = 0.15  # of the measured peak
MIN_RATIO: Final = 3.0  # of the lengths with and without policy
GIB: Final = 2**30
FEW: Final = ("model.num_blocks=3",)  # keeps the measured runs short
NUM_STEPS: Final = 2  # the first finds no optimizer state yet


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="a few tiny settings")
    parser.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    parts = [arguments.only] if arguments.only else list(PARTS)
    figures = [figure for part in parts for figure in PARTS[part](arguments.quick)]
    print(table(figures))
    return int(any(figure.met is False for figure in figures))


def benchmark_plan(quick: bool) -> Iterator[Figure]:
    errors = []
    for name, plan in plans(quick):
        measured = peak_memory(lambda plan=plan: train(plan) if plan.setting.training else predict(plan))
        predicted = plan.peak / MIB
        errors.append(abs(predicted / measured - 1))
        yield Figure("plan", name, "MiB", predicted, measured, predicted / measured)
    met = max(errors) <= MAX_ERROR
    name = f"worst relative error of {len(errors)} settings"
    yield Figure("plan", name, "", max(errors), None, None, f"≤ {MAX_ERROR}", met)


def benchmark_longest(quick: bool) -> Iterator[Figure]:
    from msaformer.training.memory_plan import cheapest_plan
    from msaformer.training.memory_search import largest_length
    from msaformer.training.memory_states import count_parameters

    depth, memory_bytes, check_bytes = (16, 256 * MIB, 64 * MIB) if quick else (256, 8 * GIB, GIB)
    setting = prediction_setting("medium", depth, memory_bytes)
    ours, plain = largest_length(setting), longest_plainly(setting)
    met = None if quick else ours >= MIN_RATIO * plain
    target = "" if quick else f"≥ {MIN_RATIO:g}×"
    name = f"longest protein within {memory_bytes / GIB:g} GiB, N={depth}"
    yield Figure("longest", name, "residues", ours, plain, ours / plain, target, met)

    setting = prediction_setting("medium", depth, check_bytes)
    longest = replace(setting, length=largest_length(setting))
    few = longest.model.model_copy(update={"num_blocks": 2})
    plan = cheapest_plan(replace(longest, model=few))
    others = 4 * (count_parameters(longest.model).total - count_parameters(few).total)  # bytes
    share = (peak_memory(lambda: predict(plan)) * MIB + others) / check_bytes
    name = f"L={longest.length} predicted: share of {check_bytes / GIB:g} GiB"
    yield Figure("longest", name, "", share, None, None, "≤ 1", share <= 1)


PARTS: Final[dict[str, Callable[[bool], Iterator[Figure]]]] = {
    "plan": benchmark_plan,
    "longest": benchmark_longest,
}


def plans(quick: bool) -> Iterator[tuple[str, MemoryPlan]]:
    """Named plans of the grid: every policy, precision and kind of rows, sizes in which N or L weighs more."""
    from msaformer.training.memory_plan import plan_with
    from msaformer.training.memory_policy import MemoryPolicy

    train_sizes = {"tiny": [(24, 64), (64, 40)], "medium": [(16, 48), (48, 32)]}
    predict_sizes = {"tiny": [(64, 160), (160, 64)], "medium": [(32, 96), (128, 48)]}
    precisions, chunks, kinds = ("float32", "bfloat16"), (2, 32), (False, True)
    if quick:
        train_sizes, predict_sizes = {"tiny": [(8, 24)]}, {"medium": [(8, 32)]}
        precisions, chunks, kinds = ("bfloat16",), (2,), (True,)
    for model, sizes in train_sizes.items():
        for (depth, length), checkpointing, precision in product(sizes, ("none", "blocks"), precisions):
            is_long = (
                length > depth
            )  # these are tied, and have batches of 2, one pass a step, and small tables
            changes = [f"model.tied_rows={is_long}", f"training.batch_size={1 + is_long}"]
            changes += [f"training.accumulation={2 - is_long}", f"training.precision={precision}"]
            config = configuration(model, *FEW, *changes)
            policy = MemoryPolicy(checkpointing, (2 if is_long else 32) * MIB)
            setting = replace(training_setting_here(config), depth=depth, length=length)
            kind = f"{'tied' if is_long else 'untied'} B={1 + is_long}"
            name = f"train {model} {kind} N={depth} L={length} {checkpointing} {precision}"
            yield name, plan_with(setting, policy)
    for model, sizes in predict_sizes.items():
        for (depth, length), chunk, tied in product(sizes, chunks, kinds):
            setting = replace(
                prediction_setting(model, depth, 8 * GIB, *FEW, f"model.tied_rows={tied}"), length=length
            )
            kind = "tied" if tied else "untied"
            name = f"predict {model} {kind} N={depth} L={length} tables of {chunk} MiB"
            yield name, plan_with(setting, MemoryPolicy("none", chunk * MIB))


def configuration(model: str, *overrides: str) -> Config:
    """A file of configs/, with changes."""
    from msaformer.config_file import load_config

    return load_config(CONFIGS / f"{model}.yaml", overrides)


def training_setting_here(config: Config) -> Setting:
    from msaformer.training.memory_plan import training_setting

    return training_setting(config, memory_bytes=8 * GIB, device_type="cpu", ranks=1)


def prediction_setting(model: str, depth: int, memory_bytes: int, *overrides: str) -> Setting:
    from msaformer.training.memory_plan import Setting

    return Setting(configuration(model, *overrides).model, depth, depth, memory_bytes)


def train(plan: MemoryPlan) -> None:
    """Optimizer steps as the plan says, on batches without meaning."""
    import torch

    from msaformer.model.execution import execute_with
    from msaformer.parallel.ranks import Ranks
    from msaformer.training.ema import WeightAverage
    from msaformer.training.engine import TorchEngine
    from msaformer.training.memory_plan import work_of
    from msaformer.training.memory_policy import execution_of
    from msaformer.training.memory_trace import empty_batch
    from msaformer.training.setup import build_model
    from msaformer.training.step import forward_and_backward

    config = plan.setting.training
    assert config is not None
    trained = build_model(config)
    execute_with(trained, execution_of(plan.policy, config))
    engine = TorchEngine(trained, config.optimizer, torch.device("cpu"))
    average = WeightAverage(engine.parameters(), config.optimizer.ema_decay)
    work = work_of(plan.setting, plan.policy)
    for step in range(NUM_STEPS):
        batches = [empty_batch(work) for _ in range(config.training.accumulation)]
        forward_and_backward(engine, batches, config, step, Ranks())
        engine.step(1e-4)
        average.update(engine.parameters(), step)


def predict(plan: MemoryPlan) -> None:
    """One prediction as the plan says, of a protein without meaning."""
    import torch

    from msaformer.model.execution import Execution, execute_with
    from msaformer.model.maps import predicted_maps
    from msaformer.model.model import MSAFormer
    from msaformer.training.memory_plan import work_of
    from msaformer.training.memory_trace import empty_batch

    network = MSAFormer(plan.setting.model).eval()
    execute_with(network, Execution(chunk_bytes=plan.policy.chunk_bytes))
    with torch.inference_mode():
        predicted_maps(network, empty_batch(work_of(plan.setting, plan.policy)))


def longest_plainly(setting: Setting) -> int:
    """Most residues, in steps of 8, that the plain network predicts in all of the memory."""
    from bisect import bisect_left

    sizes = range(8, 16_384, 8)
    found = bisect_left(sizes, True, key=lambda size: plain_peak(setting, size) > setting.memory_bytes)
    return sizes[found - 1]


def plain_peak(setting: Setting, length: int) -> int:
    """Bytes that the network takes, written plainly: one einsum a line, every table whole."""
    import torch
    from benchmark_plain import plain_block

    from msaformer.model.maps import predicted_maps
    from msaformer.model.model import MSAFormer
    from msaformer.training.memory_ledger import MemoryLedger
    from msaformer.training.memory_plan import work_of
    from msaformer.training.memory_policy import MemoryPolicy
    from msaformer.training.memory_states import count_parameters
    from msaformer.training.memory_trace import empty_batch

    with MemoryLedger() as ledger, torch.no_grad():
        network = MSAFormer(setting.model.model_copy(update={"num_blocks": 2})).eval()
        for block in network.trunk.blocks:
            block.forward = lambda *tracks, block=block: plain_block(block, *tracks)
        ledger.forget()
        predicted_maps(network, empty_batch(work_of(replace(setting, length=length), MemoryPolicy())))
    return ledger.peak + 4 * count_parameters(setting.model).total


if __name__ == "__main__":
    raise SystemExit(main())
