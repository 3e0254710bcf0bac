"""The engine of one process: what a step does, and what its state holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_cases import hairpin, tiny_config

from msaformer.config import Config
from msaformer.data.batch import Batch, collate
from msaformer.data.dataset import NUM_MAPS, training_sample
from msaformer.errors import CheckpointError
from msaformer.training.engine import Engine, TorchEngine
from msaformer.training.loop import build_engine
from msaformer.training.losses import evaluate_losses

CONFIG = tiny_config(Path("store"), Path("out"))


def batch() -> Batch:
    import numpy as np

    samples = [training_sample(hairpin("x"), CONFIG.data, np.random.default_rng(seed)) for seed in (0, 1)]
    return collate(samples, NUM_MAPS)


def step(engine: Engine, rate: float = 1e-3, config: Config = CONFIG) -> float:
    data = batch()
    engine.model.train()
    engine.backward(evaluate_losses(engine.forward(data), data, config.loss).total)
    return engine.step(rate)


def weights(engine: Engine) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in engine.state().items() if name.startswith("model.")}


def test_the_seed_decides_the_first_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = weights(build_engine(CONFIG))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = weights(build_engine(CONFIG))
    other = weights(build_engine(tiny_config(Path("store"), Path("out"), training__seed=6)))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_step_moves_the_weights_and_clears_the_gradients() -> None:
    engine = build_engine(CONFIG)
    before = weights(engine)
    norm = step(engine)
    assert norm > 0
    assert all(parameter.grad is None for parameter in engine.model.parameters())
    after = weights(engine)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_at_rate_0_nothing_moves() -> None:
    engine = build_engine(CONFIG)
    before = weights(engine)
    step(engine, rate=0.0)
    after = weights(engine)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_gradient_is_clipped_to_the_norm_of_the_configuration() -> None:
    engine = build_engine(CONFIG)
    assert isinstance(engine, TorchEngine)
    for parameter in engine.model.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    engine.optimizer.zero_grad = lambda set_to_none=True: None  # type: ignore[method-assign]
    count = sum(parameter.numel() for parameter in engine.model.parameters())
    assert engine.step(1e-3) == pytest.approx(3.0 * count**0.5, rel=1e-4)
    squares = sum(float(p.grad.square().sum()) for p in engine.model.parameters() if p.grad is not None)
    assert squares**0.5 == pytest.approx(CONFIG.optimizer.clip_norm, rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_nothing(value: float) -> None:
    engine = build_engine(CONFIG)
    step(engine)
    before = {name: tensor.clone() for name, tensor in engine.state().items()}
    for parameter in engine.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    first = next(engine.model.parameters())
    assert first.grad is not None
    first.grad.view(-1)[0] = value
    norm = engine.step(1e-3)
    assert not norm < float("inf")
    after = engine.state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert first.grad is None


def test_weight_decay_shrinks_matrices_and_spares_biases_and_norms() -> None:
    config = tiny_config(Path("s"), Path("o"), optimizer__weight_decay=0.5)
    engine = build_engine(config)
    with torch.no_grad():
        for parameter in engine.model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    engine.step(0.1)
    for parameter in engine.model.parameters():
        expected = 1.0 - 0.1 * 0.5 if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, expected))


def test_state_put_into_another_engine_makes_it_go_on_alike() -> None:
    first = build_engine(CONFIG)
    step(first)
    second = build_engine(tiny_config(Path("s"), Path("o"), training__seed=77))
    second.load_state(first.state())
    assert step(first, 5e-4) == step(second, 5e-4)
    one, other = first.state(), second.state()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    names = dict(first.model.named_parameters())
    assert len(one) == 4 * len(names)  # weight, two moments and a step count each


def test_loaded_state_shares_no_memory_with_what_it_was_loaded_from() -> None:
    first, second = build_engine(CONFIG), build_engine(CONFIG)
    step(first)
    tensors = first.state()
    before = {name: value.clone() for name, value in tensors.items()}
    second.load_state(tensors)
    step(second)
    assert all(torch.equal(before[name], tensors[name]) for name in before)


@pytest.mark.parametrize("key", ["model", "optimizer.exp_avg", "optimizer.exp_avg_sq", "optimizer.step"])
def test_a_missing_or_misshapen_tensor_is_named(key: str) -> None:
    engine = build_engine(CONFIG)
    step(engine)
    whole = engine.state()
    name = f"{key}.contact_head.to_logits.weight"
    with pytest.raises(CheckpointError, match=f"{name} is missing, expected"):
        engine.load_state({other: value for other, value in whole.items() if other != name})
    with pytest.raises(CheckpointError, match=rf"{name} has shape \(3, 7\), expected"):
        engine.load_state(whole | {name: torch.zeros(3, 7)})


def test_bfloat16_computes_close_to_float32_and_keeps_float32_weights() -> None:
    exact = build_engine(CONFIG)
    rough = build_engine(tiny_config(Path("s"), Path("o"), training__precision="bfloat16"))
    for engine in (exact, rough):
        step(engine)
        engine.model.eval()
    assert all(value.dtype == torch.float32 for value in rough.state().values())
    data = batch()
    with torch.inference_mode():
        fine, coarse = exact.forward(data).contact_logits, rough.forward(data).contact_logits
    assert not torch.equal(fine, coarse)
    torch.testing.assert_close(coarse, fine, atol=0.05, rtol=0.05)  # 8 significant bits
