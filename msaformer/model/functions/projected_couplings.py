"""A dense layer of the 441 couplings of each pair, in pieces: they are wider than the track that they become.

Dimension key: B batch, I / J residues of the pairs, q = 441 couplings, d channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from msaformer.model.functions.pieces import outside_autocast, rows_at_once, spans, wide

_BYTES: Final = 4  # of a number in the widest type that products are taken in, float32


def projected_couplings(
    couplings: Float[Tensor, "B I J q"], weight: Float[Tensor, "d q"], chunk_bytes: int
) -> Float[Tensor, "B I J d"]:
    """`couplings @ weight.T` in the type of autocast, or else of the weight; no gradient of the couplings."""
    kind = couplings.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
    out: Tensor = _ProjectedCouplings.apply(couplings, weight, dtype, chunk_bytes)  # type: ignore[no-untyped-call]
    return out


class _ProjectedCouplings(torch.autograd.Function):
    @staticmethod
    @outside_autocast
    def forward(ctx: Any, couplings: Tensor, weight: Tensor, dtype: torch.dtype, chunk_bytes: int) -> Tensor:
        ctx.options = (dtype, chunk_bytes)
        ctx.save_for_backward(couplings, weight)
        cells, matrix = couplings.reshape(-1, couplings.shape[-1]), weight.to(dtype).t()
        out = couplings.new_empty((len(cells), len(weight)), dtype=dtype)
        for piece in _pieces(cells, chunk_bytes):
            torch.mm(cells[piece].to(dtype), matrix, out=out[piece])
        return out.view(*couplings.shape[:-1], -1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    @outside_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        couplings, weight = ctx.saved_tensors
        dtype, chunk_bytes = ctx.options
        cells, grads = couplings.reshape(-1, couplings.shape[-1]), grad.reshape(-1, grad.shape[-1])
        total = torch.zeros_like(weight, dtype=wide(weight.dtype))
        for piece in _pieces(cells, chunk_bytes):
            total += grads[piece].to(dtype).t() @ cells[piece].to(dtype)
        return None, total.to(weight.dtype), None, None


def _pieces(cells: Tensor, chunk_bytes: int) -> Iterator[slice]:
    return spans(len(cells), rows_at_once(_BYTES * cells.shape[-1], chunk_bytes, cells.device))
