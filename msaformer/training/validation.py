"""Precision of the predicted contacts on whole proteins, with the moving average of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from data_tools.errors import StoreError
from data_tools.store import Store
from msaformer.config import Config
from msaformer.data.batch import Sample, collate
from msaformer.data.dataset import NUM_MAPS, full_sample, num_couplings
from msaformer.metrics import RANGES, precision_table
from msaformer.model.execution import Execution, execute_with
from msaformer.model.model import MSAFormer, gather_output
from msaformer.parallel.ranks import Ranks
from msaformer.training.losses import evaluate_losses
from msaformer.training.scoring import TASKS

_CUTS = ("p_at_l", "p_at_l2", "p_at_l5")
_TASKS = ("contact", "distogram")
_NAMES = (*(f"{task}_loss" for task in _TASKS), *(f"{name}_{cut}" for name in RANGES for cut in _CUTS))


def validate(
    weights: Mapping[str, Tensor],
    store: Store,
    config: Config,
    ranks: Ranks,
    execution: Execution,
    device: torch.device,
) -> dict[str, float]:
    """Mean P@L, P@L/2, P@L/5 in each range and the mean losses over the first examples of `store`.

    The groups of ranks share the examples. A range without a native contact in a protein does not count for that
    protein, and an example that cannot be read counts for nothing.
    """
    with torch.device(device):
        network = MSAFormer(config.model).eval()
    network.load_state_dict(weights)
    execute_with(network, execution)
    sums, counts = (
        torch.zeros(len(_NAMES), dtype=torch.float64),
        torch.zeros(len(_NAMES), dtype=torch.float64),
    )
    number = min(len(store), config.training.validation_examples)
    for index in range(ranks.data_rank, number, ranks.data_ranks):
        try:
            sample = _validation_sample(store, index, config)
        except StoreError:
            continue
        scores = _score(network, sample, config, ranks, device)
        if ranks.axial.rank == 0:
            for place, name in enumerate(_NAMES):
                if name in scores:
                    sums[place] += scores[name]
                    counts[place] += 1
    sums, counts = ranks.sum(torch.stack([sums, counts]))
    return {name: float(sums[k] / counts[k]) for k, name in enumerate(_NAMES) if counts[k]}


@torch.inference_mode()
def _score(
    network: MSAFormer, sample: Sample, config: Config, ranks: Ranks, device: torch.device
) -> dict[str, float]:
    """Scores of one example by name; none without distances."""
    if sample.distances is None:
        return {}
    batch = collate(
        [sample], NUM_MAPS, num_couplings=num_couplings(config.model), multiple_of=ranks.axial.size
    ).to(device)
    output = network(batch)
    partial = evaluate_losses(output, batch, config.loss, ranks.axial).tasks
    losses = dict(zip(TASKS, ranks.axial.sum(partial).tolist(), strict=True))
    scores = {f"{task}_loss": losses[task] for task in _TASKS}
    length = sample.tokens.shape[1]
    logits = gather_output(output, ranks.axial).contact_logits[0, :length, :length]
    probs = torch.sigmoid(logits).float().cpu().numpy()
    for row in precision_table(probs, sample.distances):
        if row.num_contacts:
            scores |= {f"{row.range}_{cut}": getattr(row, cut) for cut in _CUTS}
    return scores


def _validation_sample(store: Store, index: int, config: Config) -> Sample:
    example = store[index]
    rng = np.random.default_rng([config.training.seed, 2, index])
    limit = config.training.validation_max_length
    start = max(0, (example.features.length - limit) // 2)
    sample = full_sample(
        *(example.features, config.model.max_depth, rng, example.distances),
        backbone=example.backbone if config.model.orientations else None,
        residues=slice(start, start + limit),
        with_couplings=num_couplings(config.model) > 0,
    )
    return replace(sample, name=example.id)
