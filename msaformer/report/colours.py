"""The colours that mean something, the same in the page, the figures, the structure and the files for other viewers.

From the palette of Okabe and Ito (2008, "Color Universal Design"), which readers with any colour vision tell apart.
"""

from __future__ import annotations

from typing import Final

TRUE_COLOUR: Final = "#0072B2"
"""Blue: a predicted pair that is a contact in the structure."""
FALSE_COLOUR: Final = "#D55E00"
"""Vermilion: a predicted pair that is none."""
HELIX_COLOUR: Final = "#CC79A7"
"""Reddish purple."""
STRAND_COLOUR: Final = "#009E73"
"""Bluish green."""
NATIVE_COLOUR: Final = "#b4bac4"
"""Grey: a contact in the structure, predicted or not."""
