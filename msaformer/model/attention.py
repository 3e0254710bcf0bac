"""The one attention core: gated, optionally biased, multi-head, along one axis of a table of rows.

Row, column and triangle attention differ only in which axis they hand over as S and where the bias comes from.
AlphaFold 2 (Jumper et al. 2021), Supplement, Algorithms 7, 8, 13, 14.

Dimension key: B batch, R rows attended independently, S positions along the attended axis, c channels, H heads,
D channels a head.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msaformer.model.execution import ExecutedModule
from msaformer.model.kernels import MASKED_LOGIT, attention


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels, computed in float32 whatever the input's type."""

    def forward(self, x: Float[Tensor, "*axes c"]) -> Float[Tensor, "*axes c"]:
        normed = nn.functional.layer_norm(
            x.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps
        )
        return normed.to(x.dtype)


class GatedAttention(ExecutedModule):
    """Multi-head attention along S with a sigmoid gate on its output (AlphaFold 2, Algorithm 7, lines 2–7).

    `tied` shares one attention map among the rows, its logits being summed over them and divided by √(rows)
    (MSA Transformer, Rao et al. 2021, section 3, "tied row attention"). Ranks that share a sample hold R rows each, and
    those that are tied to one another lie on all of them.
    """

    def __init__(self, channels: int, num_heads: int, head_channels: int, *, tied: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.tied = tied
        inner = num_heads * head_channels
        self.to_qkv = nn.Linear(channels, 3 * inner, bias=False)
        self.to_gate = nn.Linear(channels, inner)
        self.to_out = nn.Linear(inner, channels)
        nn.init.zeros_(self.to_gate.weight)
        nn.init.ones_(self.to_gate.bias)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(
        self,
        x: Float[Tensor, "B R S c"],
        mask: Bool[Tensor, "B R S"],
        pair_bias: Float[Tensor, "B H S S"] | None = None,
    ) -> Float[Tensor, "B R S c"]:
        """Update every position from the real positions (`mask`) of its own row; `x` is already normalised."""
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
        attended = self._tied(q, k, v, mask, pair_bias) if self.tied else attention(q, k, v, mask, pair_bias)
        gated = torch.sigmoid(self.to_gate(x)) * attended.transpose(2, 3).flatten(-2)
        out: Tensor = self.to_out(gated)
        return out

    def _tied(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, pair_bias: Tensor | None) -> Tensor:
        axial = self.execution.axial
        real = mask[:, :, None, :, None].to(q.dtype)
        rows = axial.sum(mask.any(dim=-1).sum(dim=-1)).clamp(min=1)[:, None, None, None]
        logits = axial.sum(torch.einsum("brhid,brhjd->bhij", q * real, k * real).float())
        logits = logits * (q.shape[-1] * rows) ** -0.5
        if pair_bias is not None:
            logits = logits + pair_bias.float()
        key_is_real = axial.sum(mask.sum(dim=1))[:, None, None, :] > 0
        probs = torch.softmax(logits.masked_fill(~key_is_real, MASKED_LOGIT), dim=-1).to(v.dtype)
        return torch.einsum("bhij,brhjd->brhid", probs, v * real)
