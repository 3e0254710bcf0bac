"""The counts of `data_tools.weights.identity` by a loop compiled with numba (an optional extra).

Importing this module imports numba; the machine code is compiled at the first call ever and read from numba's
cache afterwards. One thread.

Dimension key: N sequences, words = ceil(L / 64).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from data_tools.weights.bit_planes import Planes

_TILE: Final = (
    2048  # sequences j whose planes (400 KiB at L = 300) stay in the second-level cache while i runs
)


def count_alike(planes: Planes, max_mismatches: int) -> npt.NDArray[np.int64]:
    """`[N]`, rows with at most `max_mismatches` to each, itself included, from planes `[words, 5, N]`."""
    return _count_alike(planes, np.int32(max_mismatches))


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return njit(cache=True)(function)
    except RuntimeError:  # nowhere to keep the machine code: neither beside this file nor in the home folder
        return njit(function)


@intrinsic
def _count_bits(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@_compiled
def _count_alike(planes: Planes, max_mismatches: int) -> npt.NDArray[np.int64]:
    words, _, depth = planes.shape
    num_alike = np.ones(depth, dtype=np.int64)
    mismatches = np.empty(_TILE, dtype=np.int32)
    for left in range(0, depth, _TILE):
        right = min(left + _TILE, depth)
        for i in range(right - 1):
            first = max(i + 1, left)
            num_pairs = right - first
            mismatches[:num_pairs] = 0
            for word in range(words):
                of_i = planes[word, :, i]
                i0, i1, i2, i3, i4 = of_i[0], of_i[1], of_i[2], of_i[3], of_i[4]
                j0, j1, j2 = planes[word, 0, first:], planes[word, 1, first:], planes[word, 2, first:]
                j3, j4 = planes[word, 3, first:], planes[word, 4, first:]
                for pair in range(num_pairs):
                    differ = i0 ^ j0[pair] | i1 ^ j1[pair] | i2 ^ j2[pair] | i3 ^ j3[pair] | i4 ^ j4[pair]
                    mismatches[pair] += np.int32(_count_bits(differ))  # type: ignore[call-arg]  # the compiler gives the context
            alike_to_i = np.int64(0)
            for pair in range(num_pairs):
                is_alike = np.int64(mismatches[pair] <= max_mismatches)
                alike_to_i += is_alike
                num_alike[first + pair] += is_alike
            num_alike[i] += alike_to_i
    return num_alike
