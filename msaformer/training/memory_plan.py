"""A plan before the run: what a rank will hold at most, and the fastest policy with which that fits.

    states (`memory_states`)     what stays: parameters, gradients, optimizer, moving average
    trace (`memory_trace`)       what a pass takes: inputs, activations, tables in passing
    policies (`memory_policy`)   what can be given up in speed for memory, the fastest first

The peak is the larger of a pass and of the optimizer's step, each on top of what stays; in a prediction on the CPU,
also of what the making of the features takes before (`data_tools.features_memory`).

Dimension key: N sequences, L residues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from data_tools.features_memory import features_bytes
from msaformer.config import Config, ExecutionConfig, ModelConfig
from msaformer.data.dataset import num_couplings
from msaformer.sizes import show_size
from msaformer.training.memory_policy import MemoryPolicy, policies
from msaformer.training.memory_states import TrainingStates, count_parameters, training_states, uses_deepspeed
from msaformer.training.memory_trace import Work, trace

_FLOAT: Final = 4  # bytes
RESERVE: Final = 0.05
"""Share of the memory that a plan leaves to what no ledger sees: fragments, and tables within torch's own kernels."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is to be run, and on what."""

    model: ModelConfig
    depth: int
    length: int
    memory_bytes: int
    """What a rank may take."""
    device_type: str = "cpu"
    axial: int = 1
    """Ranks that share a sample; N and L are padded to multiples of it."""
    ranks: int = 1
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)
    training: Config | None = None
    """None: a prediction."""
    alignment_depth: int | None = None
    """Sequences that features are made of first, co-evolution included; None: they are there already."""

    @property
    def padded(self) -> tuple[int, int]:
        """N and L as the network gets them."""
        return _rounded_up(self.depth, self.axial), _rounded_up(self.length, self.axial)

    @property
    def usable_bytes(self) -> int:
        """What a plan may use."""
        return int((1 - RESERVE) * self.memory_bytes)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes of one rank, by purpose. Activations and inputs are those of the largest moment of a pass."""

    setting: Setting
    policy: MemoryPolicy
    parameters: int
    gradients: int
    optimizer: int
    average: int
    buffers: int
    """Gradients and parameters on their way between ranks."""
    inputs: int
    activations: int
    peak: int
    host: int
    """In the host's memory beside: what is offloaded."""
    features: int = 0
    """In the host's memory, before the network runs: what making the features takes."""

    @property
    def fits(self) -> bool:
        """With something to spare (`RESERVE`)."""
        return self.peak <= self.setting.usable_bytes

    @property
    def mode(self) -> Literal["train", "predict"]:
        return "predict" if self.setting.training is None else "train"

    def sentence(self) -> str:
        """One line for the log."""
        of = f"of {show_size(self.setting.memory_bytes)}"
        return (
            f"memory: {show_size(self.peak)} {of} a rank at most, for N={self.setting.depth}, L={self.setting.length}; "
            f"{self.policy.words(training=self.mode == 'train')}"
        )


def plan_training(
    config: Config,
    *,
    memory_bytes: int,
    device_type: str = "cpu",
    ranks: int = 1,
    depth: int | None = None,
    length: int | None = None,
) -> MemoryPlan:
    """The fastest policy with which a crop of N = `depth`, L = `length` (the configuration's, if None) fits.

    Where none does, the most frugal: `fits` is False, and `memory_search.explain_misfit` says what would.
    """
    setting = training_setting(
        config, memory_bytes=memory_bytes, device_type=device_type, ranks=ranks, depth=depth, length=length
    )
    return cheapest_plan(setting)


def plan_prediction(
    model: ModelConfig,
    depth: int,
    length: int,
    *,
    memory_bytes: int,
    device_type: str = "cpu",
    axial: int = 1,
    execution: ExecutionConfig | None = None,
) -> MemoryPlan:
    """The same for the prediction of one protein by `axial` ranks."""
    execution = ExecutionConfig() if execution is None else execution
    return cheapest_plan(Setting(model, depth, length, memory_bytes, device_type, axial, axial, execution))


def training_setting(
    config: Config,
    *,
    memory_bytes: int,
    device_type: str,
    ranks: int,
    depth: int | None = None,
    length: int | None = None,
) -> Setting:
    """A run of `config`, with crops of its own size where `depth` or `length` is None."""
    return Setting(
        model=config.model,
        depth=config.data.max_depth if depth is None else depth,
        length=config.data.crop_length if length is None else length,
        memory_bytes=memory_bytes,
        device_type=device_type,
        axial=config.parallel.axial,
        ranks=ranks,
        execution=config.execution,
        training=config,
    )


def cheapest_plan(setting: Setting) -> MemoryPlan:
    """The first of the policies that fits, or the last."""
    for same_checkpointing in _by_checkpointing(_open_policies(setting)):
        plan = plan_with(setting, same_checkpointing[-1])
        if plan.fits:  # so does one with larger chunks, perhaps
            larger = (plan_with(setting, policy) for policy in same_checkpointing[:-1])
            return next((candidate for candidate in larger if candidate.fits), plan)
    return plan


def fastest_plan(setting: Setting) -> MemoryPlan:
    """The plan with the policy that saves nothing."""
    return plan_with(setting, _open_policies(setting)[0])


def frugal_plan(setting: Setting) -> MemoryPlan:
    """The plan with the policy that takes the least memory."""
    return plan_with(setting, _open_policies(setting)[-1])


def plan_with(setting: Setting, policy: MemoryPolicy) -> MemoryPlan:
    """The plan with a given policy, whether it fits or not."""
    work = work_of(setting, policy)
    done = trace(work)
    if setting.training is None:
        states = TrainingStates(_FLOAT * count_parameters(setting.model).total, 0, 0, 0, 0, 0, 0)
    else:
        states = training_states(setting.training, setting.ranks, setting.device_type)
    standing = states.parameters + states.optimizer + states.average + states.buffers
    earlier_gradients = states.gradients if work.keeps_gradients else 0
    peak = standing + max(earlier_gradients + done.peak, states.gradients + states.step)
    features = _features(setting)
    return MemoryPlan(
        setting=setting,
        policy=policy,
        parameters=states.parameters,
        gradients=states.gradients,
        optimizer=states.optimizer,
        average=states.average,
        buffers=states.buffers,
        inputs=done.inputs,
        activations=done.peak - done.inputs,
        peak=max(peak, standing + features) if setting.device_type == "cpu" else peak,
        host=states.host + done.host,
        features=features,
    )


def _features(setting: Setting) -> int:
    if setting.alignment_depth is None:
        return 0
    return features_bytes(
        setting.alignment_depth,
        setting.length,
        coevolution=setting.model.coevolution != "none",
        couplings=num_couplings(setting.model) > 0,
    )


def work_of(setting: Setting, policy: MemoryPolicy) -> Work:
    """One pass of what is to be run."""
    config = setting.training
    depth, length = setting.padded
    return Work(
        setting.model,
        depth,
        length,
        policy,
        loss=config.loss if config else None,
        batch_size=config.training.batch_size if config else 1,
        axial=setting.axial,
        bfloat16=config is not None and config.training.precision == "bfloat16",
        attention=_attention(setting),
        device_type=setting.device_type,
        keeps_gradients=config is not None and _keeps_gradients(config, setting),
    )


def _keeps_gradients(config: Config, setting: Setting) -> bool:
    """Do passes after the first of a step find gradients? DeepSpeed's places for them always stand."""
    passes = config.training.accumulation // max(1, setting.ranks // setting.axial)
    return passes > 1 or uses_deepspeed(config, setting.ranks)


def _attention(setting: Setting) -> str:
    """What can be run without a GPU; the kernels of other packages take no more than our own."""
    chosen = setting.execution.attention
    return chosen if chosen in ("reference", "sdpa") else "own"


def _open_policies(setting: Setting) -> tuple[MemoryPolicy, ...]:
    return policies(setting.execution, setting.device_type, training=setting.training is not None)


def _by_checkpointing(candidates: Sequence[MemoryPolicy]) -> list[list[MemoryPolicy]]:
    levels: dict[str, list[MemoryPolicy]] = {}
    for policy in candidates:
        levels.setdefault(policy.checkpointing, []).append(policy)
    return list(levels.values())


def _rounded_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
