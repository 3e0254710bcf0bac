"""Recomputed blocks: the same gradients from less memory."""

from __future__ import annotations

import pytest
import torch
from model_cases import NUM_MAPS, assert_near, randomized, sample, tiny_config
from torch import Tensor

from msaformer.data.batch import collate
from msaformer.model.execution import Checkpoint, Execution, execute_with
from msaformer.model.model import MSAFormer
from msaformer.training.recompute import recomputed, recomputed_from_host


def gradients(checkpoint: Checkpoint | None) -> list[Tensor]:
    network = randomized(MSAFormer(tiny_config(msa_dropout=0.2, pair_dropout=0.2))).train()
    execute_with(network, Execution(checkpoint=checkpoint))
    output = network(collate([sample(4, 9)], NUM_MAPS))
    loss = output.distogram_logits.square().mean() + output.masked_msa_logits.square().mean()
    return list(
        torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, materialize_grads=True)
    )


@pytest.mark.parametrize("checkpoint", [recomputed, recomputed_from_host])
def test_blocks_computed_again_give_the_same_gradients(checkpoint: Checkpoint) -> None:
    for found, expected in zip(gradients(checkpoint), gradients(None), strict=True):
        assert_near(found, expected)
