"""From a batch to the first MSA and pair tracks, and from one recycling pass to the next.

Dimension key: B batch, N sequences, L residues (i, j), k co-evolution maps, c_m / c_z channels of the tracks; R
of the N sequences and I of the L residues lie on this rank (all, unless several share a sample).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from data_tools.alphabet import NUM_SYMBOLS, NUM_TOKENS
from data_tools.couplings import NUM_COUPLINGS
from data_tools.features import COEVOLUTION_MAPS
from msaformer.config import ModelConfig
from msaformer.data.batch import Batch
from msaformer.model.attention import LayerNorm
from msaformer.model.execution import ExecutedModule
from msaformer.model.functions.projected_couplings import projected_couplings

_DELETION_SCALE = 3.0  # deletion value = 2/π · atan(count / 3), AlphaFold 2, table 1
_COUPLINGS_STD = 0.02  # of 441 inputs of order 1: the sum is of the order of the other terms
_MAX_NEFF = 1000.0  # about the most in training, whose alignments have at most 1,024 sequences
_MAP_SCALE = 4.0  # standard deviations; a second, bounded copy of each co-evolution map is tanh(z / 4)


class InputEmbedding(ExecutedModule):
    """Tokens, deletions, profile, relative position and co-evolution maps (AlphaFold 2, Algorithms 3 and 4).

    Beyond the paper: the profile joins the query in the pair track, and each co-evolution map enters it twice, as
    it is and squashed. An example without maps gets a learned vector in their place.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.max_relative_position = config.max_relative_position
        self.msa_tokens = nn.Embedding(NUM_TOKENS, config.c_m)
        self.msa_deletions = nn.Linear(2, config.c_m, bias=False)
        residue_channels = NUM_TOKENS + (NUM_SYMBOLS if config.profile else 0)
        self.has_profile = config.profile
        self.msa_query = nn.Linear(residue_channels, config.c_m)
        self.pair_left = nn.Linear(residue_channels, config.c_z)
        self.pair_right = nn.Linear(residue_channels, config.c_z)
        self.relative_position = nn.Embedding(2 * config.max_relative_position + 1, config.c_z)
        has_maps = config.coevolution != "none"
        self.coevolution = nn.Linear(2 * len(COEVOLUTION_MAPS), config.c_z) if has_maps else None
        self.no_coevolution = nn.Parameter(torch.zeros(config.c_z)) if has_maps else None
        self.couplings = self.neff = None
        if config.coevolution == "couplings":
            self.couplings = nn.Linear(NUM_COUPLINGS, config.c_z, bias=False)
            self.neff = nn.Linear(1, config.c_z, bias=False)
            nn.init.normal_(self.couplings.weight, std=_COUPLINGS_STD)

    def forward(self, batch: Batch) -> tuple[Float[Tensor, "B R L c_m"], Float[Tensor, "B I L c_z"]]:
        """Return this rank's part of the MSA and of the pair track, from the whole batch."""
        axial = self.execution.axial
        tokens, deletions = axial.take(batch.tokens, axis=1), axial.take(batch.deletions, axis=1)
        query = nn.functional.one_hot(batch.tokens[:, 0], NUM_TOKENS).to(batch.profile.dtype)
        residue = torch.cat([query, batch.profile], dim=-1) if self.has_profile else query
        msa = self.msa_tokens(tokens) + self.msa_deletions(_deletion_features(deletions))
        msa = msa + self.msa_query(residue)[:, None]
        pair = self.pair_left(axial.take(residue, axis=1))[:, :, None] + self.pair_right(residue)[:, None, :]
        pair = pair + self.relative_position(self._relative(batch.residue_index))
        if self.coevolution is not None:
            assert self.no_coevolution is not None  # both or neither
            maps = axial.take(batch.coevolution, axis=1)
            maps = torch.cat([maps, torch.tanh(maps / _MAP_SCALE)], dim=-1)
            embedded = self.coevolution(maps)
            if self.couplings is not None and self.neff is not None:
                couplings = axial.take(batch.couplings, axis=1)
                embedded = embedded + projected_couplings(
                    couplings, self.couplings.weight, self.execution.chunk_bytes
                )
                embedded = embedded + self.neff(_neff_feature(batch.neff))[:, None, None]
            present = batch.has_coevolution[:, None, None, None]
            pair = pair + torch.where(present, embedded, self.no_coevolution.to(embedded.dtype))
        return msa, pair

    def _relative(self, residue_index: Int[Tensor, "B L"]) -> Int[Tensor, "B I L"]:
        here = self.execution.axial.take(residue_index, axis=1)
        separation = here[:, :, None] - residue_index[:, None, :]
        return (
            separation.clamp(-self.max_relative_position, self.max_relative_position)
            + self.max_relative_position
        )


class RecyclingEmbedding(ExecutedModule):
    """Add the last pass's query row and pair track to the next one's input (AlphaFold 2, Algorithm 32, lines 1–2).

    There is no structure to recycle. The query row lies on the first of the ranks that share a sample.
    """

    def __init__(self, c_m: int, c_z: int) -> None:
        super().__init__()
        self.norm_query = LayerNorm(c_m)
        self.norm_pair = LayerNorm(c_z)

    def forward(
        self,
        msa: Float[Tensor, "B R L c_m"],
        pair: Float[Tensor, "B I L c_z"],
        last_query: Float[Tensor, "B L c_m"],
        last_pair: Float[Tensor, "B I L c_z"],
    ) -> tuple[Float[Tensor, "B R L c_m"], Float[Tensor, "B I L c_z"]]:
        """Return both tracks with the last pass added; `last_query` is the first row on this rank."""
        # Multiplied, not left out: ZeRO gathers and reduces every parameter on all ranks, in one order.
        is_query = self.execution.axial.rank == 0
        first = msa[:, :1] + is_query * self.norm_query(last_query)[:, None]
        msa = torch.cat([first, msa[:, 1:]], dim=1)
        return msa, pair + self.norm_pair(last_pair)


def _neff_feature(neff: Float[Tensor, " B"]) -> Float[Tensor, "B 1"]:
    """log₁₀ of Neff, at most that of the deepest alignments seen in training."""
    return neff.clamp(1.0, _MAX_NEFF).log10()[:, None]


def _deletion_features(deletions: Float[Tensor, "B R L"]) -> Float[Tensor, "B R L 2"]:
    """Has-deletion flag and deletion value (AlphaFold 2, Supplement, table 1)."""
    value = torch.atan(deletions / _DELETION_SCALE) * (2.0 / math.pi)
    return torch.stack([(deletions > 0).to(value.dtype), value], dim=-1)
