"""The tasks of a job on an existing Dask cluster (`ClusterPool`); the only place that knows `distributed`.

Its workers must have this package and see the inputs and the store under the same paths (a shared file system): only
names travel over the network, the examples lie in the part files.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from data_tools.errors import PipelineError
from data_tools.pipeline.messages import one_line
from data_tools.pipeline.task import Outcome, Task, record_failure, run_task

_CONNECT_TIMEOUT_S: Final = 15.0
_LOOK_AGAIN_S: Final = 10.0  # at how many threads the cluster has: it may grow and shrink
_TASKS_PER_THREAD: Final = 2  # one at work, one waiting beside it
_MIN_CAPACITY: Final = 8  # also before the first worker has come: a cluster may start them when tasks wait
_logger = logging.getLogger(__name__)


class ClusterPool:
    """The threads of the workers of the scheduler at `address`; a context manager.

    Raises PipelineError when Dask is not installed, nothing answers at the address, or the scheduler goes away.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = _connect(address)
        self._futures: dict[Any, Task] = {}  # distributed declares few types
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()  # filled by a thread of Dask's
        self._capacity = _MIN_CAPACITY
        self._look_at = 0.0
        self._is_warned = False

    @property
    def capacity(self) -> int:
        """A few tasks a thread, so that none waits for this process."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_AGAIN_S
            threads = sum(self._client.nthreads().values())
            self._capacity = max(_TASKS_PER_THREAD * threads, _MIN_CAPACITY)
            if threads == 0 and not self._is_warned:
                self._is_warned = True
                _logger.warning("the scheduler at %s has no workers yet; waiting for them", self._address)
        return self._capacity

    def submit(self, task: Task) -> None:
        """Send a task to the scheduler."""
        future = self._client.submit(run_task, task, pure=False, key=f"featurize-{task.index}-{id(self):x}")
        self._futures[future] = task
        future.add_done_callback(self._ended.put)

    def wait(self, timeout_s: float) -> Sequence[Outcome]:
        """Outcomes that have come in; see `Pool.wait`."""
        try:
            done = [self._ended.get(timeout=timeout_s)]
        except queue.Empty:
            if self._client.status != "running":
                raise PipelineError(
                    f"the scheduler at {self._address} is gone; run the same command again to go on"
                ) from None
            return []
        done += [self._ended.get() for _ in range(self._ended.qsize())]
        return [self._outcome(future, self._futures.pop(future)) for future in done]

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.cancel(list(self._futures), force=True)
        self._futures.clear()
        self._client.close()

    def _outcome(self, future: Any, task: Task) -> Outcome:
        from distributed import KilledWorker

        if future.status == "cancelled":
            raise PipelineError(
                f"the scheduler at {self._address} dropped a task; run the same command again to go on"
            )
        error = future.exception() if future.status == "error" else None
        if error is None:
            outcome: Outcome = future.result()
            return outcome
        if isinstance(error, ImportError):
            raise PipelineError(
                f"a worker of {self._address} cannot load msaformer ({one_line(error)}); install the same version there"
            ) from error
        if isinstance(error, KilledWorker):
            reason = "every worker process that had it died (out of memory? try --max-depth)"
        else:
            reason = f"{type(error).__name__} on the cluster: {one_line(error)}"
        return record_failure(task, f"{task.input.alignment}: {reason}")


def _connect(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise PipelineError(
            "--scheduler needs Dask, which is not installed: pip install 'msaformer[cluster]'"
        ) from error
    client: Any = distributed.Client
    try:
        return client(address, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise PipelineError(
            f"no Dask scheduler answers at {address!r} ({one_line(error)}); expected is an address like "
            "tcp://host:8786"
        ) from error
