"""What all tests share: shape annotations are checked while they run, and files that several of them need."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import SOFTWARE_GL, Watched, launch
from cli_cases import GOOD, Terminal
from jaxtyping import config, install_import_hook

# Before any test imports these packages: from here on a tensor of another shape than annotated is an error.
install_import_hook(["msaformer.model", "msaformer.data"], "beartype.beartype")

# A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that: tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST_FIRST = ("test_zero", "test_report_proof", "test_kill_ranks")
"""Files that take minutes: begun first, so that no worker of `scripts/test` is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST_FIRST)))


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a small network that has learned nothing; always the same."""
    import torch

    from msaformer.config import ModelConfig
    from msaformer.model.model import MSAFormer
    from msaformer.pretrained import save_weights

    config = ModelConfig(num_blocks=1, max_depth=8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = MSAFormer(config)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(dict(network.named_parameters()), config, "random", path)
    return path


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """`at_step(4, action)`: do something at the end of optimizer step 4 of a training run, once."""
    from msaformer.training.ema import WeightAverage

    plain = WeightAverage.update

    def install(wanted: int, action: Callable[[], None]) -> None:
        def update(self: WeightAverage, parameters: Any, step: int) -> None:
            plain(self, parameters, step)
            if step + 1 == wanted:
                monkeypatch.setattr(WeightAverage, "update", plain)
                action()

        monkeypatch.setattr(WeightAverage, "update", update)

    return install


@pytest.fixture(scope="session")
def example_prediction(random_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prediction for the bundled example by a network that has learned nothing."""
    from msaformer import example
    from msaformer.cli import main

    out = tmp_path_factory.mktemp("predictions")
    assert main(["predict", str(example.ALIGNMENT), "-o", str(out), "--weights", str(random_weights)]) == 0
    return out / "dhfr.npz"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A small sound alignment: a query, half of it, and a close relative."""
    path = tmp_path / "good.a3m"
    path.write_text(GOOD)
    return path


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """What the command under test wrote."""
    return Terminal(capsys)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """For one module only: while it runs no other test can have an event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    """A headless Chromium with WebGL."""
    running = launch(playwright, SOFTWARE_GL)
    yield running
    running.close()


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    """Opens pages; at the end none may have complained or asked for anything from outside."""
    watch = Watched(browser)
    yield watch
    watch.finish()


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """For tests that plan again and again: the shapes of the networks are checked elsewhere, at five times the cost."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
