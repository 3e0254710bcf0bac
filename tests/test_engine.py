"""The engine of one process: what a step does, and what its state holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_cases import hairpin, tiny_config

from msaformer.config import Config
from msaformer.data.batch import Batch, collate
from msaformer.data.dataset import NUM_MAPS, training_sample
from msaformer.errors import CheckpointError, ConfigError
from msaformer.model.execution import execute_with
from msaformer.parallel.ranks import Ranks
from msaformer.training.engine import STEP, Engine, TorchEngine, load_parameters
from msaformer.training.memory_policy import execution_of
from msaformer.training.scoring import loss_denominators
from msaformer.training.setup import build_engine, build_model, check_engine, plan_memory

CONFIG = tiny_config(Path("store"), Path("out"))


def batch() -> Batch:
    import numpy as np

    samples = [training_sample(hairpin("x"), CONFIG.data, np.random.default_rng(seed)) for seed in (0, 1)]
    return collate(samples, NUM_MAPS)


def make_engine(config: Config = CONFIG) -> TorchEngine:
    trained = build_model(config)
    device = torch.device("cpu")
    execute_with(trained, execution_of(plan_memory(config, Ranks(), device).policy, config))
    engine = build_engine(trained, config, Ranks(), device)
    assert isinstance(engine, TorchEngine)
    return engine


def step(engine: Engine, rate: float = 1e-3, config: Config = CONFIG) -> float:
    data = batch()
    engine.network.train()
    engine.backward(engine.forward(data, loss_denominators([data], config.loss), 1.0))
    return engine.step(rate)


def weights(engine: Engine) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in engine.parameters().items()}


def test_the_seed_decides_the_first_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = weights(make_engine())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = weights(make_engine())
    other = weights(make_engine(tiny_config(Path("store"), Path("out"), training__seed=6)))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_step_moves_the_weights_and_clears_the_gradients() -> None:
    engine = make_engine()
    before = weights(engine)
    norm = step(engine)
    assert norm > 0
    assert all(parameter.grad is None for parameter in engine.network.parameters())
    after = weights(engine)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_at_rate_0_nothing_moves() -> None:
    engine = make_engine()
    before = weights(engine)
    step(engine, rate=0.0)
    after = weights(engine)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_gradient_is_clipped_to_the_norm_of_the_configuration() -> None:
    engine = make_engine()
    assert isinstance(engine, TorchEngine)
    for parameter in engine.network.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    engine.optimizer.zero_grad = lambda set_to_none=True: None  # type: ignore[method-assign]
    count = sum(parameter.numel() for parameter in engine.network.parameters())
    assert engine.step(1e-3) == pytest.approx(3.0 * count**0.5, rel=1e-4)
    squares = sum(float(p.grad.square().sum()) for p in engine.network.parameters() if p.grad is not None)
    assert squares**0.5 == pytest.approx(CONFIG.optimizer.clip_norm, rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_nothing(value: float) -> None:
    engine = make_engine()
    step(engine)
    before = {name: tensor.clone() for name, tensor in engine.state().items()}
    for parameter in engine.network.parameters():
        parameter.grad = torch.ones_like(parameter)
    first = next(engine.network.parameters())
    assert first.grad is not None
    first.grad.view(-1)[0] = value
    norm = engine.step(1e-3)
    assert not norm < float("inf")
    after = engine.state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert first.grad is None


def test_weight_decay_shrinks_matrices_and_spares_biases_and_norms() -> None:
    config = tiny_config(Path("s"), Path("o"), optimizer__weight_decay=0.5)
    engine = make_engine(config)
    with torch.no_grad():
        for parameter in engine.network.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    engine.step(0.1)
    for parameter in engine.network.parameters():
        expected = 1.0 - 0.1 * 0.5 if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, expected))


def load(engine: TorchEngine, tensors: dict[str, torch.Tensor]) -> None:
    load_parameters(engine.trained, tensors)
    engine.load_moments(tensors)


def test_state_put_into_another_engine_makes_it_go_on_alike() -> None:
    first = make_engine()
    step(first)
    second = make_engine(tiny_config(Path("s"), Path("o"), training__seed=77))
    load(second, first.state())
    assert step(first, 5e-4) == step(second, 5e-4)
    one, other = first.state(), second.state()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    names = dict(first.network.named_parameters())
    assert len(one) == 3 * len(names) + 1  # weight and two moments each, and the step count
    assert one[STEP] == 2


def test_learned_weights_of_tasks_are_trained_and_saved_with_the_network() -> None:
    config = tiny_config(Path("s"), Path("o"), loss__weighting="uncertainty")
    engine = make_engine(config)
    step(engine, 1e-2, config)
    state = engine.state()
    assert state["objective.log_variances"].abs().max() > 1e-3
    assert not any(name.startswith("objective") for name in engine.parameters())  # not released
    other = make_engine(config)
    load(other, state)
    assert step(engine, 1e-2, config) == step(other, 1e-2, config)
    assert torch.equal(engine.state()["objective.log_variances"], other.state()["objective.log_variances"])


def test_loaded_state_shares_no_memory_with_what_it_was_loaded_from() -> None:
    first, second = make_engine(), make_engine()
    step(first)
    tensors = first.state()
    before = {name: value.clone() for name, value in tensors.items()}
    load(second, tensors)
    step(second)
    assert all(torch.equal(before[name], tensors[name]) for name in before)


def test_what_is_cut_comes_back_whole() -> None:
    engine = make_engine()
    whole = engine.whole(engine.parameters())
    assert all(torch.equal(value, whole[name]) for name, value in engine.cut(whole).items())
    whole["contact_head.to_logits.bias"].fill_(9.0)  # a copy
    assert engine.parameters()["contact_head.to_logits.bias"] != 9.0


@pytest.mark.parametrize("key", ["model", "optimizer.exp_avg.model", "optimizer.exp_avg_sq.model"])
def test_a_missing_or_misshapen_tensor_is_named(key: str) -> None:
    engine = make_engine()
    step(engine)
    whole = engine.state()
    name = f"{key}.contact_head.to_logits.weight"
    with pytest.raises(CheckpointError, match=f"{name} is missing, expected"):
        load(engine, {other: value for other, value in whole.items() if other != name})
    with pytest.raises(CheckpointError, match=rf"{name} has shape \(3, 7\), expected"):
        load(engine, whole | {name: torch.zeros(3, 7)})


def test_one_process_is_served_by_torch_and_several_are_not() -> None:
    assert make_engine().name == "torch"
    config = tiny_config(Path("s"), Path("o"))
    forced = config.model_copy(update={"parallel": config.parallel.model_copy(update={"engine": "torch"})})
    with pytest.raises(ConfigError, match=r"parallel\.engine: torch serves one process, not 2"):
        check_engine(forced, Ranks(0, 2, 0, 2))


def test_bfloat16_computes_close_to_float32_and_keeps_float32_weights() -> None:
    exact = make_engine()
    rough = make_engine(tiny_config(Path("s"), Path("o"), training__precision="bfloat16"))
    for engine in (exact, rough):
        step(engine)
        engine.network.eval()
    assert all(value.dtype == torch.float32 for value in rough.state().values())
    data = batch()
    with torch.inference_mode():
        fine, coarse = exact.network(data).contact_logits, rough.network(data).contact_logits
    assert not torch.equal(fine, coarse)
    torch.testing.assert_close(coarse, fine, atol=0.05, rtol=0.05)  # 8 significant bits
