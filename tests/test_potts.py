"""The Potts model against loops over sequences and columns in float64, and on samples of a known model."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from data_tools.alphabet import GAP, UNKNOWN
from data_tools.coevolution import average_product_correction
from msaformer import potts
from msaformer.potts import PottsModel, PseudoLikelihood, fit_potts, symmetric

Q = 21
Doubles = npt.NDArray[np.float64]


def random_alignment(depth: int, length: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    rng = np.random.default_rng([depth, length])
    tokens = rng.integers(0, 22, (depth, length), dtype=np.uint8)
    kept = rng.random((depth, length)) < 0.5
    tokens = np.where(kept, rng.integers(0, 20, length, dtype=np.uint8), tokens)
    return tokens, rng.uniform(0.05, 1, depth).astype(np.float32)


def random_parameters(length: int, scale: float = 0.5) -> tuple[Doubles, Doubles]:
    """Fields `[L, 21]` and couplings `[L, 21, L, 21]` that are neither symmetric nor zero for i = j."""
    rng = np.random.default_rng(length)
    return rng.normal(0, scale, (length, Q)), rng.normal(0, scale, (length, Q, length, Q))


def to_state(token: int) -> int:
    return 20 if token in (GAP, UNKNOWN) else int(token)


def plain_loss(
    tokens: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.float32],
    fields: Doubles,
    couplings: Doubles,
    field_penalty: float,
    pair_penalty: float,
) -> float:
    """The loss of the module's docstring; of `couplings` only the half i < j is looked at."""
    depth, length = tokens.shape
    loss = field_penalty * float((fields**2).sum())
    for i in range(length):
        for j in range(i + 1, length):
            loss += pair_penalty * float((couplings[i, :, j, :] ** 2).sum())
    for n in range(depth):
        states = [to_state(token) for token in tokens[n]]
        for i in range(length):
            logits = []
            for a in range(Q):
                logit = fields[i, a]
                for j in range(length):
                    if i < j:
                        logit += couplings[i, a, j, states[j]]
                    elif j < i:
                        logit += couplings[j, states[j], i, a]
                logits.append(logit)
            normaliser = math.log(sum(math.exp(logit) for logit in logits))
            loss -= float(weights[n]) * (logits[states[i]] - normaliser)
    return loss / float(weights.astype(np.float64).sum())


def objective(
    tokens: npt.NDArray[np.uint8],
    weights: npt.NDArray[np.float32],
    *,
    field_penalty: float = 0.3,
    pair_penalty: float = 0.7,
    chunk_rows: int = 4096,
) -> PseudoLikelihood:
    states = torch.tensor([[to_state(token) for token in row] for row in tokens])
    return PseudoLikelihood(
        states, torch.from_numpy(weights).double(), field_penalty, pair_penalty, chunk_rows
    )


@pytest.mark.parametrize(("depth", "length"), [(1, 2), (9, 4), (6, 7)])
def test_the_loss_equals_the_loop(depth: int, length: int) -> None:
    tokens, weights = random_alignment(depth, length)
    fields, couplings = random_parameters(length)
    both = symmetric(torch.from_numpy(couplings)).numpy()
    expected = plain_loss(tokens, weights, fields, both, 0.3, 0.7)
    loss, _, _ = objective(tokens, weights).loss_and_gradients(
        torch.from_numpy(fields), torch.from_numpy(couplings)
    )
    assert float(loss) == pytest.approx(expected, rel=1e-10)


def test_the_gradient_is_that_of_finite_differences() -> None:
    tokens, weights = random_alignment(9, 4)
    target = objective(tokens, weights)
    fields, couplings = (torch.from_numpy(array) for array in random_parameters(4))
    _, by_fields, by_couplings = target.loss_and_gradients(fields, couplings)
    rng = np.random.default_rng(0)
    step = 1e-5
    for parameters, gradient in ((fields, by_fields), (couplings, by_couplings)):
        flat = parameters.view(-1)
        for place in rng.choice(flat.numel(), 40, replace=False):
            kept = float(flat[place])
            flat[place] = kept + step
            above = float(target.loss_and_gradients(fields, couplings)[0])
            flat[place] = kept - step
            below = float(target.loss_and_gradients(fields, couplings)[0])
            flat[place] = kept
            assert float(gradient.reshape(-1)[place]) == pytest.approx((above - below) / (2 * step), abs=1e-8)


def test_the_gradient_is_that_of_automatic_differentiation() -> None:
    tokens, weights = random_alignment(9, 4)
    target = objective(tokens, weights)
    fields, couplings = (torch.from_numpy(array).requires_grad_() for array in random_parameters(4))
    loss, by_fields, by_couplings = target.loss_and_gradients(fields, couplings)
    expected = torch.autograd.grad(loss, (fields, couplings))
    torch.testing.assert_close(by_fields, expected[0])
    torch.testing.assert_close(by_couplings, expected[1])


def test_chunks_of_sequences_change_nothing_but_rounding() -> None:
    tokens, weights = random_alignment(23, 5)
    fields, couplings = (torch.from_numpy(array) for array in random_parameters(5))
    whole = objective(tokens, weights).loss_and_gradients(fields, couplings)
    for rows in (1, 5, 22, 23):
        parts = objective(tokens, weights, chunk_rows=rows).loss_and_gradients(fields, couplings)
        torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-14)


# The fit


def planted_model(length: int, pairs: list[tuple[int, int]], strength: float) -> tuple[Doubles, Doubles]:
    """Fields and couplings `[L, L, 21, 21]` in which the coupled residues want to be partners."""
    rng = np.random.default_rng(7)
    fields = rng.normal(0, 0.3, (length, Q))
    couplings = np.zeros((length, length, Q, Q))
    for i, j in pairs:
        block = np.zeros((Q, Q))
        block[np.arange(20), rng.permutation(20)] = strength
        couplings[i, j], couplings[j, i] = block, block.T
    return fields, couplings


def gibbs_sample(fields: Doubles, couplings: Doubles, depth: int, sweeps: int) -> npt.NDArray[np.uint8]:
    """`depth` independent chains."""
    rng = np.random.default_rng(8)
    length = len(fields)
    states = rng.integers(0, Q, (depth, length))
    for _ in range(sweeps):
        for i in range(length):
            logits = np.tile(fields[i], (depth, 1))
            for j in range(length):
                if j != i:
                    logits += couplings[i, j][:, states[:, j]].T
            noise = rng.gumbel(size=logits.shape)
            states[:, i] = np.argmax(logits + noise, axis=1)
    return np.where(states == 20, GAP, states).astype(np.uint8)


PLANTED = [(0, 9), (2, 5), (5, 12), (3, 14)]


@pytest.fixture(scope="module")
def sample() -> npt.NDArray[np.uint8]:
    return gibbs_sample(*planted_model(15, PLANTED, strength=3.0), depth=500, sweeps=12)


def test_planted_couplings_rank_first_and_their_chain_does_not(sample: npt.NDArray[np.uint8]) -> None:
    fit = fit_potts(sample, np.ones(len(sample), np.float32))
    assert fit.converged
    scores = np.triu(fit.model.scores())
    best = np.argsort(scores, axis=None)[::-1][: len(PLANTED)]
    assert sorted(divmod(int(place), 15) for place in best) == sorted(PLANTED)
    assert scores[2, 12] < scores[2, 5] / 5  # 2–5–12 is no contact of 2 and 12


def test_couplings_are_recovered_in_size_where_data_are_many(sample: npt.NDArray[np.uint8]) -> None:
    truth = planted_model(15, PLANTED, strength=3.0)[1]
    centred = truth - truth.mean(axis=2, keepdims=True)
    centred -= centred.mean(axis=3, keepdims=True)
    fit = fit_potts(sample, np.ones(len(sample), np.float32), coupling_penalty=0.01)
    for i, j in PLANTED:
        found = fit.model.couplings[i, j, :20, :20]
        assert np.corrcoef(found.ravel(), centred[i, j, :20, :20].ravel())[0, 1] > 0.8
        assert 0.5 < np.linalg.norm(found) / np.linalg.norm(centred[i, j, :20, :20]) < 1.5


def test_the_search_goes_down_and_reports_how_it_ended(sample: npt.NDArray[np.uint8]) -> None:
    weights = np.linspace(0.2, 1, len(sample), dtype=np.float32)
    short = fit_potts(sample, weights, max_iterations=2)
    long = fit_potts(sample, weights)
    assert (short.iterations, short.converged) == (2, False)
    assert long.converged
    assert long.gradient_norm <= 1e-3 < short.gradient_norm
    assert long.losses[0] == short.losses[0] > short.losses[-1] > long.losses[-1]
    assert long.losses[-1] == pytest.approx(min(long.losses), rel=1e-6)


def test_the_loss_at_the_end_is_that_of_the_model() -> None:
    """The zero-sum gauge moves couplings into fields; the penalties are all that it changes."""
    tokens, weights = random_alignment(30, 4)
    fit = fit_potts(tokens, weights, field_penalty=1e-9, coupling_penalty=0.05, tolerance=1e-5)
    couplings = fit.model.couplings.transpose(0, 2, 1, 3).astype(np.float64)
    of_model = plain_loss(tokens, weights, fit.model.fields.astype(np.float64), couplings, 1e-9, 0.05 * 3)
    assert fit.losses[-1] == pytest.approx(of_model, rel=1e-4)


def test_the_minimum_beats_its_neighbours() -> None:
    tokens, weights = random_alignment(30, 4)
    fit = fit_potts(tokens, weights, tolerance=1e-6, dtype=torch.float64, max_iterations=500)
    assert fit.converged
    target = objective(tokens, weights, field_penalty=0.01, pair_penalty=0.2 * 3)
    # both penalties are least in the zero-sum gauge of the couplings, so the minimum has it by itself
    couplings = torch.from_numpy(fit.model.couplings.transpose(0, 2, 1, 3).copy()).double()
    fields = torch.from_numpy(fit.model.fields).double()
    least = float(target.loss_and_gradients(fields, couplings)[0])
    assert least == pytest.approx(fit.losses[-1], rel=1e-3)
    for seed in range(10):
        noise = torch.Generator().manual_seed(seed)
        moved = couplings + 0.05 * torch.randn(couplings.shape, generator=noise)
        assert float(target.loss_and_gradients(fields, moved)[0]) > least


def test_weights_count_as_copies() -> None:
    tokens, _ = random_alignment(20, 4)
    copied = np.concatenate([tokens, tokens[:5]])
    weights = np.ones(20, np.float32)
    weights[:5] = 2
    once = fit_potts(tokens, weights, tolerance=1e-5, dtype=torch.float64)
    twice = fit_potts(copied, np.ones(25, np.float32), tolerance=1e-5, dtype=torch.float64)
    np.testing.assert_allclose(once.model.couplings, twice.model.couplings, atol=1e-4)


def test_arrays_that_cannot_be_written_are_read() -> None:
    tokens, weights = random_alignment(20, 4)
    tokens.setflags(write=False)
    weights.setflags(write=False)
    assert fit_potts(tokens, weights).iterations > 0


def test_the_same_alignment_gives_the_same_model_bit_for_bit() -> None:
    tokens, weights = random_alignment(40, 6)
    first, second = fit_potts(tokens, weights), fit_potts(tokens, weights)
    np.testing.assert_array_equal(first.model.couplings, second.model.couplings)
    np.testing.assert_array_equal(first.model.fields, second.model.fields)
    assert first.losses == second.losses


def test_fields_and_couplings_are_symmetric_and_in_the_zero_sum_gauge() -> None:
    model = fit_potts(*random_alignment(40, 6)).model
    assert model.couplings.dtype == model.fields.dtype == np.float32
    np.testing.assert_allclose(model.couplings, model.couplings.transpose(1, 0, 3, 2), atol=1e-6)
    np.testing.assert_array_equal(model.couplings[np.arange(6), np.arange(6)], 0)
    np.testing.assert_allclose(model.couplings.sum(axis=2), 0, atol=1e-5)
    np.testing.assert_allclose(model.couplings.sum(axis=3), 0, atol=1e-5)
    np.testing.assert_allclose(model.fields.sum(axis=1), 0, atol=1e-5)
    assert np.abs(model.couplings).max() > 0.05


def test_the_zero_sum_gauge_is_the_same_distribution() -> None:
    fields, couplings = random_parameters(4)
    both = symmetric(torch.from_numpy(couplings))
    model = potts.zero_sum_model(torch.from_numpy(fields), both)
    for sums in (model.fields.sum(axis=1), model.couplings.sum(axis=2), model.couplings.sum(axis=3)):
        np.testing.assert_allclose(sums, 0, atol=1e-4)
    given = PottsModel(fields.astype(np.float32), both.permute(0, 2, 1, 3).float().numpy())
    tokens, _ = random_alignment(30, 4)
    shift = model.energies(tokens) - given.energies(tokens)
    assert np.ptp(given.energies(tokens)) > 3
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)


def test_gap_and_unknown_are_one_state() -> None:
    tokens, weights = random_alignment(30, 5)
    replaced = np.where(tokens == UNKNOWN, np.uint8(GAP), tokens)
    assert (replaced != tokens).any()
    np.testing.assert_array_equal(
        fit_potts(tokens, weights).model.couplings, fit_potts(replaced, weights).model.couplings
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_scores_of_the_cpu(sample: npt.NDArray[np.uint8]) -> None:
    weights = np.ones(len(sample), np.float32)
    on_cpu, on_gpu = (fit_potts(sample, weights, device=device).model.scores() for device in ("cpu", "cuda"))
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-2 * np.abs(on_cpu).max())


# The model


def small_model() -> PottsModel:
    fields = np.zeros((3, Q), np.float32)
    fields[0, 4], fields[1, 20] = 1.5, -0.5
    couplings = np.zeros((3, 3, Q, Q), np.float32)
    couplings[0, 1, 4, 20] = couplings[1, 0, 20, 4] = 2.0
    couplings[0, 2, 4, 7] = couplings[2, 0, 7, 4] = -0.25
    couplings[1, 2, 19, 20] = couplings[2, 1, 20, 19] = 100.0
    return PottsModel(fields, couplings)


def test_energies_by_hand() -> None:
    tokens = np.array([[4, GAP, 7], [4, UNKNOWN, 8], [0, 0, 0], [4, 1, 7]], dtype=np.uint8)
    assert small_model().energies(tokens).tolist() == [
        -(1.5 - 0.5 + 2 - 0.25),
        -(1.5 - 0.5 + 2),
        0,
        -(1.5 - 0.25),
    ]


def test_scores_leave_the_gap_out_and_are_average_product_corrected() -> None:
    norms = np.array([[0, 0, 0.25], [0, 0, 0], [0.25, 0, 0]])
    np.testing.assert_allclose(small_model().scores(), average_product_correction(norms), atol=1e-7)


def test_energies_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"tokens must be \[N, 3\], not \[2, 4\]"):
        small_model().energies(np.zeros((2, 4), np.uint8))


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match=r"fields must be \[L, 21\], not \[3, 20\]"):
        PottsModel(np.zeros((3, 20), np.float32), np.zeros((3, 3, Q, Q), np.float32))
    with pytest.raises(ValueError, match=r"couplings must be \[3, 3, 21, 21\], not \[3, 2, 21, 21\]"):
        PottsModel(np.zeros((3, Q), np.float32), np.zeros((3, 2, Q, Q), np.float32))


@pytest.mark.parametrize(
    "wrong",
    [
        {"field_penalty": 0.0},
        {"coupling_penalty": -1.0},
        {"tolerance": 0.0},
        {"max_iterations": 0},
        {"chunk_rows": 0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="fit_potts needs at least two columns"):
        fit_potts(*random_alignment(5, 3), **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not L = 1"):
        fit_potts(*random_alignment(5, 1))
