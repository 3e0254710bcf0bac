"""Transitions work on one cell at a time (AlphaFold 2, Algorithms 9 and 15)."""

from __future__ import annotations

import numpy as np
import torch
from model_cases import BFLOAT16, assert_near, draw, exact, linear, moved, norm, randomized

from msaformer.model.transition import Transition

B, N, L, C, FACTOR = 2, 3, 4, 6, 5


def test_a_transition_equals_the_loop_of_algorithm_9() -> None:
    layer = randomized(Transition(C, FACTOR))
    track = draw(B, N, L, C)
    expected = np.zeros((B, N, L, C))
    for b, n, i in np.ndindex(B, N, L):
        wide = linear(layer.widen, norm(layer.norm, exact(track)[b, n, i]))
        expected[b, n, i] = linear(layer.narrow, np.array([max(value, 0.0) for value in wide]))
    assert layer.widen.out_features == C * FACTOR
    assert_near(exact(layer(track)), expected)


def test_a_transition_moves_no_cell_but_its_own() -> None:
    expected = np.zeros((B, N, L), dtype=bool)
    expected[1, 2, 3] = True
    found = moved(randomized(Transition(C, FACTOR)), draw(B, N, L, C), (1, 2, 3))
    np.testing.assert_array_equal(found, expected)


def test_bfloat16_stays_near_float32() -> None:
    layer = randomized(Transition(C, FACTOR))
    track = draw(B, N, L, C)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(track).float()
    assert_near(out, layer(track), **BFLOAT16)
