"""From stored examples to samples: crops for training, whole proteins for validation and prediction.

The order of a training run does not depend on the number of ranks or worker processes. With b = training.batch_size
and a = training.accumulation, optimizer step s takes the positions [s·a·b, (s+1)·a·b) of the run in a forward passes
of b examples; of R data-parallel ranks, rank r gets the passes r, r + R, r + 2R, … of each step. An example that
cannot be read is passed over: in its place stands the next readable one of the epoch's order, and the batch says so.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from data_tools.couplings import NUM_COUPLINGS, standardized_couplings
from data_tools.errors import StoreError
from data_tools.features import COEVOLUTION_MAPS, MSAFeatures
from data_tools.orientations import orientations
from data_tools.store import Example, Store
from data_tools.store_stream import epoch_order
from data_tools.weights import sample_rows
from msaformer.config import Config, DataConfig, ModelConfig, TrainingConfig
from msaformer.data.batch import Batch, Sample, collate
from msaformer.data.cropping import crop_residues, draw_depth, standardize_maps
from msaformer.data.loading import loaded_batches, one_thread
from msaformer.data.masking import mask_sample
from msaformer.data.thinning import thinned
from msaformer.errors import ConfigError

NUM_MAPS = len(COEVOLUTION_MAPS)


def num_couplings(model: ModelConfig) -> int:
    """How many couplings of each pair a network reads."""
    return NUM_COUPLINGS if model.coevolution == "couplings" else 0


_SAMPLES: Final = (
    0,
    1,
)  # keeps the numbers of samples apart from those of the order of an epoch, [seed, epoch]
_MAX_AHEAD: Final = (
    32  # batches a worker; each keeps 11 open files, of the 1,024 that a process may usually have
)


def full_sample(
    features: MSAFeatures,
    depth: int,
    rng: np.random.Generator,
    distances: npt.NDArray[np.float32] | None = None,
    backbone: npt.NDArray[np.float32] | None = None,
    residues: slice = slice(None),
    *,
    with_couplings: bool = False,
    with_coevolution: bool = True,
) -> Sample:
    """The whole protein, or its `residues`, with `depth` sequences, nothing masked; labels as in an `Example`.

    Without co-evolution it has neither maps nor couplings, as a share of the training examples has.
    """
    rows, places = sample_rows(features.weights, depth, rng), np.arange(features.length)[residues]
    with_maps = with_coevolution and features.depth > 1
    maps = standardize_maps(features.coevolution) if with_maps else None
    sample = _sample(features, rows, places, maps, with_couplings=with_couplings)
    return _labelled(sample, distances, backbone, places)


def other_rows(sample: Sample, features: MSAFeatures, depth: int, rng: np.random.Generator) -> Sample:
    """A `full_sample` of a whole protein with other sequences, `depth` drawn anew; all else is shared with it."""
    rows = sample_rows(features.weights, depth, rng)
    deletions = features.deletion_matrix[rows].astype(np.float32)
    return replace(sample, tokens=features.tokens[rows], deletions=deletions)


def training_sample(
    example: Example,
    config: DataConfig,
    rng: np.random.Generator,
    *,
    with_orientations: bool = True,
    with_couplings: bool = False,
) -> Sample:
    """A random crop of an example, with random sequences, masked cells and, at times, without co-evolution maps.

    A share of the alignments is thinned before (`thinned`).
    """
    features = thinned(example.features, config.thin_share, rng)
    residues = crop_residues(features.length, config.crop_length, config.two_segment_share, rng)
    depth = draw_depth(config.max_depth, config.min_depth, config.full_depth_share, rng)
    rows = sample_rows(features.weights, depth, rng)
    with_maps = features.depth > 1 and rng.random() >= config.drop_coevolution
    maps = standardize_maps(features.coevolution) if with_maps else None
    sample = _sample(features, rows, residues, maps, with_couplings=with_couplings)
    masked = mask_sample(sample, config, features.weights[rows], features.neff, rng)
    named = replace(masked, name=example.id)
    backbone = example.backbone if with_orientations else None
    return _labelled(named, example.distances, backbone, residues)


class TrainingSamples(Dataset[Sample]):
    """Sample number p of the run: a function of the store, the configuration and p alone.

    Epoch p // len(store) visits every example once, in an order of its own that keeps the examples of a few shards
    together (`data_tools.store_stream.epoch_order`), so that readers touch few files at a time.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.config = config
        self._epoch = -1
        self._order: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def __getitem__(self, position: int) -> Sample:
        """Raises StoreError when no example of the store can be read."""
        seed = self.config.training.seed
        epoch, place = divmod(position, len(self.store))
        if epoch != self._epoch:
            self._epoch, self._order = epoch, epoch_order(self.store, seed, epoch)
        example, skipped = self._readable(chain(self._order[place:], self._order[:place]))
        rng = np.random.default_rng([seed, *_SAMPLES, position])
        model = self.config.model
        sample = training_sample(
            *(example, self.config.data, rng),
            with_orientations=model.orientations,
            with_couplings=model.coevolution == "couplings",
        )
        return replace(sample, skipped=skipped)

    def _readable(self, order: Iterable[np.int64]) -> tuple[Example, str | None]:
        """The first example of `order` that can be read, and why the very first could not."""
        reason = None
        for index in order:
            try:
                return self.store[int(index)], reason
            except StoreError as error:
                reason = reason or " ".join(f"{self.store.ids[index]}: {error}".split())
        raise StoreError(f"{self.store.path}: none of its {len(self.store)} examples can be read: {reason}")


def has_labels(store: Store, field: Literal["distances", "orientations"]) -> bool:
    """Whether any example of the store has them; raises StoreError when none can be read."""
    problems = []
    for index in range(len(store)):
        try:
            example = store[index]
            if (example.distances if field == "distances" else example.backbone) is not None:
                return True
        except StoreError as error:
            problems.append(error)
    if problems and len(problems) == len(store):
        raise problems[0]
    return False


def passes_per_rank(training: TrainingConfig, data_ranks: int) -> int:
    """Forward passes of an optimizer step that each of `data_ranks` data-parallel ranks makes.

    Raises ConfigError when they cannot be shared evenly.
    """
    passes, rest = divmod(training.accumulation, data_ranks)
    if rest:
        raise ConfigError(
            f"training.accumulation={training.accumulation} forward passes cannot be shared by {data_ranks} "
            f"data-parallel ranks; give a multiple of {data_ranks}, or a larger parallel.axial"
        )
    return passes


def training_batches(
    store: Store,
    config: Config,
    first_step: int,
    *,
    data_rank: int = 0,
    data_ranks: int = 1,
    multiple_of: int = 1,
) -> Generator[Batch, None, None]:
    """Batches of one rank from optimizer step `first_step` to the run's end, the same ones whoever prepares them.

    `data_rank` is a rank's number among `data_ranks`; ranks that share samples (axial sharding) give the same one,
    and their number as `multiple_of`, to which the batches are padded. Raises ConfigError when the forward passes
    cannot be shared, StoreError when no example can be read, TrainingError when a worker process dies.
    """
    workers = config.data.num_workers
    loader: DataLoader[Any] = DataLoader(
        TrainingSamples(store, config),
        batch_sampler=_RankPositions(config.training, first_step, data_rank, data_ranks),
        collate_fn=partial(
            collate, num_maps=NUM_MAPS, num_couplings=num_couplings(config.model), multiple_of=multiple_of
        ),
        num_workers=workers,
        prefetch_factor=_batches_ahead(config, data_ranks) if workers else None,
        worker_init_fn=one_thread,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=False,
    )
    return loaded_batches(loader)


class _RankPositions:
    """The positions of each forward pass of one rank, in order."""

    def __init__(self, training: TrainingConfig, first_step: int, data_rank: int, data_ranks: int) -> None:
        assert 0 <= data_rank < data_ranks
        passes_per_rank(training, data_ranks)  # or they cannot be shared
        self.batch_size = training.batch_size
        passes = training.accumulation
        self.passes = range(first_step * passes + data_rank, training.steps * passes, data_ranks)

    def __iter__(self) -> Iterator[list[int]]:
        for number in self.passes:
            yield list(range(number * self.batch_size, (number + 1) * self.batch_size))

    def __len__(self) -> int:
        return len(self.passes)


def _batches_ahead(config: Config, data_ranks: int) -> int:
    """Batches each worker prepares ahead: together the rank's next optimizer step, so that none waits at its end."""
    share = -(-passes_per_rank(config.training, data_ranks) // config.data.num_workers)
    return min(max(share, 2), _MAX_AHEAD)  # 2: torch's own choice


def _sample(
    features: MSAFeatures,
    rows: npt.NDArray[np.int64],
    residues: npt.NDArray[np.int64],
    maps: npt.NDArray[np.float32] | None,
    *,
    with_couplings: bool,
) -> Sample:
    couplings = None
    if with_couplings and maps is not None:
        couplings = standardized_couplings(features.tokens, features.weights, residues)
    cells, pairs = np.ix_(rows, residues), np.ix_(residues, residues)
    return Sample(
        tokens=features.tokens[cells],
        deletions=features.deletion_matrix[cells].astype(np.float32),
        profile=features.profile[residues],
        residue_index=features.residue_index[residues],
        coevolution=None if maps is None else maps[pairs],
        distances=None,
        masked_targets=None,
        couplings=couplings,
        neff=features.neff,
    )


def _labelled(
    sample: Sample,
    distances: npt.NDArray[np.float32] | None,
    backbone: npt.NDArray[np.float32] | None,
    residues: npt.NDArray[np.int64],
) -> Sample:
    """The sample with the labels of its residues."""
    angles = None
    if backbone is not None:
        found = orientations(backbone[residues])  # of a pair, they depend on its two residues alone
        angles = np.stack([found.omega, found.theta, found.phi], axis=-1)
    of_pairs = None if distances is None else distances[np.ix_(residues, residues)]
    return replace(sample, distances=of_pairs, orientations=angles)
