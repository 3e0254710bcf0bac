"""From one alignment to one `Prediction`.

Dimension key: N sequences, L residues, K distance bins.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alignment import Alignment, alignment_sha256
from data_tools.features import CHAIN_BREAK, MSAFeatures, features_of_chain, featurize
from data_tools.formats.colabfold import chain_columns
from msaformer.attention_heads import Heads, checked_heads
from msaformer.chains import chain_of_residue, chain_slices
from msaformer.device import memory_bytes
from msaformer.errors import PredictionError
from msaformer.given import Given, mean_maps, samples_of
from msaformer.model.attention_recorder import AttentionRecorder
from msaformer.model.execution import UNOBSERVED, AttentionObserver, Execution
from msaformer.model.heads import BIN_EDGES, NUM_BINS
from msaformer.parallel.axial import UNSHARDED, AxialSharding
from msaformer.prediction import AttentionMaps, Prediction
from msaformer.pretrained import LoadedModel
from msaformer.run_identity import run_identity
from msaformer.sizes import show_size
from msaformer.training.memory_plan import MemoryPlan, Setting, cheapest_plan, fastest_plan
from msaformer.training.memory_search import explain_misfit, largest_depth

_log = logging.getLogger(__name__)
_ROUND: Final = 64  # residues, to multiples of which a length is rounded up in a first, shared plan
_LAST_BIN_CENTER: Final = 22.0  # Å; stands for every distance of 20 Å and more
_FLOAT_BYTES: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """What a prediction may take."""

    memory_bytes: int | None = None
    """Most memory, of each rank; None: what is free on the network's device."""
    fewer_sequences: bool = False
    """Give the network fewer sequences where the memory is too small for all; else that is an error."""
    axial: AxialSharding = UNSHARDED
    """The ranks that share the protein; each calls this, and gets the same prediction."""


def predict(
    alignment: Alignment,
    model: LoadedModel,
    *,
    name: str,
    max_depth: int | None = None,
    ensembles: int = 1,
    coevolution: bool = True,
    resources: Resources | None = None,
    attention: Heads = (),
) -> Prediction:
    """Featurize `alignment` and run the network on its device, within the memory of `resources`.

    `max_depth`, `ensembles` and `coevolution` are those of `Given`. With `attention`, the maps of these heads,
    (block, head), are kept, which takes 4·L² bytes each. Raises ValueError when `max_depth` or `ensembles` is below 1,
    ConfigError for a head that the network does not have, and PredictionError, before anything is computed, when the
    memory is too small.
    """
    given = Given(max_depth, ensembles, coevolution)
    attention = checked_heads(attention, model.network.config, "attention")
    resources = Resources() if resources is None else resources
    depth = min(given.depth(model.network.config), alignment.depth)
    most_samples = ensembles if resources.fewer_sequences else given.num_samples(depth, alignment.depth)
    plan = plan_within(
        *(resources, model, depth, alignment.length, name),
        alignment_depth=alignment.depth if coevolution else None,
        num_maps=len(attention),
        num_samples=most_samples,
        is_complex=len(chain_columns(alignment)) > 1,
    )
    depth = plan.setting.depth
    if given.num_samples(depth, alignment.depth) < ensembles:
        held = "the query alone" if depth == 1 < alignment.depth else "all sequences"
        _log.warning("%s: one sample holds %s; predicted once, not %d times", name, held, ensembles)
    return predict_features(
        featurize(alignment, with_coevolution=coevolution),
        alignment.query,
        model,
        name=name,
        given=replace(given, max_depth=depth),
        execution=Execution(axial=resources.axial, chunk_bytes=plan.policy.chunk_bytes),
        chain_lengths=tuple(columns.stop - columns.start for columns in chain_columns(alignment)),
        attention=attention,
    )


def predict_features(
    features: MSAFeatures,
    sequence: str,
    model: LoadedModel,
    *,
    name: str,
    given: Given | None = None,
    execution: Execution | None = None,
    chain_lengths: tuple[int, ...] = (),
    attention: Heads = (),
) -> Prediction:
    """The same from features already made, as `execution` says and whatever memory that takes.

    Pairs within a chain of a complex are predicted from the chain alone and the sequences that have residues there, as
    a network trained on single chains expects; pairs of two chains from the whole. Attention is that of the whole, in
    the first sample. `sequence` is the query; `chain_lengths` the residues of each chain of a complex, one chain if
    empty. Raises PredictionError when the features are of others.
    """
    given = Given() if given is None else given
    attention = checked_heads(attention, model.network.config, "attention")
    execution = Execution() if execution is None else execution
    recorder = AttentionRecorder(model.network, attention)
    numbers = _numbers_in_query(features, chain_lengths)
    depth = min(given.depth(model.network.config), features.depth)
    contacts, distogram = _maps(features, model, given, execution, recorder if attention else UNOBSERVED)
    for own in chain_slices(chain_lengths) if len(chain_lengths) > 1 else ():
        chain = features_of_chain(features, own, with_coevolution=given.coevolution)
        contacts[own, own], distogram[own, own] = _maps(chain, model, given, execution)
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
        model=run_identity(
            *(model, execution),
            sequences_used=depth,
            ensembles=given.num_samples(depth, features.depth),
            coevolution=given.coevolution,
        ),
        alignment_sha256=alignment_sha256(features.tokens, features.deletion_matrix),
        residue_index=numbers,
        chain_lengths=chain_lengths,
        sequence_weights=features.weights,
        attention=_attention_maps(attention, recorder, features.length) if attention else None,
    )


def _maps(
    features: MSAFeatures,
    model: LoadedModel,
    given: Given,
    execution: Execution,
    first_observer: AttentionObserver = UNOBSERVED,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Probabilities of contacts `[L, L]` and of distances `[L, L, K]`, all columns taken for one sequence."""
    config = model.network.config
    depth = min(given.depth(config), features.depth)
    number = given.num_samples(depth, features.depth)
    samples = samples_of(features, config, depth, number, coevolution=given.coevolution)
    return mean_maps(model.network, samples, execution, first_observer)


def _attention_maps(heads: Heads, recorder: AttentionRecorder, length: int) -> AttentionMaps:
    probs = recorder.maps[:, 0, :length, :length].float().cpu().numpy()
    return AttentionMaps(np.array(heads, dtype=np.int32), np.ascontiguousarray(probs))


def _numbers_in_query(features: MSAFeatures, chain_lengths: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """`residue_index` `[L]` without the breaks between the chains."""
    if chain_lengths and sum(chain_lengths) != features.length:
        raise PredictionError(f"chains of {chain_lengths} residues do not make the query's {features.length}")
    numbers = features.residue_index
    if chain_lengths:
        numbers = numbers - CHAIN_BREAK * chain_of_residue(chain_lengths)
    if (np.diff(numbers) <= 0).any():
        raise PredictionError(
            f"the features are not those of chains of {chain_lengths} residues: they have no break of {CHAIN_BREAK} "
            "there; featurize the alignment of the complex"
        )
    return numbers


def plan_within(
    resources: Resources,
    model: LoadedModel,
    depth: int,
    length: int,
    name: str,
    *,
    alignment_depth: int | None = None,
    num_maps: int = 0,
    num_samples: int = 1,
    is_complex: bool = False,
) -> MemoryPlan:
    """How `depth` sequences of `length` residues, or fewer sequences, are predicted; what is adapted is logged.

    The features of `alignment_depth` sequences, if given, are made first; `num_maps` attention maps are kept beside,
    the sums over `num_samples` samples, and a complex's maps while those of its chains are made. Raises PredictionError
    when nothing fits, saying what would.
    """
    device = next(model.network.parameters()).device
    limit = memory_bytes(device) if resources.memory_bytes is None else resources.memory_bytes
    maps = _FLOAT_BYTES * (1 + NUM_BINS) * length**2
    kept = {
        f"{num_maps} attention maps": num_maps * _FLOAT_BYTES * length**2,
        "sums over samples": maps * (num_samples > 1),
        "maps of the complex": maps * is_complex,
    }
    beside = "".join(
        f"; {what} take {show_size(size)} of {show_size(limit)} beside" for what, size in kept.items() if size
    )
    limit -= sum(kept.values())
    if limit <= 0:
        raise PredictionError(f"N={depth}, L={length} does not fit{beside}; ask for fewer of them")
    ranks = resources.axial.size
    setting = Setting(
        *(model.network.config, depth, length, limit, device.type),
        axial=ranks,
        ranks=ranks,
        alignment_depth=alignment_depth,
    )
    rounded = replace(setting, depth=1 << (depth - 1).bit_length(), length=-(-length // _ROUND) * _ROUND)
    quick = fastest_plan(rounded)  # one for many targets, as plans of the same sizes are remembered
    if quick.fits:
        return replace(quick, setting=setting)
    plan = cheapest_plan(setting)
    if not plan.fits and resources.fewer_sequences:
        plan = cheapest_plan(replace(setting, depth=max(1, min(depth, largest_depth(setting)))))
    if not plan.fits:
        raise PredictionError(explain_misfit(plan) + beside)
    if plan != fastest_plan(setting):
        _log.warning("%s: adapted to the memory: %s", name, plan.sentence())
    return plan


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
