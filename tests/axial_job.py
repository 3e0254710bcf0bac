"""What each rank does for `test_axial.py` and `test_axial_network.py`, run as `axial_job.py RANK SIZE FOLDER`.

Every rank computes the whole by itself, without sharding, and compares its part; the largest difference over the
ranks goes into `FOLDER/report.json`. Differences are relative to the largest number of the table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from jaxtyping import install_import_hook

if __name__ == "__main__":  # shapes are checked here as in the tests
    install_import_hook(["msaformer.model", "msaformer.data"], "beartype.beartype")

import torch
import torch.distributed as dist
from axial_operations import difference, operations
from model_cases import NUM_MAPS, draw, randomized, sample, tiny_config
from ranks import ROOT, share_a_sample
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from data_tools.alphabet import MASK
from data_tools.couplings import NUM_COUPLINGS
from msaformer.config import ModelConfig
from msaformer.data.batch import Batch, Sample, collate
from msaformer.model.attention import GatedAttention
from msaformer.model.attention_recorder import AttentionRecorder
from msaformer.model.dropout import SharedDropout, seed_dropout
from msaformer.model.execution import Execution, execute_with
from msaformer.model.model import ModelOutput, MSAFormer, gather_output
from msaformer.parallel.axial import AxialSharding

sys.path.insert(0, str(ROOT / "scripts"))
from benchmark_measure import peak_memory  # type: ignore[import-not-found]

MULTIPLE = 4  # of N and L: as many as the most ranks
LOUD = 1e4
VARIANTS: dict[str, dict[str, Any]] = {
    "untied": {"num_recycles": 1, "orientations": True},
    "tied": {"num_recycles": 1, "tied_rows": True},
    "convolved": {
        "coevolution": "couplings",
        "pair_convolutions": 3,
        "dilations": (1, 2),
        "triangles": "multiplication",
    },
}
SYMMETRIC = ("contact_logits", "distogram_logits", "omega_logits")


def dropout(axial: AxialSharding) -> Iterator[tuple[str, float]]:
    """Numbers that differ from those of the mask drawn by one process."""
    ones = torch.ones(2, 4 * axial.size, 5, 7)
    for shared_axis in (1, 2):
        part = SharedDropout(0.4, shared_axis)
        part.seed = 11
        expected = axial.take(part(ones), axis=1)
        execute_with(part, Execution(axial=axial))
        different = part(axial.take(ones, axis=1)) != expected
        yield f"dropout shared over axis {shared_axis}", float(different.sum())


def attentions(axial: AxialSharding) -> Iterator[tuple[str, float]]:
    """Attention where every cell but those of the first position may be masked, unlike in a batch."""
    N, L, c = 3 * axial.size, 2 * axial.size, 10
    whole_x, whole_bias = draw(2, N, L, c), draw(2, 2, L, L, seed=1)
    whole_mask = draw(2, N, L, seed=2) > 1  # one in six: few keys are real on every rank
    whole_mask[:, :, 0] = True
    x, mask = axial.take(whole_x, axis=1), axial.take(whole_mask, axis=1)
    for name, kernel in {"tied": "own", "untied": "own", "another kernel's": "reference"}.items():
        attention = randomized(GatedAttention(c, 2, 4, tied=name == "tied"))
        expected = axial.take(attention(whole_x, whole_mask, whole_bias), axis=1)
        execute_with(attention, Execution(axial=axial, attention=kernel))
        found = attention(x, mask, axial.take(whole_bias, axis=2))
        pair = (torch.where(mask[..., None], out, 0.0) for out in (found, expected))
        yield f"{name} attention with a mask of its own in each row", difference(*pair)


def network(axial: AxialSharding) -> Iterator[tuple[str, float]]:
    """The network in training, its outputs and its gradients, with and without rounding and recomputation."""
    quiet, loud = batches()
    for variant, changes in VARIANTS.items():
        config = tiny_config(msa_dropout=0.3, pair_dropout=0.4, **changes)
        expected = trained(config, quiet, Execution())
        sharded = Execution(axial=axial)
        found = trained(config, loud, sharded)
        yield from compared(variant, found, expected, loud, axial)
        recompute = replace(sharded, checkpoint=partial(checkpoint, use_reentrant=False))
        again = trained(config, loud, recompute)
        same = [
            torch.equal(one, other) for one, other in zip(again[1].values(), found[1].values(), strict=True)
        ]
        yield f"{variant}: gradients changed by recomputation", float(same.count(False))
        yield from compared(
            f"{variant} bfloat16",
            trained(config, loud, replace(sharded, bfloat16=True)),
            trained(config, quiet, Execution(bfloat16=True)),
            loud,
            axial,
        )
        if variant == "untied":
            yield from prediction(randomized(MSAFormer(tiny_config(**changes))), loud, axial)


def trained(config: ModelConfig, batch: Batch, execution: Execution) -> tuple[ModelOutput, dict[str, Tensor]]:
    """Outputs of this rank and gradients of all, for a loss that weighs every real number of the output."""
    model = randomized(MSAFormer(config)).train()
    seed_dropout(model, 5)
    execute_with(model, execution)
    output: ModelOutput = model(batch)
    loss = torch.zeros(())
    for k, (name, value) in enumerate(named(output)):
        weights = draw(*whole_shape(value, execution.axial), seed=20 + k) / value.shape[-1]
        weights = torch.where(mask_of(name, batch, weights), weights, 0.0)
        loss = loss + (value * execution.axial.take(weights, axis=1)).sum()
    torch.autograd.backward(loss)
    gradients = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name  # on every rank: ZeRO reduces them all, in one order
        gradients[name] = execution.axial.sum(parameter.grad)
    return output, gradients


def compared(
    label: str,
    found: tuple[ModelOutput, dict[str, Tensor]],
    expected: tuple[ModelOutput, dict[str, Tensor]],
    batch: Batch,
    axial: AxialSharding,
) -> Iterator[tuple[str, float]]:
    """Real cells of each output, and each parameter's gradient."""
    for (name, here), (_, whole) in zip(named(found[0]), named(expected[0]), strict=True):
        mask = mask_of(name, batch, whole)
        here, whole = (torch.where(m, x, 0.0) for m, x in ((axial.take(mask, 1), here), (mask, whole)))
        yield f"{label}: {name}", difference(here, axial.take(whole, axis=1), scale=whole)
    # By layer: the gradient of some biases is zero but for rounding, as a softmax does not see a constant.
    for layer in dict.fromkeys(name.rpartition(".")[0] for name in expected[1]):
        of_layer = partial(flat, layer=layer)
        yield f"{label}: gradient of {layer}", difference(of_layer(found[1]), of_layer(expected[1]))
    ours, theirs = flat(found[1]), flat(expected[1])
    yield f"{label}: norm of the gradients' difference", float((ours - theirs).norm() / theirs.norm())


def prediction(model: MSAFormer, loud: Batch, axial: AxialSharding) -> Iterator[tuple[str, float]]:
    """Whole pair logits against those of the batch as `collate` makes it, without further padding."""
    model.eval()
    plain = collate(examples(), NUM_MAPS, num_couplings=NUM_COUPLINGS)
    heads = [(0, 1), (1, 0)]
    alone, shared = AttentionRecorder(model, heads), AttentionRecorder(model, heads)
    with torch.inference_mode():
        execute_with(model, Execution(observer=alone))
        expected = model(plain)
        execute_with(model, Execution(axial=axial, observer=shared))
        whole = gather_output(model(loud), axial)
    L = plain.tokens.shape[-1]
    yield "recorded attention", difference(shared.maps[..., :L, :L], alone.maps)
    yield "recorded attention of padding", float(shared.maps[..., L:].abs().sum())
    for name in [field.name for field in fields(whole)]:
        found, wanted = getattr(whole, name), getattr(expected, name)
        real = mask_of(name, plain, wanted)
        cut = torch.where(real, found[:, :L, :L], 0.0)
        yield f"prediction: {name}", difference(cut, torch.where(real, wanted, 0.0))
        if name in SYMMETRIC:
            yield f"prediction: {name}, asymmetry", float((found - found.transpose(1, 2)).abs().max())
    yield "lengths that cannot be shared: not refused", float(not refuses(lambda: model(plain), axial))
    yield (
        "axis that cannot be shared: not refused",
        float(
            not refuses(lambda: axial.swap(torch.zeros(1, 1, 3 * axial.size + 1), whole=2, sharded=1), axial)
        ),
    )


def refuses(call: Callable[[], object], axial: AxialSharding) -> bool:
    try:
        call()
    except ValueError as error:
        return f"cannot be shared by {axial.size} ranks; pad it" in str(error)
    return False


def peaks(axial: AxialSharding) -> Iterator[tuple[str, float]]:
    """Most memory of a rank in forward and backward, against one process that does all."""
    config = ModelConfig(num_blocks=4, c_m=32, c_z=32)
    quiet = collate([sample(32, 32)], NUM_MAPS)

    def peak(execution: Execution) -> float:
        model = MSAFormer(config)
        execute_with(model, execution)

        def run() -> None:
            values = [value for _, value in named(model(quiet))]
            torch.autograd.backward(values, [torch.ones_like(value) for value in values])

        run()  # gradients are there from now on
        return min(
            peak_memory(run) for _ in range(3)
        )  # gloo's threads let go of what they sent a little later

    alone = axial.sum(torch.tensor(peak(Execution()) if axial.rank == 0 else 0.0))
    yield "peak memory", peak(Execution(axial=axial)) / float(alone)


def examples() -> list[Sample]:
    return [sample(6, 7), sample(5, 9, seed=1, coevolution=None)]


def batches() -> tuple[Batch, Batch]:
    """Two examples of other depth and length each, padded for the ranks; once with zeros, once with huge values."""
    quiet = collate(examples(), NUM_MAPS, num_couplings=NUM_COUPLINGS, multiple_of=MULTIPLE)
    loud = replace(
        quiet,
        tokens=torch.where(quiet.msa_mask, quiet.tokens, MASK),
        deletions=torch.where(quiet.msa_mask, quiet.deletions, LOUD),
        profile=torch.where(quiet.residue_mask[..., None], quiet.profile, LOUD),
        residue_index=torch.where(quiet.residue_mask, quiet.residue_index, int(LOUD)),
        coevolution=torch.where(quiet.pair_mask[..., None], quiet.coevolution, LOUD),
        couplings=torch.where(quiet.pair_mask[..., None], quiet.couplings, LOUD),
    )
    return quiet, loud


def flat(gradients: dict[str, Tensor], layer: str | None = None) -> Tensor:
    """All numbers of a layer's gradients, or of all layers'."""
    chosen = (x for name, x in gradients.items() if layer in (None, name.rpartition(".")[0]))
    return torch.cat([x.flatten() for x in chosen])


def named(output: ModelOutput) -> list[tuple[str, Tensor]]:
    values = [(field.name, getattr(output, field.name)) for field in fields(output)]
    return [(name, value) for name, value in values if value is not None]


def whole_shape(value: Tensor, axial: AxialSharding) -> list[int]:
    return [value.shape[0], value.shape[1] * axial.size, *value.shape[2:]]


def mask_of(name: str, batch: Batch, like: Tensor) -> Tensor:
    """What is real in the whole output `name`."""
    mask = batch.msa_mask if "msa" in name else batch.pair_mask
    return mask.view(*mask.shape, *[1] * (like.ndim - mask.ndim))


def main(axial: AxialSharding, folder: Path) -> None:
    report: dict[str, float] = {}
    for check in (operations, dropout, attentions, network, peaks):
        report |= dict(check(axial))
    largest = torch.tensor(list(report.values()), dtype=torch.float64)
    dist.all_reduce(largest, dist.ReduceOp.MAX, group=axial.group)
    if axial.rank == 0:
        text = json.dumps(dict(zip(report, largest.tolist(), strict=True)), indent=1)
        (folder / "report.json").write_text(text)


if __name__ == "__main__":
    rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    share_a_sample(partial(main, folder=folder), rank, size, folder)
