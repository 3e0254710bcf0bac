#!/usr/bin/env python
"""Train short runs that differ in one thing each, score them on the same proteins, and write the table.

    ablate.py configs/ablations.yaml RUNS --train STORE --validation STORE [-o KEY=VALUE]... [--only NAME]... [--jobs 2]

Each run lies in RUNS/NAME, as `msaformer train` writes it, its scores in RUNS/NAME/scores.json, what it said in
RUNS/NAME.log, the tables in RUNS/ablations.csv and RUNS/ablations.md. Ctrl-C and SIGTERM save all runs; the same
command goes on, and repeats nothing that is done. A finished run made by hand is taken over when it lies in RUNS/NAME
and its configuration is the one that the list says; its checkpoints need not be there. The list: see ablation_list.py.

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 some runs failed, 130/143 stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ablation_jobs import Job, Schedule
from ablation_list import Ablation, Plan
from ablation_scores import Task
from ablation_table import read_run, table, write_tables

from data_tools.atomic import atomic_path
from data_tools.errors import DataToolsError
from msaformer.config_file import load_config
from msaformer.errors import CheckpointError, ConfigError, MSAFormerError

SCORES: Final = "scores.json"
_SCORER: Final = Path(__file__).with_name("ablation_scores.py")


def main(words: Sequence[str] | None = None) -> int:
    """Do what `words` say, those of the command line if None; return the exit code."""
    arguments = parse_arguments(words)
    try:
        alike = (f"data.train={arguments.train}", "data.validation=")
        never_cut = ("training.best_by=none", "training.max_minutes=0")
        common = (*alike, *never_cut, *arguments.overrides)
        plan = Plan(arguments.list, arguments.runs, common)
        unknown = set(arguments.only) - {ablation.name for ablation in plan.ablations}
        if unknown:
            raise ConfigError(f"--only {min(unknown)}: no such ablation in {arguments.list}")
        prepare(plan)
        wanted = chosen(plan, set(arguments.only))
        jobs = [] if arguments.table else [job_of(one, plan, arguments) for one in wanted]
        schedule = Schedule(jobs, arguments.jobs)
        signal = schedule.run()
        report(wanted, plan, arguments)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (DataToolsError, MSAFormerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if signal:
        print("stopped; the same command goes on", file=sys.stderr)
        return 128 + signal
    return 3 if schedule.failed else 0


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("list", type=Path, metavar="LIST.yaml")
    parser.add_argument("runs", type=Path, metavar="RUNS")
    parser.add_argument("--train", type=Path, required=True, metavar="STORE")
    parser.add_argument("--validation", type=Path, required=True, metavar="STORE", help="what is scored on")
    parser.add_argument(
        "-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="of all runs"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="train this one; also again"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument(
        "--proteins", type=int, default=80, metavar="N", help="the first so many are scored on"
    )
    parser.add_argument(
        "--max-length", type=int, default=256, metavar="L", help="longer proteins are not scored"
    )
    parser.add_argument("--table", action="store_true", help="train nothing; make the table of what is there")
    arguments = parser.parse_args(words)
    for name in ("jobs", "proteins", "max_length"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, not {getattr(arguments, name)}")
    return arguments


def prepare(plan: Plan) -> None:
    """Write the base file and check every configuration, before anything is run."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(plan.base_file) as temporary:
        temporary.write_text(plan.base_text, encoding="utf-8")
    for ablation in plan.ablations:
        plan.config(ablation)


def chosen(plan: Plan, only: set[str]) -> list[Ablation]:
    """The ablations asked for, with the base and what they start from; all without `only`."""
    if not only:
        return list(plan.ablations)
    names = {plan.ablations[0].name, *only}
    for ablation in reversed(plan.ablations):  # what one starts from stands before it
        if ablation.name in names and ablation.after:
            names.add(ablation.after)
    return [ablation for ablation in plan.ablations if ablation.name in names]


def job_of(ablation: Ablation, plan: Plan, arguments: argparse.Namespace) -> Job:
    """What is still to be run for an ablation; raises MSAFormerError when its folder is of another configuration."""
    output = plan.output(ablation.name)
    commands = []
    if not is_trained(ablation, plan):
        words = [word for override in plan.overrides(ablation) for word in ("-o", override)]
        resume = ["--resume"] if has_checkpoint(output) else []
        commands.append(
            [sys.executable, "-m", "msaformer", "train", "-c", str(plan.base_file), *words, *resume]
        )
    if ablation.is_scored and (commands or not is_scored(output, arguments)):
        options = ["--proteins", str(arguments.proteins), "--max-length", str(arguments.max_length)]
        paths = [str(output / "weights.safetensors"), str(arguments.validation), "-o", str(output / SCORES)]
        commands.append([sys.executable, str(_SCORER), *paths, *options])
    return Job(ablation.name, commands, plan.folder / f"{ablation.name}.log", ablation.after)


def is_trained(ablation: Ablation, plan: Plan) -> bool:
    """Whether all steps are done; raises CheckpointError when the run in the folder is another one."""
    from msaformer.training.checkpoint import check_same_run, list_checkpoints, step_of

    output, wanted = plan.output(ablation.name), plan.config(ablation)
    if not (output / "config.yaml").exists():
        return False
    steps = wanted.training.steps
    check_same_run(load_config(output / "config.yaml"), wanted, output, steps)
    checkpoints = list_checkpoints(output / "checkpoints")
    last = step_of(checkpoints[-1]) if checkpoints else last_logged_step(output / "log.jsonl")
    return last >= steps and (output / "weights.safetensors").exists()


def has_checkpoint(output: Path) -> bool:
    from msaformer.training.checkpoint import list_checkpoints

    return bool(list_checkpoints(output / "checkpoints"))


def last_logged_step(log: Path) -> int:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def is_scored(output: Path, arguments: argparse.Namespace) -> bool:
    """Whether the scores are of these weights, on these proteins."""
    if not (output / SCORES).exists():
        return False
    task = Task(
        output / "weights.safetensors", arguments.validation, arguments.proteins, arguments.max_length
    )
    content = json.loads((output / SCORES).read_text(encoding="utf-8"))
    return task.identity().items() <= content.items()


def is_done(ablation: Ablation, plan: Plan, arguments: argparse.Namespace, is_wanted: bool) -> bool:
    """Whether it is trained and scored; what is not wanted and of another configuration is not."""
    try:
        return is_trained(ablation, plan) and is_scored(plan.output(ablation.name), arguments)
    except CheckpointError:
        if is_wanted:
            raise
        return False


def report(wanted: Sequence[Ablation], plan: Plan, arguments: argparse.Namespace) -> None:
    """Write the tables of all that is done, now or earlier, and print where they lie."""
    done = [one for one in plan.ablations if one.is_scored and is_done(one, plan, arguments, one in wanted)]
    if not done:
        return
    runs = [read_run(one, plan.output(one.name), plan.output(one.name) / SCORES) for one in done]
    write_tables(table(runs), plan.folder)
    print(plan.folder / "ablations.md")


if __name__ == "__main__":
    raise SystemExit(main())
