"""The one alphabet: 20 amino acids, X (unknown), gap, and the mask token of masked-MSA training.

Tokens 0–19 are the amino acids in the alphabetical order of their one-letter codes, 20 is X, 21 the gap; a file
holds these 22 symbols only (`NUM_SYMBOLS`, the width of a profile). 22 is the mask token, which exists in a
model's input only (`NUM_TOKENS`, the size of an embedding table).

Ambiguous and rare letters follow AlphaFold 2 (`residue_constants.py`, HHblits mapping): B→D, Z→E, U→C; J and O→X.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

AMINO_ACIDS: Final = "ACDEFGHIKLMNPQRSTVWY"
SYMBOLS: Final = AMINO_ACIDS + "X-"
NUM_AMINO_ACIDS: Final = 20
UNKNOWN: Final = 20
GAP: Final = 21
NUM_SYMBOLS: Final = 22
MASK: Final = 22
NUM_TOKENS: Final = 23

SUBSTITUTED: Final = {"B": "D", "Z": "E", "U": "C", "J": "X", "O": "X"}


def encode(sequence: str) -> npt.NDArray[np.uint8]:
    """Turn upper-case letters and `-` into tokens `[L]`.

    Raises ValueError naming the first symbol outside the alphabet (1-based position).

    >>> encode("ACB-").tolist()
    [0, 1, 2, 21]
    """
    tokens = BYTE_TO_TOKEN[np.frombuffer(sequence.encode("latin-1", "replace"), dtype=np.uint8)]
    bad = np.flatnonzero(tokens == NOT_A_SYMBOL)
    if bad.size:
        raise ValueError(f"symbol {sequence[bad[0]]!r} at position {bad[0] + 1} is no amino acid, X or gap")
    return tokens


def decode(tokens: npt.NDArray[np.uint8]) -> str:
    """Turn tokens `[L]` into letters; the mask token becomes `#`.

    >>> decode(np.array([0, 20, 21, 22], dtype=np.uint8))
    'AX-#'
    """
    return _TOKEN_TO_BYTE[tokens].tobytes().decode("ascii")


NOT_A_SYMBOL: Final = 255  # what BYTE_TO_TOKEN holds for every byte that is no match-column symbol


def _byte_table() -> npt.NDArray[np.uint8]:
    table = np.full(256, NOT_A_SYMBOL, dtype=np.uint8)
    for token, letter in enumerate(SYMBOLS):
        table[ord(letter)] = token
    for letter, stand_in in SUBSTITUTED.items():
        table[ord(letter)] = SYMBOLS.index(stand_in)
    table.setflags(write=False)
    return table


BYTE_TO_TOKEN: Final = _byte_table()  # [256] uint8, indexed by the byte of an upper-case letter or '-'
_TOKEN_TO_BYTE: Final = np.frombuffer((SYMBOLS + "#").encode(), dtype=np.uint8)
