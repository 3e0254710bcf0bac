"""The ablation tool: what is trained and scored, what is not repeated, and what the table says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from training_cases import MODEL, hairpin

from data_tools.store import write_store

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import ablation_jobs  # noqa: E402
import ablation_scores  # noqa: E402
from ablate import chosen, main, prepare  # noqa: E402
from ablation_jobs import Job, Schedule  # noqa: E402
from ablation_list import BASE, Ablation, Plan  # noqa: E402
from ablation_scores import cross_entropy  # noqa: E402
from ablation_table import Run, markdown, read_run, table  # noqa: E402

from msaformer import cli  # noqa: E402
from msaformer.errors import ConfigError  # noqa: E402

TIMEOUT_S = 120
BASE_CONFIG: dict[str, Any] = {
    "name": "ablation",
    "model": MODEL,
    "data": {"crop_length": 16, "max_depth": 4, "num_workers": 0},
    "training": {
        "steps": 2,
        "log_every": 1,
        "checkpoint_every": 1,
        "device": "cpu",
        "num_threads": 1,
        "tensorboard": False,
        "max_minutes": 1e-6,  # of which an ablation takes no notice
    },
}
LINES = [
    {"name": "wide", "set": "model.c_z=12 model.pair_dropout=0", "question": "Is wider better?"},
    {
        "name": "pre",
        "set": "loss.contact=0 loss.distogram=0",
        "question": "(pre-training)",
        "is_scored": False,
    },
    {"name": "pretrained", "after": "pre", "question": "Does pre-training help?"},
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For training; for scoring, of which one has no long-range contact and one is too long."""
    folder = tmp_path_factory.mktemp("stores")
    write_store([hairpin("t0"), hairpin("t1", length=24)], folder / "train")
    sizes = {"v0": 40, "v1": 60, "v2": 44, "v3": 20}
    write_store([hairpin(name, length=length) for name, length in sizes.items()], folder / "val")
    return folder / "train", folder / "val"


def write_list(folder: Path, lines: list[dict[str, Any]]) -> Path:
    path = folder / "list.yaml"
    path.write_text(yaml.safe_dump({"base": BASE_CONFIG, "ablations": lines}))
    return path


class InProcess:
    """In place of a process: the command is run at once, in this one."""

    def __init__(self, command: list[str], stdout: BinaryIO, **options: Any) -> None:
        where = StringIO()
        with contextlib.redirect_stdout(where), contextlib.redirect_stderr(where):
            is_training = command[1:3] == ["-m", "msaformer"]
            self.code = cli.main(command[3:]) if is_training else ablation_scores.main(command[2:])
        stdout.write(where.getvalue().encode())

    def poll(self) -> int:
        return self.code


@pytest.fixture
def ablate(stores: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """`ablate(LIST, RUNS, OPTION...)`: the command on the stores; without starting processes, which takes seconds."""
    monkeypatch.setattr(ablation_jobs.subprocess, "Popen", InProcess)
    train, validation = map(str, stores)
    always = ["--train", train, "--validation", validation, "--max-length", "50"]
    before = torch.get_num_threads()
    yield lambda listing, runs, *options: main([str(listing), str(runs), *always, *options])
    torch.set_num_threads(before)


def test_runs_are_trained_scored_and_put_beside_the_base_and_nothing_is_repeated(
    ablate: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing, runs = write_list(tmp_path, LINES), tmp_path / "runs"
    assert ablate(listing, runs, "--jobs", "2") == 0
    out, err = capsys.readouterr()
    assert out == f"{runs / 'ablations.md'}\n"
    assert sorted(err.splitlines()) == ["base: done", "pre: done", "pretrained: done", "wide: done"]
    frame = pd.read_csv(runs / "ablations.csv")
    assert list(dict.fromkeys(frame["name"])) == ["base", "wide", "pretrained"]
    every = frame[frame["group"] == "all"].set_index("name")
    scores = {
        name: pd.DataFrame(json.loads((runs / name / "scores.json").read_text())["scores"])
        for name in every.index
    }
    assert list(scores["base"]["id"]) == ["v0", "v2", "v3"]
    assert scores["base"]["long_p_at_l"].isna().tolist() == [False, False, True]
    for name in every.index:
        assert every.loc[name, "contact_loss"] == pytest.approx(scores[name]["contact_loss"].mean(), rel=1e-5)
    difference = scores["wide"]["contact_loss"] - scores["base"]["contact_loss"]
    assert every.loc["wide", "contact_loss_difference"] == pytest.approx(difference.mean(), rel=1e-3)
    assert every.loc["wide", "parameters"] > every.loc["base", "parameters"]
    assert "Does pre-training help? `after pre`" in (runs / "ablations.md").read_text()
    assert f"weights of ablation from {runs / 'pre'}" in (runs / "pretrained.log").read_text()

    shutil.rmtree(runs / "base" / "checkpoints")  # as a run that was made elsewhere and is taken over
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/*") if path.is_file()}
    assert ablate(listing, runs) == 0
    assert capsys.readouterr().err == ""
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*/*") if path.is_file()} == before
    shutil.copy(runs / "pre" / "weights.safetensors", runs / "base" / "weights.safetensors")
    assert ablate(listing, runs) == 0  # scored again, as the scores are of other weights
    assert capsys.readouterr().err == "base: done\n"
    names = {"base", "wide", "pretrained"}
    assert ablate(listing, runs, "--only", "wide") == 0
    assert set(pd.read_csv(runs / "ablations.csv")["name"]) == names  # what was done earlier stays
    other = [line | {"set": "model.c_z=32"} if line["name"] == "wide" else line for line in LINES]
    assert ablate(write_list(tmp_path, other), runs, "--only", "pretrained") == 0
    assert set(pd.read_csv(runs / "ablations.csv")["name"]) == names - {"wide"}  # it is another one now
    capsys.readouterr()
    assert ablate(write_list(tmp_path, LINES), runs, "-o", "training.seed=3") == 1
    assert "made by another configuration: training.seed was 0, is 3" in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on(
    ablate: Callable[..., int],
    at_step: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listing, runs = write_list(tmp_path, []), tmp_path / "runs"
    at_step(1, lambda: os.kill(os.getpid(), signal.SIGTERM))  # only the training hears it
    assert ablate(listing, runs) == 3
    assert ablate(listing, runs) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "base: done"
    assert "--resume goes on from there" in (runs / "base.log").read_text()
    assert [json.loads(line)["step"] for line in (runs / "base" / "log.jsonl").read_text().splitlines()] == [
        1,
        2,
    ]


def job(name: str, *programs: str, after: str | None = None, folder: Path) -> Job:
    return Job(
        name, [[sys.executable, "-S", "-c", program] for program in programs], folder / f"{name}.log", after
    )


def test_a_job_that_fails_fails_alone_with_those_that_come_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [
        job("good", "print(1)", "print(2)", folder=tmp_path),
        job("bad", "raise SystemExit('why')", "print(2)", folder=tmp_path),
        job("later", "print(3)", after="bad", folder=tmp_path),
        job("next", "print(3)", after="good", folder=tmp_path),
        job("ready", folder=tmp_path),
    ]
    schedule = Schedule(jobs, at_a_time=2)
    assert schedule.run() == 0
    assert schedule.failed == ["bad", "later"]
    said = capsys.readouterr().err.splitlines()
    assert sorted(said) == [
        f"bad: failed, see {tmp_path / 'bad.log'}",
        "good: done",
        "later: left out, as bad failed",
        "next: done",
    ]
    texts = {path.stem: path.read_text() for path in tmp_path.glob("*.log")}
    assert texts == {"good": "1\n2\n", "bad": "why\n", "next": "3\n"}


def test_a_signal_lets_what_runs_save_and_starts_nothing_more(tmp_path: Path) -> None:
    saves = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), os._exit(143)))\n"
        f"os.kill({os.getpid()}, signal.SIGTERM)\n"
        f"time.sleep({TIMEOUT_S})\n"
    )
    jobs = [
        job("first", saves, "print('scored')", folder=tmp_path),
        job("second", "print(1)", folder=tmp_path),
    ]
    schedule = Schedule(jobs, at_a_time=1)
    assert schedule.run() == signal.SIGTERM
    assert schedule.failed == []
    assert {path.stem: path.read_text() for path in tmp_path.glob("*.log")} == {"first": "saved\n"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([LINES[0], LINES[0]], "'wide' stands twice"),
        ([LINES[2]], "pretrained: no 'pre' stands before it"),
        ([{"name": "x", "question": "?", "sets": "a"}], r"ablations\.0\.sets: Extra inputs"),
        ([{"name": "x", "question": "?", "set": "model.c_zz=3"}], "unknown key 'model.c_zz'"),
    ],
)
def test_what_is_no_list_is_refused(lines: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare(Plan(write_list(tmp_path, lines), tmp_path / "runs", []))


def test_every_line_of_the_list_in_configs_makes_a_configuration_of_its_own(tmp_path: Path) -> None:
    plan = Plan(ROOT / "configs" / "ablations.yaml", tmp_path, ["data.train=store"])
    prepare(plan)
    configs = [plan.config(ablation).model_dump_json() for ablation in plan.ablations]
    assert len(set(configs)) == len(configs)
    assert [one.name for one in chosen(plan, {"pretrained-50"})] == [BASE, "pre-50", "pretrained-50"]


def test_cross_entropy_is_that_of_known_pairs_six_or_more_apart() -> None:
    distances = np.full((8, 8), 20.0)
    distances[0, 6], distances[1, 7], distances[0, 1] = 5.0, np.nan, 1.0
    probs = np.full((8, 8), 0.1)
    probs[0, 6], probs[0, 7] = 0.25, 0.5
    assert cross_entropy(probs, distances) == pytest.approx((np.log(4) + np.log(2)) / 2)
    assert np.isnan(cross_entropy(probs[:6, :6], distances[:6, :6]))


def test_the_table_compares_the_same_proteins_and_bands_of_neff() -> None:
    frame = table([made_run(BASE, [0.1, 0.2, 0.6]), made_run("other", [0.2, 0.3, 0.4])]).set_index(
        ["name", "group"]
    )
    assert frame.loc[("other", "all"), "long_p_at_l"] == pytest.approx(0.3)
    assert frame.loc[("other", "all"), "long_p_at_l_difference"] == pytest.approx(0.0)
    assert frame.loc[("other", "Neff < 100"), "long_p_at_l_difference"] == pytest.approx(0.1)
    assert frame.loc[("other", "Neff ≥ 100"), "long_p_at_l_difference"] == pytest.approx(-0.2)
    assert list(frame.loc["base"]["proteins"]) == [3, 1, 2]
    line = markdown(frame.reset_index()).splitlines()[3]
    assert line.startswith("| other: Why? `model.c_z=1` | 0.300 | +0.000 [-0.200, +0.100] |")


def test_the_time_of_a_step_is_that_of_its_quiet_moments(tmp_path: Path) -> None:
    records = [{"kind": "train", "step": n, "step_seconds": 1.0 + n % 2 + 0.001 * n} for n in range(1, 12)]
    records.insert(3, {"kind": "validation", "step": 3})
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    row = {"id": "a", "length": 50, "neff": 20.0, "contact_loss": 0.1}
    (tmp_path / "scores.json").write_text(json.dumps({"scores": [row], "parameters": 7}))
    run = read_run(Ablation(name="one", question="Why?"), tmp_path, tmp_path / "scores.json")
    assert (run.steps, run.parameters) == (11, 7)
    assert run.step_seconds == pytest.approx(1.004)  # the second fastest of eleven


def made_run(name: str, long: list[float]) -> Run:
    scores = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "length": [50, 60, 70],
            "neff": [20.0, 99.9, 100.0],
            "long_p_at_l": long,
            "long_p_at_l5": long,
            "medium_p_at_l": long,
            "contact_loss": long,
        }
    ).set_index("id")
    return Run(Ablation(name=name, question="Why?"), "model.c_z=1", scores, 1_000_000, 5, 1.5)
