"""The order in which the published networks number the amino acids, and the way there from `data_tools.alphabet`.

Ours is alphabetical by one-letter code, then X and gap: the numbering that HHblits output has in AlphaFold 2
(`HHBLITS_AA_TO_ID`). AlphaFold 2 and 3 and trRosetta order the amino acids by their three-letter codes, Ala, Arg, Asn,
…, Val; AlphaFold then has X at 20 and gap at 21, and trRosetta gap and X together at 20.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from data_tools.alphabet import AMINO_ACIDS, GAP, NUM_SYMBOLS, UNKNOWN

BY_CODE: Final = "ARNDCQEGHILKMFPSTWYV"
"""The 20 amino acids in the order of their three-letter codes (AlphaFold 2, `residue_constants.restypes`)."""


def _order() -> npt.NDArray[np.intp]:
    order = np.array([AMINO_ACIDS.index(letter) for letter in BY_CODE] + [UNKNOWN, GAP], dtype=np.intp)
    order.setflags(write=False)
    return order


def _number() -> npt.NDArray[np.uint8]:
    number = np.empty(NUM_SYMBOLS, dtype=np.uint8)
    number[BY_CODE_TO_OURS] = np.arange(NUM_SYMBOLS, dtype=np.uint8)
    number.setflags(write=False)
    return number


BY_CODE_TO_OURS: Final = _order()
"""`[22]`, our token of each of AlphaFold's numbers; `profile[:, BY_CODE_TO_OURS]` puts columns into its order."""
OURS_TO_BY_CODE: Final = _number()
"""`[22]`, AlphaFold's number of each of our tokens; `OURS_TO_BY_CODE[tokens]` translates a table."""
