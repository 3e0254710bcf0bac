"""One protein predicted by two processes, as `torchrun --nproc_per_node=2 -m msaformer predict` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
from cli_cases import Terminal, files_in

from msaformer.cli import main
from msaformer.prediction import load_prediction

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 240


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def two_processes(*arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """Run `msaformer ARGUMENTS` on two ranks; what each printed, and its exit code."""
    common = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
        "OMP_NUM_THREADS": "1",
    }
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "msaformer", *arguments],
            env=os.environ | common | {"RANK": rank, "LOCAL_RANK": rank, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        printed = [process.communicate(timeout=TIMEOUT_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [
        subprocess.CompletedProcess(arguments, process.returncode, *streams)
        for process, streams in zip(processes, printed, strict=True)
    ]


def test_two_ranks_predict_what_one_does_and_the_first_alone_writes_and_speaks(
    good: Path, tmp_path: Path, random_weights: Path, terminal: Terminal
) -> None:
    absent = good.with_name("absent.a3m")
    options = ["--weights", str(random_weights), "--max-depth", "3", "--memory", "1GB"]
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert main(["predict", str(good), "-o", str(alone), *options]) == 0
    first, second = two_processes(
        "predict", str(good), str(absent), "-o", str(shared), "--axial", "2", *options
    )
    assert (first.returncode, second.returncode) == (3, 3), first.stderr + second.stderr
    assert first.stdout == f"{shared / 'good.npz'}\n"
    assert first.stderr.splitlines() == [f"error: {absent}: there is no such file; check the path"]
    assert (second.stdout, second.stderr) == ("", "")
    assert files_in(shared) == {"good.npz", "good.csv", "good.rr", "failures.tsv"}
    expected, found = load_prediction(alone / "good.npz"), load_prediction(shared / "good.npz")
    assert found.model == expected.model
    for name in ("contact_probs", "distogram_probs", "expected_distance"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-3, atol=1e-4
        )  # stored in half


def test_another_number_of_processes_than_asked_for_is_refused(
    good: Path, tmp_path: Path, terminal: Terminal
) -> None:
    assert main(["predict", str(good), "-o", str(tmp_path / "out"), "--axial", "2"]) == 2
    terminal.shows_one_error("--axial 2 needs as many processes, not 1", "--nproc_per_node=2")
