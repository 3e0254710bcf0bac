"""Batches of a `DataLoader` by worker processes: deaf to stop signals, ended at once, their errors in one line."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from multiprocessing import resource_tracker
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from data_tools.errors import DataToolsError
from msaformer.data.batch import Batch
from msaformer.errors import TrainingError


def loaded_batches(loader: DataLoader[Any]) -> Generator[Batch, None, None]:
    """What `loader` gives.

    Raises the DataToolsError that a worker met as if it were met here, TrainingError when a worker dies.
    """
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


def one_thread(worker: int) -> None:
    """Let a worker process use one thread; the ranks need the others."""
    torch.set_num_threads(1)


def _end_workers(batches: _MultiProcessingDataLoaderIter) -> None:
    """End the worker processes; one that dies on its way out has done its work, and hides no error of the batches."""
    try:
        batches._shutdown_workers()
    except RuntimeError as error:  # torch raises it wherever the main thread is when it hears of the death
        if "DataLoader worker" not in str(error):
            raise


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
