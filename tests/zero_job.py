"""What each rank of a parity job does: train a few steps under every asked ZeRO stage and compare with one process.

    python -m torch.distributed.run --nproc_per_node=W tests/zero_job.py FOLDER AXIAL CASES

CASES are "grid", ZeRO 0 to 3 with and without checkpointing; "half" and "few", parts of it; and "more": bfloat16,
DeepSpeed's checkpointing, states and parameters in the host's memory. Rank 0 writes FOLDER/W-AXIAL.json: how far losses
and gradients of each case are from those of one plain process. With MSAFORMER_TEST_DEVICE=cuda each rank takes a GPU
(`scripts/check_gpu`).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from training_cases import tiny_config

from msaformer.config import Config
from msaformer.parallel.launch import find_launch, leave, process_group
from msaformer.parallel.ranks import Ranks
from msaformer.training.loop import run_batches
from msaformer.training.schedule import learning_rate
from msaformer.training.setup import find_start, prepare
from msaformer.training.step import forward_and_backward

DEVICE = os.environ.get("MSAFORMER_TEST_DEVICE", "cpu")
STEPS = 20


def config(
    folder: Path, stage: int, axial: int, checkpointing: str, precision: str, passes: int = 2
) -> Config:
    plain = tiny_config(
        folder / "store",
        folder / "unused",
        training__steps=STEPS,
        training__batch_size=1,
        training__accumulation=passes,
        training__precision=precision,
        training__device=DEVICE,
        optimizer__learning_rate=3e-3,
        model__num_blocks=2,
        data__validation=None,
    )
    keys: dict[str, Any] = {"zero_stage": stage, "axial": axial}
    if checkpointing == "offload":
        keys |= {"offload_optimizer": True, "offload_parameters": stage == 3}
    if stage == 3:  # by default parameters as small as these are not shared at all
        keys["deepspeed"] = {"zero_optimization": {"stage3_param_persistence_threshold": 0}}
    return plain.model_copy(
        update={
            "parallel": plain.parallel.model_copy(update=keys),
            "execution": plain.execution.model_copy(update={"checkpointing": checkpointing}),
        }
    )


def run(settings: Config, ranks: Ranks) -> tuple[list[float], list[dict[str, torch.Tensor]]]:
    """Losses of all steps, and all gradients of the first and the last."""
    setup = prepare(settings, ranks, find_start(settings, ranks, resume=False))
    batches = run_batches(setup)
    passes = settings.training.accumulation // ranks.data_ranks
    losses, gradients = [], []
    for step in range(STEPS):
        report = forward_and_backward(
            setup.engine, [next(batches) for _ in range(passes)], settings, step, ranks
        )
        losses.append(report.losses["loss"])
        if step in (0, STEPS - 1):
            gradients.append(whole_gradients(setup.engine, ranks))
        setup.engine.step(learning_rate(step, STEPS, settings.optimizer))
    batches.close()
    setup.engine.close()
    return losses, gradients


def whole_gradients(engine: Any, ranks: Ranks) -> dict[str, torch.Tensor]:
    found = {}
    for name, parameter in engine.trained.named_parameters():
        if ranks.world_size == 1:
            gradient = parameter.grad
        else:
            from deepspeed.utils import safe_get_full_grad

            gradient = safe_get_full_grad(parameter)
        found[name] = gradient.detach().clone().reshape(getattr(parameter, "ds_shape", parameter.shape))
    return found


GRID = [(stage, how, "float32") for stage in range(4) for how in ("none", "blocks")]
MORE = [(2, "none", "bfloat16"), (3, "blocks", "bfloat16"), (2, "deepspeed", "float32")]
HALF = [(0, "none", "float32"), (1, "blocks", "float32"), (2, "none", "float32"), (3, "blocks", "float32")]
FEW = [(1, "none", "float32"), (3, "blocks", "float32")]
MORE += [(2, "offload", "float32"), (3, "offload", "float32")]


def main(folder: Path, axial: int, cases: list[tuple[int, str, str]]) -> None:
    torch.set_num_threads(1)
    report: dict[str, Any] = {}
    launch = find_launch(os.environ)
    with process_group(launch, axial=axial, timeout_s=200, use_cuda=DEVICE == "cuda") as ranks:
        passes = ranks.data_ranks * (2 if axial == 2 else 1)  # of each rank 2, or 1, which takes less time
        references: dict[str, Any] = {}
        for stage, how, precision in cases:
            if ranks.is_first and precision not in references:
                references[precision] = run(config(folder, 0, 1, "none", precision, passes), Ranks())
            losses, gradients = run(config(folder, stage, axial, how, precision, passes), ranks)
            if ranks.is_first:
                expected, wanted = references[precision]
                report[f"ZeRO {stage}, checkpointing {how}, {precision}"] = {
                    "losses": losses,
                    "loss_error": max(abs(a - b) for a, b in zip(losses, expected, strict=True)),
                    "gradient_error": max(
                        float((one[name] - other[name]).norm() / other[name].norm().clamp(min=1e-3))
                        for one, other in zip(gradients, wanted, strict=True)
                        for name in other
                    ),
                }
        if ranks.is_first:
            (folder / f"{ranks.world_size}-{axial}.json").write_text(json.dumps(report))
    leave(0)


if __name__ == "__main__":
    wanted = {"grid": GRID, "half": HALF, "more": MORE, "few": FEW}
    main(Path(sys.argv[1]), int(sys.argv[2]), [case for word in sys.argv[3:] for case in wanted[word]])
