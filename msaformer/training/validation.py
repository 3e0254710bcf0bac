"""Precision of the predicted contacts on whole proteins, with the moving average of the weights."""

from __future__ import annotations

import numpy as np
import torch

from data_tools.store import Store
from msaformer.config import Config
from msaformer.data.batch import Sample, collate
from msaformer.data.dataset import NUM_MAPS, full_sample
from msaformer.metrics import precision_table
from msaformer.training.engine import Engine
from msaformer.training.losses import evaluate_losses


def validate(engine: Engine, store: Store, config: Config) -> dict[str, float]:
    """Mean P@L, P@L/2, P@L/5 in each range and the mean losses over the first examples of `store`.

    A range without a native contact in a protein does not count for that protein.
    """
    scores: dict[str, list[float]] = {}
    engine.model.eval()
    with torch.inference_mode():
        for index in range(min(len(store), config.training.validation_examples)):
            sample = _validation_sample(store, index, config)
            if sample.distances is None:
                continue
            batch = collate([sample], NUM_MAPS).to(engine.device)
            output = engine.forward(batch)
            losses = evaluate_losses(output, batch, config.loss).by_task
            for task in ("contact", "distogram"):
                scores.setdefault(f"{task}_loss", []).append(losses[task])
            probs = torch.sigmoid(output.contact_logits[0]).float().cpu().numpy()
            for row in precision_table(probs, sample.distances):
                if row.num_contacts:
                    scores.setdefault(f"{row.range}_p_at_l", []).append(row.p_at_l)
                    scores.setdefault(f"{row.range}_p_at_l2", []).append(row.p_at_l2)
                    scores.setdefault(f"{row.range}_p_at_l5", []).append(row.p_at_l5)
    engine.model.train()
    return {name: float(np.mean(values)) for name, values in scores.items()}


def _validation_sample(store: Store, index: int, config: Config) -> Sample:
    example = store[index]
    rng = np.random.default_rng([config.training.seed, 2, index])
    sample = full_sample(example.features, config.model.max_depth, rng, example.distances)
    limit = config.training.validation_max_length
    start = max(0, (example.features.length - limit) // 2)
    middle = slice(start, start + limit)
    return Sample(
        tokens=sample.tokens[:, middle],
        deletions=sample.deletions[:, middle],
        profile=sample.profile[middle],
        residue_index=sample.residue_index[middle],
        coevolution=None if sample.coevolution is None else sample.coevolution[middle, middle],
        distances=None if sample.distances is None else sample.distances[middle, middle],
        masked_targets=None,
    )
