"""Where the numbers of a run go besides its own log: TensorBoard, Weights & Biases, MLflow.

None of them may end a run: the first call that fails switches its tracker off, with one warning.
"""

from __future__ import annotations

import importlib.util
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from msaformer.config import Config, TrainingConfig
from msaformer.errors import ConfigError


class Tracker(Protocol):
    """One open run of a tracking service."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Show `values` at optimizer step `step`; after a resume, steps shown before may come again, with the same."""
        ...

    def close(self, *, failed: bool) -> None:
        """Send what is left and end the run."""
        ...


class GuardedTracker:
    """A tracker whose failure ends the tracking, not the training."""

    def __init__(self, name: str, start: Callable[[], Tracker]) -> None:
        self.name = name
        self._tracker: Tracker | None = None

        def open_it() -> None:
            self._tracker = start()

        self._guard(open_it)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See `Tracker`; does nothing once switched off."""
        if (tracker := self._tracker) is not None:
            self._guard(lambda: tracker.log(values, step))

    def close(self, *, failed: bool) -> None:
        """See `Tracker`."""
        if (tracker := self._tracker) is not None:
            self._guard(lambda: tracker.close(failed=failed))

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (
            Exception
        ) as error:  # the one blanket: clients of services raise all kinds, and a run costs days
            self._tracker = None
            reason = (str(error).strip().splitlines() or [""])[0]
            print(
                f"warning: {self.name} is switched off for the rest of the run: {type(error).__name__}: {reason}",
                file=sys.stderr,
            )


def check_trackers(training: TrainingConfig) -> None:
    """Raise ConfigError when a tracker is asked for whose package is not installed. Needs no network."""
    wanted = {"wandb_project": "wandb", "mlflow_experiment": "mlflow"}
    for key, package in wanted.items():
        if getattr(training, key) is not None and importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"training.{key}: the package {package} is not installed; "
                "pip install 'msaformer[tracking]', or leave the key out"
            )


def open_trackers(config: Config, first_step: int) -> list[GuardedTracker]:
    """Start the configured trackers; those of a run that goes on after `first_step` > 0 are continued.

    Raises ConfigError as `check_trackers` does.
    """
    training = config.training
    check_trackers(training)
    trackers = []
    if training.tensorboard:
        trackers.append(GuardedTracker("TensorBoard", lambda: TensorBoard(training.output, first_step)))
    if training.wandb_project is not None:
        trackers.append(
            GuardedTracker("Weights & Biases", lambda: WeightsAndBiases(config, resumed=first_step > 0))
        )
    if training.mlflow_experiment is not None:
        trackers.append(GuardedTracker("MLflow", lambda: MLflow(config, resumed=first_step > 0)))
    return trackers


class TensorBoard:
    """Event files in OUTPUT/tensorboard; what an earlier run wrote beyond `first_step` is hidden."""

    def __init__(self, output: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(output / "tensorboard"), purge_step=first_step + 1)

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, *, failed: bool) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of `training.wandb_project`, its id in OUTPUT/wandb_run_id. The service keeps the first of equal steps."""

    def __init__(self, config: Config, *, resumed: bool) -> None:
        import wandb

        training = config.training
        known = _run_id(training.output, "wandb", resumed)
        run_id = known or uuid.uuid4().hex
        self._run: Any = wandb.init(
            project=training.wandb_project,
            id=run_id,
            resume="allow",
            name=config.name,
            dir=str(training.output),
            config=config.model_dump(mode="json"),
        )
        _keep_run_id(training.output, "wandb", run_id)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


class MLflow:
    """A run of `training.mlflow_experiment`, its id in OUTPUT/mlflow_run_id."""

    def __init__(self, config: Config, *, resumed: bool) -> None:
        import mlflow

        training = config.training
        self._mlflow: Any = mlflow
        mlflow.set_experiment(training.mlflow_experiment)
        known = _run_id(training.output, "mlflow", resumed)
        run = mlflow.start_run(run_id=known) if known else mlflow.start_run(run_name=config.name)
        mlflow.log_dict(config.model_dump(mode="json"), "config.yaml")
        _keep_run_id(training.output, "mlflow", run.info.run_id)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        self._mlflow.end_run(status="FAILED" if failed else "FINISHED")


def _run_id(output: Path, service: str, resumed: bool) -> str | None:
    path = output / f"{service}_run_id"
    return path.read_text(encoding="utf-8").strip() if resumed and path.exists() else None


def _keep_run_id(output: Path, service: str, run_id: str) -> None:
    (output / f"{service}_run_id").write_text(f"{run_id}\n", encoding="utf-8")
