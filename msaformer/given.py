"""What of an alignment the network is given to predict from, and the mean over samples of its sequences.

Dimension key: N sequences, L residues, K distance bins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_tools.features import MSAFeatures
from msaformer.config import ModelConfig
from msaformer.data.batch import Sample, collate
from msaformer.data.dataset import NUM_MAPS, full_sample, num_couplings, other_rows
from msaformer.model.execution import UNOBSERVED, AttentionObserver, Execution, execute_with
from msaformer.model.maps import predicted_maps
from msaformer.model.model import MSAFormer


@dataclass(frozen=True, slots=True)
class Given:
    """What of an alignment the network is given. Raises ValueError at birth for a number below 1.

    Of more than `max_depth` sequences, the query and a sample of the others are given to the trunk: drawn in proportion
    to their weights, without replacement, so that each group of sequences 80 % alike counts as one, and the number of
    the sample is the seed. Profile, co-evolution and Neff come from the whole alignment, so that little depends on
    the sample.
    """

    max_depth: int | None = None
    """Most sequences at a time; None: the model's own number."""
    ensembles: int = 1
    """Samples whose probabilities are averaged. Where one holds all sequences, or the query alone, there is one."""
    coevolution: bool = True
    """False: neither maps nor couplings, which networks are trained to do without (`data.drop_coevolution`)."""

    def __post_init__(self) -> None:
        for name, value in (("max_depth", self.max_depth), ("ensembles", self.ensembles)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    def depth(self, config: ModelConfig) -> int:
        """Most sequences at a time."""
        return config.max_depth if self.max_depth is None else self.max_depth

    def num_samples(self, depth: int, of: int) -> int:
        """Samples of `depth` sequences, of so many, that differ."""
        return self.ensembles if 1 < depth < of else 1


def samples_of(
    features: MSAFeatures, config: ModelConfig, depth: int, number: int, *, coevolution: bool
) -> Iterator[Sample]:
    """`number` samples of `depth` sequences, alike in all else; the seed of each is its place."""
    first = full_sample(
        features,
        depth,
        np.random.default_rng(0),
        with_couplings=num_couplings(config) > 0,
        with_coevolution=coevolution,
    )
    yield first
    for seed in range(1, number):
        yield other_rows(first, features, depth, np.random.default_rng(seed))


def mean_maps(
    network: MSAFormer, samples: Iterator[Sample], execution: Execution, first_observer: AttentionObserver
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean probabilities of contacts `[L, L]` and of distances `[L, L, K]`; of the samples, one is held at a time.

    `first_observer` sees the attention of the first.
    """
    sums: list[Tensor] = []
    number = 0
    try:
        for number, sample in enumerate(samples, start=1):
            observer = first_observer if number == 1 else UNOBSERVED
            execute_with(network, replace(execution, observer=observer))
            _add(sums, _maps(network, sample, execution))
    finally:  # the network lets go of the maps of attention
        execute_with(network, replace(execution, observer=UNOBSERVED))
    contacts, distogram = (np.ascontiguousarray((total / number).cpu().numpy()) for total in sums)
    return contacts, distogram


def _maps(network: MSAFormer, sample: Sample, execution: Execution) -> tuple[Tensor, ...]:
    """Probabilities of contacts `[L, L]` and of distances `[L, L, K]` on the network's device."""
    device, real = next(network.parameters()).device, slice(sample.tokens.shape[1])
    with torch.inference_mode():
        batch = collate(
            *([sample], NUM_MAPS),
            num_couplings=num_couplings(network.config),
            multiple_of=execution.axial.size,
        )
        return tuple(values[real, real] for values in predicted_maps(network, batch.to(device)))


def _add(sums: list[Tensor], maps: tuple[Tensor, ...]) -> None:
    """Add `maps` to `sums`, in place; to none, they are the sums."""
    if not sums:
        sums.extend(maps)
    else:
        with torch.inference_mode():
            for total, values in zip(sums, maps, strict=True):
                total += values
