"""A device is chosen, or named as absent."""

from __future__ import annotations

import pytest
import torch

from msaformer.device import choose_device
from msaformer.errors import ConfigError


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in {"cpu", "cuda", "mps"}


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_absent_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=f"device: torch finds no {name} here, only cpu"):
        choose_device(name)
