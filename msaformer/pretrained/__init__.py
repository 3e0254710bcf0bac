"""Weights files: the released ones that ship with the package, and how any is written and read.

A weights file is safetensors: the tensors by parameter name, and a JSON header that holds the model's name, the
format's version and the model configuration, so that the file alone rebuilds the network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from data_tools.atomic import atomic_path
from msaformer.config import ModelConfig
from msaformer.errors import WeightsError
from msaformer.model.model import MSAFormer

FORMAT: Final = "msaformer-weights-1"
_LENGTH_BYTES: Final = 8  # a safetensors file starts with the length of its header
RELEASED: Final = ("small", "tiny")
"""Names of the weights that ship with the package; the first is what predicts unless told otherwise."""
_FREE_IN_FINE_TUNING: Final = frozenset(
    ("orientations", "num_recycles", "msa_dropout", "pair_dropout", "max_depth")
)
"""Keys of `model` that add or leave out whole parts beside the trunk, or that no weight depends on."""
_UPDATES: Final = {
    "none": frozenset[str](),
    "multiplication": frozenset(("multiplication",)),
    "attention": frozenset(("attention",)),
    "both": frozenset(("multiplication", "attention")),
}
"""Triangle updates by `model.triangles`."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A network ready to predict, and what identifies it."""

    network: MSAFormer
    """In evaluation mode."""
    name: str
    sha256: str
    """Of the weights file."""


def save_weights(tensors: dict[str, Tensor], config: ModelConfig, name: str, path: Path) -> None:
    """Write the parameters of a network built from `config`, atomically; equal weights make equal bytes.

    Raises OSError (disk full, no permission) with an earlier file untouched.
    """
    header = {"format": FORMAT, "name": name, "model": config.model_dump_json()}
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    content = _with_sorted_header(save(contiguous, metadata=header))
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def load_model(path: Path | None = None) -> LoadedModel:
    """Read a weights file and rebuild its network on the CPU.

    Where no file stands at `path`, the name of released weights is taken for these; without `path`, the first of them.
    Raises WeightsError when the file is missing, damaged, of another format, or of other shapes than its
    configuration asks for.
    """
    path = _weights_file(path)
    try:
        content = path.read_bytes()
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path}: not a readable weights file ({_last_line(error)}); is it complete? "
            f"Released are {', '.join(RELEASED)}"
        ) from error
    if header.get("format") != FORMAT:
        raise WeightsError(f"{path}: expected a file of format {FORMAT!r}, found {header.get('format')!r}")
    network = _build(header, tensors, path)
    return LoadedModel(network.eval(), header.get("name", "unnamed"), hashlib.sha256(content).hexdigest())


def _weights_file(path: Path | None) -> Path:
    folder = Path(__file__).parent
    if path is None:
        return folder / f"{RELEASED[0]}.safetensors"
    is_name = str(path) in RELEASED and not path.exists()
    return folder / f"{path}.safetensors" if is_name else path


def load_initial_weights(network: MSAFormer, path: Path) -> str:
    """Put the weights of another run into `network`, as fine-tuning does; return one line on what was taken.

    Heads and recycling may be missing on either side, and `network` may have triangle updates and convolutions that the
    file lacks: what it lacks stays as it was initialised, at first without effect on the pair track. Raises
    WeightsError, with `network` as it was, when the file is unusable or its trunk is of another architecture.
    """
    source = load_model(path)
    wanted, found = network.config.model_dump(), source.network.config.model_dump()
    for key in sorted(wanted.keys() - _FREE_IN_FINE_TUNING):
        if wanted[key] != found[key] and not _has_grown(key, found[key], wanted[key]):
            raise WeightsError(
                f"{path}: made with model.{key}={found[key]}, the configuration has {wanted[key]}; "
                f"give model.{key}={found[key]}, or leave training.init_weights out"
            )
    ours, theirs = dict(network.named_parameters()), dict(source.network.named_parameters())
    with torch.no_grad():
        for name in ours.keys() & theirs.keys():
            ours[name].copy_(theirs[name])
    fresh, unused = _parts(ours.keys() - theirs.keys()), _parts(theirs.keys() - ours.keys())
    line = f"weights of {source.name} from {path}"
    line += f"; not in the file, so as initialised: {fresh}" if fresh else ""
    return line + (f"; in the file, but not used: {unused}" if unused else "")


def _has_grown(key: str, found: object, wanted: object) -> bool:
    """Whether all that another value of `key` asks for is what the file has, and more updates that start as zero."""
    if key == "triangles":
        return _UPDATES[str(found)] < _UPDATES[str(wanted)]
    return key == "pair_convolutions" and int(str(found)) < int(str(wanted))


def _parts(parameters: Iterable[str]) -> str:
    """The parts of the network that parameters belong to, in words."""
    found = {name.removeprefix("trunk.blocks.").partition(".") for name in parameters}
    return ", ".join(
        sorted({rest.partition(".")[0] if first.isdigit() else first for first, _, rest in found})
    )


def _with_sorted_header(content: bytes) -> bytes:
    """The same file with the keys of its JSON header in order; safetensors shuffles the metadata."""
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.dumps(
        json.loads(content[_LENGTH_BYTES:end]), sort_keys=True, separators=(",", ":")
    ).encode()
    header += b" " * (-len(header) % _LENGTH_BYTES)  # the tensors stay aligned
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header + content[end:]


def _build(header: dict[str, str], tensors: dict[str, Tensor], path: Path) -> MSAFormer:
    try:
        config = ModelConfig.model_validate_json(header.get("model", ""))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "model"
        raise WeightsError(
            f"{path}: its model configuration is not one of this version: {key}: {first['msg']}"
        ) from error
    with torch.random.fork_rng(devices=[]):
        network = MSAFormer(config)
    expected = dict(network.named_parameters())
    for key in sorted(expected.keys() | tensors.keys()):
        if key not in tensors or key not in expected or tensors[key].shape != expected[key].shape:
            seen = tuple(tensors[key].shape) if key in tensors else "nothing"
            wanted = tuple(expected[key].shape) if key in expected else "nothing"
            raise WeightsError(
                f"{path}: made for another architecture: tensor {key} is {seen}, its configuration asks for {wanted}"
            )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise WeightsError(
            f"{path}: holds values that are not finite; the file is damaged or its training diverged"
        )
    network.load_state_dict(tensors)
    return network


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
