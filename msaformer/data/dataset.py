"""From stored examples to samples: crops for training, whole proteins for validation and prediction."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from multiprocessing import resource_tracker
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from data_tools.errors import DataToolsError
from data_tools.features import COEVOLUTION_MAPS, MSAFeatures
from data_tools.store import Example, Store
from msaformer.config import Config, DataConfig
from msaformer.data.batch import Batch, Sample, collate
from msaformer.data.cropping import crop_residues, draw_depth, sample_rows, standardize_maps
from msaformer.data.masking import mask_cells
from msaformer.errors import TrainingError

NUM_MAPS = len(COEVOLUTION_MAPS)


def full_sample(
    features: MSAFeatures,
    depth: int,
    rng: np.random.Generator,
    distances: npt.NDArray[np.float32] | None = None,
) -> Sample:
    """The whole protein with `depth` sequences, nothing masked."""
    rows = sample_rows(features.weights, depth, rng)
    maps = standardize_maps(features.coevolution) if features.depth > 1 else None
    return _sample(features, distances, rows, np.arange(features.length), maps)


def training_sample(example: Example, config: DataConfig, rng: np.random.Generator) -> Sample:
    """A random crop of an example, with random sequences, masked cells and, at times, without co-evolution maps."""
    features = example.features
    residues = crop_residues(features.length, config.crop_length, config.two_segment_share, rng)
    depth = draw_depth(config.max_depth, config.min_depth, config.full_depth_share, rng)
    rows = sample_rows(features.weights, depth, rng)
    with_maps = features.depth > 1 and rng.random() >= config.drop_coevolution
    maps = standardize_maps(features.coevolution) if with_maps else None
    sample = _sample(features, example.distances, rows, residues, maps)
    tokens, targets = mask_cells(sample.tokens, config.mask_ratio, rng)
    return Sample(
        tokens=tokens,
        deletions=sample.deletions,
        profile=sample.profile,
        residue_index=sample.residue_index,
        coevolution=sample.coevolution,
        distances=sample.distances,
        masked_targets=targets,
    )


class TrainingSamples(Dataset[Sample]):
    """Sample number p of the run: a function of the store, the configuration, the seed and p alone.

    Epoch p // len(store) visits every example once, in an order of its own.
    """

    def __init__(self, store: Store, config: DataConfig, seed: int) -> None:
        self.store = store
        self.config = config
        self.seed = seed

    def __getitem__(self, position: int) -> Sample:
        epoch, place = divmod(position, len(self.store))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.store))
        rng = np.random.default_rng([self.seed, 1, position])
        return training_sample(self.store[int(order[place])], self.config, rng)


def training_batches(store: Store, config: Config, first_step: int) -> Generator[Batch, None, None]:
    """Batches of the run from optimizer step `first_step` to its end, the same ones whoever prepares them.

    Raises StoreError when an example cannot be read, TrainingError when a worker process dies.
    """
    training = config.training
    per_step = training.batch_size * training.accumulation
    loader: DataLoader[Any] = DataLoader(
        TrainingSamples(store, config.data, training.seed),
        batch_size=training.batch_size,
        sampler=range(first_step * per_step, training.steps * per_step),
        collate_fn=_collate,
        num_workers=config.data.num_workers,
        worker_init_fn=_one_thread,
        multiprocessing_context="spawn" if config.data.num_workers else None,
        persistent_workers=False,
    )
    batches = _started(loader)
    try:
        yield from batches
    except DataToolsError as error:  # from a worker it comes with the worker's traceback in front
        message = str(error).strip().splitlines()[-1]
        raise type(error)(
            message.removeprefix(f"{type(error).__module__}.{type(error).__name__}: ")
        ) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            f"a process that prepares examples died ({str(error).splitlines()[0]}); is there memory enough? "
            "data.num_workers=0 does without such processes"
        ) from error
    finally:
        if isinstance(batches, _MultiProcessingDataLoaderIter):
            _end_workers(batches)  # now: an error's traceback would keep them until the program hangs on them


def _end_workers(batches: _MultiProcessingDataLoaderIter) -> None:
    """End the worker processes; one that dies on its way out has done its work, and hides no error of the batches."""
    try:
        batches._shutdown_workers()
    except RuntimeError as error:  # torch raises it wherever the main thread is when it hears of the death
        if "DataLoader worker" not in str(error):
            raise


def _collate(samples: list[Sample]) -> Batch:
    return collate(samples, NUM_MAPS)


def _started(loader: DataLoader[Any]) -> Iterator[Batch]:
    """Start the workers deaf to the stop signals, which a terminal or scheduler sends to every process of a job.

    The training process alone acts upon them, and needs its workers until it has finished its step.
    """
    resource_tracker.ensure_running()  # multiprocessing's own helper; started later, it would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))  # children inherit it
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)


def _sample(
    features: MSAFeatures,
    distances: npt.NDArray[np.float32] | None,
    rows: npt.NDArray[np.int64],
    residues: npt.NDArray[np.int64],
    maps: npt.NDArray[np.float32] | None,
) -> Sample:
    cells, pairs = np.ix_(rows, residues), np.ix_(residues, residues)
    return Sample(
        tokens=features.tokens[cells],
        deletions=features.deletion_matrix[cells].astype(np.float32),
        profile=features.profile[residues],
        residue_index=features.residue_index[residues],
        coevolution=None if maps is None else maps[pairs],
        distances=None if distances is None else distances[pairs],
        masked_targets=None,
    )
