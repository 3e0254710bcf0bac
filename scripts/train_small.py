#!/usr/bin/env python
"""Train the small model from a folder of alignments and structures; run again, go on where it stopped.

    scripts/train_small DATA_DIR OUT [--exclude IDS] [--minutes 30] [--steps N] [-o KEY=VALUE]...

DATA_DIR has the layout of scripts/build_store.py, with the splits train and val. One after another, and each only as
far as it is not done yet:

    OUT/stores     training and validation examples of DATA_DIR, but for the ids in IDS
    OUT/first      multi-task training on structures of a network that is cheaper by a third, without triangle
                   attention, by configs/small-first.yaml
    OUT/second     more of it, of the whole network from there, by configs/small-second.yaml
    OUT/train      more of it, with less weight on the distances, by configs/small.yaml; weights.safetensors is the
                   moving average after the last step, weights-best.safetensors the one that validated best

--pretraining puts self-supervised pre-training on all training alignments before these, by
configs/small-pretrain.yaml in OUT/pretrain. The released weights had none: in no trial did it pay for its steps (see
their model card).

With --minutes the command saves and ends after so long (exit code 0), and says what is next: run it again until it
prints the path of the weights. Ctrl-C and SIGTERM save too (130, 143), and a kill loses the steps since the last
checkpoint (training.checkpoint_every); none of this changes the result on a CPU, bit for bit.

The device is chosen by itself (training.device=auto): on a machine with a GPU the same command goes on there from what
was done on a CPU, on the same examples in the same order, equal but for rounding. What is worth changing there, as it
changes nothing that is computed: -o data.num_workers=8, so that examples come as fast as the GPU takes them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import build_store

from data_tools.store_manifest import MANIFEST
from msaformer import cli
from msaformer.config_file import load_config
from msaformer.errors import MSAFormerError

CONFIGS: Final = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True, slots=True)
class Stage:
    """One training run of the recipe."""

    name: str
    config: Path
    output: Path
    overrides: tuple[str, ...]

    def arguments(self, minutes: float) -> list[str]:
        """Of `msaformer`, to train for at most so many minutes."""
        keys = [*self.overrides, f"training.output={quoted(self.output)}"]
        if math.isfinite(minutes):
            keys.append(f"training.max_minutes={minutes:.3f}")
        resume = ["--resume"] if self.steps_done() else []
        return ["train", "-c", str(self.config), *resume, *(word for key in keys for word in ("-o", key))]

    def steps_done(self) -> int:
        """By the newest checkpoint."""
        from msaformer.training.checkpoint import list_checkpoints, step_of

        found = list_checkpoints(self.output / "checkpoints")
        return step_of(found[-1]) if found else 0

    def steps(self) -> int:
        return load_config(self.config, self.overrides).training.steps


def main(words: Sequence[str] | None = None) -> int:
    """Do what `words` say, those of the command line if None; return the exit code."""
    arguments = parse_arguments(words)
    until = monotonic() + 60 * arguments.minutes if arguments.minutes else math.inf
    for split in ("train", "val"):
        code = build_if_missing(arguments, split, arguments.out / "stores" / split)
        if code:
            return code
    try:
        return train(stages(arguments), until)
    except MSAFormerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--exclude", type=Path, metavar="IDS", help="file of ids to leave out, one a line")
    parser.add_argument("--minutes", type=float, default=0.0, metavar="N", help="save and end after so long")
    parser.add_argument("--steps", type=int, metavar="N", help="of each stage, to try the recipe out")
    parser.add_argument("--pretraining", action="store_true", help="begin with a self-supervised stage")
    parser.add_argument(
        "-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="of all stages"
    )
    arguments = parser.parse_args(words)
    if not 0 <= arguments.minutes < math.inf:
        parser.error(f"--minutes must be a number from 0 up, not {arguments.minutes}")
    return arguments


def build_if_missing(arguments: argparse.Namespace, split: str, store: Path) -> int:
    """Make the store unless it is there, whole; return the exit code."""
    if (store / MANIFEST).exists():
        return 0
    print(f"== store of {split}", file=sys.stderr)
    store.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(sys.stderr):
        left_out = ["--exclude", str(arguments.exclude)] if arguments.exclude else []
        words = [str(arguments.data), "--split", split, *left_out, "-o", str(store), "--overwrite"]
        return build_store.main(words)


def stages(arguments: argparse.Namespace) -> list[Stage]:
    """The runs in their order, each from the weights of the one before."""
    out = arguments.out
    common = [f"data.train={quoted(out / 'stores' / 'train')}", *arguments.overrides]
    if arguments.steps is not None:
        common.append(f"training.steps={arguments.steps}")
    validated = [f"data.validation={quoted(out / 'stores' / 'val')}", "training.best_by=contact_loss"]
    plan = [
        ("first training", "small-first", "first", validated),
        ("second training", "small-second", "second", validated),
        ("training", "small", "train", validated),
    ]
    if arguments.pretraining:
        plan.insert(0, ("pre-training", "small-pretrain", "pretrain", []))
    runs: list[Stage] = []
    for name, config, folder, keys in plan:
        start = [f"training.init_weights={quoted(runs[-1].output / 'weights.safetensors')}"] if runs else []
        runs.append(Stage(name, CONFIGS / f"{config}.yaml", out / folder, (*keys, *start, *common)))
    return runs


def train(runs: Sequence[Stage], until: float) -> int:
    """Take each run to its end, or as far as the time allows; return the exit code."""
    for run in runs:
        minutes = (until - monotonic()) / 60
        if minutes > 0:
            print(f"== {run.name}", file=sys.stderr)
            is_last = run is runs[-1]
            with contextlib.nullcontext() if is_last else contextlib.redirect_stdout(sys.stderr):
                code = cli.main(run.arguments(minutes))
            if code:
                return code
        done, steps = run.steps_done(), run.steps()
        if done < steps:
            print(f"next: {run.name} from step {done} of {steps}; the same command goes on", file=sys.stderr)
            return 0
    return 0


def quoted(path: Path) -> str:
    """As a value of YAML, whatever the path looks like."""
    return json.dumps(str(path), ensure_ascii=False)


if __name__ == "__main__":
    raise SystemExit(main())
