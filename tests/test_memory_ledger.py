"""The ledger's counts against counts by hand."""

from __future__ import annotations

import torch
from torch.nn import functional

from msaformer.training.memory_ledger import HollowTensor, MemoryLedger


def test_a_new_tensor_counts_and_a_view_does_not() -> None:
    with MemoryLedger() as ledger:
        x = torch.zeros(3, 5)
        assert ledger.held == 60
        views = (x[1:], x.T, x.reshape(15), x.detach())
        assert ledger.held == 60
        del x
        assert ledger.held == 60  # the views still see it
        del views
        assert ledger.held == 0
    assert ledger.peak == 60


def test_results_in_place_count_nothing_and_temporaries_count_while_they_live() -> None:
    with MemoryLedger() as ledger:
        x = torch.ones(100, dtype=torch.bfloat16)
        x.add_(1).mul_(2)
        torch.add(x, 1, out=x)
        assert ledger.peak == 200
        y = (x + 1) * 2  # both at a time
        assert (ledger.held, ledger.peak) == (400, 600)
        assert isinstance(y, HollowTensor)


def test_what_the_backward_pass_needs_is_held_until_then() -> None:
    with MemoryLedger() as ledger:
        weight = torch.zeros(10, 20, requires_grad=True)  # 800 bytes
        ledger.forget()
        x = torch.zeros(4, 20)  # 320
        out = functional.linear(x, weight).exp()  # of 160 each, the product goes: exp keeps its result
        del x
        assert ledger.held == 320 + 160
        loss = out.sum()
        del out
        assert ledger.held == 320 + 160 + 4
        loss.backward()
        del loss
        assert ledger.held == 800  # the gradient


def test_a_stretch_has_its_own_peak() -> None:
    with MemoryLedger() as ledger:
        x = torch.zeros(10)
        ledger.begin("second")
        y = x + x + x
        del x, y
        ledger.begin("third")
    assert [(s.name, s.start, s.peak) for s in ledger.stretches] == [
        ("start", 0, 40),
        ("second", 40, 120),
        ("third", 0, 0),
    ]


def test_tables_larger_than_any_memory_are_counted_and_not_made() -> None:
    with MemoryLedger() as ledger:
        x = torch.empty(2**20, 2**20)
        assert bool((x @ x).isfinite().all())
    assert ledger.peak > 8 * 2**40


def test_constants_with_numbers_may_take_part() -> None:
    outside = torch.arange(5.0)
    with MemoryLedger() as ledger:
        assert torch.bucketize(torch.zeros(7), outside).shape == (7,)
    assert ledger.peak == 7 * 4 + 7 * 8
