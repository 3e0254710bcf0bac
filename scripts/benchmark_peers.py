"""The plain versions that `benchmark.py` measures against, and the synthetic data both sides are given.

Each peer is the obvious way to write its job, or the usual one in the field, and computes the same numbers.

Dimension key: N sequences, L residues or columns, H heads, D channels a head, q = 21 states.
"""

from __future__ import annotations

import math
import string
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_tools.alphabet import AMINO_ACIDS, GAP, NUM_AMINO_ACIDS, SYMBOLS, UNKNOWN

Tokens = npt.NDArray[np.uint8]

_GAP_SHARE = 0.23  # of the cells of the A3M file
_RUNS_PER_SEQUENCE = 3.5  # of inserted residues, on average
_RUN_LENGTH = 4.0  # inserted residues, on average
_LETTER_TO_TOKEN = {letter: token for token, letter in enumerate(SYMBOLS)}
_NUM_STATES = 21  # 20 amino acids, and one for gap and X
_BLOCK_ROWS = 512  # sequences a block of the symmetric one-hot product


@dataclass(frozen=True, slots=True)
class SyntheticA3M:
    """An A3M file and what it says."""

    text: str
    tokens: Tokens
    """`[N, L]`."""
    deletion_matrix: npt.NDArray[np.int64]
    """`[N, L]`."""


def synthetic_a3m(depth: int, length: int, seed: int) -> SyntheticA3M:
    """Random letters, 23 % gaps, 14 inserted residues a sequence; the query has neither gaps nor insertions."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, NUM_AMINO_ACIDS, (depth, length), dtype=np.uint8)
    tokens[rng.random((depth, length)) < _GAP_SHARE] = GAP
    tokens[0] = rng.integers(0, NUM_AMINO_ACIDS, length)
    deletions = rng.geometric(1 / _RUN_LENGTH, (depth, length))
    deletions[rng.random((depth, length)) > _RUNS_PER_SEQUENCE / length] = 0
    deletions[0] = 0
    ends = np.cumsum(deletions + 1)  # a cell is its inserted residues, then its own letter
    letters = rng.choice(np.frombuffer(AMINO_ACIDS.lower().encode(), np.uint8), int(ends[-1]))
    letters[ends - 1] = np.frombuffer(SYMBOLS.encode(), np.uint8)[tokens].ravel()
    joined = letters.tobytes().decode()
    stops = [0, *ends.reshape(depth, length)[:, -1].tolist()]
    text = "".join(f">sequence_{row}\n{joined[stops[row] : stops[row + 1]]}\n" for row in range(depth))
    return SyntheticA3M(text, tokens, deletions)


def family(depth: int, length: int, seed: int) -> Tokens:
    """Relatives `[N, L]` of 40 ancestors, 0–40 % of each mutated to any symbol, the query to none."""
    rng = np.random.default_rng(seed)
    ancestors = rng.integers(0, NUM_AMINO_ACIDS, (40, length))
    tokens = ancestors[rng.integers(0, 40, depth)]
    is_mutated = rng.random((depth, length)) < rng.random((depth, 1)) * 0.4
    is_mutated[0] = False
    return np.where(is_mutated, rng.integers(0, len(SYMBOLS), (depth, length)), tokens).astype(np.uint8)


def parse_a3m_plainly(text: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Tokens and deletion matrix `[N, L]` by lists and one character at a time, as AlphaFold 2's pipeline does."""
    sequences: list[str] = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith(">"):
            sequences.append("")
        elif line:
            sequences[-1] += line
    deletion_matrix = []
    for sequence in sequences:
        deletion_vector = []
        num_deleted = 0
        for letter in sequence:
            if letter.islower():
                num_deleted += 1
            else:
                deletion_vector.append(num_deleted)
                num_deleted = 0
        deletion_matrix.append(deletion_vector)
    without_insertions = str.maketrans("", "", string.ascii_lowercase)
    aligned = [sequence.translate(without_insertions) for sequence in sequences]
    tokens = [[_LETTER_TO_TOKEN[letter] for letter in sequence] for sequence in aligned]
    return np.array(tokens, dtype=np.int32), np.array(deletion_matrix, dtype=np.int32)


def weights_by_half_product(tokens: Tokens, identity: float) -> npt.NDArray[np.float32]:
    """The same from the blocks on and above the diagonal only, since identity is symmetric."""
    table, needed = _one_hot(tokens), _needed(tokens, identity)
    num_alike = torch.zeros(len(tokens), dtype=torch.int64)
    for top in range(0, len(tokens), _BLOCK_ROWS):
        bottom = top + _BLOCK_ROWS
        alike = table[top:bottom] @ table[top:].T >= needed
        num_alike[top:bottom] += alike.sum(dim=1)
        num_alike[bottom:] += alike[:, _BLOCK_ROWS:].sum(dim=0)
    return (1.0 / num_alike).numpy()


def _one_hot(tokens: Tokens) -> Tensor:
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(tokens.astype(np.int64)), len(SYMBOLS))
    return one_hot.to(torch.float32).flatten(1)


def _needed(tokens: Tokens, identity: float) -> int:
    return math.ceil(identity * tokens.shape[1] - 1e-9)


def dense_mean_field_dca(
    tokens: Tokens, weights: npt.NDArray[np.float32], *, pseudocount: float
) -> npt.NDArray[np.float64]:
    """Mean-field DCA `[L, L]` (Morcos et al. 2011) by inverting the `[20 L, 20 L]` covariance matrix in float64."""
    depth, length = tokens.shape
    states = np.where((tokens == GAP) | (tokens == UNKNOWN), _NUM_STATES - 1, tokens)
    one_hot = np.eye(_NUM_STATES)[states][:, :, :-1].reshape(depth, -1)
    share = (weights / weights.sum(dtype=np.float64))[:, None]
    single = (1 - pseudocount) * (share * one_hot).sum(axis=0) + pseudocount / _NUM_STATES
    joint = (1 - pseudocount) * (one_hot.T @ (share * one_hot)) + pseudocount / _NUM_STATES**2
    for i in range(length):
        own = slice(i * NUM_AMINO_ACIDS, (i + 1) * NUM_AMINO_ACIDS)
        joint[own, own] = np.diag(single[own])
    couplings = -np.linalg.inv(joint - np.outer(single, single))
    couplings = couplings.reshape(length, NUM_AMINO_ACIDS, length, NUM_AMINO_ACIDS).transpose(0, 2, 1, 3)
    row_means = couplings.sum(axis=2, keepdims=True) / _NUM_STATES  # the gap's couplings are zero
    column_means = couplings.sum(axis=3, keepdims=True) / _NUM_STATES
    means = couplings.sum(axis=(2, 3), keepdims=True) / _NUM_STATES**2
    norms = np.linalg.norm(couplings - row_means - column_means + means, axis=(2, 3))
    np.fill_diagonal(norms, 0.0)
    of_residue = norms.sum(axis=1) / (length - 1)
    corrected = norms - np.outer(of_residue, of_residue) / of_residue.mean()
    np.fill_diagonal(corrected, 0.0)
    return corrected


def attention_inputs(depth: int, length: int, num_heads: int, head_channels: int) -> tuple[Tensor, ...]:
    """q, k, v `[1, N, H, L, D]` and bias `[1, H, L, L]`, all with gradient, and a key mask that hides nothing."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, depth, num_heads, length, head_channels)
    q, k, v = (torch.randn(shape, generator=generator).requires_grad_() for _ in range(3))
    bias = torch.randn((1, num_heads, length, length), generator=generator).requires_grad_()
    return q, k, v, bias, torch.ones((1, depth, length), dtype=torch.bool)
