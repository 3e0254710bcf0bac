"""The inputs of published networks, made from one `Alignment`: numpy in, contiguous float32 out.

Each record's fields say shape, unit and the name that the original gives them. `torch.from_numpy` shares their memory.
"""

from data_tools.network_features.alphafold2 import AlphaFold2Features, alphafold2_features
from data_tools.network_features.alphafold3 import AlphaFold3Features, alphafold3_features
from data_tools.network_features.trrosetta import TrRosettaFeatures, trrosetta_features

__all__ = [
    "AlphaFold2Features",
    "AlphaFold3Features",
    "TrRosettaFeatures",
    "alphafold2_features",
    "alphafold3_features",
    "trrosetta_features",
]
