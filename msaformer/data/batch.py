"""`Sample`, one example cropped, sub-sampled and masked; `Batch`, several of them padded to one shape.

Dimension key: B batch, N sequences, L residues, k co-evolution maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NOT_SCORED: Final = -100  # target of an MSA cell that is not to be predicted


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Numpy arrays of one example, as the network sees it. Raises ValueError at birth when shapes disagree."""

    tokens: npt.NDArray[np.uint8]
    """`[N, L]`, network input: some cells may hold the mask token."""
    deletions: npt.NDArray[np.float32]
    """`[N, L]`, residues left out just before column l."""
    profile: npt.NDArray[np.float32]
    """`[L, 22]`, frequencies of the whole alignment."""
    residue_index: npt.NDArray[np.int32]
    """`[L]`, position in the query."""
    coevolution: npt.NDArray[np.float32] | None
    """`[L, L, k]`, in standard deviations (`standardize_maps`); None: the network has to do without."""
    distances: npt.NDArray[np.float32] | None
    """`[L, L]` in Å, NaN = unknown; None: no structure."""
    masked_targets: npt.NDArray[np.int64] | None
    """`[N, L]`, true token of a cell to be predicted, NOT_SCORED elsewhere; None: nothing to predict."""

    def __post_init__(self) -> None:
        depth, length = self.tokens.shape
        wanted = {
            "deletions": (depth, length),
            "profile": (length, self.profile.shape[-1]),
            "residue_index": (length,),
            "distances": (length, length),
            "masked_targets": (depth, length),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must be {shape}, not {value.shape}")
        if self.coevolution is not None and self.coevolution.shape[:2] != (length, length):
            raise ValueError(f"coevolution must be [{length}, {length}, k], not {self.coevolution.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Padded tensors and masks (True = real)."""

    tokens: Int[Tensor, "B N L"]
    deletions: Float[Tensor, "B N L"]
    profile: Float[Tensor, "B L 22"]
    residue_index: Int[Tensor, "B L"]
    coevolution: Float[Tensor, "B L L k"]
    has_coevolution: Bool[Tensor, " B"]
    sequence_mask: Bool[Tensor, "B N"]
    residue_mask: Bool[Tensor, "B L"]
    distances: Float[Tensor, "B L L"]
    """Å, NaN = unknown (padding and examples without structure included)."""
    masked_targets: Int[Tensor, "B N L"]

    @property
    def msa_mask(self) -> Bool[Tensor, "B N L"]:
        """True where both the sequence and the residue are real; a gap is real."""
        return self.sequence_mask[:, :, None] & self.residue_mask[:, None, :]

    @property
    def pair_mask(self) -> Bool[Tensor, "B L L"]:
        """True where both residues are real."""
        return self.residue_mask[:, :, None] & self.residue_mask[:, None, :]

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def collate(samples: Sequence[Sample], num_maps: int) -> Batch:
    """Pad samples to the largest N and L among them; `num_maps` = k, for samples without co-evolution maps."""
    size = len(samples)
    depth = max(sample.tokens.shape[0] for sample in samples)
    length = max(sample.tokens.shape[1] for sample in samples)
    tokens = torch.zeros(size, depth, length, dtype=torch.int64)
    deletions = torch.zeros(size, depth, length)
    profile = torch.zeros(size, length, samples[0].profile.shape[-1])
    residue_index = torch.zeros(size, length, dtype=torch.int64)
    coevolution = torch.zeros(size, length, length, num_maps)
    distances = torch.full((size, length, length), torch.nan)
    masked_targets = torch.full((size, depth, length), NOT_SCORED, dtype=torch.int64)
    sequence_mask = torch.zeros(size, depth, dtype=torch.bool)
    residue_mask = torch.zeros(size, length, dtype=torch.bool)
    for b, sample in enumerate(samples):
        n, l = sample.tokens.shape  # noqa: E741
        tokens[b, :n, :l] = torch.from_numpy(sample.tokens.astype(np.int64))
        deletions[b, :n, :l] = torch.from_numpy(sample.deletions)
        profile[b, :l] = torch.from_numpy(sample.profile)
        residue_index[b, :l] = torch.from_numpy(sample.residue_index.astype(np.int64))
        if sample.coevolution is not None:
            if sample.coevolution.shape[-1] != num_maps:
                raise ValueError(
                    f"a sample has {sample.coevolution.shape[-1]} co-evolution maps, not {num_maps}"
                )
            coevolution[b, :l, :l] = torch.from_numpy(sample.coevolution)
        if sample.distances is not None:
            distances[b, :l, :l] = torch.from_numpy(sample.distances)
        if sample.masked_targets is not None:
            masked_targets[b, :n, :l] = torch.from_numpy(sample.masked_targets)
        sequence_mask[b, :n] = True
        residue_mask[b, :l] = True
    has_coevolution = torch.tensor([sample.coevolution is not None for sample in samples])
    return Batch(
        tokens=tokens,
        deletions=deletions,
        profile=profile,
        residue_index=residue_index,
        coevolution=coevolution,
        has_coevolution=has_coevolution,
        sequence_mask=sequence_mask,
        residue_mask=residue_mask,
        distances=distances,
        masked_targets=masked_targets,
    )
