"""What goes wrong on one rank, or is asked of one, ends all of them alike: one line, the right code, in seconds."""

from __future__ import annotations

import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked_ranks import srun, start
from rank_faults import limit_file_size, signal_at
from training_cases import last_state, tiny_config, write_hairpins

from data_tools.folder_lock import locked
from data_tools.store import write_store
from msaformer.config_file import dump_config
from msaformer.training.checkpoint import list_checkpoints, verify


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one example a shard."""
    folder = tmp_path_factory.mktemp("data") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("data_tools.store._MAX_SHARD_EXAMPLES", 1)
        return write_hairpins(folder)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "run"


def arguments(store: Path, output: Path, *keys: str) -> list[str]:
    config = tiny_config(store, output, training__steps=4, data__validation=None)
    path = output.with_suffix(".yaml")
    path.write_text(dump_config(config))
    return ["train", "-c", str(path), *(word for key in keys for word in ("-o", key))]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(words: Any, tmp_path: Path, size: int = 2, **how: Any) -> tuple[list[int], list[str]]:
    """Exit codes, and the lines on stderr."""
    job = start(words, tmp_path / "said", size=size, **how)
    return job.wait(60), job.said()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (
            "training.accumulation=3",
            "training.accumulation=3 forward passes cannot be shared by 2 data-parallel",
        ),
        ("parallel.axial=3", "parallel.axial: 3 ranks cannot share each sample among 2 in all"),
        ("parallel.engine=torch", "parallel.engine: torch serves one process, not 2"),
        ("parallel.deepspeed={bf16: {enabled: true}}", "parallel.deepspeed.bf16: is not passed on"),
        ("training.stepz=3", "unknown key 'training.stepz'"),
        ("execution.memory_gb=0.0001", "a rank, with all that saves memory, of"),
    ],
)
def test_a_wrong_configuration_is_said_once_for_all_ranks(
    key: str, words: str, store: Path, output: Path, tmp_path: Path
) -> None:
    codes, said = run(arguments(store, output, key), tmp_path)
    assert codes == [2, 2], said
    (line,) = said
    assert line.startswith("error: ")
    assert words in line
    assert not output.exists()


def test_ranks_that_read_other_configurations_do_not_start(store: Path, output: Path, tmp_path: Path) -> None:
    plain = arguments(store, output)
    codes, said = run([plain, [*plain, "-o", "training.seed=6"]], tmp_path)
    assert codes == [2, 2], said
    assert said == [
        "error: rank 0 has training.seed=5, rank 1 has training.seed=6; start all processes with the same keys"
    ]
    codes, said = run([plain, [*plain, "-o", "training.seed=x"]], tmp_path)
    assert codes == [2, 2], said
    (line,) = said
    assert "training.seed" in line


@pytest.mark.parametrize("rank", [0, 1])
def test_a_store_that_one_machine_lacks_ends_all_ranks(
    rank: int, store: Path, output: Path, tmp_path: Path
) -> None:
    words = [arguments(store, output), arguments(store, output)]
    words[rank] += ["-o", f"data.train={tmp_path / 'absent'}"]
    codes, said = run(words, tmp_path)
    assert codes == [1, 1], said
    assert said == [f"error: {tmp_path / 'absent'}: no such folder; a store is made by `msaformer featurize`"]


def test_another_store_on_one_machine_ends_all_ranks(store: Path, output: Path, tmp_path: Path) -> None:
    from training_cases import hairpin

    write_store([hairpin("other")], tmp_path / "other")
    words = [arguments(store, output), arguments(store, output, f"data.train={tmp_path / 'other'}")]
    codes, said = run(words, tmp_path)
    assert codes == [1, 1], said
    (line,) = said
    assert "rank 1 finds other examples there than rank 0" in line


def test_ranks_that_share_samples_stop_when_one_of_them_cannot_read_them(
    store: Path, output: Path, tmp_path: Path
) -> None:
    """The reader passes over a damaged example, which must not leave the ranks with halves of different proteins."""
    damaged = tmp_path / "damaged"
    shutil.copytree(store, damaged)
    shard = damaged / "shard-00002.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    keys = ("parallel.axial=2", "data.max_skipped_share=0.5")
    words = [arguments(store, output, *keys), arguments(store, output, f"data.train={damaged}", *keys)]
    codes, said = run(words, tmp_path)
    assert codes == [1, 1], said
    (line,) = said
    assert line.startswith("error: step 1: ranks that share samples have read different ones (skipped: h2: ")


@pytest.mark.parametrize(
    ("number", "code", "rank", "how"),
    [(signal.SIGTERM, 143, 1, {}), (signal.SIGINT, 130, 0, {"environment": srun})],
)
def test_a_signal_to_one_rank_saves_and_ends_all_with_its_code(
    number: int, code: int, rank: int, how: dict[str, Any], store: Path, output: Path, tmp_path: Path
) -> None:
    """Rank 1's signal is known to all at the next exchange, a step later at most."""
    words = arguments(store, output, "training.checkpoint_every=100")
    codes, said = run(words, tmp_path, faults={rank: partial(signal_at, 2, number)}, **how)
    assert codes == [code, code], said
    assert said == ["stopped after step 3; --resume goes on from there"]
    assert [path.name for path in list_checkpoints(output / "checkpoints")] == ["step-00000003"]
    codes, said = run([*words, "--resume"], tmp_path, **how)
    assert codes == [0, 0], said


def test_a_signal_to_all_ranks_saves_once(store: Path, output: Path, tmp_path: Path) -> None:
    faults = {0: partial(signal_at, 1, signal.SIGTERM), 1: partial(signal_at, 2, signal.SIGTERM)}
    codes, said = run(arguments(store, output), tmp_path, faults=faults)
    assert codes == [143, 143], said
    assert said == ["stopped after step 2; --resume goes on from there"]


@pytest.mark.parametrize("size", [1, 2])
def test_a_full_disk_leaves_the_checkpoint_before_whole(
    size: int, store: Path, output: Path, tmp_path: Path
) -> None:
    words = arguments(store, output, "training.keep_checkpoints=1")
    codes, said = run(words, tmp_path, size, faults={0: partial(limit_file_size, 3, 50_000)})
    assert codes == [1] * size, said
    (line,) = said
    assert line.startswith(f"error: {output}/checkpoints/step-00000003: cannot be written: ")
    assert "File too large" in line
    assert names(output / "checkpoints") == ["lock", "step-00000002"]
    verify(output / "checkpoints" / "step-00000002")
    assert names(output) == ["checkpoints", "config.yaml", "log.jsonl", "tensorboard", "weights.safetensors"]
    assert run([*words, "--resume"], tmp_path, size)[0] == [0] * size


@pytest.mark.parametrize("size", [1, 2])
def test_two_runs_in_one_folder_are_refused(size: int, store: Path, output: Path, tmp_path: Path) -> None:
    words = arguments(store, output)
    assert run(words, tmp_path, 1)[0] == [0]
    (output / "weights.safetensors").write_bytes(b"of the other run")
    before = last_state(output)
    with locked(output / "checkpoints" / "lock"):
        codes, said = run([*words, "--resume"], tmp_path, size)
    assert codes == [1] * size, said
    (line,) = said
    assert f"{output}: process " in line
    assert "is at work in this folder" in line
    assert (output / "weights.safetensors").read_bytes() == b"of the other run"
    assert last_state(output) == before


def test_a_folder_that_cannot_be_written_is_one_line(store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = arguments(store, tmp_path / "run")
    codes, said = run([*words, "-o", f"training.output={tmp_path}/file/run"], tmp_path)
    assert codes == [1, 1], said
    (line,) = said
    assert line.startswith("error: ")
    assert f"{tmp_path}/file" in line
