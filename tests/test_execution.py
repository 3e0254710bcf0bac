"""How a network runs is chosen once for all its parts, and changes nothing but rounding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from model_cases import NUM_MAPS, randomized, sample, tiny_config
from torch import Tensor

from msaformer.data.batch import collate
from msaformer.model.evoformer import EvoformerBlock
from msaformer.model.execution import ExecutedModule, Execution, execute_with
from msaformer.model.model import MSAFormer, gather_output
from msaformer.parallel.axial import UNSHARDED

BATCH = collate([sample(3, 5)], NUM_MAPS)


def network(**changes: object) -> MSAFormer:
    return randomized(MSAFormer(tiny_config(num_recycles=1, **changes)))


def test_every_part_of_a_network_gets_the_execution_and_another_network_does_not() -> None:
    model, other, execution = network(), network(), Execution(bfloat16=True)
    execute_with(model, execution)
    parts = [part for part in model.modules() if isinstance(part, ExecutedModule)]
    assert len(parts) > 2 * 10
    assert all(part.execution is execution for part in parts)
    assert not other.execution.bfloat16


@pytest.mark.parametrize(("training", "grad"), [(True, True), (True, False), (False, True)])
def test_blocks_are_recomputed_in_the_pass_that_learns_and_in_no_other(training: bool, grad: bool) -> None:
    recomputed: list[EvoformerBlock] = []

    def checkpoint(block: EvoformerBlock, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        recomputed.append(block)
        return block(*tensors)

    model = network().train(training)
    execute_with(model, Execution(checkpoint=checkpoint))
    with torch.set_grad_enabled(grad):
        model(BATCH)
    assert recomputed == (list(model.trunk.blocks) if training and grad else [])


def test_bfloat16_rounds_embedding_and_trunk_and_leaves_tracks_and_heads_in_float32() -> None:
    model = network().eval()
    seen: dict[str, torch.dtype] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda module, inputs, out: seen.update({name: out.dtype})

    for name, part in model.named_modules():
        if isinstance(part, torch.nn.Linear):
            part.register_forward_hook(note(name))
    execute_with(model, Execution(bfloat16=True))
    with torch.no_grad():
        output = model(BATCH)
    assert {seen.pop(f"{head}_head.to_logits") for head in ("contact", "distogram", "masked_msa")} == {
        torch.float32
    }
    assert set(seen.values()) == {torch.bfloat16}
    assert output.msa.dtype == output.pair.dtype == torch.float32


def test_an_autocast_of_the_caller_stays_on_where_the_execution_asks_for_none() -> None:
    model = network().eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        outside = model(BATCH)
    execute_with(model, Execution(bfloat16=True))
    with torch.no_grad():
        inside = model(BATCH)
    assert torch.equal(outside.pair, inside.pair)
    assert torch.equal(outside.msa, inside.msa)


def test_the_pair_logits_of_one_rank_are_whole_already() -> None:
    output = network()(BATCH)
    whole = gather_output(output, UNSHARDED)
    assert whole.contact_logits is output.contact_logits
    assert whole.distogram_logits is output.distogram_logits
