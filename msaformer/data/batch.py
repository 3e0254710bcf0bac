"""`Sample`, one example cropped, sub-sampled and masked; `Batch`, several of them padded to one shape.

Dimension key: B batch, N sequences, L residues, k co-evolution maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NOT_SCORED: Final = -100  # target of an MSA cell that is not to be predicted
NUM_ANGLES: Final = 3  # ω, θ, φ


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
    orientations: npt.NDArray[np.float32] | None = None
    """`[L, L, 3]`, ω, θ, φ in radians (`data_tools.orientations`), NaN = unknown; None: no structure."""
    couplings: npt.NDArray[np.float16] | None = None
    """`[L, L, 441]`, in standard deviations (`data_tools.couplings`); None: not asked for, or no co-evolution."""
    neff: float = 1.0
    """Effective number of sequences of the whole alignment."""
    name: str = ""
    """Id of the example, for messages."""
    skipped: str | None = None
    """Why the example that stood here could not be read, so that this one was taken in its place."""

    def __post_init__(self) -> None:
        depth, length = self.tokens.shape
        wanted = {
            "deletions": (depth, length),
            "profile": (length, self.profile.shape[-1]),
            "residue_index": (length,),
            "distances": (length, length),
            "masked_targets": (depth, length),
            "orientations": (length, length, NUM_ANGLES),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must be {shape}, not {value.shape}")
        if self.coevolution is not None and self.coevolution.shape[:2] != (length, length):
            raise ValueError(f"coevolution must be [{length}, {length}, k], not {self.coevolution.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Padded tensors and masks (True = real), and what is to be said of the examples."""

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
    """True tokens of the cells to be predicted, NOT_SCORED elsewhere."""
    neff: Float[Tensor, " B"]
    """Effective number of sequences of the whole alignments."""
    couplings: Float[Tensor, "B L L q"]
    """q = 441, in standard deviations; q = 0 for a network that does not read them."""
    orientations: Float[Tensor, "B L L 3"] | None = None
    """ω, θ, φ in radians, NaN = unknown (padding included); None when no example of the batch has any."""
    names: tuple[str, ...] = ()
    """Ids of the examples, for messages."""
    skipped: tuple[str, ...] = ()
    """One line for each example that could not be read and in whose place another stands."""

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
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)


def collate(
    samples: Sequence[Sample], num_maps: int, *, num_couplings: int = 0, multiple_of: int = 1
) -> Batch:
    """Pad samples to the largest N and L among them.

    `num_maps` = k and `num_couplings` = q, 0 or 441, are needed for samples without co-evolution.

    N and L are rounded up to multiples of `multiple_of`, so that as many ranks can share them (axial sharding).
    """
    depth = _rounded_up(max(sample.tokens.shape[0] for sample in samples), multiple_of)
    length = _rounded_up(max(sample.tokens.shape[1] for sample in samples), multiple_of)
    for sample in samples:
        if sample.coevolution is not None and sample.coevolution.shape[-1] != num_maps:
            raise ValueError(f"a sample has {sample.coevolution.shape[-1]} co-evolution maps, not {num_maps}")
    cells, pairs = (depth, length), (length, length)
    targets = _padded([sample.masked_targets for sample in samples], cells, torch.int64, NOT_SCORED)
    angles = [sample.orientations for sample in samples]
    has_angles = any(angle is not None for angle in angles)
    num_symbols = samples[0].profile.shape[-1]
    return Batch(
        tokens=_padded([sample.tokens for sample in samples], cells, torch.int64),
        deletions=_padded([sample.deletions for sample in samples], cells),
        profile=_padded([sample.profile for sample in samples], (length, num_symbols)),
        residue_index=_padded([sample.residue_index for sample in samples], (length,), torch.int64),
        coevolution=_padded([sample.coevolution for sample in samples], (*pairs, num_maps)),
        has_coevolution=torch.tensor([sample.coevolution is not None for sample in samples]),
        sequence_mask=_first([sample.tokens.shape[0] for sample in samples], depth),
        residue_mask=_first([sample.tokens.shape[1] for sample in samples], length),
        distances=_padded([sample.distances for sample in samples], pairs, fill=math.nan),
        masked_targets=targets,
        neff=torch.tensor([sample.neff for sample in samples]),
        couplings=_padded(
            [sample.couplings if num_couplings else None for sample in samples],
            (*pairs, num_couplings),
            torch.float16,
        ),
        orientations=_padded(angles, (*pairs, NUM_ANGLES), fill=math.nan) if has_angles else None,
        names=tuple(sample.name for sample in samples),
        skipped=tuple(sample.skipped for sample in samples if sample.skipped is not None),
    )


def _rounded_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _padded(
    values: Sequence[npt.NDArray[Any] | None],
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
    fill: int | float = 0,
) -> Tensor:
    """Stack arrays into `[B, *shape]`, each in the low corner of its place; None leaves the place to `fill`.

    A single array that fills its place is not copied: the couplings of a long protein take a gigabyte.
    """
    if len(values) == 1 and values[0] is not None and values[0].shape == shape and values[0].flags.writeable:
        whole = torch.from_numpy(values[0])
        if whole.dtype == dtype:
            return whole[None]
    out = torch.full((len(values), *shape), fill, dtype=dtype)
    for place, value in zip(out, values, strict=True):
        if value is not None:
            place[tuple(slice(size) for size in value.shape)] = torch.from_numpy(value)
    return out


def _first(sizes: Sequence[int], of: int) -> Bool[Tensor, "B of"]:
    """True for the first `sizes[b]` of `of` places."""
    return torch.arange(of)[None] < torch.tensor(sizes)[:, None]
