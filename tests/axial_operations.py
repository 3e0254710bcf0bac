"""Each operation of `AxialSharding` beside the obvious computation on whole tables, in float64.

Part of `axial_job.py`, which runs it on every rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from model_cases import draw
from torch import Tensor

from msaformer.parallel.axial import AxialSharding


class Case(NamedTuple):
    """`tables[r]` is what rank r puts in; `obvious` turns all of them into what each rank gets."""

    tables: list[Tensor]
    operation: Callable[[Tensor], Tensor]
    obvious: Callable[[list[Tensor]], list[Tensor]]


def operations(axial: AxialSharding) -> Iterator[tuple[str, float]]:
    """How far results and gradients are from the obvious, each rank weighing what it gets by weights of its own."""
    for name, case in cases(axial).items():
        leaves = [table.clone().requires_grad_() for table in case.tables]
        expected = case.obvious(leaves)
        weights = [draw(*out.shape, seed=50 + r).double() for r, out in enumerate(expected)]
        loss = torch.zeros((), dtype=torch.float64)
        for out, weight in zip(expected, weights, strict=True):
            loss = loss + (out * weight).sum()
        torch.autograd.backward(loss)
        here = case.tables[axial.rank].clone().requires_grad_()
        found = case.operation(here)
        torch.autograd.backward((found * weights[axial.rank]).sum())
        yield f"{name}: forward", difference(found, expected[axial.rank])
        yield f"{name}: gradient", difference(here.grad, leaves[axial.rank].grad)


def cases(axial: AxialSharding) -> dict[str, Case]:
    """Along every axis but the first, whose lengths all differ."""
    D = axial.size
    table = draw(2, 2 * D, 3 * D, 5 * D).double()
    square = draw(2, 2 * D, 2 * D, 3, seed=1).double()
    own = [draw(3, 4, seed=2 + r).double() for r in range(D)]
    found = {
        "sum": Case(own, axial.sum, lambda tables: [torch.stack(tables).sum(0)] * D),
        "transpose": Case(parts(square, 1, D), axial.transpose, partial(transposed, size=D)),
    }
    for axis in (1, 2, 3):
        found[f"gather {axis}"] = Case(
            parts(table, axis, D), partial(axial.gather, axis=axis), partial(joined, axis=axis)
        )
        found[f"take {axis}"] = Case(
            [table.clone() for _ in range(D)], partial(axial.take, axis=axis), partial(taken, axis=axis)
        )
        for whole in {1, 2, 3} - {axis}:
            found[f"swap {axis} {whole}"] = Case(
                parts(table, axis, D),
                partial(axial.swap, whole=whole, sharded=axis),
                partial(swapped, sharded=axis, whole=whole),
            )
    return found


def parts(table: Tensor, axis: int, size: int) -> list[Tensor]:
    return list(table.chunk(size, axis))


def joined(tables: list[Tensor], axis: int) -> list[Tensor]:
    return [torch.cat(tables, axis)] * len(tables)


def taken(tables: list[Tensor], axis: int) -> list[Tensor]:
    return [parts(table, axis, len(tables))[rank] for rank, table in enumerate(tables)]


def swapped(tables: list[Tensor], sharded: int, whole: int) -> list[Tensor]:
    return parts(torch.cat(tables, sharded), whole, len(tables))


def transposed(tables: list[Tensor], size: int) -> list[Tensor]:
    return parts(torch.cat(tables, 1).transpose(1, 2), 1, size)


def difference(found: Tensor | None, expected: Tensor | None, scale: Tensor | None = None) -> float:
    """The largest, relative to the largest number of `scale`, or of what is expected."""
    assert found is not None
    assert expected is not None
    assert found.shape == expected.shape, (found.shape, expected.shape)
    assert found.dtype == expected.dtype
    largest = (expected if scale is None else scale).detach().abs().max()
    return float((found - expected).detach().abs().max() / largest)
