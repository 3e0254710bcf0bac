"""Potts model of an alignment by pseudo-likelihood (plmDCA, GREMLIN), on CPU or GPU.

Dimension key: N sequences, L columns, q = 21 states (20 amino acids, and one for gap and X together).

P(x) ∝ exp(Σ_i h_i(x_i) + Σ_{i<j} J_ij(x_i, x_j)). Fitted is the symmetric pseudo-likelihood (Balakrishnan et al. 2011,
doi 10.1002/prot.22934; Ekeberg et al. 2013, doi 10.1103/PhysRevE.87.012707): minimise

    (−Σ_n w_n Σ_i log P(x_ni | x_n without i) + λ_h Σ h² + λ_J Σ_{i<j} Σ_ab J_ij(a, b)²) / Σ_n w_n,

with λ_h = 0.01 and λ_J = 0.2 (L − 1): GREMLIN (Kamisetty et al. 2013, doi 10.1073/pnas.1314045110) as its published
TensorFlow version has it, 0.01 · (L − 1)(q − 1) over pairs i < j. Scores: zero-sum gauge, Frobenius norm over the 20
amino acids, average product correction (Ekeberg et al. 2013 and 2014).

Optimiser: L-BFGS with strong Wolfe line search from J = 0 and h = log frequencies; no randomness. Memory: about
32 copies of J (1,764 L² bytes each in float32: L = 300 takes 5 GB) and 500 bytes a cell of one chunk of sequences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_tools.alphabet import NUM_AMINO_ACIDS
from data_tools.coevolution import average_product_correction
from data_tools.pair_statistics import NUM_STATES, single_frequencies, to_states

FIELD_PENALTY: Final = 0.01  # λ_h, GREMLIN
COUPLING_PENALTY: Final = 0.2  # λ_J / (L − 1), GREMLIN
HISTORY: Final = 10  # steps that L-BFGS remembers; two copies of all parameters each
FREQUENCY_PSEUDOCOUNT: Final = 0.01  # share; only where the search for the fields starts

Tokens = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PottsModel:
    """Fields and couplings in the zero-sum gauge; ValueError at birth when shapes disagree."""

    fields: npt.NDArray[np.float32]
    """h `[L, 21]`, nats; each row sums to 0. States: the amino acids of `data_tools.alphabet`, then gap and X."""
    couplings: npt.NDArray[np.float32]
    """J `[L, L, 21, 21]`, nats; J[i, j, a, b] = J[j, i, b, a], J[i, i] = 0, rows and columns of a block sum to 0."""

    def __post_init__(self) -> None:
        length = len(self.fields)
        if self.fields.shape != (length, NUM_STATES):
            raise ValueError(f"fields must be [L, {NUM_STATES}], not {list(self.fields.shape)}")
        if self.couplings.shape != (length, length, NUM_STATES, NUM_STATES):
            raise ValueError(
                f"couplings must be [{length}, {length}, {NUM_STATES}, {NUM_STATES}], "
                f"not {list(self.couplings.shape)}"
            )

    def scores(self) -> npt.NDArray[np.float32]:
        """APC-corrected Frobenius norms `[L, L]` over the 20 amino acids; symmetric, zero on the diagonal."""
        blocks = self.couplings[:, :, :NUM_AMINO_ACIDS, :NUM_AMINO_ACIDS]
        return average_product_correction(np.sqrt(np.einsum("ijab,ijab->ij", blocks, blocks)))

    def energies(self, tokens: Tokens) -> npt.NDArray[np.float64]:
        """−Σ_i h_i − Σ_{i<j} J_ij `[N]`, nats, of `tokens` `[N, L]`; −log P but for a constant of the model.

        Raises ValueError when the sequences are not of length L.
        """
        if tokens.ndim != 2 or tokens.shape[1] != len(self.fields):
            raise ValueError(f"tokens must be [N, {len(self.fields)}], not {list(tokens.shape)}")
        states = to_states(tokens).astype(np.intp)
        columns = np.arange(len(self.fields))
        energies = -self.fields[columns, states].sum(axis=1, dtype=np.float64)
        for i in range(len(self.fields) - 1):
            later = columns[i + 1 :]
            pairs = self.couplings[i, later, states[:, i, None], states[:, i + 1 :]]
            energies -= pairs.sum(axis=1, dtype=np.float64)
        return energies


@dataclass(frozen=True, slots=True, eq=False)
class PottsFit:
    """A fitted model and how the search for it ended."""

    model: PottsModel
    losses: tuple[float, ...]
    """What was minimised, in nats a unit of weight, wherever the search looked: from the start to the end."""
    iterations: int
    """Steps taken; each looked at one place or, in its line search, at several."""
    gradient_norm: float
    """Largest absolute entry of its gradient at the end."""
    converged: bool
    """Whether `gradient_norm` fell below the tolerance; False when `max_iterations` or rounding ended the search."""


def fit_potts(
    tokens: Tokens,
    weights: npt.NDArray[np.float32],
    *,
    field_penalty: float = FIELD_PENALTY,
    coupling_penalty: float = COUPLING_PENALTY,
    max_iterations: int = 200,
    tolerance: float = 1e-3,
    chunk_rows: int = 4096,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> PottsFit:
    """Fit a Potts model to `tokens` `[N, L]` with `weights` `[N]` > 0; λ_J = `coupling_penalty` · (L − 1).

    Sequences are visited `chunk_rows` at a time, which bounds the memory and changes nothing but rounding. Stops when
    no entry of the gradient exceeds `tolerance`. Raises ValueError unless penalties and limits are positive and L > 1.
    """
    length = tokens.shape[1]
    if (
        length < 2
        or min(field_penalty, coupling_penalty, tolerance) <= 0
        or min(max_iterations, chunk_rows) < 1
    ):
        raise ValueError(
            "fit_potts needs at least two columns, positive penalties and tolerance, and at least one iteration "
            f"and row a chunk, not L = {length}, {field_penalty}, {coupling_penalty}, {tolerance}, "
            f"{max_iterations}, {chunk_rows}"
        )
    objective = PseudoLikelihood(
        torch.from_numpy(to_states(tokens).astype(np.int64)).to(device),
        torch.tensor(weights, dtype=dtype, device=device),
        field_penalty=field_penalty,
        pair_penalty=coupling_penalty * (length - 1),
        chunk_rows=chunk_rows,
    )
    frequencies = single_frequencies(tokens, weights, pseudocount=FREQUENCY_PSEUDOCOUNT)
    fields = torch.from_numpy(np.log(frequencies)).to(device, dtype)
    fields -= fields.mean(dim=1, keepdim=True)
    couplings = torch.zeros((length, NUM_STATES, length, NUM_STATES), dtype=dtype, device=device)
    return _minimise(objective, fields, couplings, max_iterations, tolerance)


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLikelihood:
    """What is minimised, and its gradient; couplings are `[L, 21, L, 21]`, only their symmetric part counts."""

    states: Int[Tensor, "N L"]
    weights: Float[Tensor, " N"]
    field_penalty: float
    """λ_h."""
    pair_penalty: float
    """λ_J, of each pair i < j."""
    chunk_rows: int = 4096

    def loss_and_gradients(
        self, fields: Float[Tensor, "L q"], couplings: Float[Tensor, "L q L q"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, and its derivatives by fields and couplings (the latter symmetric)."""
        total = self.weights.sum()
        table = symmetric(couplings).reshape(fields.numel(), fields.numel())
        loss = self.field_penalty * fields.square().sum() + self.pair_penalty / 2 * table.square().sum()
        by_fields = 2 * self.field_penalty * fields
        by_table = self.pair_penalty * table
        for states, weights in zip(
            torch.split(self.states, self.chunk_rows), torch.split(self.weights, self.chunk_rows), strict=True
        ):
            one_hot = fields.new_zeros((*states.shape, NUM_STATES)).scatter_(2, states[:, :, None], 1.0)
            flat = one_hot.reshape(len(states), -1)
            logits = fields + (flat @ table).reshape(one_hot.shape)
            log_probs = logits.log_softmax(dim=2)
            loss = loss - (weights[:, None] * (log_probs * one_hot).sum(dim=2)).sum()
            residual = (log_probs.exp() - one_hot) * weights[:, None, None]
            by_fields = by_fields + residual.sum(dim=0)
            by_table = by_table + flat.T @ residual.reshape(flat.shape)
        by_couplings = symmetric(by_table.reshape(couplings.shape))
        return loss / total, by_fields / total, by_couplings / total


def symmetric(couplings: Float[Tensor, "L q L q"]) -> Float[Tensor, "L q L q"]:
    """(J + Jᵀ) / 2 with zero for i = j."""
    halves = (couplings + couplings.permute(2, 3, 0, 1)) / 2
    columns = torch.arange(len(halves), device=halves.device)
    halves[columns, :, columns, :] = 0
    return halves


def _minimise(
    objective: PseudoLikelihood, fields: Tensor, couplings: Tensor, max_iterations: int, tolerance: float
) -> PottsFit:
    """Run L-BFGS in place on `fields` and `couplings`."""
    optimizer = torch.optim.LBFGS(
        [fields, couplings],
        max_iter=max_iterations,
        max_eval=4 * max_iterations,
        tolerance_grad=tolerance,
        tolerance_change=0.0,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
    )
    losses: list[float] = []

    def look() -> float:
        loss, fields.grad, couplings.grad = objective.loss_and_gradients(fields, couplings)
        losses.append(float(loss))
        return losses[-1]

    optimizer.step(look)  # type: ignore[no-untyped-call]
    look()
    assert fields.grad is not None
    assert couplings.grad is not None
    gradient_norm = float(torch.maximum(fields.grad.abs().max(), couplings.grad.abs().max()))
    return PottsFit(
        model=zero_sum_model(fields, symmetric(couplings)),
        losses=tuple(losses),
        iterations=int(optimizer.state[fields]["n_iter"]),
        gradient_norm=gradient_norm,
        converged=gradient_norm <= tolerance,
    )


def zero_sum_model(fields: Float[Tensor, "L q"], couplings: Float[Tensor, "L q L q"]) -> PottsModel:
    """The same distribution with the couplings' row and column means moved into the fields."""
    over_b = couplings.mean(dim=3, keepdim=True)
    over_both = over_b.mean(dim=1, keepdim=True)
    centred = couplings - over_b - couplings.mean(dim=1, keepdim=True) + over_both
    moved = fields + (over_b - over_both).sum(dim=(2, 3))
    moved = moved - moved.mean(dim=1, keepdim=True)
    blocks = centred.permute(0, 2, 1, 3).contiguous()
    return PottsModel(moved.float().cpu().numpy(), blocks.float().cpu().numpy())
