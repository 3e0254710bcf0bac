"""Amounts of memory, as people write them."""

from __future__ import annotations

import math
import re
from typing import Final

from msaformer.errors import ConfigError

_UNITS: Final = {"": 1, **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", 1)}}
_BINARY_UNITS: Final = {f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)}
_BY_NAME: Final = {name.casefold(): size for name, size in (_UNITS | {"B": 1} | _BINARY_UNITS).items()}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_size(text: str, source: str) -> int:
    """Bytes of `80GB` (10⁹ each), `8GiB` (2³⁰ each) or `24000MB`; upper and lower case are the same.

    Raises ConfigError, which names `source`, when it is no size, or none above 0.

    >>> parse_size("1.5 GiB", "--memory")
    1610612736
    """
    found = _SIZE.fullmatch(text.strip())
    unit = _BY_NAME.get(found[2].casefold()) if found else None
    if found is None or unit is None:
        raise ConfigError(f"{source}: expected a size such as 80GB, 8GiB or 24000MB, not {text!r:.40}")
    num_bytes = float(found[1]) * unit
    if not 1 <= num_bytes < math.inf:
        raise ConfigError(f"{source}: expected a size above 0, not {text!r:.40}")
    return int(num_bytes)


def show_size(num_bytes: int) -> str:
    """Three figures and a unit of 10³ⁿ bytes.

    >>> show_size(12_345_678), show_size(0)
    ('12.3 MB', '0 B')
    """
    for name, size in sorted(_UNITS.items(), key=lambda unit: -unit[1]):
        if size > 1 and num_bytes >= size:
            amount = num_bytes / size
            return f"{amount:.{max(0, 2 - int(math.log10(amount)))}f} {name}"
    return f"{num_bytes} B"
