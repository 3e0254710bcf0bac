"""Trackers, against stand-ins for the services' packages: what is sent, what is continued, and that none ends a run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from training_cases import tiny_config

from msaformer.config import Config
from msaformer.errors import ConfigError
from msaformer.training.logs import RunLog
from msaformer.training.trackers import check_trackers

Call = tuple[str, dict[str, Any]]


class Recorder:
    """Stands in for the functions of a package: notes each call, and fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.fails: set[str] = set()
        self.result: Any = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls.append((name, {str(place): value for place, value in enumerate(arguments)} | options))
            if name in self.fails:
                raise LookupError(f"{name} failed\nwith a second line")  # as unlike an expected error as any
            return self.result

        return call

    def named(self, name: str) -> list[dict[str, Any]]:
        return [options for called, options in self.calls if called == name]


def install(name: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module.__getattr__ = lambda key: getattr(recorder, key)  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    recorder.result = recorder  # init() gives the run
    install("wandb", recorder, monkeypatch)
    return recorder


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    recorder.result = SimpleNamespace(info=SimpleNamespace(run_id="0123abc"))
    install("mlflow", recorder, monkeypatch)
    return recorder


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Config]:
    def make(**training: Any) -> Config:
        (tmp_path / "run").mkdir(exist_ok=True)
        changes = {f"training__{key}": value for key, value in ({"tensorboard": False} | training).items()}
        return tiny_config(Path("store"), tmp_path / "run", **changes)

    return make


def run(config: Config, first_step: int = 0) -> None:
    with RunLog(config, first_step) as log:
        log.write("train", first_step + 1, loss=0.5)
        log.write("validation", first_step + 1, long_p_at_l=0.25)


def test_weights_and_biases_gets_project_name_configuration_and_numbers(
    wandb: Recorder, config: Callable[..., Config]
) -> None:
    wanted = config(wandb_project="proteins")
    run(wanted)
    (options,) = wandb.named("init")
    run_id = (wanted.training.output / "wandb_run_id").read_text().strip()
    assert options["id"] == run_id
    assert (options["project"], options["resume"], options["name"]) == ("proteins", "allow", "hairpin")
    assert options["config"] == wanted.model_dump(mode="json")
    assert options["dir"] == str(wanted.training.output)
    assert wandb.named("log") == [
        {"0": {"train/loss": 0.5}, "step": 1},
        {"0": {"validation/long_p_at_l": 0.25}, "step": 1},
    ]
    assert wandb.named("finish") == [{"exit_code": 0}]


def test_a_resumed_run_continues_its_run_at_weights_and_biases_and_a_new_one_does_not(
    wandb: Recorder, config: Callable[..., Config]
) -> None:
    for first_step in (0, 7, 0):
        run(config(wandb_project="proteins"), first_step)
    first, resumed, new = (options["id"] for options in wandb.named("init"))
    assert first == resumed != new


def test_mlflow_gets_experiment_name_configuration_and_numbers(
    mlflow: Recorder, config: Callable[..., Config]
) -> None:
    wanted = config(mlflow_experiment="proteins")
    run(wanted)
    assert mlflow.calls == [
        ("set_experiment", {"0": "proteins"}),
        ("start_run", {"run_name": "hairpin"}),
        ("log_dict", {"0": wanted.model_dump(mode="json"), "1": "config.yaml"}),
        ("log_metrics", {"0": {"train/loss": 0.5}, "step": 1}),
        ("log_metrics", {"0": {"validation/long_p_at_l": 0.25}, "step": 1}),
        ("end_run", {"status": "FINISHED"}),
    ]
    run(wanted, first_step=7)
    assert mlflow.named("start_run")[1:] == [{"run_id": "0123abc"}]


def test_a_run_that_ends_by_an_error_is_marked_as_failed(
    wandb: Recorder, mlflow: Recorder, config: Callable[..., Config]
) -> None:
    log = RunLog(config(wandb_project="p", mlflow_experiment="e"), 0)
    with pytest.raises(KeyboardInterrupt), log:
        raise KeyboardInterrupt
    assert wandb.named("finish") == [{"exit_code": 1}]
    assert mlflow.named("end_run") == [{"status": "FAILED"}]


@pytest.mark.parametrize("failing", ["init", "log", "finish"])
def test_a_tracker_that_fails_is_switched_off_with_one_warning_and_the_log_goes_on(
    failing: str,
    wandb: Recorder,
    mlflow: Recorder,
    config: Callable[..., Config],
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = config(wandb_project="p", mlflow_experiment="e")
    wandb.fails.add(failing)
    run(wanted)
    warning = capsys.readouterr().err
    assert warning == (
        f"warning: Weights & Biases is switched off for the rest of the run: LookupError: {failing} failed\n"
    )
    assert len(wandb.named("log")) == {"init": 0, "log": 1, "finish": 2}[failing]
    assert len(mlflow.named("log_metrics")) == 2
    assert len((wanted.training.output / "log.jsonl").read_text().splitlines()) == 2


def test_a_full_disk_under_tensorboard_does_not_end_the_run(
    config: Callable[..., Config], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = config(tensorboard=True)
    (wanted.training.output / "tensorboard").write_text("a file where the folder should be")
    run(wanted)
    assert capsys.readouterr().err.startswith("warning: TensorBoard is switched off")


@pytest.mark.parametrize(("key", "package"), [("wandb_project", "wandb"), ("mlflow_experiment", "mlflow")])
def test_a_missing_package_is_one_line_with_the_key_and_the_command(
    key: str, package: str, config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else name)
    with pytest.raises(ConfigError) as error:
        check_trackers(config(**{key: "x"}).training)
    assert str(error.value) == (
        f"training.{key}: the package {package} is not installed; pip install 'msaformer[tracking]', "
        "or leave the key out"
    )
    check_trackers(config().training)  # nothing is asked for


def test_tensorboard_holds_each_number_under_its_kind(config: Callable[..., Config]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    wanted = config(tensorboard=True)
    run(wanted)
    events = EventAccumulator(str(wanted.training.output / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["train/loss", "validation/long_p_at_l"]
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(1, 0.5)]


def test_tensorboard_keeps_the_last_step_before_a_resume_and_hides_later_ones(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.summary.writer import event_file_writer

    # files of one second are read in the order of their names, in which 10 comes before 9: count from 0, as a run does
    counter = event_file_writer.AtomicCounter(0)
    monkeypatch.setattr(event_file_writer, "_global_uid", counter)
    wanted = config(tensorboard=True)
    for first_step in (0, 1, 2, 1):
        run(wanted, first_step)
    events = EventAccumulator(str(wanted.training.output / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2]
