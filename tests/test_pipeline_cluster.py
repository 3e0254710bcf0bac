"""Jobs on a Dask cluster: the same files as on one machine, and one error for what a cluster can do wrong."""

from __future__ import annotations

import logging
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pipeline_cases import InlinePool, files, write_folder

from data_tools import store as store_module
from data_tools.errors import PipelineError
from data_tools.pipeline import cluster as cluster_module
from data_tools.pipeline import task as task_module
from data_tools.pipeline.cluster import ClusterPool
from data_tools.pipeline.job import featurize_inputs
from data_tools.pipeline.task import Task


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler and two workers in this process."""
    distributed: Any = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Dask's own making, about ports and unclosed loops
        with distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            protocol="tcp",
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield cluster.scheduler_address


@pytest.mark.filterwarnings("ignore")  # Dask's
def test_a_cluster_makes_the_same_store(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_MAX_SHARD_EXAMPLES", 4)
    inputs = write_folder(tmp_path / "msas", [f"p{number:02d}" for number in range(13)], broken=["q"])
    featurize_inputs(inputs, tmp_path / "here", InlinePool)
    summary = featurize_inputs(inputs, tmp_path / "cluster", lambda: ClusterPool(address))
    assert (summary.num_examples, summary.num_failed) == (13, 1)
    assert files(tmp_path / "cluster") == files(tmp_path / "here")


@pytest.mark.filterwarnings("ignore")
def test_an_error_that_is_not_the_inputs_is_its_failure_all_the_same(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(task: Task) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(cluster_module, "run_task", faulty)
    featurize_inputs(write_folder(tmp_path / "msas", ["a"]), tmp_path / "store", lambda: ClusterPool(address))
    assert "a.a3m: ZeroDivisionError on the cluster: oh" in (tmp_path / "store/failures.tsv").read_text()


@pytest.mark.filterwarnings("ignore")
def test_workers_without_this_package_stop_the_job(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(task: Task) -> None:
        raise ModuleNotFoundError("No module named 'data_tools'")

    monkeypatch.setattr(cluster_module, "run_task", absent)
    with pytest.raises(PipelineError, match=r"cannot load msaformer \(No module named 'data_tools'\)"):
        featurize_inputs(
            write_folder(tmp_path / "msas", ["a"]), tmp_path / "store", lambda: ClusterPool(address)
        )


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_does_not_see_the_store_stops_the_job(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_tools.pipeline.job._VISIBLE_WITHIN_S", 0.0)
    monkeypatch.setattr(task_module, "write_part", lambda *_: None)
    with pytest.raises(PipelineError, match="must share the file system"):
        featurize_inputs(
            write_folder(tmp_path / "msas", ["a"]), tmp_path / "store", lambda: ClusterPool(address)
        )


@pytest.mark.filterwarnings("ignore")
def test_an_address_where_nobody_answers_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster_module, "_CONNECT_TIMEOUT_S", 0.3)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but it does not listen
        with pytest.raises(PipelineError, match="no Dask scheduler answers at 'tcp://127"):
            ClusterPool(f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(PipelineError, match="expected is an address like tcp://host:8786"):
        ClusterPool("nonsense://x")


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PipelineError, match=r"pip install 'msaformer\[cluster\]'"):
        ClusterPool("tcp://127.0.0.1:1")
