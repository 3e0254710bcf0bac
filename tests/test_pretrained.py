"""Weights files: what is written can be read, and what cannot be used is refused in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from model_cases import NUM_MAPS, sample
from safetensors import safe_open
from safetensors.torch import save_file
from training_cases import MODEL

from msaformer.cli import main
from msaformer.config import ModelConfig
from msaformer.data.batch import collate
from msaformer.errors import WeightsError
from msaformer.model.model import MSAFormer
from msaformer.pretrained import FORMAT, RELEASED, load_initial_weights, load_model, save_weights

CONFIG = ModelConfig(**MODEL)


def random_tensors(config: ModelConfig = CONFIG, seed: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    network = MSAFormer(config)
    return {name: torch.randn(p.shape, generator=generator) for name, p in network.named_parameters()}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_weights(random_tensors(), CONFIG, "hairpin", path)
    return path


def write_raw(path: Path, tensors: dict[str, torch.Tensor], **header: str) -> Path:
    metadata = {"format": FORMAT, "name": "x", "model": CONFIG.model_dump_json()} | header
    save_file(tensors, path, metadata=metadata)
    return path


def refuses(path: Path, *words: str) -> None:
    with pytest.raises(WeightsError) as error:
        load_model(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message


def test_weights_come_back_in_evaluation_mode_with_their_identity(weights: Path) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    loaded = load_model(weights)
    assert torch.equal(torch.get_rng_state(), before)
    assert (loaded.name, loaded.network.config) == ("hairpin", CONFIG)
    assert loaded.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert not loaded.network.training
    expected = random_tensors()
    for name, parameter in loaded.network.named_parameters():
        assert torch.equal(parameter.detach(), expected[name])


def test_equal_weights_make_equal_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for path in paths:
        save_weights(random_tensors(), CONFIG, "hairpin", path)
    assert len({path.read_bytes() for path in paths}) == 1


def test_the_file_is_plain_safetensors(weights: Path) -> None:
    with safe_open(weights, framework="pt") as file:
        assert set(file.keys()) == set(random_tensors())
        header = file.metadata()
    assert header["format"] == FORMAT
    assert json.loads(header["model"]) == CONFIG.model_dump(mode="json")
    length = int.from_bytes(weights.read_bytes()[:8], "little")
    assert length % 8 == 0  # the tensors are aligned


def test_a_file_with_the_header_in_any_order_is_read(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "raw.safetensors", random_tensors())
    assert load_model(path).name == "x"


def test_saving_replaces_the_file_or_leaves_it(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = weights.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            save_weights(random_tensors(seed=4), CONFIG, "hairpin", weights)
    assert weights.read_bytes() == before
    assert [path.name for path in weights.parent.iterdir()] == [weights.name]
    save_weights(random_tensors(seed=4), CONFIG, "hairpin", weights)
    assert weights.read_bytes() != before


@pytest.mark.parametrize("size", [0, 7, 8, 500, -1])
def test_a_truncated_file_is_refused(size: int, weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:size])
    refuses(weights, "not a readable weights file", "is it complete?")


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    refuses(tmp_path / "absent.safetensors", "No such file")
    refuses(tmp_path, "directory")


@pytest.mark.parametrize("content", [b"\xff" * 64, b"PK\x03\x04" + bytes(60), b"{}" * 40])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    refuses(path, "not a readable weights file")


def test_a_safetensors_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    refuses(path, f"expected a file of format {FORMAT!r}, found None")
    write_raw(path, random_tensors(), format="msaformer-weights-9")
    refuses(path, "found 'msaformer-weights-9'")


@pytest.mark.parametrize(
    ("model", "word"),
    [("", "model"), ("[]", "model"), ('{"num_widgets": 3}', "num_widgets"), ('{"c_m": 0}', "c_m")],
)
def test_a_model_configuration_of_another_version_is_refused(model: str, word: str, tmp_path: Path) -> None:
    refuses(
        write_raw(tmp_path / "x.safetensors", random_tensors(), model=model), "not one of this version", word
    )


def architectures() -> dict[str, dict[str, torch.Tensor]]:
    whole = random_tensors()
    name = "contact_head.to_logits.weight"
    return {
        "is (2, 8), its configuration asks for (1, 8)": whole | {name: torch.zeros(2, 8)},
        "is nothing": {key: value for key, value in whole.items() if key != name},
        "is (3,), its configuration asks for nothing": whole | {"contact_head.extra": torch.zeros(3)},
        "another architecture": random_tensors(ModelConfig(**MODEL | {"c_m": 16})),
    }


@pytest.mark.parametrize("words", architectures())
def test_tensors_of_another_architecture_are_named(words: str, tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.safetensors", architectures()[words])
    refuses(path, "made for another architecture: tensor ", words)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_values_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    tensors: dict[str, Any] = random_tensors()
    tensors["contact_head.to_logits.weight"][0, 3] = value
    refuses(write_raw(tmp_path / "x.safetensors", tensors), "not finite", "damaged or its training diverged")


def test_the_command_line_says_so_in_one_line(
    weights: Path, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights.write_bytes(weights.read_bytes()[:100])
    out = tmp_path / "out"
    assert main(["predict", str(good), "-o", str(out), "--weights", str(weights)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {weights}: not a readable weights file")
    assert len(error.splitlines()) == 1


def fresh_network(**changes: Any) -> MSAFormer:
    with torch.random.fork_rng():
        torch.manual_seed(8)
        return MSAFormer(ModelConfig(**(MODEL | changes)))


def test_a_run_starts_from_the_weights_of_another_and_keeps_its_own_dropout(weights: Path) -> None:
    network = fresh_network(pair_dropout=0.5, max_depth=9)
    assert load_initial_weights(network, weights) == f"weights of hairpin from {weights}"
    expected = random_tensors()
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter.detach(), expected[name]), name
        assert parameter.requires_grad
    assert network.config.pair_dropout == 0.5


def test_parts_that_the_file_lacks_stay_as_initialised_and_are_named(weights: Path) -> None:
    network = fresh_network(orientations=True, num_recycles=1)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    line = load_initial_weights(network, weights)
    assert line == (
        f"weights of hairpin from {weights}; not in the file, so as initialised: orientation_head, recycling"
    )
    expected = random_tensors()
    for name, value in network.named_parameters():
        of_file = not name.startswith(("orientation_head.", "recycling."))
        assert torch.equal(value.detach(), expected[name] if of_file else before[name]), name


def test_parts_that_only_the_file_has_are_named(tmp_path: Path) -> None:
    path = tmp_path / "oriented.safetensors"
    oriented = ModelConfig(**MODEL, orientations=True)
    save_weights(random_tensors(oriented), oriented, "oriented", path)
    line = load_initial_weights(fresh_network(), path)
    assert line == f"weights of oriented from {path}; in the file, but not used: orientation_head"


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({"triangles": "both"}, "triangle_ending, triangle_starting"),
        ({"pair_convolutions": 3}, "convolutions"),
        ({"pair_convolutions": 2, "triangles": "both"}, "convolutions, triangle_ending, triangle_starting"),
    ],
)
def test_a_trunk_that_has_grown_predicts_at_first_what_it_did(
    changes: dict[str, Any], new: str, tmp_path: Path
) -> None:
    small = ModelConfig(**(MODEL | {"triangles": "multiplication", "pair_convolutions": 1}))
    path = tmp_path / "small.safetensors"
    save_weights(random_tensors(small), small, "small", path)
    grown = MSAFormer(small.model_copy(update=changes)).eval()
    line = load_initial_weights(grown, path)
    assert line == f"weights of small from {path}; not in the file, so as initialised: {new}"
    batch = collate([sample(3, 8)], NUM_MAPS)
    with torch.no_grad():
        before, after = load_model(path).network(batch), grown(batch)
    torch.testing.assert_close(after.contact_logits, before.contact_logits)


@pytest.mark.parametrize(
    "changes", [{"triangles": "attention"}, {"pair_convolutions": 1}, {"triangles": "none"}]
)
def test_a_trunk_that_has_lost_or_changed_a_part_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    small = ModelConfig(**(MODEL | {"triangles": "multiplication", "pair_convolutions": 2}))
    path = tmp_path / "small.safetensors"
    save_weights(random_tensors(small), small, "small", path)
    with pytest.raises(WeightsError, match=f"made with model.{next(iter(changes))}="):
        load_initial_weights(MSAFormer(small.model_copy(update=changes)), path)


@pytest.mark.parametrize(
    "changes", [{"c_m": 16}, {"num_blocks": 2}, {"tied_rows": True}, {"msa_heads": 1, "msa_head_channels": 8}]
)
def test_weights_of_another_trunk_are_refused_even_where_all_shapes_agree(
    changes: dict[str, Any], weights: Path
) -> None:
    network = fresh_network(**changes)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    key = sorted(changes)[0]
    with pytest.raises(WeightsError) as error:
        load_initial_weights(network, weights)
    found, wanted = CONFIG.model_dump()[key], changes[key]
    assert str(error.value) == (
        f"{weights}: made with model.{key}={found}, the configuration has {wanted}; "
        f"give model.{key}={found}, or leave training.init_weights out"
    )
    assert all(torch.equal(before[name], value) for name, value in network.named_parameters())


def test_released_weights_are_known_by_name_unless_a_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_weights: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    released = {name: load_model(Path(name)) for name in RELEASED}
    assert {name: model.name for name, model in released.items()} == dict(
        zip(RELEASED, RELEASED, strict=True)
    )
    assert load_model().sha256 == released[RELEASED[0]].sha256
    shutil.copy(random_weights, "tiny")
    assert load_model(Path("tiny")).sha256 != released["tiny"].sha256
    refuses(Path("tinny"), "Released are")
