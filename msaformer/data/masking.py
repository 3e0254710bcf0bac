"""Masked MSA: which cells are to be predicted, and what the network sees instead.

Few single cells are corrupted as in BERT (AlphaFold 2, Supplement 1.2.7): 80 % become the mask token, 10 % a random
symbol, 10 % stay, so that the network trusts no cell blindly. Everything else is masked outright, as in masked
autoencoders (He et al. 2022, CVPR, "Masked autoencoders are scalable vision learners"; for text, Wettig et al. 2023,
EACL, "Should you mask 15 % in masked language modeling?"): at a ratio r, a share 0.1 r / (1 - 0.8 r) of the cells that
still show a symbol would be wrong, 2 % for 0.15 but 43 % for 0.97, and the tenth that stays would show a sixteenth of
the sequence or column that is to be filled in whole.

What is masked must not be read off the other inputs:
- the profile is that of the whole alignment without the masked cells, and zero where that leaves nothing, as it
  does for an alignment of one sequence. By column it is zero in the masked columns in any case: the sequences that
  were not drawn would still tell what stands there;
- by column, the co-evolution maps are zero (their mean) in the pairs of masked columns. Otherwise they stay: they
  hold strengths of couplings, no symbols. `data.drop_coevolution=1` leaves them out;
- deletions of masked rows, columns and blocks are zero: where a sequence has its insertions names its relatives.

Dimension key: N sequences, L residues, k co-evolution maps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import MASK, NUM_SYMBOLS
from msaformer.config import DataConfig
from msaformer.data.batch import NOT_SCORED, Sample

_MASKED, _RANDOM = 0.8, 0.1  # shares of the chosen cells; the rest keeps its symbol
_PROBABILITIES: Final = (_MASKED, _RANDOM, 1 - _MASKED - _RANDOM)
_MAX_MIXED_RATIO: Final = 0.3  # up to here at most 4 % of the symbols that are seen are wrong
_ROUNDING: Final = (
    1e-6  # of a frequency; that of its float32 is 6e-8, and what is left of it names the symbol
)

Cells = npt.NDArray[np.bool_]


def mask_sample(
    sample: Sample,
    config: DataConfig,
    weights: npt.NDArray[np.float32],
    neff: float,
    rng: np.random.Generator,
) -> Sample:
    """Mask a sample as `config` says; `weights` `[N]` are those of its sequences, `neff` the whole alignment's."""
    chosen: Cells = choose_cells(sample.tokens.shape, config, rng)
    by_cell = config.mask_by == "residue"
    mixed = by_cell and config.mask_ratio <= _MAX_MIXED_RATIO
    profile, maps = profile_without(sample.profile, sample.tokens, chosen, weights, neff), sample.coevolution
    if config.mask_by == "column":
        hidden = chosen[0]  # as in every row
        profile[hidden] = 0
        maps = None if maps is None else np.where((hidden[:, None] | hidden)[..., None], np.float32(0), maps)
    tokens = sample.tokens
    return replace(
        sample,
        tokens=corrupt(tokens, chosen, rng) if mixed else np.where(chosen, np.uint8(MASK), tokens),
        deletions=sample.deletions if by_cell else np.where(chosen, np.float32(0), sample.deletions),
        profile=profile,
        coevolution=maps,
        masked_targets=np.where(chosen, tokens.astype(np.int64), NOT_SCORED),
    )


def choose_cells(shape: tuple[int, int], config: DataConfig, rng: np.random.Generator) -> Cells:
    """The cells `[N, L]` to be predicted, a share `mask_ratio` of them.

    By residue, each cell is drawn for itself. Of rows, columns and the cells in blocks, the nearest whole number is
    taken, at least one and never all; so a single sequence, or a single column, is not masked as such.
    """
    depth, length = shape
    ratio = config.mask_ratio
    if config.mask_by == "row":
        return np.repeat(_some(depth, ratio, rng)[:, None], length, axis=1)
    if config.mask_by == "column":
        return np.repeat(_some(length, ratio, rng)[None, :], depth, axis=0)
    if config.mask_by == "block":
        return _blocks(shape, config.mask_block, ratio, rng)
    return rng.random(shape) < ratio


def corrupt(tokens: npt.NDArray[np.uint8], chosen: Cells, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Of the chosen cells of `tokens` `[N, L]`, 80 % become the mask token, 10 % a random symbol, 10 % stay."""
    fate = rng.choice(3, size=tokens.shape, p=_PROBABILITIES)
    noise = rng.integers(NUM_SYMBOLS, size=tokens.shape, dtype=np.uint8)
    corrupted = np.where(chosen & (fate == 0), np.uint8(MASK), tokens)
    return np.where(chosen & (fate == 1), noise, corrupted)


def profile_without(
    profile: npt.NDArray[np.float32],
    tokens: npt.NDArray[np.uint8],
    chosen: Cells,
    weights: npt.NDArray[np.float32],
    neff: float,
) -> npt.NDArray[np.float32]:
    """The profile `[L, 22]` without the chosen cells of `tokens` `[N, L]`; zero where nothing else is known.

    `weights` `[N]` are those of the sequences in an alignment whose weights sum to `neff`.
    """
    rows, columns = np.nonzero(chosen)
    taken = np.zeros(profile.shape)
    np.add.at(taken, (columns, tokens[rows, columns]), weights[rows].astype(np.float64))
    left = profile.astype(np.float64) * neff - taken
    left[left < _ROUNDING * neff] = 0
    total = left.sum(axis=1, keepdims=True)
    frequencies = np.divide(left, total, out=np.zeros_like(left), where=total > 0).astype(np.float32)
    out = profile.copy()
    out[columns] = frequencies[columns]
    return out


def _count(size: int, ratio: float) -> int:
    """The whole number nearest to `ratio` of `size`; at least one unless the ratio is 0, and never all."""
    return min(max(round(ratio * size), 1), size - 1) if ratio > 0 else 0


def _some(size: int, ratio: float, rng: np.random.Generator) -> Cells:
    chosen = np.zeros(size, bool)
    chosen[rng.permutation(size)[: _count(size, ratio)]] = True
    return chosen


def _blocks(shape: tuple[int, int], block: tuple[int, int], ratio: float, rng: np.random.Generator) -> Cells:
    """Blocks of a grid laid at a random place over the table, drawn until the share is reached; the last one is cut."""
    place = [np.arange(size) + rng.integers(side) for size, side in zip(shape, block, strict=True)]
    row, column = (at // side for at, side in zip(place, block, strict=True))
    num_rows, num_columns = row[-1] + 1, column[-1] + 1
    block_of = row[:, None] * num_columns + column  # [N, L]
    turn = rng.permutation(num_rows * num_columns)[block_of]
    chosen = np.zeros(shape, bool)
    chosen.flat[np.argsort(turn, axis=None, kind="stable")[: _count(chosen.size, ratio)]] = True
    return chosen
