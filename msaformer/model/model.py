"""The whole network: embedding, trunk, heads.

Dimension key: B batch, N sequences, L residues, K distance bins, c_m / c_z channels of the MSA / pair track; R of the N
sequences and I of the L residues lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from msaformer.config import ModelConfig
from msaformer.data.batch import Batch
from msaformer.model.embedding import InputEmbedding, RecyclingEmbedding
from msaformer.model.evoformer import Evoformer
from msaformer.model.execution import ExecutedModule
from msaformer.model.heads import CONTACT_PRIOR, NUM_BINS, MaskedMSAHead, PairHead
from msaformer.model.orientation_head import OrientationHead
from msaformer.parallel.axial import AxialSharding


@dataclass(frozen=True, eq=False)  # no slots: DeepSpeed's hooks look into the outputs of modules by vars()
class ModelOutput:
    """The last tracks and the logits read off them: the rows that this rank holds, whole with one rank a sample."""

    msa: Float[Tensor, "B R L c_m"]
    pair: Float[Tensor, "B I L c_z"]
    contact_logits: Float[Tensor, "B I L"]
    distogram_logits: Float[Tensor, "B I L K"]
    masked_msa_logits: Float[Tensor, "B R L 22"]
    omega_logits: Float[Tensor, "B I L 25"] | None = None
    """This and the next two: None without `model.orientations`."""
    theta_logits: Float[Tensor, "B I L 25"] | None = None
    phi_logits: Float[Tensor, "B I L 13"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PairLogits:
    """What is predicted of the residue pairs, whole (see `ModelOutput`)."""

    contact_logits: Float[Tensor, "B L L"]
    distogram_logits: Float[Tensor, "B L L K"]
    omega_logits: Float[Tensor, "B L L 25"] | None
    theta_logits: Float[Tensor, "B L L 25"] | None
    phi_logits: Float[Tensor, "B L L 13"] | None


def gather_output(output: ModelOutput, axial: AxialSharding) -> PairLogits:
    """Put the ranks' rows of the pair logits together, on every rank; all ranks of `axial` have to call it."""
    parts = {field.name: getattr(output, field.name) for field in fields(PairLogits)}
    whole: dict[str, Any] = {
        name: part if part is None else axial.gather(part, axis=1) for name, part in parts.items()
    }
    return PairLogits(**whole)


class MSAFormer(ExecutedModule):
    """From a batch of alignments to contacts, distances and masked cells."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = InputEmbedding(config)
        self.recycling = RecyclingEmbedding(config.c_m, config.c_z) if config.num_recycles else None
        self.trunk = Evoformer(config)
        self.contact_head = PairHead(config.c_z, 1, prior=CONTACT_PRIOR)
        self.distogram_head = PairHead(config.c_z, NUM_BINS)
        self.masked_msa_head = MaskedMSAHead(config.c_m)
        self.orientation_head = OrientationHead(config.c_z) if config.orientations else None

    def forward(self, batch: Batch) -> ModelOutput:
        """Run the trunk once, plus `num_recycles` times before without gradient (AlphaFold 2, Algorithm 2).

        Ranks that share a sample are each given the whole batch, N and L being multiples of their number (ValueError
        otherwise), and return the rows that they hold. They have to call this together.
        """
        with self._precision(batch.tokens.device):
            msa, pair = self.embedding(batch)
            if self.recycling is not None:
                msa, pair = self._recycled(msa, pair, batch)
            msa, pair = self.trunk(msa, pair, batch.msa_mask, batch.pair_mask)
        angles = (None, None, None) if self.orientation_head is None else self.orientation_head(pair)
        return ModelOutput(
            msa=msa,
            pair=pair,
            contact_logits=self.contact_head(pair)[..., 0],
            distogram_logits=self.distogram_head(pair),
            masked_msa_logits=self.masked_msa_head(msa),
            omega_logits=angles[0],
            theta_logits=angles[1],
            phi_logits=angles[2],
        )

    def _precision(self, device: torch.device) -> AbstractContextManager[object]:
        """Of the embedding and the trunk; the heads and the tracks between the blocks are float32."""
        if not self.execution.bfloat16:
            return nullcontext()  # and not a disabled autocast: the caller's may be on
        return torch.autocast(device.type, dtype=torch.bfloat16)

    def _recycled(self, msa_input: Tensor, pair_input: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The input of the last pass; the first is given zeros as its predecessor."""
        assert self.recycling is not None
        last_query, last_pair = torch.zeros_like(msa_input[:, 0]), torch.zeros_like(pair_input)
        with torch.no_grad():
            for _ in range(self.config.num_recycles):
                msa, pair = self.recycling(msa_input, pair_input, last_query, last_pair)
                msa, last_pair = self.trunk(msa, pair, batch.msa_mask, batch.pair_mask)
                last_query = msa[:, 0]
        msa, pair = self.recycling(msa_input, pair_input, last_query, last_pair)
        return msa, pair
