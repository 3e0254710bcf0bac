"""Everything a run needs before its first step: stores, network, execution, engine, and where it goes on from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from data_tools.store import Store, open_store
from msaformer.config import Config
from msaformer.data.dataset import has_labels, passes_per_rank
from msaformer.device import choose_device, memory_bytes
from msaformer.errors import ConfigError, TrainingError
from msaformer.model.execution import Checkpoint as Checkpointer
from msaformer.model.execution import Execution, execute_with
from msaformer.model.kernel_choice import attention_line, choose_attention
from msaformer.model.model import MSAFormer
from msaformer.model.optional_kernels import AttentionNeed
from msaformer.parallel.ranks import Ranks
from msaformer.pretrained import load_initial_weights
from msaformer.training.checkpoint import Checkpoint
from msaformer.training.ema import WeightAverage
from msaformer.training.engine import Engine, TorchEngine, TrainedModel, load_parameters
from msaformer.training.logs import say
from msaformer.training.losses import Objective
from msaformer.training.memory_plan import MemoryPlan, plan_training
from msaformer.training.memory_policy import execution_of
from msaformer.training.memory_search import explain_misfit
from msaformer.training.run_state import check_fresh, check_tensors, find_checkpoint, restore_average
from msaformer.training.trackers import check_trackers


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What a run reads, and where it stands."""

    train_store: Store
    validation_store: Store | None
    checkpoint: Checkpoint | None
    """What it goes on from; none: a new run."""


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A run about to take its first step."""

    config: Config
    ranks: Ranks
    train_store: Store
    validation_store: Store | None
    engine: Engine
    average: WeightAverage
    first_step: int
    evaluation: Execution
    """How validation runs the network."""

    @property
    def data(self) -> str:
        """Identity of the training examples."""
        return self.train_store.content_sha256


def find_start(config: Config, ranks: Ranks, *, resume: bool) -> Start:
    """Open the stores and find the checkpoint to go on from, if asked. Raises what `train` does; nothing is written."""
    with ranks.together():
        train_store, validation_store = _open_stores(config)
        if not resume:
            check_fresh(config.training.output)
    _check_same_store(train_store, config, ranks)
    checkpoint = find_checkpoint(config, train_store.content_sha256, ranks) if resume else None
    return Start(train_store, validation_store, checkpoint)


def prepare(config: Config, ranks: Ranks, start: Start) -> Setup:
    """Plan the memory, build the network and its engine, and restore the checkpoint, if there is one.

    Raises what `train` does. Nothing is written.
    """
    checkpoint = start.checkpoint
    with ranks.together():
        passes_per_rank(config.training, ranks.data_ranks)
        check_engine(config, ranks)
        check_trackers(config.training)
        device = choose_device(config.training.device, ranks.local_rank)
        if config.training.num_threads:
            torch.set_num_threads(config.training.num_threads)
        trained = build_model(config)
    plan = plan_memory(config, ranks, device)
    execution = execution_of(plan.policy, config, ranks.axial, checkpoint=_engine_checkpoint(plan))
    need = _attention_need(config, device)
    with ranks.together():
        execution = replace(execution, attention=choose_attention(config.execution.attention, need))
        if checkpoint is not None:
            check_tensors(checkpoint, trained)
            load_parameters(trained, checkpoint.tensors)
        elif config.training.init_weights is not None:
            _start_from(config.training.init_weights, trained, ranks)
    execute_with(trained, execution)
    engine = build_engine(trained, config, ranks, device)
    if ranks.is_first:
        say(_sentence(engine, config, ranks, device))
        say(plan.sentence())
        say(attention_line(execution.attention, need))
    average = WeightAverage(engine.parameters(), config.optimizer.ema_decay)
    if checkpoint is not None:
        engine.load_moments(checkpoint.tensors)
        restore_average(average, checkpoint, engine)
    return Setup(
        config=config,
        ranks=ranks,
        train_store=start.train_store,
        validation_store=start.validation_store,
        engine=engine,
        average=average,
        first_step=checkpoint.step if checkpoint else 0,
        evaluation=replace(execution, checkpoint=None),
    )


def build_model(config: Config) -> TrainedModel:
    """The network and objective of a configuration, initialised from its seed, the same on every rank."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        return TrainedModel(MSAFormer(config.model), Objective(config.loss))


def check_engine(config: Config, ranks: Ranks) -> None:
    """Raise ConfigError when the engine asked for cannot serve these ranks, or is not installed."""
    if _engine_name(config, ranks) == "deepspeed":
        from msaformer.training.deepspeed_engine import check_deepspeed

        check_deepspeed(config, ranks)
    elif ranks.world_size > 1:
        raise ConfigError(
            f"parallel.engine: torch serves one process, not {ranks.world_size}; use auto or deepspeed"
        )


def build_engine(trained: TrainedModel, config: Config, ranks: Ranks, device: torch.device) -> Engine:
    """The engine that the configuration and the number of ranks ask for, which `check_engine` has found to be fit."""
    if _engine_name(config, ranks) == "torch":
        return TorchEngine(trained, config.optimizer, device)
    from msaformer.training.deepspeed_engine import DeepSpeedEngine

    return DeepSpeedEngine(trained, config, ranks, device)


def _engine_name(config: Config, ranks: Ranks) -> str:
    if config.parallel.engine != "auto":
        return config.parallel.engine
    return "torch" if ranks.world_size == 1 else "deepspeed"


def _open_stores(config: Config) -> tuple[Store, Store | None]:
    if config.data.train is None:
        raise ConfigError(
            "data.train: no store of training examples; give data.train=FOLDER (made by msaformer featurize)"
        )
    if config.training.best_by != "none" and config.data.validation is None:
        raise ConfigError(
            f"training.best_by: {config.training.best_by} needs a store of validation examples; give "
            "data.validation=FOLDER, or training.best_by=none"
        )
    train_store = _open_labelled(config.data.train, config, check_sizes=False)  # what is damaged is skipped
    return train_store, _open_labelled(config.data.validation, config) if config.data.validation else None


def _check_same_store(store: Store, config: Config, ranks: Ranks) -> None:
    identities = ranks.texts(store.content_sha256)
    with ranks.alike():
        for rank, identity in enumerate(identities):
            if identity != identities[0]:
                raise TrainingError(
                    f"{config.data.train}: rank {rank} finds other examples there than rank 0; give all machines the "
                    "same store"
                )


def _open_labelled(path: Path, config: Config, *, check_sizes: bool = True) -> Store:
    store = open_store(path, check_sizes=check_sizes)
    if len(store) == 0:
        raise TrainingError(f"{path}: the store holds no example")
    loss = config.loss
    if (loss.contact > 0 or loss.distogram > 0) and not has_labels(store, "distances"):
        raise TrainingError(
            f"{path}: no example has distances to learn from; give msaformer featurize the --structures, or "
            "pre-train without them (configs/pretrain.yaml)"
        )
    if loss.orientation > 0 and not has_labels(store, "orientations"):
        raise TrainingError(
            f"{path}: no example has orientations to learn from; stores made by an older version have none: "
            "make it again with msaformer featurize --structures"
        )
    return store


def plan_memory(config: Config, ranks: Ranks, device: torch.device) -> MemoryPlan:
    """The fastest way to run that fits what every rank has; all ranks must call it, and find the same.

    Raises ConfigError when none does.
    """
    free = memory_bytes(device, ranks.local_size)
    wanted = ranks.least(round(config.execution.memory_gb * 1e9) or free)
    with ranks.together():
        plan = plan_training(config, memory_bytes=wanted, device_type=device.type, ranks=ranks.world_size)
        if not plan.fits:
            raise ConfigError(explain_misfit(plan))
    return plan


def _start_from(path: Path, trained: TrainedModel, ranks: Ranks) -> None:
    line = load_initial_weights(trained.model, path)
    if ranks.is_first:
        say(f"starts from {line}")


def _attention_need(config: Config, device: torch.device) -> AttentionNeed:
    dtype = torch.bfloat16 if config.training.precision == "bfloat16" else torch.float32
    widest = max(config.model.msa_head_channels, config.model.pair_head_channels)
    return AttentionNeed.on(device, dtype, widest, training=True)


def _engine_checkpoint(plan: MemoryPlan) -> Checkpointer | None:
    if plan.policy.checkpointing != "deepspeed":
        return None
    from msaformer.training.deepspeed_engine import deepspeed_checkpoint

    return deepspeed_checkpoint()


def _sentence(engine: Engine, config: Config, ranks: Ranks, device: torch.device) -> str:
    many = (
        ""
        if ranks.world_size == 1
        else (f" on {ranks.world_size} ranks ({ranks.data_ranks} data-parallel × {ranks.axial.size} axial)")
    )
    return f"engine: {engine.name}{many}, {device.type}, {config.training.precision}"
