"""What a prediction holds of each residue pair: probabilities, symmetric to the bit.

Dimension key: L residues, K distance bins.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from msaformer.data.batch import Batch
from msaformer.model.model import MSAFormer, gather_output


def predicted_maps(network: MSAFormer, batch: Batch) -> tuple[Float[Tensor, "L L"], Float[Tensor, "L L K"]]:
    """Probabilities of a contact and of each distance bin, for a batch of one example.

    Ranks that share the example call this together; each gets the whole maps.
    """
    logits = gather_output(network(batch), network.execution.axial)  # the tracks, the larger part, are let go
    contacts = _symmetric(torch.sigmoid(logits.contact_logits[0]))
    return contacts, _symmetric(torch.softmax(logits.distogram_logits[0], dim=-1))


def _symmetric(probs: Tensor) -> Tensor:
    """The mean of (i, j) and (j, i): of equal logits, torch rounds some probabilities another way by their place."""
    return (probs + probs.transpose(0, 1)) / 2
