"""From one alignment to one `Prediction`.

Dimension key: N sequences, L residues, K distance bins.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from data_tools.alignment import Alignment, alignment_sha256
from data_tools.features import MSAFeatures, featurize
from msaformer.data.batch import collate
from msaformer.data.dataset import NUM_MAPS, full_sample
from msaformer.model.heads import BIN_EDGES
from msaformer.model.maps import predicted_maps
from msaformer.prediction import Prediction
from msaformer.pretrained import LoadedModel

_LAST_BIN_CENTER: Final = 22.0  # Å; stands for every distance of 20 Å and more
_SEED: Final = 0  # of the choice of sequences, so that a prediction can be repeated


def predict(
    alignment: Alignment, model: LoadedModel, *, name: str, max_depth: int | None = None
) -> Prediction:
    """Featurize `alignment` and run the network once on its device.

    At most `max_depth` sequences (the model's own default if None) are given to the trunk, drawn in proportion to
    their weights with a fixed seed; profile, co-evolution maps and Neff come from the whole alignment. Raises
    ValueError when `max_depth` is below 1.
    """
    return predict_features(featurize(alignment), alignment.query, model, name=name, max_depth=max_depth)


def predict_features(
    features: MSAFeatures, sequence: str, model: LoadedModel, *, name: str, max_depth: int | None = None
) -> Prediction:
    """The same from features already made; `sequence` is the query."""
    depth = model.network.config.max_depth if max_depth is None else max_depth
    if depth < 1:
        raise ValueError(f"max_depth must be at least 1, not {depth}")
    device = next(model.network.parameters()).device
    sample = full_sample(features, depth, np.random.default_rng(_SEED))
    with torch.inference_mode():
        maps = predicted_maps(model.network, collate([sample], NUM_MAPS).to(device))
    contacts, distogram = (values.cpu().numpy() for values in maps)
    expected, spread = expected_distance(distogram)
    return Prediction(
        name=name,
        sequence=sequence,
        contact_probs=contacts,
        distogram_probs=distogram,
        bin_edges=BIN_EDGES,
        expected_distance=expected,
        distance_std=spread,
        depth=features.depth,
        neff=features.neff,
        model={"name": model.name, "sha256": model.sha256, "sequences_used": sample.tokens.shape[0]},
        alignment_sha256=alignment_sha256(features.tokens, features.deletion_matrix),
    )


def expected_distance(
    distogram: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and standard deviation `[L, L]` in Å of `distogram` `[L, L, K]`, each bin standing at its center.

    The last bin, 20 Å and more, stands at 22 Å: an expected distance near it is a lower bound.
    """
    centers = np.append(BIN_EDGES - 0.25, _LAST_BIN_CENTER).astype(np.float32)
    mean = distogram @ centers
    variance = np.maximum(distogram @ np.square(centers) - np.square(mean), 0.0)
    return mean, np.sqrt(variance)
