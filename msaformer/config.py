"""Configuration: typed sections. Every key stands here once, with its meaning, unit, range and default.

`msaformer.config_file` reads it from YAML.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _switch_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `steps: yes`, which YAML reads as True and pydantic would take for 1."""
        assert info.field_name is not None
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation in (int, float):
            raise ValueError(f"expected a number, not {value}")
        return value


class ModelConfig(_Section):
    """The network. Paper values in brackets are AlphaFold 2's."""

    num_blocks: int = Field(4, ge=1, description="Evoformer blocks [48]")
    c_m: int = Field(32, ge=1, description="channels of the MSA track [256]")
    c_z: int = Field(48, ge=1, description="channels of the pair track [128]")
    msa_heads: int = Field(4, ge=1, description="heads of row and column attention [8]")
    msa_head_channels: int = Field(8, ge=1, description="channels a head of row and column attention [32]")
    pair_heads: int = Field(4, ge=1, description="heads of triangle attention [4]")
    pair_head_channels: int = Field(8, ge=1, description="channels a head of triangle attention [32]")
    outer_product_channels: int = Field(8, ge=1, description="channels of the outer product mean [32]")
    triangle_channels: int = Field(32, ge=1, description="hidden channels of triangle multiplication [128]")
    transition_factor: int = Field(2, ge=1, description="widening of the transitions [4]")
    tied_rows: bool = Field(
        False, description="one row-attention map for all sequences, as in MSA Transformer"
    )
    coevolution: Literal["none", "maps", "couplings"] = Field(
        "maps",
        description="in the pair track: nothing; mean-field DCA and APC-MI; also all 441 partial correlations of a "
        "pair, and Neff",
    )
    profile: bool = Field(True, description="embed the profile into both tracks")
    outer_product: bool = Field(True, description="the MSA track writes to the pair track")
    triangles: Literal["both", "multiplication", "attention", "none"] = Field(
        "both", description="triangle updates of the pair track"
    )
    pair_convolutions: int = Field(
        0, ge=0, description="gated 3×3 convolutions of the pair track in each block"
    )
    dilations: tuple[PositiveInt, ...] = Field(
        (1, 2, 4), min_length=1, description="of a block's convolutions, in turn"
    )
    orientations: bool = Field(False, description="heads for ω, θ and φ of residue pairs, as in trRosetta")
    num_recycles: int = Field(0, ge=0, le=16, description="further passes through the trunk [3]")
    msa_dropout: float = Field(0.15, ge=0, lt=1, description="row attention, shared over sequences [0.15]")
    pair_dropout: float = Field(
        0.25, ge=0, lt=1, description="triangle updates, shared over rows or columns [0.25]"
    )
    max_relative_position: int = Field(
        32, ge=1, le=200, description="separations are clipped to ± this [32]; two chains are 200 apart"
    )
    max_depth: int = Field(
        128, ge=1, description="sequences given to the trunk in prediction; chosen by sequence weight"
    )

    @field_validator("coevolution", mode="before")
    @classmethod
    def _was_a_switch(cls, value: Any) -> Any:
        """Read `true` and `false`, which weights and configurations of version 0.1 have."""
        return {True: "maps", False: "none"}[value] if isinstance(value, bool) else value


class DataConfig(_Section):
    """What a training example is made of. Paths are seen from the current directory."""

    train: Path | None = Field(None, description="store of the training examples (msaformer featurize)")
    validation: Path | None = Field(None, description="store of the validation examples; none: no validation")
    crop_length: int = Field(128, ge=8, description="residues of a crop")
    two_segment_share: float = Field(0.5, ge=0, le=1, description="share of crops made of two stretches")
    max_depth: int = Field(
        32, ge=1, description="sequences of a crop; fewer are drawn at random, see min_depth"
    )
    min_depth: int = Field(1, ge=1, description="the number of sequences is drawn log-uniformly from here up")
    full_depth_share: float = Field(
        0.7, ge=0, le=1, description="share of crops that take max_depth sequences"
    )
    mask_ratio: float = Field(0.15, ge=0, lt=1, description="share of MSA cells to be predicted [0.15]")
    mask_by: Literal["residue", "row", "column", "block"] = Field(
        "residue", description="what is masked together: single cells, whole rows, whole columns, rectangles"
    )
    mask_block: tuple[PositiveInt, PositiveInt] = Field(
        (4, 8), description="sequences and residues of a masked block"
    )
    drop_coevolution: float = Field(
        0.1, ge=0, le=1, description="share of examples without co-evolution maps"
    )
    thin_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of examples thinned to 1 to 64 sequences (log-uniform), at most half",
    )
    num_workers: int = Field(
        1, ge=0, le=64, description="processes that prepare examples, for each rank; 0: the training process"
    )
    max_skipped_share: float = Field(
        0.05, ge=0, le=1, description="a run stops when more of its examples than this cannot be read"
    )

    @model_validator(mode="after")
    def _depths_are_in_order(self) -> Self:
        if self.min_depth > self.max_depth:
            raise ValueError(f"min_depth {self.min_depth} is above max_depth {self.max_depth}")
        return self


class LossConfig(_Section):
    """Weights of the tasks in the total loss."""

    contact: float = Field(1.0, ge=0, description="binary cross-entropy of Cβ-Cβ < 8 Å")
    distogram: float = Field(0.3, ge=0, description="cross-entropy over the distance bins [0.3]")
    masked_msa: float = Field(0.1, ge=0, description="cross-entropy of masked MSA cells [2.0]")
    orientation: float = Field(
        0.0, ge=0, description="cross-entropy over the bins of ω, θ, φ; needs model.orientations"
    )
    weighting: Literal["fixed", "uncertainty"] = Field(
        "fixed", description="uncertainty: each task's weight is also learned (Kendall et al. 2018)"
    )
    example_weight: Literal["equal", "sqrt_length", "cells"] = Field(
        "equal", description="an example counts once, by √L of its crop, or by the pairs or cells it scores"
    )
    min_separation: int = Field(6, ge=1, description="smallest |i - j| of a scored contact")
    contact_positive_weight: float = Field(
        1.0, gt=0, description="weight of contacts against non-contacts, some 30 times as many"
    )
    contact_focal_gamma: float = Field(
        0.0, ge=0, description="focal loss: pairs already well predicted count less (Lin et al. 2017); 0: off"
    )

    @model_validator(mode="after")
    def _something_is_learned(self) -> Self:
        if self.contact == self.distogram == self.masked_msa == self.orientation == 0:
            raise ValueError("contact, distogram, masked_msa and orientation are all 0: nothing to learn")
        return self


_Beta = Annotated[float, Field(ge=0, lt=1)]


class OptimizerConfig(_Section):
    """AdamW with linear warm-up, then `schedule` down to `final_lr_ratio` of the learning rate."""

    learning_rate: float = Field(1e-3, gt=0, description="at the end of the warm-up")
    warmup_steps: int = Field(100, ge=0, description="optimizer steps")
    schedule: Literal["cosine", "trapezoid"] = Field(
        "cosine",
        description="trapezoid: constant, then linear over the last `cooldown_share` of the steps (Hägele et al. "
        "2024); until then training.steps may change when a run is resumed",
    )
    cooldown_share: float = Field(0.25, gt=0, le=1, description="of the steps of a trapezoid")
    final_lr_ratio: float = Field(0.05, ge=0, le=1, description="learning rate at the last step, as a share")
    weight_decay: float = Field(0.01, ge=0, description="of matrices; biases and norms are not decayed")
    betas: tuple[_Beta, _Beta] = Field((0.9, 0.99), description="decay of AdamW's two moments")
    clip_norm: float = Field(1.0, gt=0, description="global gradient norm")
    ema_decay: float = Field(
        0.995, ge=0, lt=1, description="of the weights that are validated and released; 0: off"
    )


class TrainingConfig(_Section):
    """Length, rhythm and place of a run."""

    output: Path = Field(Path("runs/tiny"), description="folder of checkpoints, log and weights")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of everything random")
    steps: int = Field(2000, ge=1, description="optimizer steps in all")
    max_minutes: float = Field(
        0.0, ge=0, description="save and stop after so long, for --resume to go on; 0: no limit"
    )
    batch_size: int = Field(1, ge=1, description="examples a forward pass")
    accumulation: int = Field(
        4, ge=1, description="forward passes an optimizer step, shared by the data-parallel ranks"
    )
    log_every: int = Field(10, ge=1, description="steps")
    validate_every: int = Field(500, ge=1, description="steps")
    validation_examples: int = Field(40, ge=1, description="the first so many of the validation store")
    validation_max_length: int = Field(
        256, ge=8, description="longer validation proteins are cropped in the middle"
    )
    best_by: Literal[
        "none", "contact_loss", "distogram_loss", "medium_p_at_l", "long_p_at_l", "long_p_at_l5"
    ] = Field(
        "none", description="keep the weights that validate best by this in OUTPUT/weights-best.safetensors"
    )
    checkpoint_every: int = Field(200, ge=1, description="steps")
    keep_checkpoints: int = Field(2, ge=1, description="older ones are removed")
    keep_every: int = Field(0, ge=0, description="save for good at the multiples of so many steps; 0: never")
    init_weights: Path | None = Field(
        None, description="weights to start from, a file or the name of released ones; none: random"
    )
    tensorboard: bool = Field(True, description="write OUTPUT/tensorboard beside log.jsonl")
    wandb_project: str | None = Field(None, description="log to this Weights & Biases project too")
    mlflow_experiment: str | None = Field(None, description="log to this MLflow experiment too")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto: cuda, then mps, then cpu"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: autocast; norms, softmax in float32"
    )
    num_threads: int = Field(0, ge=0, description="CPU threads of torch; 0: torch's own choice")


class ParallelConfig(_Section):
    """Several processes. An optimizer step takes the same examples however many ranks share the work."""

    engine: Literal["auto", "torch", "deepspeed"] = Field(
        "auto", description="auto: torch for one process, deepspeed for more"
    )
    zero_stage: int = Field(
        2, ge=0, le=3, description="ranks share: 0 nothing, 1 optimizer, 2 and gradients, 3 and parameters"
    )
    axial: int = Field(1, ge=1, description="ranks that share one sample; must divide the number of ranks")
    offload_optimizer: bool = Field(False, description="optimizer state in the host's memory; zero_stage ≥ 1")
    offload_parameters: bool = Field(False, description="parameters in the host's memory; zero_stage 3")
    timeout_s: int = Field(1800, ge=10, description="a rank that waits longer for the others gives up")
    deepspeed: dict[str, Any] = Field(
        {}, description="further keys for DeepSpeed's configuration; those derived from ours are refused"
    )

    @model_validator(mode="after")
    def _offload_needs_a_stage(self) -> Self:
        if self.offload_optimizer and self.zero_stage < 1:
            raise ValueError("offload_optimizer needs zero_stage 1, 2 or 3")
        if self.offload_parameters and self.zero_stage != 3:
            raise ValueError("offload_parameters needs zero_stage 3")
        return self


class ExecutionConfig(_Section):
    """Memory against speed; nothing here changes what is computed, beyond rounding."""

    memory_gb: float = Field(0.0, ge=0, description="most memory a rank may take, 10⁹ bytes; 0: what is free")
    checkpointing: Literal["auto", "none", "blocks", "offload", "deepspeed"] = Field(
        "auto",
        description="blocks: keep block inputs alone and compute the rest again; offload: those in the host's "
        "memory; deepspeed: by its module; auto: what the memory asks for",
    )
    chunk_mib: int = Field(0, ge=0, description="largest table one operation may hold at a time; 0: by plan")
    attention: Literal["auto", "own", "reference", "sdpa", "cuequivariance", "deepspeed"] = Field(
        "auto", description="kernel of pair-biased attention; auto: own, the one that runs everywhere"
    )


class Config(_Section):
    """Everything a run needs."""

    name: str = Field("tiny", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="identity of the model")
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig()
    parallel: ParallelConfig = ParallelConfig()
    execution: ExecutionConfig = ExecutionConfig()

    @model_validator(mode="after")
    def _orientations_have_a_head(self) -> Self:
        if self.loss.orientation > 0 and not self.model.orientations:
            raise ValueError(
                f"loss.orientation {self.loss.orientation:g} needs model.orientations true, or set it to 0"
            )
        return self
