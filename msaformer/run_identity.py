"""What a prediction was made with: enough to make it again, in words and numbers that a report can show."""

from __future__ import annotations

import torch

from msaformer import __version__
from msaformer.config import ModelConfig
from msaformer.model.execution import Execution
from msaformer.pretrained import LoadedModel


def run_identity(
    model: LoadedModel, execution: Execution, *, sequences_used: int, ensembles: int, coevolution: bool
) -> dict[str, str | int | float]:
    """What a prediction was made with (`Prediction.model`); `coevolution` False: it was left out on request."""
    identity: dict[str, str | int | float] = {
        "name": model.name,
        "sha256": model.sha256,
        "sequences_used": sequences_used,
        "ensembles": ensembles,
        "configuration": configuration_line(model.network.config),
        "msaformer": __version__,
        "torch": torch.__version__,
        "device": device_name(next(model.network.parameters()).device),
        "precision": "bfloat16" if execution.bfloat16 else "float32",
    }
    return identity if coevolution else identity | {"coevolution": "left out"}


def configuration_line(config: ModelConfig) -> str:
    """The network's shape in words, for people."""
    parts = [
        _counted(config.num_blocks, "block"),
        f"c_m {config.c_m}",
        f"c_z {config.c_z}",
        f"{config.msa_heads} x {config.msa_head_channels} heads of the MSA",
        f"{config.pair_heads} x {config.pair_head_channels} of the pairs",
        f"{config.pair_convolutions} convolutions a block",
        f"triangles: {config.triangles}",
        _counted(config.num_recycles, "recycle"),
        "tied rows" if config.tied_rows else "untied rows",
        {"none": "no co-evolution", "maps": "co-evolution maps", "couplings": "couplings"}[
            config.coevolution
        ],
    ]
    return ", ".join(parts)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def device_name(device: torch.device) -> str:
    """The kind of device, and what it calls itself: "cpu", "cuda (NVIDIA H100 80GB HBM3)"."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type
