"""What a prediction holds of each residue pair: probabilities, symmetric to the bit.

Dimension key: L residues, K distance bins.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from msaformer.data.batch import Batch
from msaformer.model.model import MSAFormer


def predicted_maps(network: MSAFormer, batch: Batch) -> tuple[Float[Tensor, "L L"], Float[Tensor, "L L K"]]:
    """Probabilities of a contact and of each distance bin, for a batch of one example."""
    output = network(batch)
    contact_logits, distogram_logits = output.contact_logits[0], output.distogram_logits[0]
    del output  # the tracks are the larger part of it
    contacts = _symmetric(torch.sigmoid(contact_logits))
    return contacts, _symmetric(torch.softmax(distogram_logits, dim=-1))


def _symmetric(probs: Tensor) -> Tensor:
    """The mean of (i, j) and (j, i): of equal logits, torch rounds some probabilities another way by their place."""
    return (probs + probs.transpose(0, 1)) / 2
