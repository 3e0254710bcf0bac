"""Training on several processes is training on one: losses and gradients under ZeRO 0 to 3 and axial sharding.

The runs have everything that could break it: dropout, examples of different size, depth and number of labels, padding,
accumulation, clipping, 20 steps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from training_cases import write_hairpins

from msaformer.errors import ConfigError
from msaformer.parallel.ranks import Ranks
from msaformer.training.deepspeed_config import deepspeed_config

JOB = Path(__file__).with_name("zero_job.py")
TIMEOUT_S = 800  # of a machine busy with other work; 30 to 100 s on two quiet cores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zero")
    write_hairpins(path / "store")
    return path


def report(folder: Path, ranks: int, axial: int, *cases: str) -> dict[str, dict[str, Any]]:
    launcher = ["torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    command = [sys.executable, "-m", *launcher, str(JOB), str(folder), str(axial), *cases]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads((folder / f"{ranks}-{axial}.json").read_text()))


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S + 20)
@pytest.mark.parametrize(
    ("ranks", "axial", "cases"),
    # four ranks on two cores take minutes: `scripts/check_gpu` runs the whole grid on more
    [(2, 1, ["grid"]), (2, 2, ["grid", "more"]), (4, 4, ["half"]), (4, 2, ["few"])],
)
def test_losses_and_gradients_are_those_of_one_process(
    ranks: int, axial: int, cases: list[str], folder: Path
) -> None:
    found = report(folder, ranks, axial, *cases)
    assert len(found) == sum({"grid": 8, "half": 4, "more": 5, "few": 2}[name] for name in cases)
    for case, errors in found.items():
        exact = "float32" in case
        assert errors["loss_error"] <= (1e-5 if exact else 5e-3), (case, errors)
        assert errors["gradient_error"] <= (1e-5 if exact else 0.05), (case, errors)  # bfloat16: 8 bits
        assert sum(errors["losses"][-5:]) < sum(errors["losses"][:5]) - 0.25  # it did learn
    if "bfloat16" in str(found):
        losses = {tuple(errors["losses"]) for case, errors in found.items() if "ZeRO 2" in case}
        assert len(losses) > 1  # precision made a difference


def settings(**parallel: Any) -> dict[str, Any]:
    from training_cases import tiny_config

    plain = tiny_config(Path("store"), Path("out"), training__accumulation=4)
    config = plain.model_copy(update={"parallel": plain.parallel.model_copy(update=parallel)})
    return deepspeed_config(config, Ranks(rank=1, world_size=4, local_rank=1, local_size=4), 1000)


def test_deepspeed_s_batches_are_ours() -> None:
    found = settings()
    assert found["train_micro_batch_size_per_gpu"] == 2
    assert found["gradient_accumulation_steps"] == 1  # 4 passes, 4 ranks
    assert found["train_batch_size"] == 8


def test_buckets_are_no_larger_than_the_model() -> None:
    assert settings()["zero_optimization"]["reduce_bucket_size"] == 1000
    assert settings(zero_stage=0)["zero_optimization"] == {"stage": 0}


def test_further_keys_reach_deepspeed() -> None:
    added = {"zero_optimization": {"overlap_comm": True, "reduce_bucket_size": 7}, "wall_clock": 1}
    found = settings(deepspeed=added)
    assert found["zero_optimization"]["stage"] == 2
    assert found["zero_optimization"]["overlap_comm"] is True
    assert found["zero_optimization"]["reduce_bucket_size"] == 7
    assert found["wall_clock"] == 1


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ({"train_batch_size": 3}, r"parallel\.deepspeed\.train_batch_size: is derived .*\(8\); leave it out"),
        ({"zero_optimization": {"stage": 3}}, r"parallel\.deepspeed\.zero_optimization\.stage: is derived"),
        ({"bf16": {"enabled": True}}, r"parallel\.deepspeed\.bf16: .* set training\.precision=bfloat16"),
        ({"optimizer": {}}, r"set the optimizer\.\* keys"),
    ],
)
def test_keys_that_are_derived_from_ours_are_refused(added: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(deepspeed=added)
