"""Recorded maps of row attention: the obvious loop, probabilities, and a network that does not notice."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from model_cases import (
    Array,
    assert_near,
    draw,
    exact,
    first_real,
    linear,
    norm,
    randomized,
    sample,
    softmax,
    tiny_config,
)
from torch import Tensor, nn

from msaformer.data.batch import Batch, collate
from msaformer.model.attention_recorder import AttentionRecorder, mean_map
from msaformer.model.execution import Execution, execute_with
from msaformer.model.model import MSAFormer
from msaformer.model.row_attention import RowAttentionWithPairBias

B, N, L, C_M, C_Z, H, D = 2, 4, 5, 8, 6, 3, 7
REAL_N, REAL_L = (4, 3), (5, 4)
HEADS = [(0, 1), (1, 0), (1, 1)]


def loop_map(layer: RowAttentionWithPairBias, msa: Array, pair: Array, head: int, *, tied: bool) -> Array:
    """Of one example without padding, `msa` [N, L, c_m] and `pair` [L, L, c_z], in float64."""
    depth, length = msa.shape[:2]
    qkv = linear(layer.attention.to_qkv, norm(layer.norm_msa, msa)).reshape(depth, length, 3, H, D)
    bias = linear(layer.to_bias, norm(layer.norm_pair, pair))[..., head]
    found = np.zeros((length, length))
    for s, i in np.ndindex(depth, length):
        rows = range(depth) if tied else [s]
        products = [sum(float(qkv[t, i, 0, head] @ qkv[t, j, 1, head]) for t in rows) for j in range(length)]
        scale = 1 / math.sqrt(D * len(rows))
        found[i] += softmax([x * scale + bias[i, j] for j, x in enumerate(products)]) / depth
    return found


@pytest.mark.parametrize("chunk_bytes", [1, 300, 2**20])
@pytest.mark.parametrize("tied", [False, True])
def test_a_map_is_the_loop_s_mean_in_pieces_of_any_size(tied: bool, chunk_bytes: int) -> None:
    layer = randomized(RowAttentionWithPairBias(C_M, C_Z, H, D, tied=tied))
    execute_with(layer, Execution(chunk_bytes=chunk_bytes))
    mask = first_real(*REAL_N, of=N)[:, :, None] & first_real(*REAL_L, of=L)[:, None, :]
    msa, pair = draw(B, N, L, C_M, seed=1), draw(B, L, L, C_Z, seed=2)
    loud = torch.where(mask[..., None], msa, 1e4)  # what is padded is not to be seen
    bias = layer.to_bias(layer.norm_pair(pair)).permute(0, 3, 1, 2).detach()
    for head in range(H):
        with torch.no_grad():
            found = mean_map(layer, head, loud, mask, bias[:, head])
        for b, (depth, length) in enumerate(zip(REAL_N, REAL_L, strict=True)):
            expected = loop_map(
                layer, exact(msa)[b, :depth, :length], exact(pair)[b, :length, :length], head, tied=tied
            )
            assert_near(found[b, :length, :length].double(), torch.from_numpy(expected))
            assert found[b, length:].abs().sum() == found[b, :, length:].abs().sum() == 0


def network(**changes: object) -> MSAFormer:
    return randomized(MSAFormer(tiny_config(**changes))).eval()


def batch() -> Batch:
    return collate([sample(6, 7), sample(5, 9, seed=1, coevolution=None)], 2)


def run(model: MSAFormer, execution: Execution) -> list[Tensor]:
    execute_with(model, execution)
    with torch.inference_mode():
        output = model(batch())
    return [value for field in fields(output) if (value := getattr(output, field.name)) is not None]


@pytest.mark.parametrize("tied", [False, True])
def test_a_network_that_is_watched_computes_the_same_bits(tied: bool) -> None:
    model = network(tied_rows=tied, num_recycles=1)
    plain = run(model, Execution())
    recorder = AttentionRecorder(model, HEADS)
    for one, other in zip(run(model, Execution(observer=recorder)), plain, strict=True):
        assert torch.equal(one, other)
    maps = recorder.maps
    assert maps.shape == (3, 2, 9, 9)
    sums = maps.sum(dim=-1)
    real = batch().residue_mask.expand(3, 2, 9).to(sums.dtype)
    torch.testing.assert_close(sums, real, rtol=0, atol=1e-5)
    assert maps.min() >= 0
    assert len({tuple(one.flatten().tolist()) for one in maps}) == 3  # each block and head its own
    one_by_one = AttentionRecorder(model, HEADS[::-1])
    run(model, Execution(observer=one_by_one))
    assert torch.equal(one_by_one.maps, maps.flip(0))


def test_of_recycling_passes_the_last_stays() -> None:
    model = network(num_recycles=2)
    seen: list[Tensor] = []

    class Witness(AttentionRecorder):
        def see(self, layer: nn.Module, msa: Tensor, mask: Tensor, bias: Tensor) -> None:
            super().see(layer, msa, mask, bias)
            if layer is model.trunk.blocks[0].row_attention:
                seen.append(self.maps.clone())

    witness = Witness(model, HEADS[:1])
    run(model, Execution(observer=witness))
    assert len(seen) == 3
    assert torch.equal(seen[-1], witness.maps)
    assert not torch.allclose(seen[0], seen[-1], atol=1e-3)
